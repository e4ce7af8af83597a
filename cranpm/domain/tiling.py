"""Covering a map with overlapping tiles and putting it together again without seams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

TILE_SIZE = 512
"""Fine cells along one side of a tile."""

DEFAULT_OVERLAP = 64
"""Cells shared by neighbouring tiles; 160 tiles over Europe."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One square of the map: its number, its place in the plan, its rows and columns."""

    index: int
    row: int
    col: int
    rows: slice
    cols: slice


@dataclass(frozen=True, kw_only=True)
class TilePlan:
    """Where tiles lie along each axis; made by `plan_tiles`.

    ``row_starts`` and ``col_starts`` are the first cell of each row and column of tiles.
    """

    shape: tuple[int, int]
    tile_size: int
    row_starts: tuple[int, ...]
    col_starts: tuple[int, ...]

    @property
    def num_tiles(self) -> int:
        """Tiles of the whole map."""
        return len(self.row_starts) * len(self.col_starts)

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        """All tiles, row by row from the north-west."""
        size = self.tile_size
        return tuple(
            Tile(
                index=i * len(self.col_starts) + j,
                row=i,
                col=j,
                rows=slice(r, r + size),
                cols=slice(c, c + size),
            )
            for i, r in enumerate(self.row_starts)
            for j, c in enumerate(self.col_starts)
        )

    @cached_property
    def row_weights(self) -> np.ndarray:
        """Blend weights along latitude, shape (tile rows, tile_size); they sum to one over every cell."""
        return _axis_weights(self.row_starts, self.tile_size, self.shape[0])

    @cached_property
    def col_weights(self) -> np.ndarray:
        """Blend weights along longitude, shape (tile columns, tile_size)."""
        return _axis_weights(self.col_starts, self.tile_size, self.shape[1])

    def weight(self, tile: Tile) -> np.ndarray:
        """Blend weights of one tile, shape (tile_size, tile_size), float32."""
        return self.row_weights[tile.row][:, None] * self.col_weights[tile.col][None, :]

    def tile_at(self, row: int, col: int) -> Tile:
        """The tile whose blend weight is largest at a cell."""
        best_row = _heaviest(self.row_starts, self.row_weights, row)
        best_col = _heaviest(self.col_starts, self.col_weights, col)
        return self.tiles[best_row * len(self.col_starts) + best_col]

    def tiles_over(self, rows: slice, cols: slice) -> list[int]:
        """Numbers of all tiles that hold a cell of a window: its cells are blends of these alone.

        Examples
        --------
        >>> plan_tiles((1000, 1000)).tiles_over(slice(500, 510), slice(0, 10))
        [0, 3, 6]
        """
        return [
            tile.index
            for tile in self.tiles
            if tile.rows.start < rows.stop
            and rows.start < tile.rows.stop
            and tile.cols.start < cols.stop
            and cols.start < tile.cols.stop
        ]


def plan_tiles(
    shape: tuple[int, int],
    tile_size: int = TILE_SIZE,
    *,
    overlap: int | None = None,
    stride: int | None = None,
    count: tuple[int, int] | None = None,
) -> TilePlan:
    """Cover a map of ``shape`` with tiles.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map; each at least ``tile_size``.
    tile_size : int
        Cells along the side of a tile.
    overlap : int, optional
        Cells shared by neighbours (default 64); the last row and column of tiles may share more.
    stride : int, optional
        Distance between tiles, instead of ``overlap``.
    count : tuple of int, optional
        Rows and columns of tiles, evenly spread, instead of ``overlap``; (9, 14) is the paper's 126.

    Returns
    -------
    TilePlan
        Where each tile lies, and its weights.

    Raises
    ------
    ValueError
        If the map is smaller than a tile, the tiles would leave gaps, or more than one spacing is given.

    Examples
    --------
    >>> [plan_tiles((4192, 6992), **how).num_tiles for how in ({}, {"stride": 384}, {"count": (9, 14)})]
    [160, 198, 126]
    """
    if sum(choice is not None for choice in (overlap, stride, count)) > 1:
        raise ValueError("Give only one of overlap, stride and count.")
    if min(shape) < tile_size:
        raise ValueError(f"A map of {shape[0]} x {shape[1]} cells is smaller than one tile of {tile_size}.")
    if count is not None:
        starts = [_even_starts(length, tile_size, n) for length, n in zip(shape, count, strict=True)]
    else:
        step = stride if stride is not None else tile_size - (DEFAULT_OVERLAP if overlap is None else overlap)
        if not 0 < step <= tile_size:
            raise ValueError(f"Tiles of {tile_size} cells need a stride of 1..{tile_size}, got {step}.")
        starts = [_stride_starts(length, tile_size, step) for length in shape]
    rows, cols = shape
    return TilePlan(shape=(rows, cols), tile_size=tile_size, row_starts=starts[0], col_starts=starts[1])


def split(field: np.ndarray, plan: TilePlan) -> np.ndarray:
    """Cut a map into tiles.

    Parameters
    ----------
    field : ndarray, shape (rows, cols)
        The map.
    plan : TilePlan
        Of a map of this shape.

    Returns
    -------
    ndarray, shape (num_tiles, tile_size, tile_size)
        The tiles in the order of the plan.
    """
    return np.stack([field[tile.rows, tile.cols] for tile in plan.tiles])


def stitch(tiles: np.ndarray, plan: TilePlan) -> np.ndarray:
    """Blend tiles back into a map; the inverse of `split` for tiles that agree where they overlap.

    Parameters
    ----------
    tiles : ndarray, shape (num_tiles, tile_size, tile_size)
        In the order of the plan.
    plan : TilePlan
        Where each tile lies.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        The tiles weighted so that weights sum to one in every cell.
    """
    result = np.zeros(plan.shape, dtype=np.float32)
    for tile, values in zip(plan.tiles, tiles, strict=True):
        result[tile.rows, tile.cols] += plan.weight(tile) * values
    return result


def _stride_starts(length: int, size: int, step: int) -> tuple[int, ...]:
    regular = list(range(0, length - size + 1, step))
    # the last tile is moved inwards so that every cell is covered and every tile is whole
    return tuple(regular if regular[-1] == length - size else [*regular, length - size])


def _even_starts(length: int, size: int, number: int) -> tuple[int, ...]:
    if number * size < length or number < 1:
        raise ValueError(f"{number} tiles of {size} cannot cover {length} cells.")
    if number == 1:
        return (0,)
    return tuple(round(i * (length - size) / (number - 1)) for i in range(number))


def _axis_weights(starts: tuple[int, ...], size: int, length: int) -> np.ndarray:
    """Weights of each tile along one axis: flat, with a raised-cosine ramp over each overlap only."""
    weights = np.ones((len(starts), size))
    for k in range(len(starts) - 1):
        shared = starts[k] + size - starts[k + 1]
        if shared > 0:
            rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(shared) + 0.5) / shared)
            weights[k + 1, :shared] *= rise
            weights[k, size - shared :] *= 1 - rise
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + size] += weight
    # a no-op unless three tiles meet along the axis, as large overlaps allow
    return np.stack(
        [weight / total[start : start + size] for start, weight in zip(starts, weights, strict=True)]
    ).astype(np.float32)


def _heaviest(starts: tuple[int, ...], weights: np.ndarray, position: int) -> int:
    size = weights.shape[1]
    held = [(weights[k, position - s], k) for k, s in enumerate(starts) if 0 <= position - s < size]
    if not held:
        raise ValueError(f"Cell {position} lies outside the map.")
    return max(held)[1]
