from __future__ import annotations

import numpy as np
import pytest
from cartopy.crs import Mercator as CartopyMercator
from cartopy.crs import PlateCarree

from cranpm.plot.mercator import (
    HALF_WORLD,
    from_mercator,
    latitude_rows,
    mercator_extent,
    pixel_latitudes,
    tile_bounds,
    tile_of,
    to_mercator,
)


def test_mercator_agrees_with_cartopy():
    lat, lon = np.array([72.0, 48.2, 30.08, -5.0]), np.array([-25.0, 16.4, 44.92, 3.0])
    crs = CartopyMercator.GOOGLE
    expected = crs.transform_points(PlateCarree(globe=crs.globe), lon, lat)[:, :2]
    np.testing.assert_allclose(np.column_stack(to_mercator(lat, lon)), expected, atol=1e-3)


def test_there_and_back_again():
    lat, lon = np.meshgrid(np.linspace(-80, 80, 33), np.linspace(-180, 180, 33))
    back_lat, back_lon = from_mercator(*to_mercator(lat, lon))
    np.testing.assert_allclose(back_lat, lat, atol=1e-10)
    np.testing.assert_allclose(back_lon, lon, atol=1e-10)


def test_tiles_cover_the_world_and_count_from_the_north_west():
    assert tile_bounds(0, 0, 0) == pytest.approx((-HALF_WORLD, -HALF_WORLD, HALF_WORLD, HALF_WORLD))
    west, south, east, north = tile_bounds(3, 0, 0)
    assert (west, north) == pytest.approx((-HALF_WORLD, HALF_WORLD))
    assert tile_bounds(3, 1, 1)[0] == pytest.approx(east)
    assert tile_bounds(3, 1, 1)[3] == pytest.approx(south)


def test_a_place_lies_in_its_tile():
    for z in range(2, 12):
        x, y = to_mercator(45.46, 9.19)
        west, south, east, north = tile_bounds(z, *tile_of(45.46, 9.19, z))
        assert west <= x < east
        assert south < y <= north


def test_the_latitude_gather_is_exact():
    """Each pixel row takes the grid row whose edges enclose the latitude of the pixel's centre."""
    latitudes = pixel_latitudes(7, 44)
    rows = latitude_rows(latitudes, north_edge=72.0, step=0.01, rows=4192)
    edges = 72.0 - 0.01 * np.arange(4193)
    for latitude, row in zip(latitudes, rows):
        assert edges[row] >= latitude > edges[row + 1]


def test_outside_rows_are_marked():
    rows = latitude_rows(np.array([72.1, 71.999, 30.081, 30.079]), north_edge=72.0, step=0.01, rows=4192)
    assert rows.tolist() == [-1, 0, 4191, -1]


def test_extent_keeps_its_order():
    west, south, east, north = mercator_extent((-25.0, 30.08, 44.92, 72.0))
    assert west < 0 < east
    assert 0 < south < north
