"""Confidence intervals from blocks of days: days in a row share their weather and are no independent samples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cranpm.domain.resampling import bootstrap_indices, central_interval
from cranpm.verification.sums import PairSums

REPEATS, LEVEL = 1000, 0.95
"""Redraws of an interval, and how many of them lie in it."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score with the interval that holds it in ``level`` of the resampled sets of days."""

    estimate: float
    low: float
    high: float
    level: float
    days: int
    block_days: int

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def block_bootstrap(
    statistic: Callable[..., float],
    *daily: PairSums,
    block_days: int = 5,
    repeats: int = REPEATS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Interval of a score by redrawing blocks of successive days, the same days for every forecast compared.

    Parameters
    ----------
    statistic : callable
        Takes the pooled sums in the order of ``daily``; such as ``lambda ours, theirs: 1 - ours.rmse / theirs.rmse``.
    *daily : PairSums
        One entry per day along the first axis (:meth:`PairSums.stack`), the same days in each.
    block_days : int
        Days drawn together; blocks wrap around the end so that every day is equally likely.
    seed : int
        Makes the interval reproducible.

    Raises
    ------
    ValueError
        If the days differ, or are fewer than two blocks.
    """
    counts = {part.count.shape[0] for part in daily}
    if len(counts) != 1:
        raise ValueError(f"Expected the same days for every forecast, got {sorted(counts)} of them.")
    (days,) = counts
    if days < 2 * block_days:
        raise ValueError(f"Expected at least {2 * block_days} days for blocks of {block_days}, got {days}.")
    drawn = [
        float(statistic(*(part.take(choice).pooled() for part in daily)))
        for choice in bootstrap_indices(days, repeats, np.random.default_rng(seed), block=block_days)
    ]
    estimate = float(statistic(*(part.pooled() for part in daily)))
    low, high = central_interval(drawn, level)
    return Interval(estimate=estimate, low=low, high=high, level=level, days=days, block_days=block_days)


def skill_interval(ours: PairSums, theirs: PairSums, *, block_days: int = 3) -> Interval:
    """1 - RMSE / RMSE of another forecast, with its interval; shorter blocks where days are few, none for one day."""
    days = len(ours.count)
    if days < 2:
        return Interval(
            estimate=_skill(ours.pooled(), theirs.pooled()),
            low=np.nan,
            high=np.nan,
            level=0.95,
            days=days,
            block_days=1,
        )
    block = max(1, min(block_days, days // 2))
    # what `block_bootstrap` does with `_skill`, all redraws at once: tables ask for thousands of these
    choice = _choices(days, REPEATS, block)
    with np.errstate(invalid="ignore", divide="ignore"):
        mine, other = (part.squared[choice].sum(1) / part.weight[choice].sum(1) for part in (ours, theirs))
        drawn = np.where(other > 0, 1 - np.sqrt(mine) / np.sqrt(other), np.nan)
    low, high = central_interval(drawn.tolist(), LEVEL)
    estimate = _skill(ours.pooled(), theirs.pooled())
    return Interval(estimate=estimate, low=low, high=high, level=LEVEL, days=days, block_days=block)


@functools.lru_cache(maxsize=16)
def _choices(days: int, repeats: int, block: int) -> np.ndarray:
    """Redrawn days, (repeats, days), the same every time."""
    return bootstrap_indices(days, repeats, np.random.default_rng(0), block=block)


def _skill(ours: PairSums, theirs: PairSums) -> float:
    return float(1 - ours.rmse / theirs.rmse) if theirs.rmse > 0 else float("nan")


def bootstrap_by_day(
    statistic: Callable[..., float],
    *values: np.ndarray,
    days: Sequence[np.datetime64],
    repeats: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a statistic of values that belong to days: places of one day share its weather.

    Parameters
    ----------
    statistic : callable
        Takes the arrays in the order given.
    *values : ndarray, shape (N,)
        NaN entries are left out, in all arrays alike.
    days : sequence of datetime64, length N
        Day of each entry; whole days are drawn.

    Examples
    --------
    >>> days = np.array(["2021-01-01", "2021-01-01", "2021-01-08"], dtype="datetime64[D]")
    >>> bootstrap_by_day(np.mean, np.array([1.0, 1.0, 1.0]), days=days).low
    1.0
    """
    names = np.asarray(days, dtype="datetime64[D]")
    known = np.isfinite(np.stack(values)).all(0)
    kept, names = [value[known] for value in values], names[known]
    unique = np.unique(names)
    estimate = float(statistic(*kept)) if len(unique) else np.nan
    low = high = np.nan
    if len(unique) >= 2:
        members = [np.flatnonzero(names == day) for day in unique]
        drawn = []
        for choice in bootstrap_indices(len(unique), repeats, np.random.default_rng(seed)):
            index = np.concatenate([members[i] for i in choice])
            drawn.append(float(statistic(*(value[index] for value in kept))))
        low, high = central_interval(drawn, level)
    return Interval(estimate=estimate, low=low, high=high, level=level, days=len(unique), block_days=1)
