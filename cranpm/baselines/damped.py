"""Damped persistence: today's departure from what is usual fades with lead time. The honest baseline to beat."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cranpm.baselines.blocks import block_sums, filled, spread
from cranpm.baselines.climatology import (
    Climatology,
    NoTrainingDaysError,
    Read,
    fit_climatology,
    season_of,
    window,
)
from cranpm.domain.channels import LEAD_DAYS
from cranpm.domain.days import as_day

_ONE_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class DampedPersistence:
    """Climatology plus a factor per season, lead and block of cells.

    ``factor`` (4, leads, R, C), in [0, 1]: the slope that predicts the anomaly ``lead`` days later from today's.
    """

    climatology: Climatology
    factor: np.ndarray
    leads: tuple[int, ...]

    def forecast(
        self,
        today: np.ndarray,
        init_day: np.datetime64,
        lead: int,
        rows: slice | None = None,
        cols: slice | None = None,
    ) -> np.ndarray:
        """PM2.5 ``lead`` days after ``init_day`` [ug m-3], never negative; missing where today is missing.

        Parameters
        ----------
        today : ndarray
            Field of the init day on the window ``rows``, ``cols`` (all of it by default).

        Raises
        ------
        ValueError
            If the lead was not fitted or the window has another shape.
        NoTrainingDaysError
            If the season was not trained.
        """
        if lead not in self.leads:
            raise ValueError(f"Damped persistence was fitted for leads {self.leads}, got {lead}.")
        rows, cols = window(self.climatology.mean.shape, rows, cols)
        shape = len(range(*rows.indices(rows.stop))), len(range(*cols.indices(cols.stop)))
        if today.shape != shape:
            raise ValueError(f"Expected today's field with shape {shape}, got {today.shape}.")
        season, day = season_of(init_day), as_day(init_day)
        anomaly = today - self.climatology.on(day, rows, cols)
        factor = spread(self.factor[season, self.leads.index(lead)], self.climatology.block, rows, cols)
        usual = self.climatology.on(day + lead * _ONE_DAY, rows, cols)
        return np.maximum(usual + factor * anomaly, 0).astype(np.float32)


def fit_damped(
    read: Read,
    days: Sequence[np.datetime64],
    *,
    leads: tuple[int, ...] = LEAD_DAYS,
    block: int = 64,
    stride: int = 4,
) -> DampedPersistence:
    """Climatology and damping from training days, read one at a time; thinned copies are kept (7 MB a day of Europe).

    Parameters
    ----------
    read : callable
        Gives the PM2.5 field of a day, shape (rows, cols), NaN where missing.
    days : sequence of datetime64
        Training days; gaps are allowed, a pair of days counts only where both are there.
    leads : tuple of int
        Lead times [days].
    block : int
        Cells along a block that shares one factor.
    stride : int
        Every so many cells along each axis enter the factors, a divisor of ``block``: a block of 64 still has 256.

    Raises
    ------
    NoTrainingDaysError
        If no two days lie ``lead`` apart.
    ValueError
        If ``stride`` does not divide ``block``.
    """
    if block % stride:
        raise ValueError(f"stride must divide block, got stride {stride} and block {block}.")
    days = sorted(as_day(day) for day in days)
    every = slice(None, None, stride)
    kept: dict[np.datetime64, np.ndarray] = {}

    def read_and_keep(day: np.datetime64) -> np.ndarray:
        field = np.asarray(read(day), dtype=np.float32)
        kept[day] = field[every, every].copy()
        return field

    climatology = fit_climatology(read_and_keep, days, block=block)
    shape = climatology.offset.shape[1:]
    product, square = np.zeros((2, 4, len(leads), *shape))
    recent: deque[tuple[np.datetime64, np.ndarray]] = deque(maxlen=max(leads))
    for day in days:
        anomaly = kept.pop(day) - climatology.on(day, every, every)
        for before, earlier in recent:
            lag = int((day - before) / _ONE_DAY)
            if lag in leads:
                both = np.isfinite(anomaly) & np.isfinite(earlier)
                where = season_of(before), leads.index(lag)
                product[where] += block_sums(np.where(both, earlier * anomaly, np.nan), block // stride)[0]
                square[where] += block_sums(np.where(both, earlier**2, np.nan), block // stride)[0]
        recent.append((day, anomaly))
    return DampedPersistence(
        climatology=climatology, factor=_slopes(product, square, climatology, leads), leads=tuple(leads)
    )


def _slopes(
    product: np.ndarray, square: np.ndarray, climatology: Climatology, leads: tuple[int, ...]
) -> np.ndarray:
    """Least-squares slope through the origin, which for a stationary series is its lag autocorrelation."""
    factor = np.zeros(product.shape, dtype=np.float32)
    for season, count in enumerate(climatology.days):
        for index, lead in enumerate(leads):
            if not (square[season, index] > 0).any():
                if count and not (square[:, index] > 0).any():
                    raise NoTrainingDaysError(
                        f"No two training days lie {lead} days apart, so that lead cannot be fitted."
                    )
                continue  # a season of a few last days: no pair starts in it, so its anomalies count for nothing
            with np.errstate(invalid="ignore", divide="ignore"):
                slope = np.where(
                    square[season, index] > 0, product[season, index] / square[season, index], np.nan
                )
            factor[season, index] = np.clip(filled(slope), 0, 1)
    return factor
