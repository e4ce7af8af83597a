"""Mixing ratios to concentrations: what a kilogram of gas per kilogram of air weighs in a cubic metre of it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import xarray as xr

from cranpm.data.errors import DataFileError, OutsideDomainError

_Values = TypeVar("_Values", float, np.ndarray, xr.DataArray)

GAS_CONSTANT = 287.05
"""Of dry air [J kg-1 K-1]."""


def air_density(pressure: _Values, temperature: _Values) -> _Values:
    """Density of dry air [kg m-3] from pressure [Pa] and temperature [K].

    Examples
    --------
    >>> round(float(air_density(101325.0, 288.15)), 3)
    1.225
    """
    return pressure / (GAS_CONSTANT * temperature)


def to_concentration(ratio: xr.DataArray, pressure: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    """Concentration [ug m-3] of a gas from its mixing ratio [kg kg-1] at the surface.

    The density follows the surface pressure, so that it is 10 to 30 % lower over mountains; a constant one would
    invent pollution there. Humidity (under 1 % of the density) is left out: no surface value is among the fields.

    Parameters
    ----------
    ratio : DataArray, dims (time, latitude, longitude)
    pressure, temperature : DataArray, dims (time, latitude, longitude)
        Surface pressure [Pa] and 2 m temperature [K] of the same days, any regular grid; interpolated to the ratio's
        places and times, the last one of a day held until its end.

    Raises
    ------
    OutsideDomainError
        If the weather does not reach the ratio's places.
    DataFileError
        If it does not reach its times.
    """
    density = air_density(pressure, temperature)
    wanted = ratio["time"].values
    held = density["time"].values
    if wanted.min() < held.min() - np.timedelta64(3, "h") or wanted.max() > held.max() + np.timedelta64(
        6, "h"
    ):
        msg = (
            f"Air density is needed from {wanted.min()} to {wanted.max()}, "
            f"the weather has {held.min()} to {held.max()}."
        )
        raise DataFileError(msg)
    times = np.clip(wanted, held.min(), held.max())
    there = density.interp(time=times).assign_coords(time=wanted)
    lat = np.clip(
        ratio["latitude"].values, density["latitude"].values.min(), density["latitude"].values.max()
    )
    lon = np.clip(
        ratio["longitude"].values, density["longitude"].values.min(), density["longitude"].values.max()
    )
    # the area of a coarser product reaches up to one of its steps beyond the weather's
    reach = max(np.abs(lat - ratio["latitude"].values).max(), np.abs(lon - ratio["longitude"].values).max())
    if reach > 1.0:
        raise OutsideDomainError(f"The weather ends {reach:.1f} degrees before the composition does.")
    there = there.interp(latitude=lat, longitude=lon)
    there = there.assign_coords(latitude=ratio["latitude"].values, longitude=ratio["longitude"].values)
    return (ratio * there * 1e9).assign_attrs(units="ug m-3").rename(ratio.name)
