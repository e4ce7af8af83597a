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

import numpy as np

from cranpm._json import JsonObject
from cranpm.data.errors import SchemaError, check_shape
from cranpm.data.store.encoding import PM2P5_FILL, PM2P5_SCALE
from cranpm.data.store.tables import OBSERVATION_COLUMNS, STATION_COLUMNS  # noqa: F401  part of the layout too
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, LEAD_DAYS, Domain
from cranpm.domain.channels import PM2P5, Channel

FORMAT = 1
"""Version of the layout."""

CHUNK = 256
"""Cells along one side of a pm2p5 chunk; the chunks of a day are one shard (file)."""

TIME_CHUNK = 4096
CONVENTIONS = "CF-1.11"


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
    attrs: JsonObject = field(default_factory=dict)


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

    def spec(name: str, dim: str, number: int, long_name: str, **attrs: object) -> ArraySpec:
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

    def fine(name: str, dtype: str, **attrs: object) -> ArraySpec:
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

    def coarse(name: str, **attrs: object) -> ArraySpec:
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


def coordinate_attrs(name: str) -> JsonObject:
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


CRS_ATTRS: JsonObject = {
    "grid_mapping_name": "latitude_longitude",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
    "crs_wkt": 'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],'
    'CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],UNIT["degree",0.0174532925199433],'
    'ID["EPSG",4326]]',
}


PLAUSIBLE = {
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


HIGHEST_CONCENTRATION = 1e5
"""What no species of a day's composition exceeds at the surface [ug m-3]."""


def possible_range(channel: Channel) -> tuple[float, float]:
    """Lowest and highest value that a daily coarse channel can have, in store units.

    Examples
    --------
    >>> possible_range(ERA5_CHANNELS[2])
    (180, 340)
    """
    return PLAUSIBLE.get(channel.variable, (0, HIGHEST_CONCENTRATION))


def check_coarse(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Daily coarse fields as stored, float32; NaN marks gaps.

    Raises
    ------
    SchemaError
        For another shape, a field without any value, infinite values, or values that the units cannot mean.
    """
    values = np.asarray(values, dtype=np.float32)
    check_shape(name, values, shape)
    for index, layer in enumerate(values):
        if name == "era5":
            label, (low, high) = ERA5_CHANNELS[index].name, possible_range(ERA5_CHANNELS[index])
        else:
            label = CAMS_CHANNELS[index].name if name == "cams" else f"{name} day {LEAD_DAYS[index]}"
            low, high = 0, HIGHEST_CONCENTRATION
        finite = layer[~np.isnan(layer)]
        if not finite.size and name != "cams_forecast":
            raise SchemaError(f"{label}: the whole day has no value. Leave the day out.")
        if finite.size and not (low <= finite.min() and finite.max() <= high):
            msg = f"{label}: expected {low:g} to {high:g} in store units, got {finite.min():g} to {finite.max():g}."
            raise SchemaError(msg)
    return values
