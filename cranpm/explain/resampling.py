"""Intervals for means and ratios over many places, redrawn by init day: places of one day share its weather."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cranpm.verification.bootstrap import Interval


def bootstrap_by_day(
    statistic: Callable[..., float],
    *values: np.ndarray,
    days: Sequence[np.datetime64],
    repeats: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a statistic of values that belong to days.

    Parameters
    ----------
    statistic : callable
        Takes the arrays in the order given.
    values : ndarray, shape (N,)
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
    if not len(unique):
        return Interval(estimate=np.nan, low=np.nan, high=np.nan, level=level, days=0, block_days=1)
    estimate = float(statistic(*kept))
    if len(unique) < 2:
        return Interval(estimate=estimate, low=np.nan, high=np.nan, level=level, days=1, block_days=1)
    members = [np.flatnonzero(names == day) for day in unique]
    generator = np.random.default_rng(seed)
    drawn = []
    for choice in generator.integers(0, len(unique), (repeats, len(unique))):
        index = np.concatenate([members[i] for i in choice])
        drawn.append(float(statistic(*(value[index] for value in kept))))
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        estimate=estimate, low=float(low), high=float(high), level=level, days=len(unique), block_days=1
    )
