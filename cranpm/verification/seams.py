"""Do tiles show in a map? The step across their edges beside the step between ordinary neighbours at the same places.

Neighbouring tiles share cells, in which they are blended. A tile that disagrees with its neighbour shows where it
begins and where it ends, which are the two edges of the strip that both share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from cranpm.domain.tiling import Tile, TilePlan

Reader = Callable[[slice, slice], np.ndarray]
"""Gives a window of a map, (rows, cols), NaN where there is no value."""

NEAR, FAR = 4, 24
"""Ordinary steps are so many cells away from an edge: the same country, but clear of the edge."""


@dataclass(frozen=True, kw_only=True)
class SeamSteps:
    """Median absolute step from cell to cell [in the map's units], across tile edges and elsewhere near them.

    ``pairs`` counts the pairs of cells across edges. NaN where there are none.
    """

    across: float
    elsewhere: float
    pairs: int

    @property
    def ratio(self) -> float:
        """Across edges over elsewhere: 1 where tiles leave no trace; NaN where elsewhere nothing changes."""
        return self.across / self.elsewhere if self.elsewhere > 0 else float("nan")


def seam_steps(read: Reader, plan: TilePlan, tiles: Collection[int]) -> SeamSteps:
    """Steps across the edges of tiles that have a neighbour, and between ordinary neighbours around them.

    Parameters
    ----------
    read : callable
        The map, window by window; whole bands of it are asked for, never all of it.
    plan : TilePlan
        Where tiles lie.
    tiles : collection of int
        Numbers of those that the map is made of.

    Returns
    -------
    SeamSteps

    Examples
    --------
    A map that rises by one from cell to cell, with a second tile that is 3 higher where it begins:

    >>> from cranpm.domain.tiling import plan_tiles
    >>> plan = plan_tiles((512, 960))
    >>> field = np.tile(np.arange(960.0), (512, 1))
    >>> seam_steps(lambda rows, cols: field[rows, cols], plan, {0, 1}).ratio
    1.0
    >>> field[:, 448:] += 3
    >>> seam_steps(lambda rows, cols: field[rows, cols], plan, {0}).pairs
    0
    >>> seam_steps(lambda rows, cols: field[rows, cols], plan, {0, 1}).across  # of 1 and 4, each at one of two edges
    2.5
    """
    across: list[np.ndarray] = []
    elsewhere: list[np.ndarray] = []
    for axis in (0, 1):
        for window, edges in _windows(plan, tiles, axis):
            values = np.moveaxis(np.asarray(read(*window), dtype=float), axis, 0)
            steps = np.abs(np.diff(values, axis=0))
            # step k, counted in the window, is that from line k to line k + 1
            crossing = np.array(edges) - window[axis].start - 1
            away = np.abs(np.arange(len(steps))[:, None] - crossing).min(axis=1)
            across.append(_known(steps[away == 0]))
            elsewhere.append(_known(steps[(away >= NEAR) & (away <= FAR)]))
    return SeamSteps(across=_median(across), elsewhere=_median(elsewhere), pairs=sum(map(len, across)))


def neighbours(plan: TilePlan, tiles: Collection[int], axis: int) -> Iterator[tuple[Tile, Tile]]:
    """Pairs of tiles of which the second follows the first along an axis: southwards (0) or eastwards (1)."""
    columns = len(plan.col_starts)
    for tile in plan.tiles:
        last = tile.row + 1 == len(plan.row_starts) if axis == 0 else tile.col + 1 == columns
        if not last:
            beside = plan.tiles[tile.index + (columns if axis == 0 else 1)]
            if tile.index in tiles and beside.index in tiles:
                yield tile, beside


def _windows(
    plan: TilePlan, tiles: Collection[int], axis: int
) -> Iterator[tuple[tuple[slice, slice], tuple[int, ...]]]:
    """Rows and columns about the strip that two tiles share, no part of an edge twice; and its edges."""
    along = plan.col_starts if axis == 0 else plan.row_starts
    for first, second in neighbours(plan, tiles, axis):
        ends = (first.rows, second.rows) if axis == 0 else (first.cols, second.cols)
        edges = tuple(sorted({ends[1].start, ends[0].stop}))
        over = slice(max(edges[0] - 1 - FAR, 0), min(edges[-1] + 1 + FAR, plan.shape[axis]))
        place = first.col if axis == 0 else first.row
        # up to where the next pair along this edge begins
        stop = along[place + 1] if place + 1 < len(along) else along[place] + plan.tile_size
        beside = slice(along[place], stop)
        yield (over, beside) if axis == 0 else (beside, over), edges


def _known(steps: np.ndarray) -> np.ndarray:
    return steps[np.isfinite(steps)].astype(np.float32)


def _median(parts: list[np.ndarray]) -> float:
    values = np.concatenate(parts) if parts else np.zeros(0)
    return float(np.median(values)) if values.size else float("nan")
