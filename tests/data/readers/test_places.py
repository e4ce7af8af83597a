"""Known towns and peaks land on the right cell, by way of the very readers that prepare a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError, OutsideDomainError
from cranpm.data.readers.elevation import land_share, read_elevation, terrain_complexity
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.regrid.averaging import cell_means
from cranpm.domain import EUROPE, FINE, Grid

PLACES = {
    # name: (latitude, longitude) as gazetteers have them
    "London": (51.5074, -0.1278), "Paris": (48.8566, 2.3522), "Madrid": (40.4168, -3.7038),
    "Lisbon": (38.7223, -9.1393), "Rome": (41.9028, 12.4964), "Milan": (45.4642, 9.1919),
    "Warsaw": (52.2297, 21.0122), "Katowice": (50.2649, 19.0238), "Helsinki": (60.1699, 24.9384),
    "Oslo": (59.9139, 10.7522), "Athens": (37.9838, 23.7275), "Istanbul": (41.0082, 28.9784),
    "Kyiv": (50.4501, 30.5234), "Reykjavik": (64.1466, -21.9426), "Sofia": (42.6977, 23.3219),
    "Mont Blanc": (45.8326, 6.8652), "Matterhorn": (45.9763, 7.6586), "Etna": (37.7510, 14.9934),
    "Mulhacen": (37.0533, -3.3115), "Galdhopiggen": (61.6364, 8.3124), "Ben Nevis": (56.7969, -5.0036),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_mark_on_a_known_place_comes_back_on_its_cell(name: str, tmp_path: Path) -> None:
    lat, lon = PLACES[name]
    # the slow obvious twin: cells of 0.01 degrees counted from 72 N and 25 W
    row, col = int(np.floor((72.0 - lat) * 100)), int(np.floor((lon + 25.0) * 100))
    assert FINE.index_of(lat, lon) == (row, col)
    assert abs(FINE.lat[row] - lat) <= 0.005 + 1e-9 and abs(FINE.lon[col] - lon) <= 0.005 + 1e-9
    # in the satellite product's grid the same cell is counted from 90 N and 180 W
    assert int(np.floor((90.0 - lat) * 100)) - 1800 == row
    assert int(np.floor((lon + 180.0) * 100)) - 15500 == col
    # and a mark that a file carries there is read there
    window = FINE.window(slice(row - 8, row + 8), slice(col - 8, col + 8))
    block = FINE.window(slice(row - 20, row + 20), slice(col - 20, col + 20))
    raw = np.full(block.shape, 100, np.uint16)
    raw[np.abs(block.lat - lat).argmin(), np.abs(block.lon - lon).argmin()] = 999
    raw[0, 0] = 50
    attrs = {"scale_factor": 0.1, "_FillValue": np.uint16(65535)}
    coords = {"lat": block.lat.astype(np.float32), "lon": block.lon.astype(np.float32)}
    path = tmp_path / "GHAP_PM2.5_D1K_20220110_V1.nc"
    xr.Dataset({"PM2.5": (("lat", "lon"), raw, attrs)}, coords).to_netcdf(path)
    read = read_ghap_day(path, np.datetime64("2022-01-10"), window)
    assert np.unravel_index(read.argmax(), read.shape) == (8, 8)


def test_towns_stand_on_land_and_open_sea_is_sea() -> None:
    for name in ("London", "Milan", "Helsinki", "Reykjavik", "Etna"):
        lat, lon = PLACES[name]
        row, col = FINE.index_of(lat, lon)
        assert land_share(FINE.window(slice(row - 1, row + 2), slice(col - 1, col + 2)))[1, 1] > 0.4, name
    sea = FINE.index_of(56.5, 3.0)  # the North Sea
    assert land_share(FINE.window(slice(sea[0], sea[0] + 4), slice(sea[1], sea[1] + 4))).max() == 0


def test_means_over_cells_are_exact_for_a_plane_at_any_pixel_size() -> None:
    grid = Grid(name="g", rows=40, cols=50, step=0.01, north=46.0, west=9.0, registration="cell")
    for per_degree in (120, 480, 1200):
        lat = 46.1 - (np.arange(int(0.7 * per_degree)) + 0.5) / per_degree
        lon = 8.9 + (np.arange(int(0.8 * per_degree)) + 0.5) / per_degree
        plane = 1000 * (46 - lat)[:, None] + 500 * (lon - 9)[None, :]
        expected = 1000 * (46 - grid.lat)[:, None] + 500 * (grid.lon - 9)[None, :]
        means = cell_means(plane, lat, lon, grid)
        # pixels are flat: within a cell the mean is off by less than a pixel's own slope
        assert np.abs(means - expected).max() <= (1000 + 500) / per_degree / 2
        assert means.mean() == pytest.approx(expected.mean(), abs=0.05)


def test_a_plane_is_as_rough_as_its_slope_says() -> None:
    grid = Grid(name="g", rows=160, cols=200, step=0.01, north=46.0, west=9.0, registration="cell")
    slope = 1000.0  # m a degree, northwards
    field = slope * (46 - grid.lat)[:, None] + 0 * grid.lon[None, :]
    # s.d. along one axis of a disc of radius r is r / 2: 25 km are 0.2248 degrees, 1000 * 0.2248 / 2 = 112
    assert terrain_complexity(field, grid)[80, 100] == pytest.approx(112.4, rel=0.03)


def test_terrain_in_other_units_or_places_is_refused(tmp_path: Path) -> None:
    lat, lon = np.arange(45.0, 44.0, -0.02), np.arange(9.0, 10.0, 0.02)
    field = xr.Dataset({"z": (("lat", "lon"), np.ones((50, 50)), {"units": "m"})}, {"lat": lat, "lon": lon})
    field.to_netcdf(tmp_path / "z.nc")
    with pytest.raises(OutsideDomainError, match="No elevation file touches 'europe-fine.*'"):
        read_elevation([tmp_path / "z.nc"], FINE.window(slice(0, 100), slice(0, 100)))
    with pytest.raises(OutsideDomainError, match="covers .* of 'europe-coarse-box'"):
        read_elevation([tmp_path / "z.nc"], EUROPE.coarse_box)
    field.rename(z="a").assign(b=field["z"]).to_netcdf(tmp_path / "two.nc")
    with pytest.raises(NotThisProductError, match="expected one elevation"):
        read_elevation([tmp_path / "two.nc"], FINE)
    with pytest.raises(DataFileError, match="No elevation file. Fetch one"):
        read_elevation([], FINE)


@pytest.mark.real_data
def test_real_terrain_around_davos_from_geotiff(real_data: Path) -> None:
    pytest.importorskip("rioxarray")
    (path,) = real_data.rglob("davos_srtm*.tif")
    row, col = FINE.index_of(47.05, 9.65)
    window = FINE.window(slice(row, row + 45), slice(col, col + 50))
    field = read_elevation([path], window)
    # Davos 1,560 m; Piz Kesch 3,418 m; Schiers in its valley 654 m: cells are means of 0.8 x 1.1 km
    assert field[window.index_of(46.796, 9.823)] == pytest.approx(1560, abs=60)
    assert 2900 < field[window.index_of(46.6215, 9.8728)] < 3418
    assert 654 < field[window.index_of(46.970, 9.686)] < 1000
    assert np.isfinite(field).all()
