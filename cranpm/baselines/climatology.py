"""What is usual at a place in a season, from training days only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cranpm.baselines.blocks import block_sums, filled, spread
from cranpm.domain.days import Day, as_day

Read = Callable[[np.datetime64], np.ndarray]
"""Gives the PM2.5 field of a day, shape (rows, cols), NaN where missing."""

SEASONS = ("DJF", "MAM", "JJA", "SON")


def season_of(day: Day) -> int:
    """Index into :data:`SEASONS`.

    Examples
    --------
    >>> [SEASONS[season_of(np.datetime64(d))] for d in ("2022-12-01", "2022-03-01", "2022-08-31")]
    ['DJF', 'MAM', 'JJA']
    """
    month = int(as_day(day).astype("datetime64[M]").astype(int)) % 12  # January is 0
    return (month + 1) % 12 // 3


class NoTrainingDaysError(ValueError):
    """A season, or a lag, that the training days do not hold."""


@dataclass(frozen=True, kw_only=True)
class Climatology:
    """Mean of each cell over all training days, plus what its block of cells departs from that in each season.

    ``mean`` (rows, cols) is NaN where no training day has a value; ``offset`` (4, R, C) [ug m-3]; ``days`` counts
    training days per season.
    """

    mean: np.ndarray
    offset: np.ndarray
    days: tuple[int, ...]
    block: int

    def on(self, day: np.datetime64, rows: slice | None = None, cols: slice | None = None) -> np.ndarray:
        """Usual PM2.5 on a day, or on a window of it [ug m-3].

        Raises
        ------
        NoTrainingDaysError
            If no training day lies in that season.
        """
        season = season_of(day)
        if not self.days[season]:
            known = ", ".join(name for name, count in zip(SEASONS, self.days, strict=True) if count)
            msg = f"The climatology of {day} needs training days in {SEASONS[season]}; those it has lie in {known}."
            raise NoTrainingDaysError(msg)
        rows, cols = window(self.mean.shape, rows, cols)
        return self.mean[rows, cols] + spread(self.offset[season], self.block, rows, cols)


def window(shape: tuple[int, ...], rows: slice | None, cols: slice | None) -> tuple[slice, slice]:
    """Slices with start, stop and step, all of the field by default."""
    rows, cols = rows or slice(None), cols or slice(None)
    return slice(*rows.indices(shape[0])), slice(*cols.indices(shape[1]))


def fit_climatology(read: Read, days: Sequence[np.datetime64], *, block: int = 64) -> Climatology:
    """Climatology of the training days, read one at a time.

    Parameters
    ----------
    block : int
        Cells along a block; a season's departure is estimated per block, since a cell alone is too noisy.

    Raises
    ------
    NoTrainingDaysError
        If there are no days.
    """
    if not len(days):
        raise NoTrainingDaysError("A climatology needs training days, got none.")
    first = np.asarray(read(days[0]), dtype=np.float32)
    total, count = np.zeros(first.shape), np.zeros(first.shape, dtype=np.int32)
    # a map per season and cell would need four times the memory; the blocks' sums are enough
    blocks = block_sums(first, block)[0].shape
    sums, number, counts = np.zeros((4, *blocks)), np.zeros((4, *blocks)), [0] * 4
    for day in days:
        field, season = np.asarray(read(day), dtype=np.float32), season_of(day)
        valid = np.isfinite(field)
        np.add(total, field, out=total, where=valid)
        count += valid
        for array, value in zip((sums, number), block_sums(field, block), strict=True):
            array[season] += value
        counts[season] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan).astype(np.float32)
        usual, support = block_sums(mean, block)
        departure = sums / number - usual / support
    offset = np.stack(
        [filled(d) if n else np.full(blocks, np.nan) for d, n in zip(departure, counts, strict=True)]
    )
    return Climatology(mean=mean, offset=offset.astype(np.float32), days=tuple(counts), block=block)
