"""Uncertainty from redrawn days: which days each redraw takes, and the interval that its statistics span.

Cells of one day share their weather, so whole days are redrawn, in blocks where days follow each other. NumPy only:
training and verification, which must not import each other, both draw here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_T = TypeVar("_T")


def subsample_evenly(items: Sequence[_T], count: int) -> list[_T]:
    """At most so many of them, spread evenly, each from the middle of its share.

    Examples
    --------
    >>> subsample_evenly(range(10), 2)
    [2, 7]
    """
    if len(items) <= count:
        return list(items)
    return [items[int((i + 0.5) * len(items) / count)] for i in range(count)]


def consecutive_runs(days: Sequence[_T], number: int, leads: Sequence[int]) -> list[_T]:
    """About so many days, in short runs spread evenly: what is fitted on pairs needs days that lie ``leads`` apart.

    Parameters
    ----------
    days : sequence of datetime64
        In order.
    number : int
        At most so many; 0 for none.
    leads : sequence of int
        Lead times [days]; a run is one day longer than the longest.

    Returns
    -------
    list of datetime64

    Examples
    --------
    >>> year = np.arange("2019-01-01", "2020-01-01", dtype="datetime64[D]")
    >>> [str(day) for day in consecutive_runs(year, 6, leads=(1, 2))]
    ['2019-01-01', '2019-01-02', '2019-01-03', '2019-12-29', '2019-12-30', '2019-12-31']
    """
    run = max(leads) + 1
    if number <= 0 or len(days) <= number:
        return list(days) if number > 0 else []
    first = np.linspace(0, len(days) - run, max(1, number // run)).round().astype(int)
    return [days[i] for i in sorted({start + offset for start in first for offset in range(run)})]


def bootstrap_indices(
    count: int, repeats: int, generator: np.random.Generator, *, block: int = 1
) -> np.ndarray:
    """Entries that each redraw takes, with replacement.

    Parameters
    ----------
    count : int
        Entries (days, or seeds) there are.
    block : int
        Successive entries drawn together; blocks wrap around the end, so that every entry is equally likely.

    Returns
    -------
    ndarray of int, shape (repeats, count)

    Examples
    --------
    >>> bootstrap_indices(6, 1, np.random.default_rng(3), block=3)
    array([[4, 5, 0, 0, 1, 2]])
    """
    starts = generator.integers(0, count, size=(repeats, -(-count // block)))
    return ((starts[:, :, None] + np.arange(block)) % count).reshape(repeats, -1)[:, :count]


def central_interval(statistics: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Low and high end of what holds ``level`` of the redraws' statistics; NaN where none of them is finite."""
    values = np.asarray(statistics, dtype=float)
    if not np.isfinite(values).any():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
