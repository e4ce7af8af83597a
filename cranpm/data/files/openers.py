"""Open a file by what it contains, never by what it is called.

A download is a zip, NetCDF4, NetCDF3 or GRIB depending on its content, whatever name was asked for; and a failed
download is often a web page saved under a data file's name. Nothing here reads values: arrays stay on disk.
"""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Literal

import scipy.io
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError

Kind = Literal["zip", "gzip", "hdf5", "netcdf3", "grib", "parquet", "tiff", "text"]

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty archive
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"CDF\x01", "netcdf3"),
    (b"CDF\x02", "netcdf3"),
    (b"CDF\x05", "netcdf3"),
    (b"GRIB", "grib"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),  # more than 4 GB
    (b"MM\x00+", "tiff"),
)

ZIP_BUDGET = 64 * 2**30
"""Bytes that one archive may unpack to; a month of CDS or Zenodo data needs less."""

_unpacked: OrderedDict[tuple[str, int, int], tuple[tempfile.TemporaryDirectory, list[Path]]] = OrderedDict()
# members of archives are read lazily and more than once (a month's file, day by day): the last few stay unpacked until
# the process ends
_KEPT_ARCHIVES = 8


def sniff(path: str | Path) -> Kind:
    """What a file is, from its first bytes.

    Raises
    ------
    DataFileError
        If there is no such file, or it is empty, or it is a web page or an error message.
    """
    path = Path(path)
    if not path.is_file():
        raise DataFileError(
            f"Expected a data file at {path}, found {'a folder' if path.is_dir() else 'nothing'}."
        )
    with path.open("rb") as file:
        head = file.read(256)
    if not head:
        raise DataFileError(f"{path.name} is empty. Download it again.")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith(("<", "{")):
        msg = f"{path.name} is a web page or a server's message, not data: {text[:60]!r}. Download it again."
        raise DataFileError(msg)
    if "\x00" in text or "\ufffd" in text[:64]:
        known = "zip, gzip, NetCDF, GRIB, Parquet, GeoTIFF or text"
        msg = f"{path.name} is no file known here: expected {known}, got {head[:8]!r}."
        raise DataFileError(msg)
    return "text"


def open_lazily(path: str | Path, *, decode_times: bool = True) -> list[xr.Dataset]:
    """The datasets in a NetCDF or GRIB file, or in every member of a zip of them, values still on disk.

    Parameters
    ----------
    decode_times : bool
        False keeps raw times, for products whose time axis does not follow CF.

    Returns
    -------
    list of Dataset
        One for a plain file; ``encoding["source"]`` names the file each came from.
    """
    path, kind = Path(path), sniff(path)
    if kind == "zip":
        return [
            dataset for member in _unpack(path) for dataset in open_lazily(member, decode_times=decode_times)
        ]
    if kind == "grib":
        return _open_grib(path)
    if kind in ("gzip", "parquet", "tiff", "text"):
        called = {"parquet": "Parquet", "tiff": "GeoTIFF"}.get(kind, kind)
        msg = f"{path.name} is {called}; expected NetCDF, GRIB or a zip of them."
        raise NotThisProductError(msg)
    if kind == "netcdf3":
        _check_length(path)
    try:
        dataset = xr.open_dataset(path, engine="netcdf4", decode_times=decode_times, decode_timedelta=False)
    except (OSError, RuntimeError) as error:
        msg = f"{path.name} begins like {kind} but cannot be read ({error}): cut off or damaged. Download it again."
        raise DataFileError(msg) from error
    except (ValueError, OverflowError) as error:
        raise TimeAxisError(f"{path.name}: its time axis cannot be decoded ({error}).") from error
    return [dataset]


def open_archive_member(path: str | Path, suffix: str) -> Path:
    """The one member of an archive that ends like this, unpacked; a file that is no archive is itself.

    Raises
    ------
    NotThisProductError
        If there is none, or more than one.
    """
    path = Path(path)
    if sniff(path) != "zip":
        return path
    members = [member for member in _unpack(path) if member.name.lower().endswith(suffix)]
    if len(members) != 1:
        raise NotThisProductError(f"{path.name}: expected one member *{suffix}, got {len(members)}.")
    return members[0]


def _check_length(path: Path) -> None:
    """A classic NetCDF file is uncompressed: a shorter one is cut off, and the library would invent the rest."""
    with path.open("rb") as file:
        if file.read(4) == b"CDF\x05":
            return  # 64-bit data, which the check below does not know
    try:
        # maps the file variable by variable, so nothing is read
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scipy.io.netcdf_file(path, mmap=True).close()
    except (TypeError, ValueError, OSError, IndexError) as error:
        msg = (
            f"{path.name} is shorter than the values that it declares ({error}): cut off. Download it again."
        )
        raise DataFileError(msg) from error


def _open_grib(path: Path) -> list[xr.Dataset]:
    try:
        import cfgrib
    except (ImportError, RuntimeError) as error:
        msg = (
            f"{path.name} is GRIB, and cfgrib with ecCodes is not usable here ({error}). Install it with "
            "'pip install cranpm-explorer[grib]', or download the data as NetCDF (data_format: netcdf)."
        )
        raise DataFileError(msg) from error
    try:
        # no index files: the folder of the data may be read-only
        return cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": "", "errors": "raise"})
    except Exception as error:  # cfgrib raises many kinds
        raise DataFileError(
            f"{path.name} begins like GRIB but cannot be read ({error}). Download it again."
        ) from error


def _unpack(path: Path) -> list[Path]:
    """Members of an archive in a temporary folder, under names of our own so that none can leave it."""
    state = path.stat()
    key = (str(path.resolve()), state.st_mtime_ns, state.st_size)
    if key in _unpacked:
        _unpacked.move_to_end(key)
        return _unpacked[key][1]
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            declared = sum(info.file_size for info in members)
            if not members:
                raise DataFileError(f"{path.name} is an empty archive. Download it again.")
            if declared > ZIP_BUDGET:
                msg = f"{path.name} unpacks to {declared / 2**30:.0f} GiB, more than {ZIP_BUDGET / 2**30:.0f} allowed."
                raise DataFileError(msg)
            folder = tempfile.TemporaryDirectory(prefix="cranpm-")
            paths = []
            for index, info in enumerate(members):
                target = Path(folder.name) / f"{index:03d}_{Path(info.filename).name}"
                with archive.open(info) as source, target.open("wb") as out:
                    while block := source.read(2**20):
                        out.write(block)
                paths.append(target)
            _unpacked[key] = folder, paths
            while len(_unpacked) > _KEPT_ARCHIVES:
                _unpacked.popitem(last=False)[1][0].cleanup()
            return paths
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataFileError(f"{path.name} is a damaged archive ({error}). Download it again.") from error
