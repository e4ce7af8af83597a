"""The layout of a dataset on disk: arrays, types, chunks, attributes and tables, and what is refused at its door.

::

    ROOT/dataset.json          what it is: name, domain, source, version, hash, attribution
    ROOT/days.json             the days it holds, in the order of the stores' time axis; written last, see `store`
    ROOT/pm2p5.zarr            pm2p5 (time, latitude, longitude), uint16 tenths of ug m-3, 65535 where there is none
    ROOT/coarse.zarr           era5 (time, channel), cams (time, species), cams_forecast (time, lead) on the node box
    ROOT/static.zarr           elevation, land, terrain_complexity; coarse_elevation, coarse_land
    ROOT/stations.parquet      one row a station
    ROOT/observations.parquet  one row a station and day
    ROOT/statistics.json       mean and s.d. of the channels over the training days

Real data and the simulated testbed use the very same layout. Days are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from cranpm.data.encoding import PM2P5_FILL, PM2P5_SCALE, decode_pm2p5
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, LEAD_DAYS, Domain, Grid
from cranpm.domain.channels import PM2P5

FORMAT = 1
"""Version of the layout."""

CHUNK = 256
"""Cells along one side of a pm2p5 chunk; the chunks of a day are one shard (file)."""

TIME_CHUNK = 4096
CONVENTIONS = "CF-1.11"

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
OBSERVATION_COLUMNS = ("station_id", "time", "pm2p5")
STATION_TYPES = ("traffic", "background", "industrial")
AREAS = ("urban", "suburban", "rural")

COMPLEX_TERRAIN = 50.0
"""Terrain complexity above which a station counts as in complex terrain [m]."""

Part = Literal["pm2p5", "coarse", "static"]


Day = np.datetime64 | str
"""A UTC day, as numpy's datetime64 or as YYYY-MM-DD."""


def as_day(day: Any) -> np.datetime64:
    """A day as datetime64[D]; a time within it is cut off."""
    return np.datetime64(day, "D")


class SchemaError(ValueError):
    """Data that does not fit the layout: the message says what was expected and what was found."""


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """One array of a store.

    ``shape`` leaves out time; ``shards`` and ``chunks`` likewise. ``fill`` is what an empty cell holds.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None
    fill: float | int = 0
    per_day: bool = False
    attrs: dict[str, Any] = field(default_factory=dict)


def pm2p5_spec(domain: Domain) -> ArraySpec:
    """The daily fine map: 256 x 256 chunks, one shard a day."""
    rows, cols = domain.fine.shape
    attrs = {
        "standard_name": PM2P5.standard_name,
        "long_name": PM2P5.long_name,
        "units": PM2P5.units,
        "cell_methods": "time: mean area: mean",
        "grid_mapping": "crs",
        "scale_factor": PM2P5_SCALE,
        "add_offset": 0.0,
        "_FillValue": PM2P5_FILL,
    }
    return ArraySpec(
        name="pm2p5",
        dims=("latitude", "longitude"),
        shape=(rows, cols),
        dtype="uint16",
        chunks=(CHUNK, CHUNK),
        shards=(-(-rows // CHUNK) * CHUNK, -(-cols // CHUNK) * CHUNK),
        fill=PM2P5_FILL,
        per_day=True,
        attrs=attrs,
    )


def coarse_specs(domain: Domain) -> tuple[ArraySpec, ...]:
    """The daily coarse fields, each one chunk a day."""

    def spec(name: str, dim: str, number: int, long_name: str, **attrs: Any) -> ArraySpec:
        shape = (number, *domain.coarse_box.shape)
        return ArraySpec(
            name=name,
            dims=(dim, "latitude", "longitude"),
            shape=shape,
            dtype="float32",
            chunks=shape,
            fill=float("nan"),
            per_day=True,
            attrs={"long_name": long_name, "grid_mapping": "crs", **attrs},
        )

    return (
        spec(
            "era5",
            "channel",
            len(ERA5_CHANNELS),
            "daily weather, units by channel",
            channel_units=[c.units for c in ERA5_CHANNELS],
            cell_methods="time: mean (tp: time: sum)",
        ),
        spec(
            "cams",
            "species",
            len(CAMS_CHANNELS),
            "daily surface concentrations",
            units="ug m-3",
            species_standard_names=[c.standard_name for c in CAMS_CHANNELS],
            cell_methods="time: mean",
        ),
        spec(
            "cams_forecast",
            "lead",
            len(LEAD_DAYS),
            "PM2.5 as a physical model forecasts it, started on this day, valid `lead` days later",
            units="ug m-3",
            standard_name=PM2P5.standard_name,
            cell_methods="time: mean",
        ),
    )


def static_specs(domain: Domain) -> tuple[ArraySpec, ...]:
    """Fields that do not change with time, each one file."""

    def fine(name: str, dtype: str, **attrs: Any) -> ArraySpec:
        rows, cols = domain.fine.shape
        shard = (-(-rows // 512) * 512, -(-cols // 512) * 512)
        return ArraySpec(
            name=name,
            dims=("latitude", "longitude"),
            shape=(rows, cols),
            dtype=dtype,
            chunks=(512, 512),
            shards=shard,
            fill=0 if dtype == "uint8" else float("nan"),
            attrs={"grid_mapping": "crs", **attrs},
        )

    def coarse(name: str, **attrs: Any) -> ArraySpec:
        shape = domain.coarse_box.shape
        dims = ("coarse_latitude", "coarse_longitude")
        attrs = {"grid_mapping": "crs", **attrs}
        return ArraySpec(
            name=name, dims=dims, shape=shape, dtype="float32", chunks=shape, fill=float("nan"), attrs=attrs
        )

    altitude = {"standard_name": "surface_altitude", "units": "m"}
    return (
        fine("elevation", "float32", long_name="mean elevation of the cell, 0 at sea", **altitude),
        fine(
            "land",
            "uint8",
            long_name="1 on land, lakes included",
            standard_name="land_binary_mask",
            units="1",
        ),
        fine(
            "terrain_complexity",
            "float32",
            long_name="standard deviation of elevation within 25 km",
            units="m",
        ),
        coarse("coarse_elevation", long_name="mean elevation around the node", **altitude),
        coarse(
            "coarse_land",
            long_name="land share around the node",
            standard_name="land_area_fraction",
            units="1",
        ),
    )


def coordinate_attrs(name: str) -> dict[str, Any]:
    """CF attributes of a coordinate."""
    if name.endswith("latitude"):
        return {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
    if name.endswith("longitude"):
        return {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
    return {
        "channel": {"long_name": "weather channel"},
        "species": {"long_name": "species"},
        "lead": {
            "long_name": "time since the forecast's start",
            "standard_name": "forecast_period",
            "units": "days",
        },
        "time": {
            "standard_name": "time",
            "long_name": "UTC day, its first instant",
            "units": "days since 1970-01-01 00:00:00",
            "calendar": "proleptic_gregorian",
            "axis": "T",
            "bounds": "time_bnds",
        },
        "time_bnds": {"units": "days since 1970-01-01 00:00:00", "calendar": "proleptic_gregorian"},
    }[name]


CRS_ATTRS: dict[str, Any] = {
    "grid_mapping_name": "latitude_longitude",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
    "crs_wkt": 'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],'
    'CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],UNIT["degree",0.0174532925199433],'
    'ID["EPSG",4326]]',
}


def encode_pm2p5(values: np.ndarray, grid: Grid) -> np.ndarray:
    """Concentrations as stored: uint16 tenths, 65535 where there is no value.

    Parameters
    ----------
    values : array, shape (H, W)
        float [ug m-3], NaN where missing; or uint16, already encoded.

    Raises
    ------
    SchemaError
        For another shape, values that are negative, infinite or above 6553.4, or a day without any value.
    """
    values = np.asarray(values)
    _check_shape("pm2p5", values, grid.shape)
    if values.dtype == np.uint16:
        encoded = values
    else:
        missing = np.isnan(values)
        tenths = np.rint(np.where(missing, 0, values) / np.float32(PM2P5_SCALE))
        low, high = float(tenths.min()), float(tenths.max())
        if not (low >= 0 and high < PM2P5_FILL):
            msg = (
                f"pm2p5: expected 0 to 6553.4 ug m-3, got {low / 10:g} to {high / 10:g}. "
                "Check units and fill values of the source."
            )
            raise SchemaError(msg)
        encoded = tenths.astype(np.uint16)
        encoded[missing] = PM2P5_FILL
    if (encoded == PM2P5_FILL).all():
        raise SchemaError(
            "pm2p5: the whole day has no value. Leave the day out instead of storing an empty map."
        )
    return encoded


_PLAUSIBLE = {
    "u10": (-100, 100),
    "v10": (-100, 100),
    "t2m": (180, 340),
    "sp": (4e4, 1.1e5),
    "tp": (0, 2000),
    "t": (170, 340),
    "u": (-150, 150),
    "v": (-150, 150),
    "q": (-1e-3, 0.1),
    "z": (-8e3, 8e4),
}
"""What the weather can be, in store units; wide enough for every real day, narrow enough for a unit mistake."""


def check_coarse(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Daily coarse fields as stored, float32; NaN marks gaps.

    Raises
    ------
    SchemaError
        For another shape, a field without any value, infinite values, or values that the units cannot mean.
    """
    values = np.asarray(values, dtype=np.float32)
    _check_shape(name, values, shape)
    for index, layer in enumerate(values):
        if name == "era5":
            label, (low, high) = ERA5_CHANNELS[index].name, _PLAUSIBLE[ERA5_CHANNELS[index].variable]
        else:
            label = CAMS_CHANNELS[index].name if name == "cams" else f"{name} day {LEAD_DAYS[index]}"
            low, high = 0, 1e5
        finite = layer[~np.isnan(layer)]
        if not finite.size and name != "cams_forecast":
            raise SchemaError(f"{label}: the whole day has no value. Leave the day out.")
        if finite.size and not (low <= finite.min() and finite.max() <= high):
            msg = f"{label}: expected {low:g} to {high:g} in store units, got {finite.min():g} to {finite.max():g}."
            raise SchemaError(msg)
    return values


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


def _check_shape(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise SchemaError(
            f"{name}: expected shape {shape}, got {values.shape}. Check the domain and the grid."
        )
