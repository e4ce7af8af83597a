"""A box of the map as a window of the fine grid, walked through in bands that need little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cranpm.baselines.cams import on_fine_grid
from cranpm.domain.grid import Domain, Grid

BAND = 512
"""Rows read at a time, in step with the chunks of a dataset."""

GoOn = Callable[[], bool]
"""Whether the answer is still wanted."""


class NotWantedError(RuntimeError):
    """Somebody has asked something else meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Cells of the fine grid whose centres lie in a box, edges included."""

    rows: slice
    cols: slice

    @classmethod
    def of_box(cls, grid: Grid, box: tuple[float, float, float, float]) -> Window:
        """The window of a box (west, south, east, north) [degrees]; empty where no centre lies inside."""
        west, south, east, north = box
        first_row, last_row = np.round([grid.row_of(north), grid.row_of(south)], 9)
        first_col, last_col = np.round([grid.col_of(west), grid.col_of(east)], 9)
        rows = _clipped(first_row, last_row, grid.rows)
        return cls(rows=rows, cols=_clipped(first_col, last_col, grid.cols))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def cells(self) -> int:
        """Number of cells, with and without values."""
        return self.shape[0] * self.shape[1]

    def bands(self, go_on: GoOn) -> Iterator[slice]:
        """Rows of the window in bands.

        Raises
        ------
        NotWantedError
            Between two bands, when nobody waits any more.
        """
        start = self.rows.start
        while start < self.rows.stop:
            if not go_on():
                raise NotWantedError
            stop = min((start // BAND + 1) * BAND, self.rows.stop)
            yield slice(start, stop)
            start = stop


def cams_cells(domain: Domain, field: np.ndarray, rows: slice, cols: slice) -> np.ndarray:
    """A field of the coarse nodes on a window of the fine grid, as the map and scores have it."""
    box = domain.coarse_box
    return on_fine_grid(field, box.lat, box.lon, domain.fine.window(rows, cols))


def _clipped(first: float, last: float, size: int) -> slice:
    start = min(max(int(np.ceil(first)), 0), size)
    return slice(start, max(min(int(np.floor(last)) + 1, size), start))
