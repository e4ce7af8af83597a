"""Audit of station tables: twins, sites off their ground, dead instruments, values that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import pandas as pd

from cranpm.data.audit.findings import Finding
from cranpm.data.errors import SchemaError, StoreError
from cranpm.data.stations.values import HIGHEST, LOWEST_MEAN
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.tables import check_observations, check_stations

TWIN_DISTANCE = 0.0005
"""Two stations nearer than this are one site under two names [degrees; 50 m]."""

_OFF_GROUND = 300.0
"""Metres between a station's stated altitude and the terrain of its cell that are worth a look."""

_LONGEST_REPEAT = 5
_WHERE = ["latitude", "longitude", "altitude"]
_SELDOM = 1000.0
"""Daily means above this were measured in the worst smoke and smog only [ug m-3]."""


def check_station_tables(dataset: Dataset) -> Iterator[Finding]:
    """Findings about the stations and what they observed."""
    try:
        stations, observations = dataset.stations(), dataset.observations()
    except StoreError as error:
        yield Finding(level="warning", what="stations", found=str(error).split(". ")[0])
        return
    try:
        check_stations(stations)
        check_observations(observations)
    except SchemaError as error:
        yield Finding(level="error", what="station tables", found=str(error))
        return
    yield Finding(
        level="ok",
        what="station tables",
        found=f"{len(stations)} stations, {len(observations)} daily means",
    )
    inside = dataset.domain.fine.contains(stations["latitude"], stations["longitude"])
    yield _finding("stations outside the domain", stations["station_id"][~inside], "error")
    yield _finding("stations at one place under two names", _same_place(stations), "warning")
    yield _finding("stations with one series under two names", _same_series(observations), "warning")
    yield _finding(
        "stations far from the terrain's height", _off_ground(dataset, stations[inside]), "warning"
    )
    yield _finding("stations that repeat one value", _stuck(observations), "warning")
    value = observations["pm2p5"]
    impossible = (value > HIGHEST["day"]) | (value < LOWEST_MEAN) | np.isinf(value)
    yield _finding("observations that cannot be", _named(observations[impossible]), "error")
    seldom = observations[(value > _SELDOM) & ~impossible]
    yield _finding(f"daily means above {_SELDOM:g} ug m-3", _named(seldom), "warning")
    strangers = observations[~observations["station_id"].isin(stations["station_id"])]
    yield _finding("observations of unknown stations", strangers["station_id"].unique(), "error")
    held = pd.DatetimeIndex(dataset.days.astype("datetime64[ns]"))
    elsewhere = observations[~pd.to_datetime(observations["time"]).isin(held)]
    yield _finding("observations on days without maps", _named(elsewhere), "warning")


def _finding(what: str, bad: Iterable[object], level: Literal["warning", "error"]) -> Finding:
    items = [str(item) for item in bad]
    more = f" ... ({len(items)} in all)" if len(items) > 4 else ""
    found = ", ".join(items[:4]) + more
    return Finding(level=level if items else "ok", what=what, found=found or "none")


def _same_place(stations: pd.DataFrame) -> list[str]:
    order = stations.sort_values(["latitude", "longitude"])
    near = (order["latitude"].diff().abs() < TWIN_DISTANCE) & (
        order["longitude"].diff().abs() < TWIN_DISTANCE
    )
    ids = order["station_id"].to_numpy()
    return [f"{ids[k - 1]} = {ids[k]}" for k in np.flatnonzero(near)]


def _same_series(observations: pd.DataFrame) -> list[str]:
    """Stations that agree to the last digit on ten days or more."""
    groups: dict[int, str] = {}
    twins = []
    for station, rows in observations.groupby("station_id"):
        if len(rows) < 10:
            continue
        key = hash((rows["time"].to_numpy().tobytes(), rows["pm2p5"].to_numpy().tobytes()))
        if key in groups:
            twins.append(f"{groups[key]} = {station}")
        groups.setdefault(key, str(station))
    return twins


def _off_ground(dataset: Dataset, stations: pd.DataFrame) -> list[str]:
    try:
        elevation = np.asarray(dataset.static["elevation"])
    except StoreError:
        return []
    fine, off = dataset.domain.fine, []
    ids = stations["station_id"].astype(str)
    for name, (lat, lon, altitude) in zip(ids, stations[_WHERE].to_numpy(float), strict=True):
        ground = elevation[fine.index_of(lat, lon)]
        if np.isfinite(altitude) and abs(altitude - ground) > _OFF_GROUND:
            off.append(f"{name} ({altitude:.0f} m on ground of {ground:.0f} m)")
    return off


def _stuck(observations: pd.DataFrame) -> list[str]:
    stuck = []
    for station, rows in observations.sort_values("time").groupby("station_id"):
        values = rows["pm2p5"].to_numpy()
        runs = np.diff(np.flatnonzero(np.r_[True, np.diff(values) != 0, True]))
        if runs.size and runs.max() >= _LONGEST_REPEAT:
            stuck.append(f"{station} ({runs.max()} days)")
    return stuck


def _named(rows: pd.DataFrame) -> list[str]:
    return [f"{r.station_id} {r.time:%Y-%m-%d} ({r.pm2p5:g})" for r in rows.head(50).itertuples()]
