"""Coarser copies of a field, so that a map of any size is drawn from about as many cells as it has pixels.

Every cell of level ``k`` is the plain mean of the valid cells among the 2^k x 2^k fine cells under it: a gap stays
a gap and is never counted as 0. Level 0, the field itself, is not copied; it is read through a function, so a field
may live in memory, in a memory-mapped file that is still filling, or be a difference of two others.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from cranpm.domain.grid import Grid

Reader = Callable[[slice, slice], np.ndarray]
"""Gives a window of level 0: (rows, cols) -> float32, NaN where there is no value."""

NUM_LEVELS = 6
"""Levels above the field: the coarsest of 0.01 degrees is 0.64 degrees."""

_FILL = 65535  # of packed fields where there is no value, as datasets store them
_BAND = 512  # rows reduced at a time: the temporary arrays stay small


@numba.njit(cache=True, nogil=True)
def _sum_pairs(values, sums, counts):
    """Sums and counts of valid values in 2 x 2 blocks of level 0; the last row or column may be half a block."""
    rows, cols = values.shape
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            total = np.float32(0)
            count = 0
            for di in range(2):
                for dj in range(2):
                    if 2 * i + di < rows and 2 * j + dj < cols:
                        value = values[2 * i + di, 2 * j + dj]
                        if not np.isnan(value):
                            total += value
                            count += 1
            sums[i, j] = total
            counts[i, j] = count


@numba.njit(cache=True, nogil=True)
def _add_pairs(sums, counts, next_sums, next_counts):
    """The same one level up, where sums and counts are known."""
    rows, cols = sums.shape
    for i in range(next_sums.shape[0]):
        for j in range(next_sums.shape[1]):
            total = np.float32(0)
            count = 0
            for di in range(2):
                for dj in range(2):
                    if 2 * i + di < rows and 2 * j + dj < cols:
                        total += sums[2 * i + di, 2 * j + dj]
                        count += counts[2 * i + di, 2 * j + dj]
            next_sums[i, j] = total
            next_counts[i, j] = count


@numba.njit(cache=True, nogil=True)
def _mean(sums, counts, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = sums[i, j] / counts[i, j] if counts[i, j] > 0 else np.float32(np.nan)


@numba.njit(cache=True, nogil=True)
def _decode(raw, scale_factor, fill):
    out = np.empty(raw.shape, np.float32)
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            # in single precision, as the dataset decodes: both must give the same bits
            out[i, j] = np.float32(np.nan) if raw[i, j] == fill else np.float32(raw[i, j]) * scale_factor
    return out


def _half(n: int) -> int:
    return (n + 1) // 2


class Pyramid:
    """A field with its coarser copies.

    Parameters
    ----------
    read : callable
        Gives a window of the field, see :data:`Reader`.
    grid : Grid
        Cell-registered grid of the field, rows north to south.
    num_levels : int
        Number of coarser copies.
    """

    def __init__(self, read: Reader, grid: Grid, *, num_levels: int = NUM_LEVELS) -> None:
        self.read = read
        self.grid = grid
        self.levels: list[np.ndarray] = []
        shape = grid.shape
        for _ in range(num_levels):
            shape = _half(shape[0]), _half(shape[1])
            self.levels.append(np.full(shape, np.nan, np.float32))
        self.update()

    @classmethod
    def of_packed(
        cls,
        raw: np.ndarray,
        grid: Grid,
        *,
        scale_factor: float = 0.1,
        num_levels: int = NUM_LEVELS,
    ) -> Pyramid:
        """A pyramid over packed integers, half the memory of float32; 65535 becomes NaN, never a number."""
        if raw.shape != grid.shape:
            raise ValueError(
                f"Field of shape {raw.shape} does not fit grid {grid.name!r} of shape {grid.shape}."
            )
        return cls(
            lambda rows, cols: _decode(raw[rows, cols], np.float32(scale_factor), _FILL),
            grid,
            num_levels=num_levels,
        )

    @property
    def nbytes(self) -> int:
        """Memory of the coarser copies [bytes]; what ``read`` keeps is not counted."""
        return sum(level.nbytes for level in self.levels)

    def update(self, rows: slice | None = None, cols: slice | None = None) -> None:
        """Recompute the copies over a window of the field, by default all of it.

        The window is widened to whole cells of the coarsest level, so that the result is the same as a new build.
        """
        block = 2 ** len(self.levels)
        row_start, row_stop = self._widen(rows, self.grid.rows, block)
        col_start, col_stop = self._widen(cols, self.grid.cols, block)
        band = max(_BAND, block)
        for start in range(row_start, row_stop, band):
            self._update_window(start, min(start + band, row_stop), col_start, col_stop)

    @staticmethod
    def _widen(window: slice | None, size: int, block: int) -> tuple[int, int]:
        start, stop, _ = (window or slice(None)).indices(size)
        return start // block * block, min(-(-stop // block) * block, size)

    def _update_window(self, row_start: int, row_stop: int, col_start: int, col_stop: int) -> None:
        values = self.read(slice(row_start, row_stop), slice(col_start, col_stop))
        if values.dtype != np.float32:
            raise TypeError(f"A pyramid reads float32, got {values.dtype}.")
        sums = counts = None
        for k, level in enumerate(self.levels, start=1):
            source = values if sums is None else sums
            shape = _half(source.shape[0]), _half(source.shape[1])
            next_sums, next_counts = np.empty(shape, np.float32), np.empty(shape, np.int32)
            if sums is None:
                _sum_pairs(values, next_sums, next_counts)
            else:
                _add_pairs(sums, counts, next_sums, next_counts)
            sums, counts = next_sums, next_counts
            row, col = row_start >> k, col_start >> k
            _mean(sums, counts, level[row : row + shape[0], col : col + shape[1]])

    def level_for(self, degrees_per_pixel: float) -> int:
        """Coarsest level whose cells are not larger than a pixel (0 is the field itself)."""
        if degrees_per_pixel < self.grid.step:
            return 0
        return min(int(np.log2(degrees_per_pixel / self.grid.step) + 1e-9), len(self.levels))

    def level_step(self, level: int) -> float:
        """Size of a cell of a level [degrees]."""
        return self.grid.step * 2**level

    def level_shape(self, level: int) -> tuple[int, int]:
        """Rows and columns of a level; 0 is the grid itself."""
        return self.grid.shape if level == 0 else self.levels[level - 1].shape

    def window(self, level: int, rows: slice, cols: slice) -> np.ndarray:
        """Values of a level over a window, float32, NaN where there is no value."""
        return self.read(rows, cols) if level == 0 else self.levels[level - 1][rows, cols]

    def value(self, row: int, col: int) -> float:
        """The exact value of one cell of the field."""
        return float(self.read(slice(row, row + 1), slice(col, col + 1))[0, 0])
