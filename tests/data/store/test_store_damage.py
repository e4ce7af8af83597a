"""A dataset that lost a file, a bit or its tail says so; a loss never reads as a gap."""

from __future__ import annotations

import shutil

import mini_dataset as mini
import numpy as np
import pytest
from mini_dataset import DAYS

from cranpm.data.errors import StoreError
from cranpm.data.store.dataset import Dataset, encode_day


def test_no_dataset_and_half_a_dataset_are_refused(copy, tmp_path):
    with pytest.raises(StoreError, match="cranpm testbed build"):
        Dataset.open(tmp_path / "nothing")
    (copy / "days.json").unlink()
    with pytest.raises(StoreError, match="half a dataset"):
        Dataset.open(copy)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("pm2p5.zarr/pm2p5/c/1", r"Day 2022-01-03 of 'pm2p5' is missing"),
        ("coarse.zarr/era5/c/1", r"Day 2022-01-03 of 'era5' is missing"),
        ("pm2p5.zarr/time/c", "time axis is missing"),
        ("coarse.zarr/zarr.json", "Cannot read"),
        ("static.zarr/land/c", "Static field 'land' is missing"),
        ("stations.parquet", "table is missing"),
    ],
)
def test_a_lost_file_is_an_error_and_not_a_gap(copy, lost, message):
    path = copy / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    dataset = Dataset.open(copy)
    with pytest.raises(StoreError, match=message):
        dataset.pm2p5(DAYS[0]), dataset.coarse(DAYS[0]), dataset.static, dataset.stations()


def test_a_store_of_other_days_is_refused(copy, tmp_path):
    other = tmp_path / "other"
    with mini.create(other) as writer:
        for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
            writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
    shutil.rmtree(copy / "coarse.zarr")
    shutil.copytree(other / "coarse.zarr", copy / "coarse.zarr")
    with pytest.raises(StoreError, match="disagrees with days.json"):
        Dataset.open(copy).era5(DAYS[0])


def test_flipped_bits_and_short_files_are_found(copy):
    """One bit anywhere in a day's file, or a lost tail: an error or the same values, never other values."""
    file = copy / "pm2p5.zarr/pm2p5/c/1/0/0"
    good, expected, dataset = file.read_bytes(), mini.tenths(DAYS[0]), Dataset.open(copy)
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(60):
        position = int(rng.integers(len(good)))
        bad = bytearray(good)
        bad[position] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        try:
            np.testing.assert_array_equal(dataset.pm2p5_raw(DAYS[0]), expected)
        except StoreError:
            found += 1
    assert found >= 59  # every chunk and the index carry a checksum; only unread bytes may hide a flip
    for length in (0, 10, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:length])
        with pytest.raises(StoreError, match="damaged"):
            dataset.pm2p5_raw(DAYS[0])


def test_a_window_reads_only_its_own_chunks(copy):
    file = copy / "pm2p5.zarr/pm2p5/c/1/0/0"
    content = bytearray(file.read_bytes())
    content[10] ^= 1  # inside the first chunk, rows and columns 0 ... 255
    file.write_bytes(content)
    dataset = Dataset.open(copy)
    rows, cols = slice(256, 400), slice(256, 512)
    np.testing.assert_array_equal(dataset.pm2p5_raw(DAYS[0], rows, cols), mini.tenths(DAYS[0])[rows, cols])
    with pytest.raises(StoreError):
        dataset.pm2p5_raw(DAYS[0], slice(0, 10), slice(0, 10))
