"""Healthy files of formats that are not read here: called by their name, with the way to go, and never "damaged"."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import siblings

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import open_lazily, sniff
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.station_day import open_station_day


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (b"BZh91AY&SY", r"is packed by bzip2.*bunzip2"),
        (b"\xfd7zXZ\x00", "is packed by xz.*unxz"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive.*Unpack it first"),
        (b"\x0e\x03\x13\x01", "is HDF4.*Convert it to NetCDF"),
        (b"BUFR", "is BUFR.*GRIB or NetCDF"),
        (b"%PDF-1.4", "is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (b"\x93NUMPY", "is an array of NumPy"),
    ],
)
@pytest.mark.parametrize("read", [open_lazily, read_measurements, open_station_day])
def test_a_format_is_called_by_its_name(tmp_path: Path, read, head: bytes, match: str) -> None:
    path = tmp_path / "download.nc"
    path.write_bytes(head + bytes(600))
    with pytest.raises(NotThisProductError, match=match) as refusal:
        read(path)
    assert "ownload it again" not in str(refusal.value)


def test_a_packed_file_and_a_tar_archive_are_to_be_unpacked(tmp_path: Path) -> None:
    whole = siblings.written(tmp_path, siblings.of_the_store())
    (tmp_path / "file.nc.gz").write_bytes(gzip.compress(whole.read_bytes()))
    with tarfile.open(tmp_path / "file.tar", "w") as archive:
        archive.add(whole, "file.nc")
    with pytest.raises(NotThisProductError, match=r"file\.nc\.gz is packed by gzip.*Unpack it first"):
        open_lazily(tmp_path / "file.nc.gz")
    with pytest.raises(NotThisProductError, match=r"file\.tar is a tar archive.*Unpack it first"):
        open_lazily(tmp_path / "file.tar")


def test_a_store_of_zarr_is_called_so_as_a_folder_and_zipped(tmp_path: Path) -> None:
    store = tmp_path / "era5.zarr"
    siblings.of_the_store().to_zarr(store, consolidated=False)
    with pytest.raises(DataFileError, match="found a Zarr store; convert it to NetCDF"):
        sniff(store)
    shutil.make_archive(str(tmp_path / "era5"), "zip", store)
    with pytest.raises(NotThisProductError, match=r"era5\.zip is a zipped Zarr store"):
        open_lazily(tmp_path / "era5.zip")


@pytest.mark.parametrize("read", [open_lazily, read_measurements])
def test_a_spreadsheet_is_to_be_exported(tmp_path: Path, read) -> None:
    with zipfile.ZipFile(tmp_path / "stations.xlsx", "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(NotThisProductError, match=r"stations\.xlsx is a spreadsheet.*Export it as CSV"):
        read(tmp_path / "stations.xlsx")


def test_an_archive_of_two_days_at_stations_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "days.zip", "w") as archive:
        for name in ("a.nc", "b.nc"):
            archive.write(siblings.written(tmp_path, siblings.of_the_store(), name), name)
    with pytest.raises(NotThisProductError, match="expected one day at stations, got 2 datasets"):
        open_station_day(tmp_path / "days.zip")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "loop.nc").symlink_to(tmp_path / "loop.nc")
    for name in ("pipe.nc", "loop.nc"):
        with pytest.raises(DataFileError, match="Expected a data file at .*, found nothing"):
            sniff(tmp_path / name)
