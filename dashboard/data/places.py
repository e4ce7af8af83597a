"""What is known of one place: its cell on every layer and day, the stations near by, its name."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import xarray as xr

from cranpm.data.errors import StoreError
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.domain.interpolation import bilinear

from ..state import LEADS
from .outlines import nearest_town
from .store import Store

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

log = logging.getLogger(__name__)

T = TypeVar("T")

DAYS_BEFORE, DAYS_AFTER = 14, 3
NEAR_KILOMETRES = 15.0


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


def kilometres(lat: float, lon: float, lats: np.ndarray, lons: np.ndarray) -> np.ndarray:
    """Distance to places near by; flat, good to a percent within a few hundred kilometres."""
    return KM_PER_DEGREE * np.hypot(lats - lat, (lons - lon) * np.cos(np.deg2rad(lat)))


def value_between_nodes(field: np.ndarray, row: float, col: float) -> float:
    """Value of a node field at fractional indices; NaN beyond it."""
    rows, cols = field.shape
    if not (0 <= row <= rows - 1 and 0 <= col <= cols - 1):
        return float("nan")
    return float(bilinear(field, np.array(row), np.array(col)))


def series_of(
    store: Store, dataset_name: str, place: Place, init_time: dt.date, run: Run | None
) -> xr.Dataset:
    """Daily series of a place around an init day [ug m-3].

    Returns
    -------
    Dataset, dim time
        ``target``, ``forecast``, ``persistence``, ``cams_forecast``, ``observed``; NaN where there is no value.
        Attribute ``unreadable`` names what is damaged in the dataset and stays NaN for that reason.
    """
    dataset = store.dataset(dataset_name)
    init = np.datetime64(init_time, "D")
    days = np.arange(init - DAYS_BEFORE, init + DAYS_AFTER + 1)
    held = [day for day in days if day in dataset.days]
    first = held[0] if held else init
    days = days[days >= first]
    columns = {
        name: np.full(days.size, np.nan)
        for name in ("target", "forecast", "persistence", "cams_forecast", "observed")
    }
    unreadable: list[str] = []

    def readable(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except StoreError as error:
            log.warning("%s: %s", what, error)
            unreadable.append(what)
            return None

    def here(day: np.datetime64) -> float:
        cell = slice(place.row, place.row + 1), slice(place.col, place.col + 1)
        return float(dataset.pm2p5(day, *cell).values[0, 0])

    for day in held:
        value = readable(f"PM2.5 of {day}", partial(here, day))
        columns["target"][day == days] = np.nan if value is None else value
    today = columns["target"][days == init]
    starts = [init, *(init + lead for lead in LEADS)]
    columns["persistence"][np.isin(days, starts)] = today[0] if today.size else np.nan
    box = dataset.domain.coarse_box
    at = float(box.row_of(place.lat)), float(box.col_of(place.lon))
    if init in dataset.days:
        fields = readable(f"CAMS forecast of {init}", lambda: dataset.cams_forecast(init))
        for lead, field in zip(LEADS, () if fields is None else fields):
            columns["cams_forecast"][days == init + lead] = value_between_nodes(field, *at)
    if run is not None:
        columns["forecast"][days == init] = today[0] if today.size else np.nan
        for lead, value in forecast_values(run, place).items():
            columns["forecast"][days == init + lead] = value
    if place.station_id:
        seen = readable("station values", lambda: dataset.observations(station_id=place.station_id))
        if seen is not None:
            when = seen["time"].to_numpy().astype("datetime64[D]")
            for day, value in zip(when, seen["pm2p5"]):
                columns["observed"][days == day] = value
    return xr.Dataset(
        {name: ("time", values, {"units": "ug m-3"}) for name, values in columns.items()},
        coords={"time": days.astype("datetime64[ns]")},
        attrs={"init_time": str(init), "unreadable": unreadable},
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
