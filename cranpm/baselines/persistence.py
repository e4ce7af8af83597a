"""Tomorrow like today, sharp or blurred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from cranpm.data.store.source import DaySource

BLURS = (1.0, 2.0, 4.0, 8.0)
"""Standard deviations to choose from [cells]."""

USUAL_BLUR = 3.0
"""Standard deviation of blurred persistence where there are no training days to choose it on [cells]."""

_WINDOW = 1024
"""Cells along the side of the middle of the domain that the choice is made on."""


def persistence(today: np.ndarray) -> np.ndarray:
    """The field of the day of the forecast's start, for every lead time; gaps stay gaps."""
    return np.array(today, dtype=np.float32)


def blurred_persistence(today: np.ndarray, sigma: float) -> np.ndarray:
    """Persistence smoothed by a Gaussian over the cells that have a value.

    With retrieval noise in the field, smoothing alone looks like skill: what a network must beat is this.

    Parameters
    ----------
    today : ndarray, shape (rows, cols)
        PM2.5 [ug m-3]; NaN is missing and stays missing.
    sigma : float
        Standard deviation of the Gaussian [cells]; 0 gives plain persistence.
    """
    if sigma < 0:
        raise ValueError(f"sigma must be zero or more cells, got {sigma}.")
    if sigma == 0:
        return persistence(today)
    valid = np.isfinite(today)
    weight = gaussian_filter(valid.astype(np.float32), sigma, mode="constant")
    total = gaussian_filter(np.where(valid, today, 0).astype(np.float32), sigma, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(valid, total / weight, np.nan).astype(np.float32)


def choose_blur(source: DaySource, pairs: Sequence[tuple[np.datetime64, np.datetime64]]) -> float:
    """The standard deviation that comes nearest to the second day of each pair [cells].

    Parameters
    ----------
    source : DaySource
    pairs : sequence of (datetime64, datetime64)
        Training days that lie a lead time apart.
    """
    rows, cols = (slice(max(0, (n - _WINDOW) // 2), (n + _WINDOW) // 2) for n in source.domain.fine.shape)
    squares = dict.fromkeys(BLURS, 0.0)
    for first, second in pairs:
        today, target = source.pm2p5(first, rows, cols), source.pm2p5(second, rows, cols)
        for cells in BLURS:
            squares[cells] += float(np.nansum((blurred_persistence(today, cells) - target) ** 2))
    return min(squares, key=lambda cells: squares[cells])
