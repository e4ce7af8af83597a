"""Where days come from: one small interface before a dataset on disk or a simulated world (`cranpm.testbed.source`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cranpm.data.store.encoding import decode_pm2p5
from cranpm.data.store.station_days import StationDays
from cranpm.domain import Domain, Statistics
from cranpm.domain.normalise import compute_statistics
from cranpm.domain.resampling import subsample_evenly
from cranpm.domain.splits import Splits

if TYPE_CHECKING:
    from cranpm.data.store.dataset import Dataset

MAPS_OF_MEAN = 24
"""Days, spread evenly, whose whole maps are read for the fine product's mean: known to about a tenth, which is enough
for a fill value, and seconds instead of many minutes of reading."""


class DaySource(Protocol):
    """Days of inputs and targets; training, forecasting and scoring do not ask what is behind them."""

    name: str
    """Where values come from, to be shown wherever they are."""
    simulated: bool
    domain: Domain
    days: np.ndarray
    """Days held, datetime64[D], sorted."""
    land: np.ndarray
    """Fine land mask (H, W)."""
    elevation: np.ndarray
    """Fine elevation (H, W) [m]."""
    coarse_elevation: np.ndarray
    """(Hc + 1, Wc + 1) [m]."""

    def coarse(self, day: np.datetime64) -> np.ndarray:
        """ERA5 and CAMS fields of one day, (35, Hc + 1, Wc + 1), store units."""

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        """PM2.5 as the satellite product sees it, (h, w) float32 [ug m-3], NaN where missing."""


class DatasetSource:
    """Days of a `cranpm.data.store.dataset.Dataset` (any store that fsspec reaches)."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        static = dataset.static
        self.name = dataset.source
        self.simulated = dataset.simulated
        self.domain: Domain = dataset.domain
        self.days = np.asarray(dataset.days, dtype="datetime64[D]")
        self.land = np.asarray(static["land"]).astype(bool)
        self.elevation = np.asarray(static["elevation"], dtype=np.float32)
        self.coarse_elevation = np.asarray(static["coarse_elevation"], dtype=np.float32)

    def coarse(self, day: np.datetime64) -> np.ndarray:
        """See `DaySource`."""
        return np.concatenate([self._dataset.era5(day), self._dataset.cams(day)])

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        """See `DaySource`."""
        return decode_pm2p5(self._dataset.pm2p5_raw(day, rows, cols))

    @cached_property
    def stations(self) -> StationDays:
        """What stations observed; raises ``StoreError`` where the dataset has no station tables."""
        return StationDays.from_dataset(self._dataset)


def init_times(source: DaySource, split: str, splits: Splits, leads: Sequence[int]) -> list[np.datetime64]:
    """Days that forecasts of every lead may start from without leaving the split or the store."""
    return startable(source.days, split, splits, leads)


def startable(days: np.ndarray, split: str, splits: Splits, leads: Sequence[int]) -> list[np.datetime64]:
    """`init_times` of days that may not be made yet, (n,) datetime64[D]."""
    held = set(days.tolist())
    result = []
    for day in days:
        needed = [day - np.timedelta64(1, "D"), *(day + np.timedelta64(lead, "D") for lead in leads)]
        inside = all(splits.split_of(day, lead) == split for lead in leads)
        if inside and all(d.astype(object) in held for d in needed):
            result.append(day)
    return result


def startable_between(
    days: np.ndarray, first: np.datetime64 | None = None, last: np.datetime64 | None = None
) -> list[np.datetime64]:
    """Of days that are held, (n,) datetime64[D], those between two dates that a forecast can start from.

    Raises
    ------
    LookupError
        If there is none: each needs the day before it as well.
    """
    held = set(days.tolist())
    chosen = [
        day
        for day in days
        if (first is None or day >= first)
        and (last is None or day <= last)
        and (day - np.timedelta64(1, "D")).astype(object) in held
    ]
    if not chosen:
        span = f"{days[0]} to {days[-1]}" if len(days) else "none"
        raise LookupError(
            f"No init day with the day before it between {first} and {last}; the data hold {span}. "
            "Choose other dates, or prepare more days."
        )
    return chosen


def source_statistics(source: DaySource, days: Sequence[np.datetime64]) -> Statistics:
    """Channel statistics over the given (training) days, and the fine product's mean over some of them.

    Raises
    ------
    ValueError
        If there are no days.
    """
    if not len(days):
        raise ValueError("No training days to compute statistics from.")
    found = compute_statistics(
        (source.coarse(day) for day in days), period=f"{min(days)}..{max(days)}", source=source.name
    )
    return replace(found, pm2p5_mean=_mean_pm2p5(source, subsample_evenly(days, MAPS_OF_MEAN)))


def _mean_pm2p5(source: DaySource, days: Sequence[np.datetime64]) -> float | None:
    """Mean over land cells and days [ug m-3]; None where no cell has a value."""
    everywhere = slice(None), slice(None)
    total, count = 0.0, 0
    for day in days:
        values = source.pm2p5(day, *everywhere)[source.land]
        known = values[np.isfinite(values)]
        total, count = total + float(known.sum(dtype=np.float64)), count + known.size
    return total / count if count else None
