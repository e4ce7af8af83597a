"""What terrain means for air: how rough it is, how deep a valley lies, how high the pass to the neighbour is.

Smooth fields are computed on blocks of 4 x 4 fine cells and kept there, see `pack`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cranpm.testbed.geography.blocks import BLOCK, KM_PER_DEGREE, block_mean

COMPLEXITY_RADIUS = 25.0
"""Radius of the disc over which terrain complexity is taken [km]."""

VALLEY_RADIUS = 40.0
"""How far the surroundings reach that make a valley [km]."""

FLOOR_PERCENTILE = 10.0
"""Share of a node's cells that lie below its valley floor [%]."""


def with_margin(blocks: np.ndarray) -> np.ndarray:
    """One more block on each side, the edge repeated."""
    return np.pad(blocks, 1, mode="edge")


def terrain_complexity(elevation: np.ndarray, lat: np.ndarray, step: float) -> np.ndarray:
    """Standard deviation of elevation within 25 km, on blocks.

    Parameters
    ----------
    elevation : array, shape (H, W)
        Elevation [m], sea 0.
    lat : array, shape (H,)
        Latitude of the rows, north to south.
    step : float
        Cell size [degrees].

    Returns
    -------
    array, shape (H / 4, W / 4), float32 [m]
    """
    # a shift that keeps squares small: float64 sums of (z - 500)^2 lose nothing that matters
    shifted = elevation.astype(np.float32) - np.float32(500)
    mean, square = block_mean(shifted).astype(np.float64), block_mean(shifted**2).astype(np.float64)
    block_lat = np.asarray(lat).reshape(-1, BLOCK).mean(axis=1)
    count, total, total_square = (
        _disc_sum(field, block_lat, step * BLOCK, COMPLEXITY_RADIUS)
        for field in (np.ones_like(mean), mean, square)
    )
    variance = total_square / count - (total / count) ** 2
    return np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def _disc_sum(field: np.ndarray, lat: np.ndarray, step: float, radius: float) -> np.ndarray:
    """Sum over a disc of a radius in km around each block; columns at the rim count by their share."""
    rows, cols = field.shape
    cumulative = np.concatenate([np.zeros((rows, 1)), np.cumsum(field, axis=1)], axis=1)
    block_km = step * KM_PER_DEGREE
    reach = int(radius / block_km)
    centre = np.arange(cols) + 0.5
    edges = np.arange(cols + 1)
    result = np.zeros_like(field)
    for row in range(rows):
        for offset in range(-reach, reach + 1):
            other = row + offset
            if 0 <= other < rows:
                half_km = np.sqrt(radius**2 - (offset * block_km) ** 2)
                half = half_km / (block_km * np.cos(np.radians(lat[other])))
                low, high = np.clip(centre - half, 0, cols), np.clip(centre + half, 0, cols)
                result[row] += np.interp(high, edges, cumulative[other]) - np.interp(
                    low, edges, cumulative[other]
                )
    return result


def barrier_height(elevation: np.ndarray, lat: np.ndarray, step: float, directions: int = 16) -> np.ndarray:
    """Height of the surrounding ridges, on blocks: the mean over directions of the highest ground within 40 km.

    A cell is enclosed when ridges stand on most sides; a single mountain raises it little. Elevation subtracted from
    it gives the depth of the valley.

    Returns
    -------
    array, shape (H / 4, W / 4), float32 [m above sea]
    """
    blocks = block_mean(elevation)
    rows, cols = blocks.shape
    block_lat = np.asarray(lat).reshape(-1, BLOCK).mean(axis=1)
    block_km = step * BLOCK * KM_PER_DEGREE
    row_index, col_index = np.arange(rows), np.arange(cols)
    total = np.zeros_like(blocks)
    for direction in 2 * np.pi * np.arange(directions) / directions:
        highest = blocks.copy()
        for distance in np.arange(block_km, VALLEY_RADIUS + 1, block_km):
            row_shift = round(-np.cos(direction) * distance / block_km)
            col_shift = np.round(
                np.sin(direction) * distance / (block_km * np.cos(np.radians(block_lat)))
            ).astype(int)
            seen_rows = np.clip(row_index + row_shift, 0, rows - 1)
            seen_cols = np.clip(col_index[None, :] + col_shift[:, None], 0, cols - 1)
            np.maximum(highest, blocks[seen_rows[:, None], seen_cols], out=highest)
        total += highest
    return ndimage.gaussian_filter(total / directions, sigma=1.5, mode="nearest")


def valley_floor(elevation: np.ndarray, num_rows: int, num_cols: int, cells: int = 25) -> np.ndarray:
    """Tenth percentile of the elevation around each coarse node, shape (num_rows, num_cols), float32 [m]."""
    half = cells // 2
    padded = _pad(elevation, half, num_rows * cells, half, num_cols * cells)
    boxes = padded[: num_rows * cells, : num_cols * cells].reshape(num_rows, cells, num_cols, cells)
    flat = boxes.transpose(0, 2, 1, 3).reshape(num_rows, num_cols, cells * cells)
    rank = int(FLOOR_PERCENTILE / 100 * (cells * cells - 1))
    return np.partition(flat, rank, axis=-1)[..., rank].copy()


def pass_heights(elevation: np.ndarray, num_rows: int, num_cols: int, cells: int = 25) -> np.ndarray:
    """Lowest crossing between a node and its eastern neighbour.

    Among all paths from the meridian of one node to that of the next, inside a box 0.25 degrees wide and high, the one
    whose highest point is lowest; paths run eastward and freely north and south. Elevation is first averaged
    over 3 x 3 cells: a gorge 1 km wide lets little air through.

    Returns
    -------
    array, shape (num_rows, num_cols), float32 [m above sea]
        Entry (i, j) lies between nodes (i, j) and (i, j + 1).
    """
    half = cells // 2 + 1
    smooth = ndimage.uniform_filter(elevation, size=3, mode="nearest")
    padded = _pad(smooth, half, num_rows * cells + half, 0, num_cols * cells)
    # row r of box i is padded row cells * i + r: fine rows cells * i - 13 ... cells * i + 12
    box_rows = cells * np.arange(num_rows)[None, :] + np.arange(2 * half)[:, None]
    ground = padded[box_rows, : num_cols * cells].reshape(2 * half, num_rows, num_cols, cells)
    height = ground[..., 0].copy()
    for step in range(cells):
        here = np.ascontiguousarray(ground[..., step])
        np.maximum(height, here, out=height)
        for row in range(1, 2 * half):  # walk south, then north, within the column
            np.minimum(height[row], np.maximum(here[row], height[row - 1]), out=height[row])
        for row in range(2 * half - 2, -1, -1):
            np.minimum(height[row], np.maximum(here[row], height[row + 1]), out=height[row])
    return height.min(axis=0)


def barriers(elevation: np.ndarray, floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pass height above the lower valley floor of the two nodes it joins, for east and north faces.

    Returns
    -------
    east : array, shape of ``floor``, float32 [m]
        Entry (i, j) between nodes (i, j) and (i, j + 1); the last column is 0.
    north : array, shape of ``floor``, float32 [m]
        Entry (i, j) between nodes (i, j) and (i - 1, j); the first row is 0.
    """
    rows, cols = floor.shape
    east, north = np.zeros_like(floor), np.zeros_like(floor)
    over_east = pass_heights(elevation, rows, cols)[:, :-1]
    east[:, :-1] = np.maximum(over_east - np.minimum(floor[:, :-1], floor[:, 1:]), 0)
    over_south = pass_heights(np.ascontiguousarray(elevation.T), cols, rows)[:, :-1].T
    north[1:] = np.maximum(over_south - np.minimum(floor[:-1], floor[1:]), 0)
    return east, north


def _pad(field: np.ndarray, before_rows: int, rows: int, before_cols: int, cols: int) -> np.ndarray:
    """Repeat edges: ``before`` cells in front, and enough behind to reach ``rows`` x ``cols`` cells."""
    after_rows = max(rows - field.shape[0], 0)
    after_cols = max(cols - field.shape[1], 0)
    return np.pad(field, ((before_rows, after_rows), (before_cols, after_cols)), mode="edge")
