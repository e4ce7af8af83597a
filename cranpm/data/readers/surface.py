"""The one level and the steps of a composition file that are the surface of a day."""

from __future__ import annotations

import logging

import numpy as np
import xarray as xr

from cranpm.data.errors import NotThisProductError, TimeAxisError
from cranpm.data.readers.identity import Identity
from cranpm.data.readers.products import EAC4, EUROPE, lowest_model_level

log = logging.getLogger(__name__)

_AXES = ("level", "model_level", "hybrid", "height", "heightAboveGround")


def at_surface(dataset: xr.Dataset, identity: Identity, *, name: str) -> xr.Dataset:
    """The level nearest the ground: 0 m, or the lowest level of the model in those days.

    Raises
    ------
    NotThisProductError
        If the file holds other levels only.
    """
    for axis in _AXES:
        if axis in dataset.dims and axis not in dataset.coords and dataset.sizes[axis] > 1:
            raise NotThisProductError(
                f"{name}: expected the surface only, got {dataset.sizes[axis]} levels without their values."
            )
        if axis in dataset.coords:
            dataset = _selected(dataset, axis, identity, name)
        elif axis in dataset.dims:
            dataset = dataset.isel({axis: 0})
    return dataset


def _selected(dataset: xr.Dataset, axis: str, identity: Identity, name: str) -> xr.Dataset:
    held = np.atleast_1d(dataset[axis].values).astype(float)
    in_metres = axis.startswith("height") or "height" in identity.values("level type")
    if in_metres or (identity.product in EUROPE and axis == "level"):
        wanted, unit = 0.0, " m"
    else:
        wanted, unit = float(60 if identity.product is EAC4 else lowest_model_level(_first_day(dataset))), ""
    shown = ", ".join(f"{value:g}" for value in held) + unit
    (places,) = np.nonzero(held == wanted)
    if not places.size:
        what = "level 0 m" if unit else f"model level {wanted:g}, the lowest of those days"
        msg = f"{name} holds level {shown}, not the surface; expected {what}. {identity.product.remedy}"
        raise NotThisProductError(msg)
    if held.size > 1:
        log.info("%s: level %g%s, the surface, is taken of %s.", name, wanted, unit, shown)
    return (dataset.isel({axis: places[0]}) if axis in dataset.dims else dataset).drop_vars(axis)


def _first_day(dataset: xr.Dataset) -> np.datetime64:
    for axis in ("valid_time", "forecast_reference_time", "time"):
        if axis in dataset.coords and np.issubdtype(dataset[axis].dtype, np.datetime64):
            return dataset[axis].values.min().astype("datetime64[D]")
    return np.datetime64("now", "D")


def hours_ahead(dataset: xr.Dataset) -> np.ndarray | None:
    """How far ahead of its run each step lies [h], from whichever coordinate tells; None if none does."""
    axis = next(
        (a for a in ("forecast_period", "step", "leadtime", "lead_time") if a in dataset.coords), None
    )
    if axis is None:
        return None
    steps = np.atleast_1d(dataset[axis].values)
    if np.issubdtype(steps.dtype, np.timedelta64):
        return steps / np.timedelta64(1, "h")
    return steps.astype(float) * (24.0 if str(dataset[axis].attrs.get("units")) == "days" else 1.0)


def refuse_long_leads(dataset: xr.Dataset, longest: int | None, *, name: str) -> str | None:
    """How far ahead of their runs the steps lie, such as "24 to 93 h"; None if the file does not tell.

    Raises
    ------
    TimeAxisError
        If a step lies further ahead than ``longest`` hours.
    """
    hours = hours_ahead(dataset)
    if hours is None:
        return None
    said = f"{hours.min():g} to {hours.max():g} h"
    if longest is not None and hours.max() > longest:
        msg = (
            f"{name} holds steps {said} ahead of their runs; expected at most {longest} h, for the air of the day "
            "itself. Request leadtime_hour 0, 3, 6 and 9 of the runs of 00 and 12 UTC."
        )
        raise TimeAxisError(msg)
    return said
