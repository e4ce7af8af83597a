from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from cranpm.forecasting.array_file import ArrayFile, ArrayFileError, create_array_file


@pytest.fixture
def filled(tmp_path):
    path = tmp_path / "map.npy"
    values = create_array_file(path, (40, 30), np.float32, np.nan)
    values[:] = np.arange(1200).reshape(40, 30)
    values.flush()
    return path


def test_a_new_file_holds_one_value_and_numpy_reads_it(tmp_path):
    for fill, dtype in ((np.nan, np.float32), (0, np.float16)):
        path = tmp_path / f"{fill}.npy"
        mapped = create_array_file(path, (5, 700, 2), dtype, fill)
        assert np.array_equal(np.load(path), np.full((5, 700, 2), fill, dtype), equal_nan=True)
        mapped[1] = 2
        mapped.flush()
        assert np.load(path)[1].min() == 2
        # not sparse: its room is taken, so that no later write finds the disk full
        assert path.stat().st_blocks * 512 >= 5 * 700 * 2 * np.dtype(dtype).itemsize


def test_windows_are_those_of_the_array(filled):
    array, expected = ArrayFile(filled), np.load(filled)
    assert array.shape == (40, 30)
    for rows, cols in (
        (slice(None), slice(None)),
        (slice(3, 9), slice(20, 90)),
        (slice(39, 44), slice(0, 1)),
    ):
        assert np.array_equal(array.read(rows, cols), expected[rows, cols])
    assert array.read(slice(9, 9), slice(0, 4)).shape == (0, 4)


def test_several_threads_read_at_once(filled):
    array, expected, wrong = ArrayFile(filled), np.load(filled), []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(300):
            first = int(rng.integers(0, 39))
            rows = slice(first, int(rng.integers(first, 40)) + 1)
            if not np.array_equal(array.read(rows, slice(None)), expected[rows]):
                wrong.append(rows)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_file_cut_short_is_refused_and_one_cut_later_is_an_error_not_the_end(filled):
    size = filled.stat().st_size
    array = ArrayFile(filled)
    os.truncate(filled, size - 4)
    with pytest.raises(ArrayFileError, match="map.npy is cut short"):
        ArrayFile(filled)
    with pytest.raises(ArrayFileError, match="map.npy is cut short"):
        array.read(slice(39, 40), slice(None))
    assert array.read(slice(0, 1), slice(2, 3)) == 2  # what is there can still be read
    os.truncate(filled, 20)
    with pytest.raises(ArrayFileError, match="its beginning is damaged"):
        ArrayFile(filled)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no array file"),
        (b"PK\x03\x04 a zip file", "no array file"),
        (None, "holds float64 of shape"),
    ],
)
def test_something_else_is_refused(tmp_path, content, message):
    path = tmp_path / "x.npy"
    if content is None:
        np.save(path, np.zeros((3, 3)))
    else:
        path.write_bytes(content)
    with pytest.raises(ArrayFileError, match=message):
        ArrayFile(path)


def test_a_map_that_was_removed_can_still_be_read(filled):
    array = ArrayFile(filled)
    filled.unlink()
    assert array.read(slice(1, 2), slice(0, 1)) == 30
    with pytest.raises(FileNotFoundError):
        ArrayFile(filled)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources")
@pytest.mark.parametrize("fill", [0, float("nan")])
def test_no_room_is_an_error_before_anything_is_filled(tmp_path, fill):
    """A limit on the size of files stands for a full disk: written through a map, either ends the process (SIGBUS)."""
    code = f"""
import errno, pathlib, resource
from cranpm.forecasting.array_file import create_array_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    create_array_file(pathlib.Path({str(tmp_path)!r}) / "map.npy", (1000, 1000), "f4", float("{fill}"))
except OSError as error:
    assert error.errno in (errno.EFBIG, errno.ENOSPC), error
    print("no room")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "no room"), done.stderr
    assert list(tmp_path.iterdir()) == []
