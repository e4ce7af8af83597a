"""What is known of one place: its cell on every layer and day, the stations near by, its name."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cranpm.forecasting.place_series import NEAR_KILOMETRES, daily_series, kilometres

from ..state import LEADS
from .outlines import nearest_town
from .store import Store

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run


@dataclass(frozen=True, kw_only=True)
class Place:
    """A fine cell and its surroundings."""

    lat: float
    lon: float
    row: int
    col: int
    elevation: float
    town: str
    land: bool = True
    station: str = ""
    station_id: str = ""
    station_kilometres: float = float("nan")


def describe_place(store: Store, dataset_name: str, lat: float, lon: float, station_id: str = "") -> Place:
    """Cell, elevation, nearest town and nearest station of a place inside the domain.

    ``station_id`` names the station that is meant, where several share a site.
    """
    dataset = store.dataset(dataset_name)
    row, col = dataset.domain.fine.index_of(lat, lon)
    found = Place(
        lat=lat,
        lon=lon,
        row=row,
        col=col,
        elevation=store.elevation(dataset_name, row, col),
        town=nearest_town(lat, lon),
        land=bool(np.isfinite(store.land(dataset_name).value(row, col))),
    )
    stations = store.stations(dataset_name)
    if stations.empty:
        return found
    away = kilometres(lat, lon, stations["latitude"].to_numpy(float), stations["longitude"].to_numpy(float))
    named = np.flatnonzero(stations["station_id"].to_numpy() == station_id)
    nearest = int(named[0]) if named.size else int(np.argmin(away))
    if away[nearest] > NEAR_KILOMETRES:
        return found
    station = stations.iloc[nearest]
    return replace(
        found,
        station=str(station["name"]),
        station_id=str(station["station_id"]),
        station_kilometres=float(away[nearest]),
    )


def series_of(
    store: Store, dataset_name: str, place: Place, init_time: dt.date, run: Run | None
) -> xr.Dataset:
    """Daily series of a place around an init day, with forecasts as far as a run has them; see `daily_series`."""
    return daily_series(
        store.dataset(dataset_name),
        place.lat,
        place.lon,
        np.datetime64(init_time, "D"),
        forecast=None if run is None else forecast_values(run, place),
        station_id=place.station_id,
    )


def forecast_values(run: Run, place: Place) -> dict[int, float]:
    """Forecast of a run at a cell by lead time, as far as it is done; NaN where there is none."""
    cell = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
    values = {}
    for lead in LEADS:
        try:
            values[lead] = float(run.map(lead).read(*cell)[0, 0])
        except (FileNotFoundError, IndexError):  # not begun, or a map of another grid
            values[lead] = float("nan")
    return values
