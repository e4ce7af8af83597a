"""Threads read the values of one thread, and what a library says of a damaged file names the file and a remedy."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files import archives
from cranpm.data.files.guard import LIBRARY_LOCK, reading
from cranpm.data.files.openers import open_lazily

HERE = Path(__file__).parent
BLOCK = (24, 60, 60)


def noisy() -> xr.Dataset:
    """Values that do not compress, so that damage anywhere hits a value."""
    values = np.random.default_rng(3).random(BLOCK).astype("float32") + 280
    coords = {
        "time": pd.date_range("2022-01-10", periods=24, freq="h"),
        "latitude": 60 - 0.25 * np.arange(BLOCK[1]),
        "longitude": 0.25 * np.arange(BLOCK[2]),
    }
    return xr.Dataset({"t2m": (("time", "latitude", "longitude"), values, {"units": "K"})}, coords)


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    path = tmp_path / "month.nc"
    packed = {"t2m": {"zlib": True, "shuffle": True, "chunksizes": (1, *BLOCK[1:])}}
    noisy().to_netcdf(path, engine="netcdf4", encoding=packed)
    return path


def damage(path: Path, start: float = 0.5, size: int = 400) -> None:
    content = bytearray(path.read_bytes())
    here = int(len(content) * start)
    content[here : here + size] = b"\xff" * size
    path.write_bytes(content)


def is_readable(array: xr.DataArray) -> bool:
    try:
        return bool(array.load().notnull().all())
    except DataFileError:
        return False


def test_four_threads_read_what_one_thread_reads() -> None:
    script = [sys.executable, str(HERE / "reading_in_threads.py"), "4", "12"]
    run = subprocess.run(
        script, capture_output=True, text=True, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert (run.returncode, run.stdout.strip()) == (0, "same"), run.stderr[-3000:]


def test_damage_in_the_middle_is_named_when_the_value_is_read(hdf5: Path) -> None:
    damage(hdf5)
    (dataset,) = open_lazily(hdf5)  # the description lies elsewhere and is whole
    with pytest.raises(
        DataFileError, match=r"^month\.nc cannot be read \(.*\): cut off or damaged. Download"
    ):
        dataset["t2m"].mean().item()
    hurt = [hour for hour in range(24) if not is_readable(dataset["t2m"].isel(time=hour))]
    assert 1 <= len(hurt) <= 2, "400 bytes hit a block or two of 24; the others are read"


def test_a_member_of_an_archive_is_named_with_it(hdf5: Path, tmp_path: Path) -> None:
    damage(hdf5)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(hdf5, "folder/data_sfc.nc")
    (dataset,) = open_lazily(tmp_path / "two.zip")
    assert dataset.encoding["source"] == "two.zip/data_sfc.nc"
    with pytest.raises(DataFileError, match=r"^two\.zip/data_sfc\.nc cannot be read"):
        dataset["t2m"].load()


def test_values_outlive_the_archives_that_were_opened_after(hdf5: Path, tmp_path: Path) -> None:
    def zipped(name: str) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(hdf5, "data_sfc.nc")
        return tmp_path / name

    (first,) = open_lazily(zipped("first.zip"))
    for index in range(archives._KEPT + 1):  # the first one's folder is no longer kept for later
        open_lazily(zipped(f"{index}.zip"))
    assert first["t2m"].values == pytest.approx(noisy()["t2m"].values)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_archive_is_named(hdf5: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "month.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(hdf5, "data_sfc.nc")
    damage(path, share)
    with pytest.raises(DataFileError, match=r"^month\.zip is a damaged archive .* Download it again"):
        open_lazily(path)


def test_an_archive_that_is_locked_or_oddly_packed_is_not_called_damaged(hdf5: Path, tmp_path: Path) -> None:
    path = tmp_path / "month.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(hdf5, "data_sfc.nc")
    whole = path.read_bytes()
    central = whole.rindex(b"PK\x01\x02")

    def with_entry(offset: int, value: int) -> None:
        content = bytearray(whole)
        for start in (0, central + 2):  # both headers, whose fields lie two bytes apart
            content[start + offset] = value
        path.write_bytes(content)

    with_entry(6, 1)  # flag bit 0: encrypted
    with pytest.raises(DataFileError, match="is encrypted. Unpack it by hand"):
        open_lazily(path)
    with_entry(8, 9)  # method 9: deflate64
    with pytest.raises(DataFileError, match="packed in a way that Python cannot undo"):
        open_lazily(path)


def test_an_archive_is_refused_before_the_disk_is_full(
    hdf5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "month.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(hdf5, "data_sfc.nc")
    usage = archives.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(DataFileError, match=r"month.zip unpacks to .* GiB and .* set TMPDIR"):
        open_lazily(path)


def test_a_file_that_changes_under_its_reader_gives_no_mixture(hdf5: Path) -> None:
    (dataset,) = open_lazily(hdf5)
    state = hdf5.stat()
    os.utime(hdf5, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    with pytest.raises(DataFileError, match="changed while it was read"):
        dataset["t2m"].isel(time=3).load()
    hdf5.unlink()
    with pytest.raises(DataFileError, match=r"month\.nc cannot be read: it was there and is gone"):
        dataset["t2m"].isel(time=4).load()


def test_a_filter_that_is_not_installed_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "packed.nc"
    noisy().drop_vars("t2m").to_netcdf(path, engine="h5netcdf")
    with h5py.File(path, "a") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((24, 60, 60))
        creation.set_filter(32099, h5py.h5z.FLAG_OPTIONAL)  # a number that nobody has registered
        space = h5py.h5s.create_simple(BLOCK)
        dataset = h5py.h5d.create(file.id, b"t2m", h5py.h5t.NATIVE_FLOAT, space, creation)
        dataset.write_direct_chunk((0, 0, 0), b"\x00" * 50)
        for axis, name in enumerate(("time", "latitude", "longitude")):
            file["t2m"].dims[axis].attach_scale(file[name])
    (opened,) = open_lazily(path)
    with pytest.raises(DataFileError, match=r"a filter that is not installed here.*may be whole"):
        opened["t2m"].load()


@pytest.mark.parametrize(
    ("number", "match"),
    [
        (errno.EACCES, "permission was denied"),
        (errno.EMFILE, "too many files are open"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "the disk failed"),
        (errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
    ],
)
def test_the_machines_failures_are_not_the_files(number: int, match: str) -> None:
    with pytest.raises(DataFileError, match=match) as caught, reading("month.nc"):
        raise OSError(number, os.strerror(number), "/tmp/somewhere")
    assert "Download" not in str(caught.value) and "/tmp" not in str(caught.value)


def test_the_lock_is_free_again_after_a_failure() -> None:
    with pytest.raises(DataFileError), reading("month.nc"):
        raise RuntimeError("NetCDF: HDF error")
    assert LIBRARY_LOCK.acquire(blocking=False)
    LIBRARY_LOCK.release()


def test_groups_and_archives_in_archives_are_named(hdf5: Path, tmp_path: Path) -> None:
    noisy().to_netcdf(tmp_path / "groups.nc", group="inner", engine="netcdf4")
    with pytest.raises(NotThisProductError, match=r"groups only \(inner\)"):
        open_lazily(tmp_path / "groups.nc")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.write(hdf5, "data.nc")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
    with pytest.raises(NotThisProductError, match="archive within an archive"):
        open_lazily(tmp_path / "outer.zip")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n",
            "Git LFS pointer.*git lfs pull",
        ),
        (b"../.git/annex/objects/aa/bb/SHA256E-s9--ab.nc", "git-annex pointer.*git annex get"),
        (b"outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: x.nc\n", "DVC pointer.*dvc pull"),
        (b"s3://bucket/era5/2022/01/t2m.nc\n", "an address of data.*Download what it points to"),
        (
            b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
            "object store.*AccessDenied: Access Denied",
        ),
    ],
)
def test_what_only_points_to_data_is_named(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "t2m.nc"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=match):
        open_lazily(path)


@pytest.fixture(scope="session")
def grib(real_data: Path) -> bytes:
    pytest.importorskip("cfgrib")
    (path,) = real_data.rglob("uk_t2m*.grib")
    return path.read_bytes()[: 40 * 3360]  # each message and its padding: 3360 bytes


@pytest.mark.real_data
@pytest.mark.parametrize(
    "make",
    [
        lambda b: b[: len(b) - 1000],
        lambda b: b[: 10 * 3360 + 100],
        lambda b: b[: 5 * 3360] + b"\xff" * 3360 + b[6 * 3360 :],  # ecCodes would skip it without a word
        lambda b: b[: 5 * 3360 + 2000] + b[6 * 3360 :],
    ],
)
def test_grib_that_is_cut_or_damaged_is_named(grib: bytes, make: Callable, tmp_path: Path) -> None:
    path = tmp_path / "t2m.grib"
    path.write_bytes(make(grib))
    with pytest.raises(DataFileError, match=r"t2m\.grib.*cut off or damaged. Download it again"):
        open_lazily(path)


@pytest.mark.real_data
def test_grib_with_a_message_twice_is_named(grib: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t2m.grib"
    path.write_bytes(grib + grib[:3360])
    with pytest.raises(DataFileError, match="2t of 20190301 0000 UTC.*stands there 2 times"):
        open_lazily(path)


@pytest.mark.real_data
def test_the_case_of_a_file_damaged_in_the_middle(real_data: Path) -> None:
    with pytest.raises(DataFileError, match=r"^era5_damaged_middle\.nc cannot be read"):
        open_lazily(real_data / "cases" / "era5_damaged_middle.nc")[0]["tp"].load()


def test_a_lock_is_waited_for(hdf5: Path) -> None:
    """A thread that reads waits for one that holds the lock, and then reads."""
    from concurrent.futures import ThreadPoolExecutor

    (dataset,) = open_lazily(hdf5)
    with ThreadPoolExecutor(1) as pool:
        with LIBRARY_LOCK:
            waiting = pool.submit(lambda: dataset["t2m"].isel(time=1).values)
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result(timeout=30).shape == BLOCK[1:]
