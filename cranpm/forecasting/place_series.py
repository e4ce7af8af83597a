"""Days of one place: target, forecasts, baselines and what the nearest station observed. No torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import xarray as xr

from cranpm.data.datasets import DataLike, open_dataset
from cranpm.data.errors import StoreError
from cranpm.data.store.dataset import Dataset
from cranpm.domain import LEAD_DAYS
from cranpm.domain.days import as_day
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.domain.interpolation import bilinear

log = logging.getLogger(__name__)

T = TypeVar("T")

DAYS_BEFORE, DAYS_AFTER = 14, 3
NEAR_KILOMETRES = 15.0
"""Farther away, a station says little about a place."""

VARIABLES = ("target", "forecast", "persistence", "cams_forecast", "observed")


def series_at(
    maps: xr.Dataset,
    lat: float,
    lon: float,
    *,
    data: DataLike = None,
    station: str | None = None,
    days_before: int = DAYS_BEFORE,
) -> xr.Dataset:
    """PM2.5 of one place around a forecast: what came, what was forecast, and what the nearest station observed.

    Parameters
    ----------
    maps : Dataset
        From `cranpm.forecast`.
    lat, lon : float
        Place [degrees]; the values are those of the cell that holds it.
    data : str, path or Dataset, optional
        Those that the forecast was made from, as `cranpm.open_dataset` takes them; by default the testbed.
    station : str, optional
        ``station_id`` of the dataset's station table; by default the nearest within 15 km of the place, if any.
    days_before : int
        Days before the init day.

    Returns
    -------
    Dataset, dim time
        ``target`` (the satellite-like product), ``forecast`` (from today's value on), ``persistence``,
        ``cams_forecast`` and ``observed`` [ug m-3], NaN where there is no value. Attributes name the place, the station
        and how far it is, and what is ``unreadable`` in the dataset.

    Raises
    ------
    TypeError
        For something that is no forecast.
    OutsideGridError, ValueError
        If the place lies outside the domain, or outside the region that was forecast; for data of another source.
    LookupError
        For an unknown station.

    Examples
    --------
    >>> import cranpm
    >>> maps = cranpm.forecast("2022-01-11", leads=[1, 2])
    >>> series = cranpm.series_at(maps, 45.46, 9.19)
    >>> series.forecast.sel(time="2022-01-12").notnull().item(), series.attrs["station"][-6:]
    (True, 'Milano')
    """
    if not isinstance(maps, xr.Dataset) or "pm2p5" not in maps or "lead" not in maps["pm2p5"].dims:
        raise TypeError(
            "series_at takes the dataset that cranpm.forecast returns, with pm2p5 at its leads; "
            f"got {type(maps).__name__}."
        )
    if days_before < 0:
        raise ValueError(f"days_before must be 0 or more, got {days_before!r}.")
    dataset = open_dataset(data)
    made_from = maps.attrs.get("source", dataset.source)
    if made_from != dataset.source:
        raise ValueError(f"The maps were made from {made_from!r}, the data are {dataset.source!r}.")
    dataset.domain.fine.index_of(lat, lon)  # refuses what lies outside
    found = nearest_station(dataset, lat, lon, station)
    series = daily_series(
        dataset,
        lat,
        lon,
        as_day(np.datetime64(maps["forecast_reference_time"].item(), "ns")),
        forecast=_forecasts(maps, lat, lon),
        station_id="" if found is None else found.station_id,
        days_before=days_before,
    )
    facts: dict[str, Any] = {"latitude": lat, "longitude": lon, "source": dataset.source}
    if found is not None:
        facts |= {"station": found.name, "station_kilometres": round(found.kilometres, 2)}
    return series.assign_attrs(facts)


class NearStation(NamedTuple):
    """A station and how far it is from a place [km]."""

    station_id: str
    name: str
    kilometres: float


def nearest_station(
    dataset: Dataset, lat: float, lon: float, station: str | None = None
) -> NearStation | None:
    """The nearest station within `NEAR_KILOMETRES`, or the one that is named, however far; None where there is none.

    Raises
    ------
    LookupError
        For an unknown name, with the nearest stations.
    """
    if not dataset.has_stations:
        if station is None:
            return None
        raise LookupError(f"Dataset {dataset.name!r} has no stations, so none called {station!r}.")
    table = dataset.stations()
    ids = table["station_id"].to_numpy(dtype=str)
    away = kilometres(lat, lon, table["latitude"].to_numpy(float), table["longitude"].to_numpy(float))
    near = np.argsort(away)
    if station is None:
        chosen = near[:1][away[near[:1]] <= NEAR_KILOMETRES]
    else:
        chosen = np.flatnonzero(ids == station)
        if not chosen.size:
            raise LookupError(
                f"No station {station!r} in dataset {dataset.name!r}; nearest to the place: "
                f"{', '.join(ids[near[:3]])}. data.stations() lists all."
            )
    if not chosen.size:
        return None
    place = int(chosen[0])
    return NearStation(str(ids[place]), str(table["name"].iloc[place]), float(away[place]))


def _forecasts(maps: xr.Dataset, lat: float, lon: float) -> dict[int, float]:
    """Forecasts of the cell that holds a place, by lead."""
    half = 0.51 * abs(float(maps["latitude"][1] - maps["latitude"][0]))
    try:
        cell = maps["pm2p5"].sel(latitude=lat, longitude=lon, method="nearest", tolerance=half)
    except KeyError:
        south, north = float(maps["latitude"].min()), float(maps["latitude"].max())
        west, east = float(maps["longitude"].min()), float(maps["longitude"].max())
        raise ValueError(
            f"The maps cover {south:.2f} to {north:.2f} N, {west:.2f} to {east:.2f} E, and not {lat:.2f} N, "
            f"{lon:.2f} E: forecast the whole domain, or a region that holds the place."
        ) from None
    return {int(lead): float(value) for lead, value in zip(maps["lead"].values, cell.values)}


def daily_series(
    dataset: Dataset,
    lat: float,
    lon: float,
    init: np.datetime64,
    *,
    forecast: Mapping[int, float] | None = None,
    station_id: str = "",
    days_before: int = DAYS_BEFORE,
) -> xr.Dataset:
    """Daily values of the cell that holds a place around an init day [ug m-3].

    Parameters
    ----------
    forecast : mapping of int to float, optional
        Forecasts of the cell by lead [days].
    station_id : str
        Of the station to add; empty for none.

    Returns
    -------
    Dataset, dim time
        ``target``, ``forecast``, ``persistence``, ``cams_forecast``, ``observed``; NaN where there is no value.
        Attribute ``unreadable`` names what is damaged in the dataset and stays NaN for that reason.
    """
    row, col = dataset.domain.fine.index_of(lat, lon)
    days = np.arange(init - days_before, init + DAYS_AFTER + 1)
    held = [day for day in days if day in dataset.days]
    days = days[days >= (held[0] if held else init)]
    columns = {name: np.full(days.size, np.nan) for name in VARIABLES}
    unreadable: list[str] = []

    def readable(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except StoreError as error:
            log.warning("%s: %s", what, error)
            unreadable.append(what)
            return None

    def here(day: np.datetime64) -> float:
        cell = slice(row, row + 1), slice(col, col + 1)
        return float(dataset.pm2p5(day, *cell).values[0, 0])

    for day in held:
        value = readable(f"PM2.5 of {day}", partial(here, day))
        columns["target"][day == days] = np.nan if value is None else value
    today = columns["target"][days == init]
    starts = [init, *(init + lead for lead in LEAD_DAYS)]
    columns["persistence"][np.isin(days, starts)] = today[0] if today.size else np.nan
    box = dataset.domain.coarse_box
    at = float(box.row_of(lat)), float(box.col_of(lon))
    if init in dataset.days:
        fields = readable(f"CAMS forecast of {init}", lambda: dataset.cams_forecast(init))
        for lead, field in zip(LEAD_DAYS, () if fields is None else fields):
            columns["cams_forecast"][days == init + lead] = value_between_nodes(field, *at)
    if forecast is not None:
        columns["forecast"][days == init] = today[0] if today.size else np.nan
        for lead, value in forecast.items():
            columns["forecast"][days == init + lead] = value
    if station_id:
        seen = readable("station values", lambda: dataset.observations(station_id=station_id))
        if seen is not None:
            when = seen["time"].to_numpy().astype("datetime64[D]")
            for day, value in zip(when, seen["pm2p5"]):
                columns["observed"][days == day] = value
    return xr.Dataset(
        {name: ("time", values, {"units": "ug m-3"}) for name, values in columns.items()},
        coords={"time": days.astype("datetime64[ns]")},
        attrs={"init_time": str(init), "unreadable": unreadable},
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
