"""Tiles of SRTM (``.hgt``): bare big-endian numbers, whose place stands in the name and whose detail is the length."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cranpm.data.errors import DataFileError, OutsideDomainError
from cranpm.data.readers.elevation import read_elevation, static_fields
from cranpm.domain import Grid, domain_from_corner

pytest.importorskip("rasterio")

SIDE = 1201
"""Samples of a tile of 3 arc seconds: every 1/1200 degree, both rims included."""

VOID = -32768


def plane(lat: np.ndarray, lon: np.ndarray, south: int = 46, west: int = 9) -> np.ndarray:
    """Ground of 1000 m at a corner that rises by 500 m a degree to the north and 200 m to the east [m]."""
    return 1000 + 500.0 * (lat - south) + 200.0 * (lon - west)


def nodes(south: int, west: int, rows: int = SIDE, cols: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes, from the north, and longitudes of a tile's samples."""
    return south + 1 - np.arange(rows) / (rows - 1), west + np.arange(cols) / (cols - 1)


def tile(
    folder: Path,
    name: str,
    south: int,
    west: int,
    *,
    corner: tuple[int, int] | None = None,
    rows: int = SIDE,
    cols: int = SIDE,
    voids: Any = None,
) -> Path:
    """The plane of a corner, its own by default, as a tile; ``voids`` is an index of samples without a value."""
    lat, lon = nodes(south, west, rows, cols)
    values = np.rint(plane(lat[:, None], lon[None], *(corner or (south, west)))).astype(">i2")
    if voids is not None:
        values[voids] = VOID
    path = folder / name
    path.write_bytes(values.tobytes())
    return path


def grid(north: float, west: float, rows: int = 30, cols: int = 30) -> Grid:
    return Grid(name="g", rows=rows, cols=cols, step=0.01, north=north, west=west, registration="cell")


def truth(wanted: Grid, south: int = 46, west: int = 9) -> np.ndarray:
    """The plane's mean over a cell is its value at the centre."""
    return plane(wanted.lat[:, None], wanted.lon[None], south, west)


@pytest.mark.parametrize(
    ("name", "south", "west"),
    [
        ("N46E009.hgt", 46, 9),
        ("N46W009.hgt", 46, -9),
        ("n46e009.hgt", 46, 9),
        ("N46E009.HGT", 46, 9),
        ("N46E009.SRTMGL3.hgt", 46, 9),
        ("N00E009.hgt", 0, 9),
        ("S34E018.hgt", -34, 18),
    ],
)
def test_a_tile_lies_where_its_name_says_and_the_right_way_round(
    tmp_path: Path, name: str, south: int, west: int
) -> None:
    inside = grid(south + 0.7, west + 0.2)
    read = read_elevation([tile(tmp_path, name, south, west)], inside)
    # whole metres in the file: a mean of 144 samples is within half a metre of the plane
    np.testing.assert_allclose(read, truth(inside, south, west), atol=0.5)


@pytest.mark.parametrize(("rows", "cols"), [(3601, 3601), (3601, 1801)], ids=["1 arc second", "1 by 2"])
def test_one_arc_second_is_told_by_the_length(tmp_path: Path, rows: int, cols: int) -> None:
    inside = grid(50.7, 9.2)
    read = read_elevation([tile(tmp_path, "N50E009.hgt", 50, 9, rows=rows, cols=cols)], inside)
    np.testing.assert_allclose(read, truth(inside, 50, 9), atol=0.5)


def test_values_are_big_endian(tmp_path: Path) -> None:
    (tmp_path / "N46E009.hgt").write_bytes(bytes([0x01, 0x02]) * SIDE * SIDE)  # 258 m; 513 m the other way
    assert np.all(read_elevation([tmp_path / "N46E009.hgt"], grid(46.7, 9.2)) == 258)


def test_voids_are_gaps_and_neither_depths_nor_sea(tmp_path: Path) -> None:
    # cells of 12 samples: a void within some of them, and one over 0.1 degree, both well inside the grid
    voids = np.zeros((SIDE, SIDE), dtype=bool)
    voids[480:600, 480:600] = True  # 46.5 to 46.6 N, 9.4 to 9.5 E
    voids[700:705, 700:705] = True
    inside = grid(46.7, 9.2, rows=40, cols=60)
    read = read_elevation([tile(tmp_path, "N46E009.hgt", 46, 9, voids=voids)], inside)
    lat, lon = inside.lat[:, None], inside.lon[None]
    in_void = (lat > 46.505) & (lat < 46.6) & (lon > 9.4) & (lon < 9.495)
    near = (lat > 46.49) & (lat < 46.61) & (lon > 9.39) & (lon < 9.51)
    # means over what is left of a cell lie within half a cell of its centre: 2.5 + 1 m
    np.testing.assert_allclose(read[~near], truth(inside)[~near], atol=4.0)
    assert np.all(read[in_void] == 0)  # `read_elevation` has no gaps ...
    domain = domain_from_corner("d", "d", north=47.0, west=9.0, coarse_rows=4, coarse_cols=4)
    fields = static_fields(domain, [tile(tmp_path, "N46E009.hgt", 46, 9, voids=voids)])
    fine = domain.fine
    rows, cols = (fine.lat > 46.505) & (fine.lat < 46.6), (fine.lon > 9.4) & (fine.lon < 9.495)
    land = fields["land"][np.ix_(rows, cols)].astype(bool)
    filled = fields["elevation"][np.ix_(rows, cols)]
    # ... but in a dataset a void takes the nearest cell that has a value, at most five cells away: 25 + 10 m
    assert land.any()
    expected = plane(fine.lat[rows][:, None], fine.lon[cols][None])
    assert np.abs(filled - expected)[land].max() < 36


def test_neighbours_share_their_rims_and_no_seam_is_seen(tmp_path: Path) -> None:
    corners = [
        ("N46E009.hgt", 46, 9),
        ("N46E010.hgt", 46, 10),
        ("N47E009.hgt", 47, 9),
        ("N47E010.hgt", 47, 10),
    ]
    paths = [tile(tmp_path, name, south, west, corner=(46, 9)) for name, south, west in corners]
    across = grid(47.15, 9.85)
    read = read_elevation(paths, across)
    error = np.abs(read - truth(across))
    # whole metres and the rim that counts twice make 0.15 m; a tile off by one sample would make 0.42 m
    assert error.max() <= 0.2, np.unravel_index(error.argmax(), error.shape)
    # whatever the order of files
    np.testing.assert_array_equal(read, read_elevation(paths[::-1], across))


def test_a_tile_in_an_archive_is_the_same_tile(tmp_path: Path) -> None:
    path = tile(tmp_path, "N46E009.hgt", 46, 9)
    with zipfile.ZipFile(tmp_path / "N46E009.SRTMGL3.hgt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "N46E009.hgt")
    inside = grid(46.7, 9.2)
    zipped = read_elevation([tmp_path / "N46E009.SRTMGL3.hgt.zip"], inside)
    np.testing.assert_array_equal(zipped, read_elevation([path], inside))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("N46E009.hgt", 2 * SIDE * SIDE - 2),
        ("N46E009.hgt", 2 * SIDE * SIDE + 2),
        ("N46E009.hgt", 2 * 1200 * 1200),
        ("N46E009.hgt", 0),
        ("alps.hgt", 2 * SIDE * SIDE),
        ("E009N46.hgt", 2 * SIDE * SIDE),
        ("N96E009.hgt", 2 * SIDE * SIDE),
        ("N46E209.hgt", 2 * SIDE * SIDE),
        ("XN46E009.hgt", 2 * SIDE * SIDE),
        ("N46E0091.hgt", 2 * SIDE * SIDE),
    ],
)
def test_another_length_or_name_is_refused(tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / name).write_bytes(bytes(size))
    with pytest.raises(DataFileError, match=rf"{name} \({size} bytes\): expected a tile of SRTM"):
        read_elevation([tmp_path / name], grid(46.7, 9.2))


def test_a_tile_of_elsewhere_is_not_the_sea_of_here(tmp_path: Path) -> None:
    with pytest.raises(OutsideDomainError, match="No elevation file touches 'g'"):
        read_elevation([tile(tmp_path, "N46W009.hgt", 46, -9)], grid(46.7, 9.2))


def test_a_tile_of_voids_has_no_elevation(tmp_path: Path) -> None:
    path = tile(tmp_path, "N46E009.hgt", 46, 9, voids=np.s_[:])
    domain = domain_from_corner("d", "d", north=47.0, west=9.0, coarse_rows=4, coarse_cols=4)
    with pytest.raises(OutsideDomainError, match="of the land has no elevation"):
        static_fields(domain, [path])
