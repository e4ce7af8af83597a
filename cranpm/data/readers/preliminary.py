"""Preliminary data: ERA5T, which the store hands out five days after and may still revise, and from when on it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from cranpm.data.readers.statements import version_of

log = logging.getLogger(__name__)

_FLAG = "is_preliminary"
"""Coordinate along time while a file is put in order."""


def one_version(dataset: xr.Dataset) -> xr.Dataset:
    """Final ERA5 (expver 1) where there is any, preliminary ERA5T (5) elsewhere; which, in a coordinate of its own."""
    if "expver" not in dataset.variables and "expver" not in dataset.dims:
        return dataset
    versions = dataset["expver"]
    if "expver" not in dataset.dims:
        flags = np.reshape([version_of(v) == "5" for v in versions.values.ravel()], versions.shape)
        return dataset.drop_vars("expver").assign_coords({_FLAG: (versions.dims, flags)})
    found = [version_of(v) for v in versions.values]
    parts = [dataset.isel(expver=i, drop=True) for i in np.argsort(found)]
    flag = xr.full_like(_is_missing(parts[0]), "5" in found and "1" not in found)
    if "1" in found and "5" in found:
        flag = _is_missing(parts[sorted(found).index("1")])
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.combine_first(part)
    return merged.assign_coords({_FLAG: flag})


def _is_missing(dataset: xr.Dataset) -> xr.DataArray:
    """At which times a corner of the first variable has no value: ERA5 has no gaps of its own."""
    field = next(iter(dataset.data_vars.values()))
    places = {dim: 0 for dim in field.dims if dim in ("level", "latitude", "longitude", "lat", "lon")}
    return field.isel(places, drop=True).isnull()


def preliminary_attrs(dataset: xr.Dataset, *, name: str) -> dict[str, object]:
    """``preliminary``, and if so ``preliminary_from``: the first hour (``2025-11-04T00``, UTC) of such values."""
    flags = dataset.coords.get(_FLAG)
    if flags is None or not bool(flags.any()):
        return {"preliminary": False}
    times = dataset["time"].values[np.broadcast_to(flags.values, dataset["time"].shape)]
    first = str(times.min().astype("datetime64[h]"))
    log.warning("%s: ERA5T (expver 5) from %s UTC on, which ECMWF may still revise.", name, first)
    return {"preliminary": True, "preliminary_from": first}


def joint_attrs(attrs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The attributes of several datasets as those of one: what they say alike, preliminary from the first that is."""
    common = {k: v for k, v in attrs[0].items() if all(k in a and a[k] == v for a in attrs)}
    common.pop("preliminary_from", None)
    since = [a["preliminary_from"] for a in attrs if a.get("preliminary")]
    return common | {"preliminary": bool(since)} | ({"preliminary_from": min(since)} if since else {})
