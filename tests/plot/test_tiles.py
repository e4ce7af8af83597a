from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cranpm.domain.grid import FINE, Grid
from cranpm.plot.mercator import from_mercator, tile_bounds, tile_of, to_mercator
from cranpm.plot.pyramid import Pyramid
from cranpm.plot.style import SCALES
from cranpm.plot.tiles import EMPTY_TILE, render_tile, tile_values

WINDOW = FINE.window(slice(2100, 2700), slice(3000, 3700))  # 51.0-45.0 N, 5.0-12.0 E


def pyramid_of(values: np.ndarray, grid: Grid, **options: int) -> Pyramid:
    return Pyramid(lambda rows, cols: values[rows, cols], grid, **options)


@pytest.fixture(scope="module")
def latitudes() -> Pyramid:
    """A field whose value is its latitude: any flip or shift shows as a wrong number."""
    return pyramid_of(np.broadcast_to(WINDOW.lat[:, None], WINDOW.shape).astype(np.float32), WINDOW)


@pytest.fixture(scope="module")
def longitudes() -> Pyramid:
    return pyramid_of(np.broadcast_to(WINDOW.lon[None], WINDOW.shape).astype(np.float32), WINDOW)


def pixel_places(z: int, x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    west, _south, east, north = tile_bounds(z, x, y)
    step = (east - west) / 256
    lat, _ = from_mercator(0.0, north - (np.arange(256) + 0.5) * step)
    _, lon = from_mercator(west + (np.arange(256) + 0.5) * step, 0.0)
    return lat, lon


@pytest.mark.parametrize("z", [5, 6, 7, 8, 9, 11, 13])
def test_each_pixel_shows_the_field_at_its_own_place(z: int, latitudes: Pyramid, longitudes: Pyramid):
    place = tile_of(48.0, 8.5, z)
    lat, lon = pixel_places(z, *place)
    # a drawn cell is no larger than a pixel, or it is the field's own 0.01 degrees; half of it either way,
    # and another half where two cells fall on one pixel
    tolerance = max(0.01, (lon[1] - lon[0])) * 0.76
    for pyramid, expected in ((latitudes, lat[:, None]), (longitudes, lon[None])):
        values = tile_values(pyramid, z, *place)
        assert values is not None
        error = np.abs(values - np.broadcast_to(expected, values.shape))
        assert np.nanmax(error[2:-2, 2:-2]) <= tolerance


def test_a_tile_has_north_at_the_top(latitudes: Pyramid):
    values = tile_values(latitudes, 8, *tile_of(48.0, 8.5, 8))
    assert values is not None
    assert np.nanmean(values[:20]) > np.nanmean(values[-20:])


def test_one_hot_cell_is_drawn_where_it_is():
    field = np.full(WINDOW.shape, 5.0, np.float32)
    row, col = WINDOW.index_of(47.3769, 8.5417)
    field[row, col] = 500.0
    pyramid = pyramid_of(field, WINDOW)
    z = 12
    values = tile_values(pyramid, z, *tile_of(47.3769, 8.5417, z))
    assert values is not None
    lat, lon = pixel_places(z, *tile_of(47.3769, 8.5417, z))
    hot_rows, hot_cols = np.nonzero(values > 100)
    # 0.01 degrees is 29.1 pixels of longitude at zoom 12 (256 * 4096 / 36000) and 43 of latitude at 47.4 N
    assert np.ptp(hot_cols) + 1 in (29, 30)
    assert np.ptp(hot_rows) + 1 in (42, 43, 44)
    assert lat[hot_rows].min() >= WINDOW.lat[row] - 0.0051
    assert lat[hot_rows].max() <= WINDOW.lat[row] + 0.0051
    assert lon[hot_cols].min() >= WINDOW.lon[col] - 0.0051
    assert lon[hot_cols].max() <= WINDOW.lon[col] + 0.0051


def test_a_constant_stays_constant_and_a_gap_stays_a_gap():
    field = np.full(WINDOW.shape, 12.5, np.float32)
    field[200:400, 200:400] = np.nan
    pyramid = pyramid_of(field, WINDOW)
    for z in (5, 6, 7, 8, 9):
        values = tile_values(pyramid, z, *tile_of(48.0, 8.5, z))
        assert values is not None
        np.testing.assert_allclose(values[~np.isnan(values)], 12.5, rtol=1e-6)
        assert np.isnan(values).any()


def test_beyond_the_grid_there_is_nothing(latitudes: Pyramid):
    assert tile_values(latitudes, 8, *tile_of(10.0, 8.5, 8)) is None
    assert tile_values(latitudes, 3, 9, 0) is None  # no such column at zoom 3
    # beside the grid, at every zoom, also where the neighbour of its last column would be taken along
    grid_west, _, grid_east, _ = latitudes.grid.extent
    for z in range(3, 11):
        column, row = tile_of(48.0, 8.5, z)
        for x in range(max(column - 2**z // 12 - 2, 0), min(column + 2**z // 12 + 3, 2**z)):
            values = tile_values(latitudes, z, x, row)
            west, _, east, _ = tile_bounds(z, x, row)
            lon_west, lon_east = (float(from_mercator(edge, 0.0)[1]) for edge in (west, east))
            assert (values is None) == (lon_east <= grid_west or lon_west >= grid_east), (z, x)
    assert render_tile(latitudes, SCALES["continuous"], 8, *tile_of(10.0, 8.5, 8)) == EMPTY_TILE


def test_every_tile_of_the_world_is_drawn_or_empty():
    """Also one whose edge and the grid's share a single column: Europe's eastern edge lies on one of zoom 3."""
    europe = Grid(
        name="coarse-europe", rows=60, cols=70, step=1.0, north=72.0, west=-25.0, registration="cell"
    )
    fields = [
        pyramid_of(np.ones(grid.shape, np.float32), grid, num_levels=levels)
        for grid, levels in ((europe, 4), (WINDOW, 6))
    ]
    drawn = [0, 0]
    for z in range(7):
        for x in range(2**z):
            for y in range(2**z):
                for number, field in enumerate(fields):
                    drawn[number] += (
                        render_tile(field, SCALES["continuous"], z, x, y, land=field) != EMPTY_TILE
                    )
    assert min(drawn) > 10


def test_the_picture_carries_the_scale_and_is_clear_where_there_is_no_value():
    field = np.full(WINDOW.shape, 30.0, np.float32)
    field[:, :350] = np.nan
    scale = SCALES["eaqi"]
    place = (7, *tile_of(48.0, 8.5, 7))
    image = Image.open(io.BytesIO(render_tile(pyramid_of(field, WINDOW), scale, *place))).convert("RGBA")
    assert image.size == (256, 256)
    pixels = np.asarray(image)
    lat, lon = pixel_places(*place)
    inside = (lat < 50.95) & (lat > 45.05)
    east = pixels[inside][:, (lon > 8.52) & (lon < 11.9)]
    west = pixels[inside][:, (lon < 8.48) & (lon > 5.1)]
    assert (east == [0xF0, 0xE6, 0x41, 255]).all()  # 30 ug/m3 is "Moderate"
    assert (west[..., 3] == 0).all()


def test_tiles_join_without_a_seam():
    generator = np.random.default_rng(3)
    coarse = np.kron(generator.random((60, 70)), np.ones((10, 10))).astype(np.float32)
    pyramid = pyramid_of(coarse, WINDOW)
    x, y = tile_of(48.0, 8.5, 9)
    left, right = tile_values(pyramid, 9, x, y), tile_values(pyramid, 9, x + 1, y)
    assert left is not None
    assert right is not None
    # one pixel apart: columns on either side of the seam differ by no more than columns inside a tile do
    seam = np.abs(left[:, -1] - right[:, 0])
    inside = np.abs(np.diff(left, axis=1)).max(axis=1)
    assert (seam <= inside + 1e-6).mean() > 0.9


def test_a_grid_of_another_place_and_step_is_drawn_right():
    grid = Grid(name="coarse", rows=40, cols=60, step=0.25, north=55.0, west=0.0, registration="cell")
    pyramid = pyramid_of(np.broadcast_to(grid.lon[None], grid.shape).astype(np.float32), grid)
    place = (6, *tile_of(50.0, 7.0, 6))
    values = tile_values(pyramid, *place)
    _, lon = pixel_places(*place)
    assert values is not None
    assert np.nanmax(np.abs(values - lon[None])) <= 0.13
    x, _ = to_mercator(50.0, 7.0)
    west, _, east, _ = tile_bounds(*place)
    assert west <= x <= east


def test_land_without_a_value_is_hatched_and_the_sea_stays_clear():
    field = np.full(WINDOW.shape, np.nan, np.float32)
    land = np.full(WINDOW.shape, np.nan, np.float32)
    land[:, 350:] = 1.0  # sea in the west, land in the east, a value nowhere
    place = (7, *tile_of(48.0, 8.5, 7))
    png = render_tile(
        pyramid_of(field, WINDOW),
        SCALES["continuous"],
        *place,
        land=pyramid_of(land, WINDOW),
        land_colours=("#112233", "#445566"),
    )
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    lat, lon = pixel_places(*place)
    inside = (lat < 50.95) & (lat > 45.05)
    east = pixels[inside][:, (lon > 8.52) & (lon < 11.9)].reshape(-1, 4)
    assert {tuple(p) for p in np.unique(east, axis=0).tolist()} == {
        (0x11, 0x22, 0x33, 255),
        (0x44, 0x55, 0x66, 255),
    }
    assert (pixels[inside][:, (lon > 5.1) & (lon < 8.48), 3] == 0).all()
