"""The packed form of a geography: made, cut to a region, unpacked to fine fields.

Packed arrays (shapes for a fine grid of H x W):

===================  ======================  =====================================================================
name                 shape, type             meaning
===================  ======================  =====================================================================
land                 (H, ceil(W / 8)) u1     one bit a cell
elevation            (H, W) i2               whole metres
town_people          (H, W) u2               64 sqrt(people of towns per cell): fine steps where few live
barrier_blocks       (H/4 + 2, W/4 + 2) i2   height of the surrounding ridges [m above sea]
complexity_blocks    (H/4 + 2, W/4 + 2) u2   terrain complexity [0.1 m]
rural_blocks         (H/4 + 2, W/4 + 2) u2   country people [0.01 per square kilometre]
coarse_*             (Hb, Wb)                see `Geography`
town_*, countries    (T,), (N,)              see `Towns`
===================  ======================  =====================================================================

Blocks have a margin of one on each side, so that a window of them gives the same fine field as the whole.
"""

from __future__ import annotations

import numpy as np

from cranpm.domain import Domain, Grid
from cranpm.domain.grid import CELLS_PER_NODE
from cranpm.testbed.geography.blocks import BLOCK, KM_PER_DEGREE
from cranpm.testbed.geography.towns import TOWN_MARGIN

Packed = dict[str, np.ndarray]

COARSE_NAMES = (
    "coarse_elevation",
    "coarse_land",
    "coarse_population",
    "coarse_valley_depth",
    "coarse_terrain_complexity",
    "coarse_floor",
    "coarse_barrier_east",
    "coarse_barrier_north",
    "coarse_country",
)
BLOCK_NAMES = ("barrier_blocks", "complexity_blocks", "rural_blocks")
DIFFERENCED = ("elevation", *BLOCK_NAMES)


def unpack_fine(packed: Packed, grid: Grid) -> dict[str, np.ndarray]:
    """The five fine fields of a `Geography`."""
    land = np.unpackbits(packed["land"], axis=1, count=grid.cols).view(bool)
    elevation = packed["elevation"].astype(np.float32)
    valley_depth = upsample(packed["barrier_blocks"])
    valley_depth -= elevation
    np.maximum(valley_depth, 0, out=valley_depth)
    terrain_complexity = upsample(packed["complexity_blocks"])
    terrain_complexity *= np.float32(0.1)
    population = upsample(packed["rural_blocks"])
    cell_area = (grid.step * KM_PER_DEGREE) ** 2 * np.cos(np.radians(grid.lat))
    population *= (0.01 * cell_area).astype(np.float32)[:, None]
    population *= land
    # through a table: one look-up a cell instead of a conversion and a square
    squares = (np.arange(1 << 16, dtype=np.float64) / 64) ** 2
    population += squares.astype(np.float32)[packed["town_people"]]
    return {
        "land": land,
        "elevation": elevation,
        "valley_depth": valley_depth,
        "terrain_complexity": terrain_complexity,
        "population": population,
    }


def upsample(blocks: np.ndarray) -> np.ndarray:
    """Fine field from blocks with a margin, bilinear between block centres.

    Parameters
    ----------
    blocks : array, shape (H / 4 + 2, W / 4 + 2)

    Returns
    -------
    array, shape (H, W), float32
    """
    values = blocks.astype(np.float32)
    rows, cols = (values.shape[0] - 2) * BLOCK, (values.shape[1] - 2) * BLOCK
    tall = np.empty((rows, values.shape[1]), np.float32)
    result = np.empty((rows, cols), np.float32)
    for k in range(BLOCK):
        shift = (k + 0.5) / BLOCK - 0.5  # -0.375 ... 0.375 of a block from its centre
        near, far = np.float32(1 - abs(shift)), np.float32(abs(shift))
        beside = slice(None, -2) if shift < 0 else slice(2, None)
        tall[k::BLOCK] = near * values[1:-1] + far * values[beside]
    for k in range(BLOCK):
        shift = (k + 0.5) / BLOCK - 0.5
        near, far = np.float32(1 - abs(shift)), np.float32(abs(shift))
        beside = slice(None, -2) if shift < 0 else slice(2, None)
        result[:, k::BLOCK] = near * tall[:, 1:-1] + far * tall[:, beside]
    return result


def can_cut(whole: Domain, part: Domain) -> bool:
    """Whether a domain lies inside another, on its grid, with its blocks and nodes in step."""
    row, col = _offset(whole, part)
    return (
        part.fine.step == whole.fine.step
        and part.coarse_box.step == whole.coarse_box.step
        and row % (BLOCK * CELLS_PER_NODE) == 0
        and col % (BLOCK * CELLS_PER_NODE) == 0
        and part.fine.rows % BLOCK == 0
        and part.fine.cols % BLOCK == 0
        and 0 <= row <= whole.fine.rows - part.fine.rows
        and 0 <= col <= whole.fine.cols - part.fine.cols
        and row // CELLS_PER_NODE + part.coarse_box.rows <= whole.coarse_box.rows
        and col // CELLS_PER_NODE + part.coarse_box.cols <= whole.coarse_box.cols
    )


def _offset(whole: Domain, part: Domain) -> tuple[int, int]:
    """First fine row and column of the part."""
    row = round(float(whole.fine.row_of(part.fine.lat[0])))
    col = round(float(whole.fine.col_of(part.fine.lon[0])))
    return row, col


def cut(packed: Packed, whole: Domain, part: Domain) -> Packed:
    """The packed geography of a domain inside another."""
    row, col = _offset(whole, part)
    rows, cols = slice(row, row + part.fine.rows), slice(col, col + part.fine.cols)
    land = np.unpackbits(packed["land"][rows], axis=1, count=whole.fine.cols)[:, cols]
    result = {
        "land": np.packbits(land, axis=1),
        "elevation": packed["elevation"][rows, cols].copy(),
        "town_people": packed["town_people"][rows, cols].copy(),
        "countries": packed["countries"],
    }
    for name in BLOCK_NAMES:
        first_row, first_col = row // BLOCK, col // BLOCK
        num_rows, num_cols = part.fine.rows // BLOCK + 2, part.fine.cols // BLOCK + 2
        result[name] = packed[name][first_row : first_row + num_rows, first_col : first_col + num_cols].copy()
    for name in COARSE_NAMES:
        first_row, first_col = row // CELLS_PER_NODE, col // CELLS_PER_NODE
        num_rows, num_cols = part.coarse_box.shape
        result[name] = packed[name][first_row : first_row + num_rows, first_col : first_col + num_cols].copy()
    west, south, east, north = part.fine.extent
    latitude, longitude = packed["town_lat"], packed["town_lon"]
    near = (south - TOWN_MARGIN <= latitude) & (latitude <= north + TOWN_MARGIN)
    near &= (west - TOWN_MARGIN <= longitude) & (longitude <= east + TOWN_MARGIN)
    for name in packed:
        if name.startswith("town_") and name != "town_people":
            result[name] = packed[name][near]
    return result


def to_differences(packed: Packed) -> Packed:
    """Differences along rows instead of values: they compress to half the size."""
    result = dict(packed)
    for name in DIFFERENCED:
        # in int32, then wrapped to 16 bits: the sum wraps back
        result[name] = np.diff(packed[name].astype(np.int32), axis=1, prepend=0).astype(np.int16)
    result["differences"] = np.array(True)
    return result


def from_differences(packed: Packed) -> Packed:
    """Undo `to_differences`; packed arrays that hold values pass unchanged."""
    result = dict(packed)
    if result.pop("differences", None) is not None:
        for name in DIFFERENCED:
            dtype = np.int16 if name in ("elevation", "barrier_blocks") else np.uint16
            result[name] = np.cumsum(result[name], axis=1, dtype=np.int16).view(dtype)
    return result
