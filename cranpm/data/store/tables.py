"""The two tables of a dataset: stations, and what they observed."""

from __future__ import annotations

from typing import TypedDict

import pandas as pd

from cranpm.data.errors import SchemaError

STATION_COLUMNS = (
    "station_id",
    "name",
    "country",
    "latitude",
    "longitude",
    "altitude",
    "station_type",
    "area",
    "terrain_complexity",
)


class StationRow(TypedDict):
    """A row of the station table; words that nobody has told are missing, as is a height."""

    station_id: str
    name: str
    country: str | None
    latitude: float
    longitude: float
    altitude: float
    station_type: str | None
    area: str | None
    terrain_complexity: float


OBSERVATION_COLUMNS = ("station_id", "time", "pm2p5")
STATION_TYPES = ("traffic", "background", "industrial")
AREAS = ("urban", "suburban", "rural")

COMPLEX_TERRAIN = 50.0
"""Terrain complexity above which a station counts as in complex terrain [m]."""


def check_stations(stations: pd.DataFrame) -> pd.DataFrame:
    """The station table in column order; refuses missing columns, doubled ids, unknown types."""
    frame = _columns("stations", stations, STATION_COLUMNS)
    doubled = frame["station_id"][frame["station_id"].duplicated()]
    if len(doubled):
        raise SchemaError(f"stations: {len(doubled)} ids appear more than once, such as {doubled.iloc[0]!r}.")
    for column, known in (("station_type", STATION_TYPES), ("area", AREAS)):
        strange = sorted(set(frame[column].dropna()) - set(known))
        if strange:
            raise SchemaError(f"stations: {column} must be one of {', '.join(known)}, got {strange[0]!r}.")
    if frame[["latitude", "longitude"]].isna().any(axis=None):
        raise SchemaError("stations: every station needs a latitude and a longitude.")
    return frame


def check_observations(observations: pd.DataFrame) -> pd.DataFrame:
    """The observation table in column order, missing values left out; refuses two values of a station on a day."""
    frame = _columns("observations", observations, OBSERVATION_COLUMNS).dropna(subset=["pm2p5"])
    time = pd.to_datetime(frame["time"])
    if time.dt.tz is not None:
        raise SchemaError("observations: time must be a UTC day without a time zone.")
    if (time != time.dt.normalize()).any():
        raise SchemaError("observations: expected daily means dated by their UTC day, got times within days.")
    frame = frame.assign(time=time.astype("datetime64[s]"), pm2p5=frame["pm2p5"].astype("float32"))
    doubled = frame[frame.duplicated(["station_id", "time"])]
    if len(doubled):
        first = doubled.iloc[0]
        raise SchemaError(
            f"observations: station {first.station_id!r} has two values on {first.time:%Y-%m-%d}."
        )
    return frame


def _columns(name: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise SchemaError(f"{name}: expected columns {', '.join(columns)}; missing: {', '.join(missing)}.")
    return frame[list(columns)].reset_index(drop=True)
