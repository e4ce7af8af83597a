"""Which of two maps is nearer to the stations: the change of the error at each, and its mean with an interval.

Neighbouring stations share their weather, so boxes of 2 degrees are redrawn and not single stations. A day is one draw
of the weather all the same: an interval of one day says nothing of other days, and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cranpm.domain.resampling import bootstrap_indices, central_interval

from ..state import State
from .fields import Field
from .stations import station_rows
from .store import Store

BOX_DEGREES = 2.0
"""Side of the boxes that are redrawn together."""

MIN_BOXES = 5
"""Fewer boxes give no interval."""

REPEATS = 1000


@dataclass(frozen=True, kw_only=True)
class ErrorChange:
    """|error of A| - |error of B| at stations [ug m-3]: above zero, B is nearer to what was observed.

    ``table`` has the columns of the station table, ``observed``, ``a``, ``b`` and ``change``; a row for each station
    that has all of them. ``mean`` is over stations; ``low`` and ``high`` bound 95 % of the redrawn means, NaN where
    there are too few boxes.
    """

    table: pd.DataFrame
    mean: float
    low: float
    high: float
    boxes: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return bool(self.low > 0 or self.high < 0)

    @property
    def nearer(self) -> tuple[int, int]:
        """At how many stations A, and B, is nearer."""
        change = self.table["change"].to_numpy()
        return int((change < 0).sum()), int((change > 0).sum())


def mean_by_box(
    values: npt.ArrayLike, lat: npt.ArrayLike, lon: npt.ArrayLike
) -> tuple[float, float, float, int]:
    """Mean of values at places, ends of its 95 % interval, and the number of boxes redrawn for it."""
    values = np.asarray(values, float)
    if not values.size:
        return float("nan"), float("nan"), float("nan"), 0
    corners = np.floor(np.stack([np.asarray(lat, float), np.asarray(lon, float)]) / BOX_DEGREES)
    _, box = np.unique(corners, axis=1, return_inverse=True)
    box = box.reshape(-1)
    sums, counts = np.bincount(box, weights=values), np.bincount(box)
    low = high = float("nan")
    if len(counts) >= MIN_BOXES:
        drawn = bootstrap_indices(len(counts), REPEATS, np.random.default_rng(0))
        low, high = central_interval(sums[drawn].sum(1) / counts[drawn].sum(1))
    return float(values.mean()), low, high, len(counts)


def error_change(store: Store, state: State, first: Field, second: Field) -> ErrorChange | None:
    """The change of errors from map A to map B at the chosen stations; None where none reported on their day.

    Parameters
    ----------
    state : State
        A's, with the choice of stations; both maps are concentrations of its `shown_time`.
    """
    a, b = (station_rows(store, state, state.shown_time, field) for field in (first, second))
    table = a.rename(columns={"shown": "a"}).assign(b=b["shown"])
    change = (table["a"] - table["observed"]).abs() - (table["b"] - table["observed"]).abs()
    table = table.assign(change=change.astype(float)).dropna(subset=["change"]).reset_index(drop=True)
    if table.empty:
        return None
    mean, low, high, boxes = mean_by_box(table["change"], table["latitude"], table["longitude"])
    return ErrorChange(table=table, mean=mean, low=low, high=high, boxes=boxes)
