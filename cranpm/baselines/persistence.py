"""Tomorrow like today, sharp or blurred."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


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
