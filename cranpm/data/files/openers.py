"""Open a file by what it contains, never by what it is called.

A download is a zip, NetCDF4, NetCDF3 or GRIB depending on its content, whatever name was asked for; and a failed
download is often a web page saved under a data file's name. Nothing here reads values: arrays stay on disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.archives import Unpacked, unpack
from cranpm.data.files.grib import open_grib
from cranpm.data.files.netcdf import open_netcdf

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

_FOREIGN = (
    (b"BZh", "packed by bzip2", "Unpack it first (bunzip2)"),
    (b"\xfd7zXZ", "packed by xz", "Unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard", "Unpack it first (unzstd)"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a RAR archive", "Unpack it first"),
    (b"\x0e\x03\x13\x01", "HDF4", "Convert it to NetCDF"),
    (b"BUFR", "BUFR", "Ask for the gridded product as GRIB or NetCDF"),
    (b"%PDF", "a PDF document", "Ask for the data themselves"),
    (b"\x89PNG", "a picture", "Ask for the data themselves"),
    (b"\xff\xd8\xff", "a picture", "Ask for the data themselves"),
    (b"\x93NUMPY", "an array of NumPy, without places and times", "Ask for NetCDF"),
)
"""Formats that are known and not read here."""

_INSIDE_ZIP = (
    (r"\[Content_Types\]\.xml|_rels/|xl/|docProps/", "a spreadsheet or document", "Export it as CSV"),
    (r"(.*/)?[^/]+\.hgt\.zip$", "an archive of archives", "Unpack it first"),
)
"""What the first member's name of an archive tells."""

_POINTERS = (
    (r"version https://git-lfs\.", "a Git LFS pointer", "Run 'git lfs pull' where it was cloned"),
    (r"(\.\./)*(\.git|/?annex)/\S*(annex|objects)", "a git-annex pointer", "Run 'git annex get' on it"),
    (r"(outs:|md5: [0-9a-f]{32})", "a DVC pointer", "Run 'dvc pull' where it was cloned"),
    (r"(s3|gs|gcs|az|abfs|https?|ftp)://\S+\s*$", "an address of data", "Download what it points to"),
)
"""Small texts that stand for data kept elsewhere."""


def sniff(path: str | Path) -> Kind:
    """What a file is, from its first bytes.

    Raises
    ------
    DataFileError
        If there is no such file, or it is empty, or it is a web page, an error message or a pointer to data elsewhere.
    """
    path = Path(path)
    if not path.is_file():
        is_zarr = any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
        found = (
            "a Zarr store; convert it to NetCDF" if is_zarr else "a folder" if path.is_dir() else "nothing"
        )
        raise DataFileError(f"Expected a data file at {path}, found {found}.")
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise DataFileError(f"{path.name} cannot be opened: {error.strerror}.") from error
    if not head:
        raise DataFileError(f"{path.name} is empty. Download it again.")
    _refuse_foreign(head, path.name)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    refuse_messages(text, path.name)
    if "\x00" in text or "\ufffd" in text[:64]:
        known = "zip, gzip, NetCDF, GRIB, Parquet, GeoTIFF or text"
        msg = f"{path.name} is no file known here: expected {known}, got {head[:8]!r}."
        raise DataFileError(msg)
    return "text"


def _refuse_foreign(head: bytes, name: str) -> None:
    """Refuse a healthy file of a format that is not read here, with the way to go."""
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise NotThisProductError(f"{name} is {what}, which is not read here. {remedy}.")
    if head[257:262] == b"ustar":
        raise NotThisProductError(f"{name} is a tar archive, which is not read here. Unpack it first.")
    if head.startswith(b"PK\x03\x04"):
        first = head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", errors="replace")
        for pattern, what, remedy in _INSIDE_ZIP:
            if re.match(pattern, first):
                raise NotThisProductError(f"{name} is {what}, which is not read here. {remedy}.")


def refuse_messages(text: str, name: str) -> None:
    """Refuse the beginning of a text that came in place of data: a page, a server's answer, a pointer.

    Raises
    ------
    DataFileError
        Naming what it is and what to do.
    """
    for pattern, what, remedy in _POINTERS:
        if re.match(pattern, text):
            raise DataFileError(f"{name} is {what}, not the data itself: {text[:60]!r}. {remedy}.")
    code = re.search(r"<Error>.*?<Code>(\w+)</Code>(?:.*?<Message>([^<]*)</Message>)?", text, re.DOTALL)
    if code:
        said = ": ".join(filter(None, code.groups()))
        msg = f"{name} is the answer of an object store (S3), not data: {said}. Ask it for the object again."
        raise DataFileError(msg)
    for begins, what in (
        ("<", "a web page or a server's message"),
        ("{", "JSON, a server's message or answer"),
    ):
        if text.startswith(begins):
            raise DataFileError(f"{name} is {what}, not data: {text[:60]!r}. Download it again.")


def open_lazily(path: str | Path) -> list[xr.Dataset]:
    """The datasets in a NetCDF or GRIB file, or in every member of a zip of them, values still on disk.

    Values that turn out to be damaged when they are read raise `DataFileError`, from whichever thread.

    Returns
    -------
    list of Dataset
        One for a plain file; ``encoding["source"]`` names the file each came from, ``archive.zip/member.nc``.
    """
    path = Path(path)
    if sniff(path) != "zip":
        return _open(path, path.name, None)
    archive = unpack(path)
    return [dataset for member in archive.members for dataset in _open(member.path, member.name, archive)]


def _open(path: Path, name: str, archive: Unpacked | None) -> list[xr.Dataset]:
    kind = sniff(path)
    if kind == "grib":
        opened = open_grib(path, name=name, keeps=archive)
    elif kind in ("hdf5", "netcdf3"):
        opened = [open_netcdf(path, name=name, keeps=archive)]
    else:
        if kind == "gzip":
            raise NotThisProductError(
                f"{name} is packed by gzip; expected NetCDF, GRIB or a zip of them. Unpack it first."
            )
        called = {"parquet": "Parquet", "tiff": "GeoTIFF", "zip": "an archive within an archive"}.get(
            kind, kind
        )
        raise NotThisProductError(f"{name} is {called}; expected NetCDF, GRIB or a zip of them.")
    for dataset in opened:
        dataset.encoding["source"] = name
    return opened


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
    members = [member.path for member in unpack(path).members if member.path.name.lower().endswith(suffix)]
    if len(members) != 1:
        raise NotThisProductError(f"{path.name}: expected one member *{suffix}, got {len(members)}.")
    return members[0]
