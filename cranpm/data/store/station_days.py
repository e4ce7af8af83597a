"""What stations observed, as one array: the form in which training reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cranpm.data.store.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class StationDays:
    """Daily means of stations.

    ``station_id`` (K,) str; ``latitude``, ``longitude`` (K,) float64 [degrees]; ``days`` (D,) datetime64[D], sorted;
    ``values`` (D, K) float32 [ug m-3], NaN where nothing valid was observed.
    """

    station_id: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    days: np.ndarray
    values: np.ndarray

    def on(self, day: np.datetime64) -> np.ndarray:
        """Values of one day (K,), all NaN if the network was silent."""
        index = int(np.searchsorted(self.days, day.astype("datetime64[D]")))
        if index < len(self.days) and self.days[index] == day:
            return self.values[index]
        return np.full(len(self.station_id), np.nan, dtype=np.float32)

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> StationDays:
        """The tables of a `cranpm.data.store.dataset.Dataset`, pivoted; about 4 kB a day and a thousand stations.

        Values that are negative or not finite are invalid and become NaN.
        """
        stations, observed = dataset.stations(), dataset.observations()
        ids = stations["station_id"].to_numpy(dtype=str)
        place = {name: k for k, name in enumerate(ids)}
        times = observed["time"].to_numpy().astype("datetime64[D]")
        days, slot = np.unique(times, return_inverse=True)
        column = np.array([place.get(name, -1) for name in observed["station_id"]], dtype=np.int64)
        found = observed["pm2p5"].to_numpy(dtype=np.float32)
        known = (column >= 0) & np.isfinite(found) & (found >= 0)
        values = np.full((len(days), len(ids)), np.nan, dtype=np.float32)
        values[slot[known], column[known]] = found[known]
        return cls(
            station_id=ids,
            latitude=stations["latitude"].to_numpy(dtype=np.float64),
            longitude=stations["longitude"].to_numpy(dtype=np.float64),
            days=days,
            values=values,
        )
