"""Means over cells from pixels of any regular spacing, weighted by the area that they share."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from cranpm.data.openers import WrongGridError
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
    lat_edges, lon_edges = pixel_edges(latitude, name=name), pixel_edges(longitude, name=name)
    if lat_edges[0] > lat_edges[-1]:
        values, lat_edges = values[::-1], lat_edges[::-1]
    # on the sphere the area of a row goes with the sine of its edges
    south_to_north = np.sin(np.radians(np.clip(grid.lat_edges[::-1], -90, 90)))
    row_shares = shares(np.sin(np.radians(np.clip(lat_edges, -90, 90))), south_to_north)
    col_shares = shares(lon_edges, grid.lon_edges)
    area = np.outer(np.diff(south_to_north), np.diff(grid.lon_edges))
    out = np.full(grid.shape, np.nan, dtype=np.float32)
    for start in range(0, grid.rows, _STRIP):
        strip = slice(start, min(start + _STRIP, grid.rows))
        rows = row_shares[strip]
        touched = np.unique(rows.indices) if rows.nnz else np.arange(1)
        block = slice(int(touched[0]), int(touched[-1]) + 1)
        part = np.asarray(values[block], dtype=np.float64)
        known = np.isfinite(part)
        weight = _apply(rows[:, block], known.astype(np.float64), col_shares)
        total = _apply(rows[:, block], np.where(known, part, 0.0), col_shares)
        enough = weight >= least_share * area[strip]
        out[strip] = np.where(enough, total / np.where(weight > 0, weight, 1), np.nan)
    return out[::-1].copy()


def _apply(rows: sparse.csr_array, values: np.ndarray, cols: sparse.csr_array) -> np.ndarray:
    return (cols @ (rows @ values).T).T
