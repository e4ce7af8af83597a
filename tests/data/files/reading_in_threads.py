"""Many ERA5 files opened and read by several threads at once; prints "same" if every value is that of one thread.

Run in a process of its own: without a lock, HDF5 crashes Python in most runs. The files are small and many, since what
breaks is opening, reading and closing at the same time. ``python reading_in_threads.py THREADS ROUNDS``.
"""

from __future__ import annotations

import faulthandler
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.files.openers import open_lazily
from cranpm.data.readers.era5 import daily_coarse, open_era5

HOURS = pd.date_range("2022-01-10", periods=48, freq="h")


def write_files(folder: Path, number: int) -> list[Path]:
    """Files of the new layout, NetCDF4 and classic by turns, and an archive of one of each."""
    paths = []
    for index in range(number):
        values = 280 + np.random.default_rng(index).random((HOURS.size, 21, 31)).astype("float32")
        dims = ("valid_time", "latitude", "longitude")
        coords = {
            "valid_time": HOURS,
            "latitude": 60 - 0.25 * np.arange(21),
            "longitude": 0.25 * np.arange(31),
        }
        dataset = xr.Dataset({"t2m": (dims, values, {"units": "K"})}, coords)
        paths.append(folder / f"{index}.nc")
        if index % 2:
            dataset.to_netcdf(paths[-1], engine="netcdf4", format="NETCDF3_64BIT")
        else:
            packed = {"t2m": {"zlib": True, "chunksizes": (1, 21, 31)}}
            dataset.to_netcdf(paths[-1], engine="netcdf4", encoding=packed)
    with zipfile.ZipFile(folder / "month.zip", "w") as archive:
        archive.write(paths[0], "data_0.nc")
    return [*paths, folder / "month.zip"]


def total(path: Path) -> float:
    lazy = float(open_lazily(path)[0]["t2m"].sum())
    return lazy + float(daily_coarse(open_era5(path)).sum())


def main(threads: int, rounds: int) -> None:
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), 8)
        alone = [total(path) for path in paths]
        with ThreadPoolExecutor(threads) as pool:
            together = list(pool.map(total, paths * rounds))
    print("same" if together == alone * rounds else "other values")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
