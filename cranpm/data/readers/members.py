"""One dataset of the members of an archive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cranpm.data.errors import DataFileError, TimeAxisError, WrongGridError
from cranpm.data.readers.preliminary import joint_attrs


def merge_members(members: Sequence[xr.Dataset], *, name: str) -> xr.Dataset:
    """One dataset of the standardised members of an archive, which must share their times and places.

    Parameters
    ----------
    members : sequence of Dataset
        Each with ``encoding["source"]``, what messages call it.

    Raises
    ------
    WrongGridError, TimeAxisError
        If members lie on different grids or hold different times.
    DataFileError
        If two hold the same variable with different values.
    """
    first = members[0]
    variables = dict(first.data_vars)
    for other in members[1:]:
        both = f"{_called(first, name)} and {_called(other, name)}"
        for axis in ("latitude", "longitude"):
            if not np.array_equal(first[axis].values, other[axis].values):
                msg = f"{both} lie on different grids ({_grid(first)}; {_grid(other)}). Request both for one area."
                raise WrongGridError(msg)
        if not np.array_equal(first["time"].values, other["time"].values):
            raise TimeAxisError(f"{both} hold different times. Read them one by one.")
        for variable, array in other.data_vars.items():
            held = variables.setdefault(variable, array)
            if held is not array and not held.equals(array):
                msg = f"{both} both hold {variable}, with other values or levels. Remove one of them."
                raise DataFileError(msg)
    merged = xr.Dataset(variables)
    return merged.assign_attrs(joint_attrs([member.attrs for member in members]))


def _called(dataset: xr.Dataset, name: str) -> str:
    return str(dataset.encoding.get("source", name))


def _grid(dataset: xr.Dataset) -> str:
    lat, lon = dataset["latitude"].values, dataset["longitude"].values
    return f"{lat.size} x {lon.size} points from {lat[0]:g} N, {lon[0]:g} E"
