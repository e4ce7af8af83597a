"""Means over square blocks of cells, and smooth fields from them."""

from __future__ import annotations

import numpy as np


def block_sums(field: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values in each block of ``block`` x ``block`` cells; gaps are skipped.

    Returns
    -------
    total, count : ndarray, shape (ceil(rows / block), ceil(cols / block))
        Blocks at the south and east edge may be smaller.
    """
    valid = np.isfinite(field)
    rows, cols = np.arange(0, field.shape[0], block), np.arange(0, field.shape[1], block)

    def total(values: np.ndarray, dtype: type) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(values, rows, axis=0, dtype=dtype), cols, axis=1)

    # at most `block` values a column: their sums may stay in single precision, whole blocks not
    columns = np.add.reduceat(np.where(valid, field, np.float32(0)), rows, axis=0)
    return np.add.reduceat(columns, cols, axis=1, dtype=float), total(valid, np.int32).astype(float)


def spread(blocks: np.ndarray, block: int, rows: slice, cols: slice) -> np.ndarray:
    """Bilinear field through the blocks' centres, at the cells of a window; flat beyond the outermost centres.

    A window gives the very values that the whole field has there.

    Parameters
    ----------
    blocks : ndarray, shape (R, C)
        One value per block, none missing.
    rows, cols : slice
        Window of cells, with start and stop; a step takes every so many cells.
    """
    along_rows = _interpolate(
        blocks, (np.arange(rows.start, rows.stop, rows.step or 1) + 0.5) / block - 0.5, axis=0
    )
    return _interpolate(
        along_rows, (np.arange(cols.start, cols.stop, cols.step or 1) + 0.5) / block - 0.5, axis=1
    )


def _interpolate(values: np.ndarray, position: np.ndarray, *, axis: int) -> np.ndarray:
    size = values.shape[axis]
    position = np.clip(position, 0, size - 1)
    lower = np.minimum(np.floor(position).astype(int), max(size - 2, 0))
    upper = np.minimum(lower + 1, size - 1)
    weight = (position - lower).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    return np.take(values, lower, axis) * (1 - weight) + np.take(values, upper, axis) * weight


def filled(blocks: np.ndarray) -> np.ndarray:
    """Blocks without a value (open sea) take the mean of those that have one, so that interpolation has no holes.

    The cells there have no support themselves, so the value only ever acts as a neighbour's slope.
    """
    valid = np.isfinite(blocks)
    if not valid.any():
        raise ValueError("No block has a value: the field is missing everywhere.")
    return np.where(valid, blocks, blocks[valid].mean())
