"""Web Mercator and its 256-pixel tiles, without a projection library.

Mercator only stretches latitude: a column of a latitude-longitude grid stays a column, so drawing such a grid is
a one-dimensional choice of rows (:func:`latitude_rows`), exact and cheap, instead of a two-dimensional warp.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

EARTH_RADIUS = 6_378_137.0
"""Radius of the sphere of Web Mercator (EPSG:3857) [m]."""

HALF_WORLD = np.pi * EARTH_RADIUS
"""Mercator coordinate of 180 E [m]."""

TILE_PIXELS = 256
MAX_ZOOM = 14


def to_mercator(lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Web Mercator coordinates of places.

    Parameters
    ----------
    lat, lon : array_like
        Degrees north and east.

    Returns
    -------
    tuple of float or ndarray
        ``(x, y)`` [m], x to the east, y to the north.

    Examples
    --------
    >>> x, y = to_mercator(0.0, 180.0)
    >>> round(float(x), 2), abs(round(float(y), 6))
    (20037508.34, 0.0)
    """
    phi = np.deg2rad(np.asarray(lat, dtype=float))
    return EARTH_RADIUS * np.deg2rad(np.asarray(lon, dtype=float)), EARTH_RADIUS * np.arcsinh(np.tan(phi))


def from_mercator(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes [degrees] of Web Mercator coordinates [m]; the inverse of :func:`to_mercator`."""
    lon = np.rad2deg(np.asarray(x, dtype=float) / EARTH_RADIUS)
    return np.rad2deg(np.arctan(np.sinh(np.asarray(y, dtype=float) / EARTH_RADIUS))), lon


def mercator_extent(extent: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Mercator box (west, south, east, north) [m] of a box in degrees, same order."""
    west, south, east, north = extent
    (x0, x1), (y0, y1) = to_mercator([south, north], [west, east])
    return float(x0), float(y0), float(x1), float(y1)


def tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """Edges of a tile (west, south, east, north) [m]; y counts from the north, as in every public tile service.

    Examples
    --------
    >>> [round(float(edge)) for edge in tile_bounds(1, 1, 0)]
    [0, 0, 20037508, 20037508]
    """
    size = 2 * HALF_WORLD / 2**z
    west, north = x * size - HALF_WORLD, HALF_WORLD - y * size
    return west, north - size, west + size, north


def tile_of(lat: float, lon: float, z: int) -> tuple[int, int]:
    """Column and row of the tile at zoom ``z`` that holds a place."""
    x, y = to_mercator(lat, lon)
    size = 2 * HALF_WORLD / 2**z
    return int((x + HALF_WORLD) // size), int((HALF_WORLD - y) // size)


def pixel_latitudes(z: int, y: int, pixels: int = TILE_PIXELS) -> np.ndarray:
    """Latitudes at the centres of a tile's pixel rows, north to south [degrees], shape (pixels,)."""
    _, south, _, north = tile_bounds(z, 0, y)
    step = (north - south) / pixels
    return from_mercator(0.0, north - (np.arange(pixels) + 0.5) * step)[0]


def latitude_rows(latitudes: np.ndarray, *, north_edge: float, step: float, rows: int) -> np.ndarray:
    """Row of the grid cell that holds each latitude; -1 outside.

    Parameters
    ----------
    latitudes : ndarray, shape (N,)
        Degrees north.
    north_edge : float
        Northern edge of row 0 [degrees]; rows go south.
    step, rows : float, int
        Height of a row [degrees] and number of rows.

    Returns
    -------
    ndarray of int, shape (N,)
    """
    row = np.floor(np.round((north_edge - latitudes) / step, 9)).astype(np.int64)
    row[(row < 0) | (row >= rows)] = -1
    return row
