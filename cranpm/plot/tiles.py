"""Map tiles: a field's pyramid through datashader into a 256-pixel palette PNG."""

from __future__ import annotations

import io

import datashader as ds
import numpy as np
import xarray as xr
from PIL import Image

from .mercator import MAX_ZOOM, TILE_PIXELS, from_mercator, latitude_rows, pixel_latitudes, tile_bounds
from .pyramid import Pyramid
from .style import HATCH_INDEX, LAND_INDEX, ColourScale


def tile_values(pyramid: Pyramid, z: int, x: int, y: int, pixels: int = TILE_PIXELS) -> np.ndarray | None:
    """Values of a field on the pixels of one Web Mercator tile.

    Parameters
    ----------
    pyramid : Pyramid
        The field; the level drawn has cells no larger than a pixel.
    z, x, y : int
        Zoom, column from the west, row from the north.

    Returns
    -------
    ndarray of float32, shape (pixels, pixels), or None
        North up; NaN where the field has no value; None where the tile misses the grid.
    """
    if not (0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
        return None
    west, _, east, _ = tile_bounds(z, x, y)
    lon_west, lon_east = (float(from_mercator(edge, 0.0)[1]) for edge in (west, east))
    centre = pixel_latitudes(z, y, 1)[0]
    # Mercator squeezes latitude: a pixel spans cos(lat) fewer degrees north-south than east-west
    level = pyramid.level_for((lon_east - lon_west) / pixels * np.cos(np.deg2rad(centre)))
    step = pyramid.level_step(level)
    num_rows, num_cols = pyramid.level_shape(level)
    grid = pyramid.grid
    if lon_west >= grid.west + num_cols * step or lon_east <= grid.west:
        return None  # datashader cannot draw a field that lies beside its canvas
    # one cell more on each side: a pixel at the edge may be made of two
    col_start = max(int(np.floor((lon_west - grid.west) / step)) - 1, 0)
    col_stop = min(int(np.ceil((lon_east - grid.west) / step)) + 1, num_cols)
    if col_stop - col_start == 1:  # a tile that only just misses the grid; datashader needs two columns
        col_start, col_stop = max(col_start - 1, 0), min(col_stop + 1, num_cols)
    # up to two cells fall on a pixel: take two rows per pixel and let datashader average them
    fine = 2 * pixels if level else pixels
    rows = latitude_rows(pixel_latitudes(z, y, fine), north_edge=grid.north, step=step, rows=num_rows)
    inside = rows >= 0
    if col_start >= col_stop or not inside.any():
        return None
    first, last = int(rows[inside].min()), int(rows[inside].max())
    window = pyramid.window(level, slice(first, last + 1), slice(col_start, col_stop))
    if np.isnan(window).all():
        return None
    gathered = window[np.where(inside, rows - first, 0)]
    gathered[~inside] = np.nan
    if (lon_east - lon_west) / pixels < step:
        return _nearest_columns(gathered, grid.west + col_start * step, step, lon_west, lon_east, pixels)
    field = xr.DataArray(
        gathered,
        # datashader wants y upwards: rows are numbered downwards here, so their coordinate is negated
        coords={
            "y": -(np.arange(fine) + 0.5) * (pixels / fine),
            "x": grid.west + (np.arange(col_start, col_stop) + 0.5) * step,
        },
        dims=("y", "x"),
    )
    canvas = ds.Canvas(pixels, pixels, x_range=(lon_west, lon_east), y_range=(-float(pixels), 0.0))
    drawn = canvas.raster(field, interpolate="nearest", agg="mean")
    values = np.asarray(drawn.transpose("y", "x").data, np.float32)
    # whichever way datashader returns its rows, its y coordinate says so
    return values if drawn["y"].data[0] > drawn["y"].data[-1] else values[::-1]


def _nearest_columns(
    gathered: np.ndarray, west_edge: float, step: float, lon_west: float, lon_east: float, pixels: int
) -> np.ndarray:
    """Columns for pixels smaller than a cell; datashader's enlarging shifts cells by up to half of one."""
    centres = lon_west + (np.arange(pixels) + 0.5) * (lon_east - lon_west) / pixels
    cols = np.floor(np.round((centres - west_edge) / step, 9)).astype(np.int64)
    inside = (cols >= 0) & (cols < gathered.shape[1])
    values = gathered[:, np.where(inside, cols, 0)]
    values[:, ~inside] = np.nan
    return values


def nearest_valid(pyramid: Pyramid, z: int, x: int, y: int, pixels: int = TILE_PIXELS) -> np.ndarray:
    """Whether the cell under each pixel's centre has a value, bool (pixels, pixels); cheaper than its value."""
    west, _, east, _ = tile_bounds(z, x, y)
    lon_west, lon_east = (float(from_mercator(edge, 0.0)[1]) for edge in (west, east))
    grid = pyramid.grid
    degrees = (lon_east - lon_west) / pixels
    level = pyramid.level_for(degrees * np.cos(np.deg2rad(pixel_latitudes(z, y, 1)[0])))
    step, (num_rows, num_cols) = pyramid.level_step(level), pyramid.level_shape(level)
    rows = latitude_rows(pixel_latitudes(z, y, pixels), north_edge=grid.north, step=step, rows=num_rows)
    centres = lon_west + (np.arange(pixels) + 0.5) * degrees
    cols = np.floor(np.round((centres - grid.west) / step, 9)).astype(np.int64)
    cols[(cols < 0) | (cols >= num_cols)] = -1
    valid = np.zeros((pixels, pixels), bool)
    in_rows, in_cols = rows >= 0, cols >= 0
    if not (in_rows.any() and in_cols.any()):
        return valid
    first_row, first_col = rows[in_rows].min(), cols[in_cols].min()
    window = pyramid.window(
        level, slice(first_row, rows[in_rows].max() + 1), slice(first_col, cols[in_cols].max() + 1)
    )
    inner = ~np.isnan(window[np.ix_(rows[in_rows] - first_row, cols[in_cols] - first_col)])
    valid[np.ix_(in_rows, in_cols)] = inner
    return valid


def render_tile(
    pyramid: Pyramid | None,
    scale: ColourScale,
    z: int,
    x: int,
    y: int,
    *,
    land: Pyramid | None = None,
    land_colours: tuple[str, str] = ("#dfe3e6", "#c9ced3"),
) -> bytes:
    """One tile as a palette PNG, transparent where there is no value.

    Parameters
    ----------
    pyramid : Pyramid or None
        The field; None draws land alone.
    scale : ColourScale
    z, x, y : int
        Zoom, column from the west, row from the north.
    land : Pyramid, optional
        Land (a value) and sea (NaN): land where the field has no value is drawn plain with hatching, which says
        "no data" here, instead of leaving it as clear as the sea.
    land_colours : tuple of str
        Plain land and hatching.
    """
    values = None if pyramid is None else tile_values(pyramid, z, x, y)
    index = np.zeros((TILE_PIXELS, TILE_PIXELS), np.uint8) if values is None else scale.index(values)
    if land is not None and 0 <= z <= MAX_ZOOM and (index == 0).any():
        bare = (index == 0) & nearest_valid(land, z, x, y)
        index = np.where(bare, np.where(_HATCHING, HATCH_INDEX, LAND_INDEX), index).astype(np.uint8)
    return encode_png(index, scale.palette(land_colours)) if index.any() else EMPTY_TILE


# lines continue from tile to tile, since 256 is a multiple of 8
_HATCHING = np.add.outer(np.arange(TILE_PIXELS), np.arange(TILE_PIXELS)) % 8 == 0


def encode_png(index: np.ndarray, palette: bytes) -> bytes:
    """A palette PNG of palette indices (uint8, shape (rows, cols)); index 0 is transparent."""
    image = Image.fromarray(np.ascontiguousarray(index), mode="P")
    image.putpalette(palette)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0, compress_level=1)
    return buffer.getvalue()


EMPTY_TILE = encode_png(np.zeros((TILE_PIXELS, TILE_PIXELS), np.uint8), bytes(768))
"""A tile without any value."""
