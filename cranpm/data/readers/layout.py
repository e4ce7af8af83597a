"""House names and house order for files of the Copernicus stores, old layout, new layout or GRIB.

``time`` (UTC, ascending), ``level`` (hPa), ``latitude`` (north to south), ``longitude`` (west to east, -180..180).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.errors import (
    DataFileError,
    NotThisProductError,
    TimeAxisError,
    UnitsError,
    WrongGridError,
)
from cranpm.data.readers.preliminary import one_version, preliminary_attrs

log = logging.getLogger(__name__)

_NAMES = {
    "lat": "latitude",
    "lon": "longitude",
    "pressure_level": "level",
    "isobaricInhPa": "level",
    "forecast_reference_time": "reference_time",
}
_DIMS = ("time", "level", "latitude", "longitude")
_FIRST_TIME = np.datetime64("1940-01-01")
_FORECASTS_REACH = np.timedelta64(6, "D")
# the steps of today's run of CAMS go five days ahead


def of_variables(dataset: xr.Dataset, variables: Mapping[str, str]) -> xr.Dataset:
    """Some variables under their house names, and with them the experiment version, which some files hold as data."""
    versions = [name for name in ("expver",) if name in dataset.data_vars]
    return dataset.set_coords(versions)[list(variables)].rename(variables)


def standardise(dataset: xr.Dataset, *, name: str = "data") -> xr.Dataset:
    """The same data under house names and in house order; values stay on disk wherever they can.

    Parameters
    ----------
    dataset : Dataset
        As :func:`cranpm.data.files.openers.open_lazily` returns it, of the variables that are wanted.
    name : str
        What messages call it.

    Returns
    -------
    Dataset
        Dimensions (time[, level], latitude, longitude). ``attrs["preliminary"]`` tells whether any of it is the
        preliminary ERA5T, and then ``attrs["preliminary_from"]`` from which hour on (``2025-11-04T00``).

    Raises
    ------
    TimeAxisError, WrongGridError, NotThisProductError, DataFileError
        For doubled, undecodable or impossible times, means over months, points in place of a map, irregular or
        doubled coordinates, more than one member.
    """
    renamed = {old: new for old, new in _NAMES.items() if old in dataset.variables or old in dataset.dims}
    if renamed:
        log.info("%s: %s.", name, ", ".join(f"{old} is read as {new}" for old, new in renamed.items()))
    dataset = dataset.rename(renamed)
    _refuse_packed_floats(dataset, name)
    dataset = one_version(_one_member(dataset, name))
    if "level" in dataset.coords and dataset["level"].ndim == 0:
        dataset = dataset.expand_dims("level")  # GRIB of one level
    dataset = _valid_times(dataset, name)
    dataset = _sorted_places(dataset, name)
    dataset = _no_more_dimensions(_sorted_times(dataset, name), name)
    dataset = dataset.assign_attrs(preliminary_attrs(dataset, name=name))
    extra = [c for c in dataset.coords if c not in _DIMS]
    dims = [d for d in _DIMS if d in dataset.dims]
    return dataset.drop_vars(extra).transpose(*dims, ...)


def _refuse_packed_floats(dataset: xr.Dataset, name: str) -> None:
    """Whole numbers are packed; floats that state a packing were unpacked before, and are scaled twice on reading."""
    for variable, array in dataset.data_vars.items():
        scale, offset = array.encoding.get("scale_factor", 1.0), array.encoding.get("add_offset", 0.0)
        kind = np.dtype(array.encoding.get("dtype", np.float32)).kind
        if kind == "f" and (scale != 1 or offset != 0):
            msg = (
                f"{name}: {variable} is stored as floats and still states a packing ({scale:g}, {offset:g}), so it "
                "would be scaled twice. Remove the attributes scale_factor and add_offset, or download it again."
            )
            raise UnitsError(msg)


def _one_member(dataset: xr.Dataset, name: str) -> xr.Dataset:
    if dataset.sizes.get("number", 1) > 1:
        msg = f"{name}: expected one field per time, got {dataset.sizes['number']} ensemble members. Select one first."
        raise DataFileError(msg)
    return (
        dataset.squeeze("number", drop=True)
        if "number" in dataset.dims
        else dataset.drop_vars("number", errors="ignore")
    )


def _valid_times(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """One ``time`` dimension that holds valid times, whatever the product calls or nests them."""
    if "valid_time" in dataset.variables:
        valid = dataset["valid_time"]
        if valid.ndim == 0:
            dataset = dataset.drop_vars("time", errors="ignore").rename(valid_time="time").expand_dims("time")
        elif valid.ndim == 1:
            (dim,) = valid.dims
            dataset = dataset.drop_vars([c for c in {"valid_time", "time", dim} if c in dataset.variables])
            dataset = dataset.rename({dim: "time"}) if dim != "time" else dataset
            dataset = dataset.assign_coords(time=valid.values)
        else:
            dataset = _flatten_runs(dataset, valid, name)
    if "time" not in dataset.dims:
        _refuse_dates(dataset, name)
        raise TimeAxisError(f"{name}: expected a time dimension, got {tuple(dataset.sizes)}.")
    return dataset


def _refuse_dates(dataset: xr.Dataset, name: str) -> None:
    """An axis of dates is how the stores write means over days or months."""
    if "date" not in dataset.dims:
        return
    held = dataset["date"].values if "date" in dataset.coords else np.zeros(0)
    days = [pd.Timestamp(str(d)) for d in held if re.match(r"\d{4}-?\d{2}-?\d{2}", str(d))]
    step = (days[1] - days[0]).days if len(days) > 1 else 0
    what = "monthly means" if step >= 28 else "daily values" if step == 1 else "means over days or months"
    shown = ", ".join(f"{day:%Y-%m-%d}" for day in days[:2]) + (", ..." if len(days) > 2 else "")
    msg = (
        f"{name} has an axis of dates ({shown or 'no values'}) in place of hours, as {what} have. "
        "Request the hourly product."
    )
    raise NotThisProductError(msg)


def _flatten_runs(dataset: xr.Dataset, valid: xr.DataArray, name: str) -> xr.Dataset:
    """(run, step) -> time; a step that a run does not have is all missing and is dropped."""
    first, second = valid.dims
    dataset = dataset.drop_vars(
        [c for c in ("time", "step", "reference_time", "forecast_period") if c in dataset.coords]
    )
    stacked = dataset.drop_vars("valid_time").stack(flat=(first, second), create_index=False)
    stacked = stacked.rename(flat="time").assign_coords(time=valid.values.ravel())
    present = xr.concat(
        [a.notnull().any([d for d in a.dims if d != "time"]) for a in stacked.data_vars.values()],
        dim="variable",
    )
    stacked = stacked.isel(time=np.flatnonzero(present.any("variable").values))
    times, counts = np.unique(stacked["time"].values, return_counts=True)
    if (counts > 1).any():
        msg = (
            f"{name}: its runs overlap, so that time {pd.Timestamp(times[counts > 1][0])} stands there twice. Request "
            "steps that end where the next run begins, or read one run at a time."
        )
        raise TimeAxisError(msg)
    return stacked


def _no_more_dimensions(dataset: xr.Dataset, name: str) -> xr.Dataset:
    more = {str(dim): size for dim, size in dataset.sizes.items() if dim not in _DIMS}
    several = {dim: size for dim, size in more.items() if size > 1}
    if several:
        shown = ", ".join(f"{dim} ({size})" for dim, size in several.items())
        raise NotThisProductError(
            f"{name}: expected one field per time, got a dimension {shown}. Select one of it first."
        )
    return dataset.squeeze(list(more), drop=True)


def _refuse_points(dataset: xr.Dataset, name: str) -> None:
    for axis in ("latitude", "longitude"):
        if axis not in dataset.coords:
            held = sorted(map(str, dataset.coords))
            raise WrongGridError(f"{name}: expected a one-dimensional {axis}, got {held}.")
    lat, lon = dataset["latitude"], dataset["longitude"]
    if lat.dims == ("latitude",) and lon.dims == ("longitude",):
        return
    if lat.ndim == 2:
        msg = f"{name}: expected a grid of latitudes and longitudes, got one that is turned or projected {lat.dims}."
    else:
        number = lat.size * (lon.size if lat.dims != lon.dims else 1)
        place = f"one point ({lat.item():g} N, {lon.item():g} E)" if number == 1 else f"{number} points"
        msg = f"{name} holds series at {place}, not maps. Request an area of the gridded product."
    raise WrongGridError(msg)


def _sorted_places(dataset: xr.Dataset, name: str) -> xr.Dataset:
    _refuse_points(dataset, name)
    latitude, longitude = (dataset[axis].values.astype(float) for axis in ("latitude", "longitude"))
    if not np.isfinite(latitude).all() or not np.isfinite(longitude).all():
        raise WrongGridError(f"{name}: latitude or longitude holds missing values.")
    if np.abs(latitude).max() > 90:
        msg = f"{name}: latitudes reach {np.abs(latitude).max():g}; latitude and longitude look swapped."
        raise WrongGridError(msg)
    if longitude.max() > 180:
        log.info(
            "%s: longitudes up to %g degrees east are taken as west of Greenwich.", name, longitude.max()
        )
    longitude = np.where(longitude > 180, longitude - 360, longitude)
    if latitude.size > 1 and latitude[0] < latitude[-1]:
        log.info("%s: rows run south to north; they are turned.", name)
    if np.any(np.diff(longitude) < 0):
        log.info("%s: columns are put in order from west to east.", name)
    dataset = dataset.assign_coords(latitude=latitude, longitude=longitude)
    dataset = dataset.isel(latitude=np.argsort(-latitude), longitude=np.argsort(longitude))
    for axis in ("latitude", "longitude"):
        steps = np.abs(np.diff(dataset[axis].values))
        if steps.size and (steps.min() <= 0 or steps.max() - steps.min() > 0.02 * steps.max()):
            msg = (
                f"{name}: expected evenly spaced {axis}s, got steps of {steps.min():g} to {steps.max():g} degrees. "
                "Join or crop the file so that it is one regular block."
            )
            raise WrongGridError(msg)
    return dataset


def _sorted_times(dataset: xr.Dataset, name: str) -> xr.Dataset:
    times = dataset["time"].values
    if not np.issubdtype(times.dtype, np.datetime64):
        msg = f"{name}: expected times of the ordinary calendar, got {dataset['time'].dtype} ({times.ravel()[:1]})."
        raise TimeAxisError(msg)
    if times.size == 0 or np.isnat(times).any():
        raise TimeAxisError(f"{name}: expected at least one time and none missing, got {times.size} times.")
    index = pd.DatetimeIndex(times)
    if index.has_duplicates:
        doubled = index[index.duplicated()][0]
        raise TimeAxisError(f"{name}: time {doubled} stands there twice. Remove one of the two.")
    if times.min() < _FIRST_TIME or times.max() > np.datetime64("now") + _FORECASTS_REACH:
        got = f"{times.min()} to {times.max()}"
        msg = f"{name}: expected times from 1940 to now or some days ahead, got {got}. Look at the units of time."
        raise TimeAxisError(msg)
    if np.any(np.diff(times) < np.timedelta64(0)):
        log.info("%s: times are put in order.", name)
    return dataset.isel(time=np.argsort(times))
