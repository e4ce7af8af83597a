"""Means over cells from pixels of any regular spacing, weighted by the area that they share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from cranpm.data.errors import WrongGridError
from cranpm.domain import Grid

LEAST_SHARE = 0.5
"""Share of a cell that must hold values for its mean to count."""

_STRIP = 256
# rows of cells averaged at once, so that a continent of pixels is never in memory twice


def pixel_edges(centres: np.ndarray, *, name: str) -> np.ndarray:
    """Edges of evenly spaced pixels from their centres, in the same direction.

    Centres stored as float32 are off by 1e-5 degrees, a tenth of a fine pixel: the edges come from the mean step.

    Raises
    ------
    WrongGridError
        If the spacing is not even.
    """
    centres = np.asarray(centres, dtype=float)
    if centres.size < 2:
        raise WrongGridError(f"{name}: expected at least two rows and columns, got {centres.size}.")
    step = (centres[-1] - centres[0]) / (centres.size - 1)
    if np.abs(centres - (centres[0] + step * np.arange(centres.size))).max() > 0.2 * abs(step):
        raise WrongGridError(
            f"{name}: expected evenly spaced pixels, got steps that differ. Crop or join the file."
        )
    return centres[0] + step * (np.arange(centres.size + 1) - 0.5)


def shares(source: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    """How much of each pixel lies in each cell.

    Parameters
    ----------
    source, target : array
        Ascending edges of pixels and of cells.

    Returns
    -------
    sparse array, shape (cells, pixels)
        Overlap in the edges' units; a row of zeros where no pixel reaches.
    """
    first = np.clip(np.searchsorted(source, target[:-1], side="right") - 1, 0, source.size - 2)
    last = np.clip(np.searchsorted(source, target[1:], side="left") - 1, 0, source.size - 2)
    span = int((last - first).max()) + 1
    pixels = first[:, None] + np.arange(span)
    inside = pixels <= last[:, None]
    pixels = np.minimum(pixels, source.size - 2)
    low = np.maximum(source[pixels], target[:-1, None])
    high = np.minimum(source[pixels + 1], target[1:, None])
    weights = np.where(inside, np.maximum(high - low, 0), 0)
    rows = np.repeat(np.arange(len(pixels)), span)
    shape = (target.size - 1, source.size - 1)
    return sparse.csr_array((weights.ravel(), (rows, pixels.ravel())), shape=shape)


def cell_means(
    values: np.ndarray,
    latitude: np.ndarray,
    longitude: np.ndarray,
    grid: Grid,
    *,
    name: str = "data",
    least_share: float = LEAST_SHARE,
) -> np.ndarray:
    """Area-weighted means of pixels over the cells of a grid (around the nodes of a node grid).

    Parameters
    ----------
    values : array, shape (Nlat, Nlon)
        NaN where missing; rows in either direction.
    latitude, longitude : array
        Pixel centres.
    least_share : float
        Share of a cell's area that must have values.

    Returns
    -------
    array, shape (grid.rows, grid.cols), float32
        NaN where too little of the cell has values.
    """
    out = np.full(grid.shape, np.nan, dtype=np.float32)
    for strip, total, share in _strips(values, latitude, longitude, grid, name):
        enough = share >= least_share
        out[strip] = np.where(enough, total / np.where(share > 0, share, 1), np.nan)
    return out[::-1].copy()


def cell_sums(
    values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, grid: Grid, *, name: str = "data"
) -> tuple[np.ndarray, np.ndarray]:
    """What pixels give to each cell, for cells that several files share: add both, then divide.

    Returns
    -------
    total, share : array, shape (grid.rows, grid.cols)
        Sum of values times the share of the cell that they cover, and that share, 0 to 1.
    """
    total, share = np.zeros(grid.shape), np.zeros(grid.shape)
    for strip, part, covered in _strips(values, latitude, longitude, grid, name):
        total[strip], share[strip] = part, covered
    return total[::-1], share[::-1]


def touched(grid: Grid, latitude: np.ndarray, longitude: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a grid whose cells pixels may reach."""
    (south, north), (west, east) = _reach(latitude), _reach(longitude)
    rows = np.flatnonzero((grid.lat_edges[1:] < north) & (grid.lat_edges[:-1] > south))
    cols = np.flatnonzero((grid.lon_edges[1:] > west) & (grid.lon_edges[:-1] < east))
    if not rows.size or not cols.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _reach(centres: np.ndarray) -> tuple[float, float]:
    """Lowest and highest edge of pixels, and a little more."""
    half = 0.6 * abs(centres[-1] - centres[0]) / max(centres.size - 1, 1)
    return centres.min() - half, centres.max() + half


def _strips(
    values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, grid: Grid, name: str
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(rows counted from the south, sums, shares of the cells) of a few rows of cells at a time."""
    lat_edges, lon_edges = pixel_edges(latitude, name=name), pixel_edges(longitude, name=name)
    if lat_edges[0] > lat_edges[-1]:
        values, lat_edges = values[::-1], lat_edges[::-1]
    # on the sphere the area of a row goes with the sine of its edges
    south_to_north = np.sin(np.radians(np.clip(grid.lat_edges[::-1], -90, 90)))
    row_shares = shares(np.sin(np.radians(np.clip(lat_edges, -90, 90))), south_to_north)
    col_shares = shares(lon_edges, grid.lon_edges)
    area = np.outer(np.diff(south_to_north), np.diff(grid.lon_edges))
    for start in range(0, grid.rows, _STRIP):
        strip = slice(start, min(start + _STRIP, grid.rows))
        rows = row_shares[strip]
        reached = np.unique(rows.indices) if rows.nnz else np.arange(1)
        block = slice(int(reached[0]), int(reached[-1]) + 1)
        part = np.asarray(values[block], dtype=np.float64)
        known = np.isfinite(part)
        share = _apply(rows[:, block], known.astype(np.float64), col_shares) / area[strip]
        total = _apply(rows[:, block], np.where(known, part, 0.0), col_shares) / area[strip]
        yield strip, total, share


def _apply(rows: sparse.csr_array, values: np.ndarray, cols: sparse.csr_array) -> np.ndarray:
    return (cols @ (rows @ values).T).T
