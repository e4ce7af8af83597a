"""NetCDF files as xarray reads them, but one at a time and never left open.

xarray's own stores read a file's description without a lock and close it when the garbage collector comes by, in
whichever thread that is; with netCDF and HDF5 either can crash Python. Here a file is opened, read and closed under
the lock, for its description once and for its values each time they are asked for.
"""

from __future__ import annotations

import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import scipy.io
import xarray as xr
from xarray.backends.common import AbstractDataStore
from xarray.core import indexing

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.files.guard import GuardedArray, reading

_Key = tuple[int | slice, ...]
_Stamp = tuple[int, int]


def open_netcdf(
    path: Path, *, name: str, decode_times: bool = True, mask_and_scale: bool = True, keeps: object = None
) -> xr.Dataset:
    """One NetCDF file of any version; values stay on disk.

    Parameters
    ----------
    name : str
        What messages call it.
    decode_times, mask_and_scale : bool
        As for :func:`xarray.open_dataset`.
    keeps : object, optional
        What must live as long as the values are read.

    Raises
    ------
    DataFileError
        If it is cut off or damaged, also later, when damaged values are read.
    TimeAxisError
        If its times cannot be decoded.
    """
    with reading(name):
        store = _Store(path, name, keeps)
    try:
        return xr.open_dataset(
            store, decode_times=decode_times, mask_and_scale=mask_and_scale, decode_timedelta=False
        )
    except DataFileError as error:
        # xarray puts the coordinate's name before the message
        raise (error.__cause__ if isinstance(error.__cause__, DataFileError) else error) from None
    except (ValueError, OverflowError) as error:
        raise TimeAxisError(f"{name}: its time axis cannot be decoded ({error}).") from error


class _Store(AbstractDataStore):
    """A file's description, read once. ``get_variables`` gives arrays that read their own values."""

    def __init__(self, path: Path, name: str, keeps: object) -> None:
        _check_length(path)
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            file.set_auto_chartostring(False)
            if not file.variables and file.groups:
                groups = ", ".join(file.groups)
                raise NotThisProductError(f"{name}: expected variables, got groups only ({groups}).")
            stamp = _stamp_of(path)
            is_hdf5 = file.data_model.startswith("NETCDF4")
            self._attrs = {key: file.getncattr(key) for key in file.ncattrs()}
            self._variables = {
                key: self._variable(path, name, key, variable, is_hdf5, stamp, keeps)
                for key, variable in file.variables.items()
            }

    @staticmethod
    def _variable(
        path: Path, name: str, key: str, held: netCDF4.Variable, is_hdf5: bool, stamp: _Stamp, keeps: object
    ) -> xr.Variable:
        attrs = {a: held.getncattr(a) for a in held.ncattrs()}
        dtype = np.dtype(object if held.dtype is str else held.dtype)
        encoding = {"dtype": dtype}
        if dtype.kind not in "iuf":
            return xr.Variable(held.dimensions, np.asarray(held[...]), attrs, encoding)  # texts are short
        fetch = partial(_from_hdf5 if is_hdf5 else _from_netcdf, path, key, stamp, dtype)
        array = GuardedArray(fetch, held.shape, dtype, name=name, keeps=keeps)
        return xr.Variable(held.dimensions, indexing.LazilyIndexedArray(array), attrs, encoding)

    def get_variables(self) -> dict[str, xr.Variable]:
        return self._variables

    def get_attrs(self) -> dict[str, Any]:
        return self._attrs

    def get_encoding(self) -> dict[str, Any]:
        return {}


def _from_hdf5(path: Path, key: str, stamp: _Stamp, dtype: np.dtype, window: _Key) -> np.ndarray:
    # ten times faster to open than by way of netCDF, and its errors tell a missing filter from a damaged block
    _refuse_changed(path, stamp)
    with h5py.File(path, "r") as file:
        return np.asarray(file[key][window], dtype)


def _from_netcdf(path: Path, key: str, stamp: _Stamp, dtype: np.dtype, window: _Key) -> np.ndarray:
    _refuse_changed(path, stamp)
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return np.asarray(file.variables[key][window], dtype)


def _stamp_of(path: Path) -> _Stamp:
    state = os.stat(path)
    return state.st_mtime_ns, state.st_size


def _refuse_changed(path: Path, stamp: _Stamp) -> None:
    if _stamp_of(path) != stamp:
        raise DataFileError(
            f"{path.name} changed while it was read. Wait until it is written, then begin again."
        )


def _check_length(path: Path) -> None:
    """A classic NetCDF file is uncompressed: a shorter one is cut off, and the library would invent the rest."""
    with path.open("rb") as file:
        if file.read(4) not in (b"CDF\x01", b"CDF\x02"):
            return  # others say so themselves; 64-bit data (CDF5) the check below does not know
    try:
        # maps the file variable by variable, so nothing is read
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scipy.io.netcdf_file(path, mmap=True).close()
    except (TypeError, ValueError, OSError, IndexError) as error:
        msg = f"{path.name} is shorter than the values that it declares: cut off. Download it again."
        raise DataFileError(msg) from error
