"""The 70 coarse and 5 local input channels, generated from one table (Table S4, order settled here)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

LEVELS = (1000, 925, 850, 700, 500)
"""Pressure levels [hPa], in channel order."""

LEAD_DAYS = (1, 2, 3)
"""Lead times of the forecast [days]."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One input field: what it is, where it comes from, which day it belongs to.

    ``day`` is "t" for the day of the forecast's start, "t-1" for the day before, None for a fixed field.
    """

    name: str
    variable: str
    source: Literal["era5", "cams", "fine", "static"]
    units: str
    long_name: str
    standard_name: str | None = None
    level: int | None = None
    day: Literal["t", "t-1"] | None = None

    def on(self, day: Literal["t", "t-1"]) -> Channel:
        """The same field on one of the two input days, named ``u10@t``."""
        return replace(self, name=f"{self.name}@{day}", day=day)


_SURFACE = (
    ("u10", "m s-1", "10 m wind towards east", "eastward_wind"),
    ("v10", "m s-1", "10 m wind towards north", "northward_wind"),
    ("t2m", "K", "2 m temperature", "air_temperature"),
    ("sp", "Pa", "surface pressure", "surface_air_pressure"),
    ("tp", "mm", "precipitation, daily sum", "lwe_thickness_of_precipitation_amount"),
)
_LEVEL = (
    ("t", "K", "temperature", "air_temperature"),
    ("u", "m s-1", "wind towards east", "eastward_wind"),
    ("v", "m s-1", "wind towards north", "northward_wind"),
    ("q", "kg kg-1", "specific humidity", "specific_humidity"),
    ("z", "m2 s-2", "geopotential", "geopotential"),
)
_PM25_NAME = "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air"
_SPECIES = (
    ("pm2p5", "PM2.5", _PM25_NAME),
    ("pm10", "PM10", "mass_concentration_of_pm10_ambient_aerosol_particles_in_air"),
    ("no2", "nitrogen dioxide", "mass_concentration_of_nitrogen_dioxide_in_air"),
    ("o3", "ozone", "mass_concentration_of_ozone_in_air"),
    ("co", "carbon monoxide", "mass_concentration_of_carbon_monoxide_in_air"),
)

ERA5_CHANNELS: tuple[Channel, ...] = tuple(
    Channel(name=name, variable=name, source="era5", units=units, long_name=long_name, standard_name=standard)
    for name, units, long_name, standard in _SURFACE
) + tuple(
    Channel(
        name=f"{name}_{level}",
        variable=name,
        source="era5",
        level=level,
        units=units,
        long_name=f"{long_name} at {level} hPa",
        standard_name=standard,
    )
    for name, units, long_name, standard in _LEVEL
    for level in LEVELS
)
"""30 daily ERA5 fields of one day."""

CAMS_CHANNELS: tuple[Channel, ...] = tuple(
    Channel(
        name=name, variable=name, source="cams", units="ug m-3", long_name=long_name, standard_name=standard
    )
    for name, long_name, standard in _SPECIES
)
"""5 daily CAMS fields of one day, at the surface."""

DAY_CHANNELS: tuple[Channel, ...] = ERA5_CHANNELS + CAMS_CHANNELS
"""The 35 coarse fields of one day; statistics are kept for these."""

COARSE_CHANNELS: tuple[Channel, ...] = tuple(c.on("t") for c in DAY_CHANNELS) + tuple(
    c.on("t-1") for c in DAY_CHANNELS
)
"""The 70 coarse inputs: ERA5(t), CAMS(t), ERA5(t-1), CAMS(t-1)."""

PM2P5 = Channel(
    name="pm2p5",
    variable="pm2p5",
    source="fine",
    units="ug m-3",
    long_name="PM2.5, daily mean",
    standard_name=_PM25_NAME,
)
_ELEVATION = Channel(
    name="elevation",
    variable="elevation",
    source="static",
    units="m",
    long_name="elevation",
    standard_name="surface_altitude",
)
_LATITUDE = Channel(
    name="latitude",
    variable="latitude",
    source="static",
    units="degrees_north",
    long_name="latitude",
    standard_name="latitude",
)
_LONGITUDE = Channel(
    name="longitude",
    variable="longitude",
    source="static",
    units="degrees_east",
    long_name="longitude",
    standard_name="longitude",
)
LOCAL_CHANNELS: tuple[Channel, ...] = (PM2P5.on("t"), _ELEVATION, _LATITUDE, _LONGITUDE, PM2P5.on("t-1"))
"""The 5 local inputs of a tile."""


def channel_index(name: str, channels: Sequence[Channel] = DAY_CHANNELS) -> int:
    """Position of a channel by name.

    Parameters
    ----------
    name : str
        Such as ``"u10"`` or ``"z_500"``; ``"u10@t-1"`` among `COARSE_CHANNELS`.
    channels : sequence of Channel
        The list to look in; by default those of one day.

    Returns
    -------
    int
        From 0.

    Raises
    ------
    KeyError
        If no channel has that name.

    Examples
    --------
    >>> channel_index("v10"), channel_index("z_500"), channel_index("v10@t-1", COARSE_CHANNELS)
    (1, 29, 36)
    """
    for index, channel in enumerate(channels):
        if channel.name == name:
            return index
    raise KeyError(f"Unknown channel {name!r}; known: {', '.join(c.name for c in channels)}.")
