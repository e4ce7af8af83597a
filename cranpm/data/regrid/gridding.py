"""Put a regular block of values on one of the project's grids: exactly where nodes coincide, else only when asked."""

from __future__ import annotations

import numpy as np

from cranpm.data.errors import OutsideDomainError, WrongGridError
from cranpm.domain.grid import Grid

_NODE_TOLERANCE = 0.02
"""Largest distance from a node that still counts as on it [grid steps]; float32 coordinates are off by 1e-5."""


def overlap(grid: Grid, latitude: np.ndarray, longitude: np.ndarray, *, name: str = "data") -> None:
    """Refuse data that do not touch the grid.

    Raises
    ------
    OutsideDomainError
        Naming both extents.
    """
    west, south, east, north = grid.extent
    if latitude.min() > north or latitude.max() < south or longitude.min() > east or longitude.max() < west:
        corners = np.ceil(grid.lat[0]), np.floor(grid.lon[0]), np.floor(grid.lat[-1]), np.ceil(grid.lon[-1])
        msg = (
            f"{name} covers {latitude.min():g}..{latitude.max():g} N, {longitude.min():g}..{longitude.max():g} E, "
            f"outside {grid.name!r} ({south:g}..{north:g} N, {west:g}..{east:g} E). Request area "
            f"[{', '.join(f'{corner:g}' for corner in corners)}] (N, W, S, E)."
        )
        raise OutsideDomainError(msg)


def place(
    grid: Grid,
    values: np.ndarray,
    latitude: np.ndarray,
    longitude: np.ndarray,
    *,
    interpolate: bool = False,
    name: str = "data",
) -> np.ndarray:
    """Values on the grid, NaN where the data do not reach; nothing is extrapolated.

    Parameters
    ----------
    values : ndarray, shape (..., Nlat, Nlon)
        Rows north to south, columns west to east.
    latitude, longitude : ndarray
        Of the values [degrees].
    interpolate : bool
        Whether values that lie between nodes may be interpolated bilinearly.

    Returns
    -------
    ndarray, shape (..., grid.rows, grid.cols)

    Raises
    ------
    OutsideDomainError
        If no node is covered.
    WrongGridError
        If the coordinates are not the grid's own and ``interpolate`` is False.
    """
    overlap(grid, latitude, longitude, name=name)
    rows, cols = grid.row_of(latitude), grid.col_of(longitude)
    if _on_nodes(rows) and _on_nodes(cols):
        return _copy_nodes(grid, values, np.rint(rows).astype(int), np.rint(cols).astype(int))
    if not interpolate:
        msg = (
            f"{name}: expected points on the {grid.step:g}-degree grid {grid.name!r} (such as {grid.lat[0]:g} N, "
            f"{grid.lon[0]:g} E), got {latitude[0]:.4f} N, {longitude[0]:.4f} E with step "
            f"{abs(latitude[0] - latitude[-1]) / max(latitude.size - 1, 1):g}. Request an area whose corners are "
            "multiples of the step, or allow interpolation (interpolate=True)."
        )
        raise WrongGridError(msg)
    rows_in, row_weights = _linear_weights(latitude, grid.lat)
    cols_in, col_weights = _linear_weights(longitude, grid.lon)
    out = np.full((*values.shape[:-2], *grid.shape), np.nan, dtype=values.dtype)
    out[..., rows_in, cols_in] = _apply(_apply(values, *row_weights, axis=-2), *col_weights, axis=-1)
    return out


def _on_nodes(index: np.ndarray) -> bool:
    whole_steps = index.size < 2 or np.allclose(np.diff(index), 1, atol=_NODE_TOLERANCE)
    return bool(whole_steps and np.abs(index - np.rint(index)).max() <= _NODE_TOLERANCE)


def _copy_nodes(grid: Grid, values: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    out = np.full((*values.shape[:-2], *grid.shape), np.nan, dtype=values.dtype)
    inside_rows, inside_cols = (rows >= 0) & (rows < grid.rows), (cols >= 0) & (cols < grid.cols)
    block = values[..., inside_rows, :][..., inside_cols]
    out[
        ...,
        rows[inside_rows][0] : rows[inside_rows][-1] + 1,
        cols[inside_cols][0] : cols[inside_cols][-1] + 1,
    ] = block
    return out


def _linear_weights(source: np.ndarray, target: np.ndarray) -> tuple[slice, tuple[np.ndarray, np.ndarray]]:
    """Targets that lie between two points of the source, and for each the lower point and the upper one's weight."""
    sign = 1.0 if source[0] <= source[-1] else -1.0  # np.interp wants ascending points
    position = np.interp(
        sign * target, sign * source, np.arange(source.size, dtype=float), left=np.nan, right=np.nan
    )
    (inside,) = np.nonzero(np.isfinite(position))
    if not inside.size:
        return slice(0, 0), (np.zeros(0, dtype=int), np.zeros(0))
    position = position[inside]
    lower = np.minimum(np.floor(position).astype(int), max(source.size - 2, 0))
    return slice(inside[0], inside[-1] + 1), (lower, position - lower)


def _apply(values: np.ndarray, lower: np.ndarray, weight: np.ndarray, *, axis: int) -> np.ndarray:
    upper = np.minimum(lower + 1, values.shape[axis] - 1)
    shape = [1] * values.ndim
    shape[axis] = -1
    weight = weight.reshape(shape)
    first, second = np.take(values, lower, axis=axis), np.take(values, upper, axis=axis)
    # a weight of zero must not spread a neighbour's gap: 0 * NaN is NaN
    mixed = np.where(weight == 0, first, first * (1 - weight) + second * weight)
    return np.where(weight == 1, second, mixed)
