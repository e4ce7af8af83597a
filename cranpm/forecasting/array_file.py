"""Arrays as ``.npy`` files that one process fills while others read them.

The process that fills one maps it into memory, once room for all of it has been taken on the disk: a page that finds
the disk full later ends the process without a word. Those that read never map it, for the same holds for a file that is
cut short while it is mapped; what they miss is an error of theirs.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

from cranpm._files import replacing
from cranpm.data.errors import DataFileError

_BAND = 1 << 22  # bytes written at a time


class ArrayFileError(DataFileError):
    """A file that is no array, holds another one than expected, or is shorter than it says."""


def create_array_file(path: Path, shape: tuple[int, ...], dtype: DTypeLike, fill: float) -> np.memmap:
    """A new file of one value, mapped to be filled; it has its name only when all of it is written.

    Raises
    ------
    OSError
        With ``errno.ENOSPC``, if the disk is too full for it.
    """
    dtype = np.dtype(dtype)
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with replacing(path, sync=False) as partial, partial.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        file.flush()
        left = int(np.prod(shape)) * dtype.itemsize
        if (
            left and fill == 0 and hasattr(os, "posix_fallocate")
        ):  # not on Windows and macOS: zeros are written there
            os.posix_fallocate(file.fileno(), file.tell(), left)
            left = 0
        band = np.full(_BAND // dtype.itemsize, fill, dtype).tobytes()
        while left:
            left -= file.write(band[:left])
    return np.lib.format.open_memmap(path, mode="r+")


class ArrayFile:
    """A two-dimensional array on disk, read window by window; may be used from several threads.

    Parameters
    ----------
    path : Path
        Kept open: the array stays readable when the file is removed.
    dtype : dtype
        What the file must hold.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArrayFileError
        If it is damaged or something else.
    """

    def __init__(self, path: Path, dtype: DTypeLike = np.float32) -> None:
        self.name = Path(path).name
        self._lock = threading.Lock()
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  closed with the object
        try:
            if npy.read_magic(self._file) != (1, 0):
                raise ValueError("another version of the format")
            shape, fortran_order, found = npy.read_array_header_1_0(self._file)
        except ValueError as error:
            self._file.close()
            raise ArrayFileError(
                f"{self.name} is no array file, or its beginning is damaged ({error})."
            ) from None
        self._start = self._file.tell()
        self.dtype, self.shape = np.dtype(dtype), shape
        if found != self.dtype or fortran_order or len(shape) != 2:
            self._file.close()
            raise ArrayFileError(
                f"{self.name} holds {found} of shape {shape}, expected a map of {self.dtype}."
            )
        try:
            self._check_size()
        except ArrayFileError:
            self._file.close()
            raise

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """A window, as it is in the file now.

        Raises
        ------
        ArrayFileError
            If the file has been cut short.
        """
        first, last, _ = rows.indices(self.shape[0])
        band = np.empty((max(last - first, 0), self.shape[1]), self.dtype)
        if not band.size:
            return band[:, cols]
        waiting = memoryview(band.data).cast("B")
        with self._lock:
            self._file.seek(self._start + first * self.shape[1] * self.dtype.itemsize)
            while len(waiting):
                count = self._file.readinto(waiting)
                if not count:
                    self._check_size()
                    raise ArrayFileError(f"{self.name} cannot be read to its end.")
                waiting = waiting[count:]
        return band[:, cols]

    def _check_size(self) -> None:
        size, expected = os.fstat(self._file.fileno()).st_size, self._start + self.nbytes
        if size < expected:
            raise ArrayFileError(f"{self.name} is cut short: {size} of {expected} bytes.")
