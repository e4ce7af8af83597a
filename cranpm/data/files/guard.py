"""Reading under one lock, with failures that name the file.

HDF5, netCDF, ecCodes and GDAL keep state that all files of a process share, and none of them may be used from two
threads at once: a healthy file then reads as a damaged one, or Python crashes. So whatever opens, reads or closes a
file here does it under one lock, values that are read lazily included; and since a damaged block shows only when its
values are read, that is also where the library's error becomes ours.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from cranpm.data.errors import DataFileError

LIBRARY_LOCK = threading.RLock()
"""Held while any of those libraries works on a file."""

_SYSTEM = {
    errno.ENOENT: "it was there and is gone. Was it moved or deleted meanwhile? Start again with it in place",
    errno.EACCES: "permission was denied. Make it readable for this user",
    errno.EPERM: "permission was denied. Make it readable for this user",
    errno.EMFILE: "too many files are open. Raise the limit ('ulimit -n') or use fewer workers",
    errno.ENFILE: "too many files are open on this machine. Use fewer workers",
    errno.ENOSPC: "the disk is full. Free some space, or set TMPDIR to a larger disk",
    errno.EDQUOT: "the disk quota is used up. Free some space, or set TMPDIR to a larger disk",
    errno.EIO: "the disk failed to read it. Check the disk or the network share, then try again",
    errno.ESTALE: "the network share lost it. Try again",
}
"""Failures of the machine, of which the file is innocent."""

_NO_FILTER = ("find plugin", "filter is not registered", "undefined filter", "filter not available")
"""What HDF5 and netCDF say of values that were packed with something that is not installed."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """The lock, and whatever a library raises inside as an error that names the file.

    Raises
    ------
    DataFileError
        Saying whether the machine or the file is at fault, and what to do.
    """
    with LIBRARY_LOCK:
        try:
            yield
        except (DataFileError, MemoryError):
            raise
        except Exception as error:  # each library has its own kinds
            raise _named(error, name) from error


def _named(error: Exception, name: str) -> DataFileError:
    *_, first = _causes(error)
    if isinstance(first, DataFileError):
        return first
    # the text of an OSError ends with a path, of a temporary file perhaps
    said = (first.strerror if isinstance(first, OSError) else None) or str(first)
    said = " ".join(said.split())[:200] or type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    low = said.lower()
    if "unable to lock file" in low:
        msg = f"{name} is locked by another process, which may still be writing it. Wait until it is done."
    elif number in _SYSTEM:
        msg = f"{name} cannot be read: {_SYSTEM[number]}."
    elif number is not None and number > 0:
        msg = f"{name} cannot be read: {os.strerror(number)}."
    elif any(words in low for words in _NO_FILTER):
        msg = (
            f"{name} is packed with a filter that is not installed here ({said}). The file may be whole: install "
            "the filter, or repack it without ('nccopy -F none')."
        )
    else:
        msg = f"{name} cannot be read ({said}): cut off or damaged. Download it again."
    return DataFileError(msg)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


class GuardedArray(BackendArray):
    """Values of one variable on disk, fetched under the lock.

    Parameters
    ----------
    fetch : callable
        Given a tuple of integers and slices, returns that part.
    keeps : object, optional
        What must live as long as the array, such as the folder that an archive was unpacked to.
    """

    def __init__(
        self,
        fetch: Callable[[tuple[int | slice, ...]], np.ndarray],
        shape: tuple[int, ...],
        dtype: np.dtype,
        *,
        name: str,
        keeps: object = None,
    ) -> None:
        self._fetch, self._name, self._keeps = fetch, name, keeps
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        with reading(self._name):
            return np.asarray(self._fetch(key))


def guarded(dataset: xr.Dataset, *, name: str, keeps: object = None) -> xr.Dataset:
    """The same dataset, whose values on disk are read under the lock and by name."""

    def guard(variable: xr.Variable) -> xr.Variable:
        if variable._in_memory:
            return variable
        array = GuardedArray(
            lambda key: variable[key].values, variable.shape, variable.dtype, name=name, keeps=keeps
        )
        return xr.Variable(
            variable.dims, indexing.LazilyIndexedArray(array), variable.attrs, variable.encoding
        )

    replaced = {
        key: guard(variable) for key, variable in dataset.variables.items() if key not in dataset.indexes
    }
    return dataset.assign({k: v for k, v in replaced.items() if k in dataset.data_vars}).assign_coords(
        {k: v for k, v in replaced.items() if k in dataset.coords}
    )
