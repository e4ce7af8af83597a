"""What the cells of an area hold: mean, quantiles, share above limits; cells without a value are counted, never 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cranpm.domain.grid import Grid
from cranpm.plot.pyramid import Reader
from cranpm.verification.limits import EXCEEDANCE_THRESHOLDS
from cranpm.verification.metrics import area_weights

from .window import GoOn, Window

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

BINS = 4000
"""Quantiles are known to this part of the field's range: of 400 ug m-3 to 0.1, the step of a dataset."""


@dataclass(frozen=True, kw_only=True)
class AreaStatistics:
    """Of cells with a value; means, quantiles and shares are weighted by the cells' areas.

    ``quantiles`` belong to `QUANTILES` and are known to `BINS`; ``above`` gives the share of the area whose values
    are above each of `EXCEEDANCE_THRESHOLDS`. ``without`` counts cells without a value: of land where land is told
    apart, else of all.
    """

    cells: int
    without: int
    mean: float
    lowest: float
    highest: float
    quantiles: tuple[float, ...]
    above: dict[float, float]


def area_statistics(
    read: Reader, land: Reader | None, grid: Grid, window: Window, go_on: GoOn
) -> AreaStatistics:
    """Statistics of a field in a window, read band by band, twice: its range first, then what lies in it.

    Parameters
    ----------
    read : callable
        The field; NaN is missing.
    land : callable or None
        A number on land, NaN on the sea; None where the field's cells are not those of the land.
    grid : Grid
        Of the field.
    """
    lowest, highest = _range(read, window, go_on)
    step = (highest - lowest) / BINS if highest > lowest else 1.0
    counts = np.zeros(BINS + 1)
    above = dict.fromkeys(EXCEEDANCE_THRESHOLDS, 0.0)
    cells = without = 0
    weights, weight, total = area_weights(grid), 0.0, 0.0
    for rows in window.bands(go_on):
        values = read(rows, window.cols)
        known = np.isfinite(values)
        gaps = ~known if land is None else ~known & np.isfinite(land(rows, window.cols))
        without += int(np.count_nonzero(gaps))
        if not known.any() or not np.isfinite(lowest):
            continue
        areas = np.broadcast_to(weights[rows], values.shape)[known]
        held = values[known].astype(float)
        cells += held.size
        weight += float(areas.sum())
        total += float(areas @ held)
        steps = np.round((np.clip(held, lowest, highest) - lowest) / step).astype(
            int
        )  # a run may fill in meanwhile
        counts += np.bincount(steps, weights=areas, minlength=counts.size)
        for threshold in above:
            above[threshold] += float(areas[held > threshold].sum())
    if not cells:
        none = float("nan")
        return AreaStatistics(
            cells=0, without=without, mean=none, lowest=none, highest=none,
            quantiles=(none,) * len(QUANTILES), above=dict.fromkeys(above, none),
        )  # fmt: skip
    reached = np.searchsorted(np.cumsum(counts), np.array(QUANTILES) * counts.sum())
    return AreaStatistics(
        cells=cells,
        without=without,
        mean=total / weight,
        lowest=lowest,
        highest=highest,
        quantiles=tuple(float(min(lowest + step * n, highest)) for n in reached),
        above={threshold: part / weight for threshold, part in above.items()},
    )


def _range(read: Reader, window: Window, go_on: GoOn) -> tuple[float, float]:
    lowest, highest = np.inf, -np.inf
    for rows in window.bands(go_on):
        values = read(rows, window.cols)
        values = values[np.isfinite(values)]
        if values.size:
            lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
    return lowest, highest
