"""The difference of two fields, B minus A: a field of its own, so that what the pointer reads is a number of it.

Where one of the two has coarser cells, the difference lies on the finer grid, and every fine cell takes the value of
the coarse one that holds its centre: what a reader sees on either map is what is subtracted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cranpm.domain.grid import Grid
from cranpm.plot.pyramid import Pyramid, Reader

from ..layers import DIFFERENCE, Layer

if TYPE_CHECKING:
    from .fields import FieldKey


@dataclass(frozen=True, kw_only=True)
class DifferenceKey:
    """Names the difference of two fields of one dataset."""

    first: FieldKey
    second: FieldKey

    @property
    def dataset(self) -> str:
        """Of both."""
        return self.first.dataset

    @property
    def shown_layer(self) -> Layer:
        """What it shows."""
        return DIFFERENCE

    @cached_property
    def id(self) -> str:
        """Names content, as a field's id does; two of these would be too long for an address."""
        digest = hashlib.sha256(f"{self.first.id}|{self.second.id}".encode()).hexdigest()[:32]
        return f"{self.dataset}_difference_{digest}"


def read_on(pyramid: Pyramid, grid: Grid) -> Reader:
    """Reads a field on another grid: each cell takes the value of the cell that holds its centre, NaN outside.

    Parameters
    ----------
    grid : Grid
        Of cells no larger than the field's own.
    """
    own = pyramid.grid
    if own == grid:
        return pyramid.read
    rows, _ = own.cells_of(grid.lat, np.full(grid.rows, own.west))
    _, cols = own.cells_of(np.full(grid.cols, own.north), grid.lon)

    def read(row_slice: slice, col_slice: slice) -> np.ndarray:
        here, along = rows[row_slice], cols[col_slice]
        values = np.full((len(here), len(along)), np.nan, np.float32)
        inside = (here >= 0) & (here < own.rows), (along >= 0) & (along < own.cols)
        if inside[0].any() and inside[1].any():
            here, along = here[inside[0]], along[inside[1]]
            top, left = int(here[0]), int(along[0])
            window = pyramid.read(slice(top, int(here[-1]) + 1), slice(left, int(along[-1]) + 1))
            values[np.ix_(*inside)] = window[np.ix_(here - top, along - left)]
        return values

    return read


def difference_of(first: Pyramid, second: Pyramid) -> Pyramid:
    """Second minus first, NaN where either has no value."""
    finer = first if first.grid.step <= second.grid.step else second
    a, b = (read_on(one, finer.grid) for one in (first, second))
    return Pyramid(lambda rows, cols: b(rows, cols) - a(rows, cols), finer.grid, num_levels=len(finer.levels))
