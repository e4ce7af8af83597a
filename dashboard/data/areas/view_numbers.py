"""The map in numbers, quickly: of a level of the field that is about as fine as the screen, as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.plot.pyramid import Pyramid
from cranpm.verification.metrics import area_weights

from .window import Window

MOST_CELLS = 1_000_000
"""Of the level that is read: about the pixels of a map."""

THRESHOLD = 25.0
"""Above which a share of the area is told [ug m-3]."""


@dataclass(frozen=True, kw_only=True)
class ViewNumbers:
    """Area-weighted mean, range and share above `THRESHOLD` of what has a value; NaN where nothing has.

    ``kilometres`` is the height of the squares that values are means of.
    """

    mean: float
    lowest: float
    highest: float
    above: float
    kilometres: float


def view_numbers(pyramid: Pyramid, box: tuple[float, float, float, float]) -> ViewNumbers:
    """Numbers of a field in a box (west, south, east, north) [degrees]; squares that the edge cuts count as a whole."""
    window = Window.of_box(pyramid.grid, box)
    level = 0
    while window.cells >> 2 * level > MOST_CELLS and level < len(pyramid.levels):
        level += 1
    rows, cols = (_coarser(part, level) for part in (window.rows, window.cols))
    values = pyramid.window(level, rows, cols)
    known = np.isfinite(values)
    kilometres = pyramid.level_step(level) * KM_PER_DEGREE
    if not known.any():
        none = float("nan")
        return ViewNumbers(mean=none, lowest=none, highest=none, above=none, kilometres=kilometres)
    areas = np.broadcast_to(_row_areas(pyramid, level)[rows], values.shape)[known]
    held = values[known].astype(float)
    return ViewNumbers(
        mean=float(areas @ held / areas.sum()),
        lowest=float(held.min()),
        highest=float(held.max()),
        above=float(areas[held > THRESHOLD].sum() / areas.sum()),
        kilometres=kilometres,
    )


def _coarser(part: slice, level: int) -> slice:
    """Cells of a level that a range of fine cells touches."""
    return slice(part.start >> level, -(-part.stop >> level))


def _row_areas(pyramid: Pyramid, level: int) -> np.ndarray:
    """Relative areas of a level's rows, shape (rows, 1): those of the fine rows under each, together."""
    fine = area_weights(pyramid.grid)[:, 0]
    return np.add.reduceat(fine, np.arange(0, fine.size, 2**level))[:, None]
