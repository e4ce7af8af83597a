"""How the forecast of a day scores in an area, beside persistence and CAMS: against the target and at stations."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cranpm.plot.pyramid import Reader
from cranpm.verification.structure import RADIUS, ssim_map
from cranpm.verification.sums import PairSums

from ...state import State
from ..fields import FieldUnavailableError
from ..stations import station_day
from ..store import Store
from .window import BAND, GoOn, Window, cams_cells

LARGEST_SSIM = 4_000_000
"""Cells of the largest area whose structural similarity is computed: 2,000 x 2,000 km in a few seconds."""


@dataclass(frozen=True, kw_only=True)
class AreaScores:
    """Scores of one day and lead time; all methods on the same cells and on the same stations.

    ``missing`` counts land cells of the window that are left out because one of the fields has no value there.
    ``similarity`` is empty where the area is too large for it.
    """

    methods: tuple[str, ...]
    cells: dict[str, PairSums]
    missing: int
    similarity: dict[str, float]
    stations: dict[str, PairSums] = field(default_factory=dict)


def area_scores(
    store: Store, state: State, forecast: Reader | None, window: Window, go_on: GoOn
) -> AreaScores:
    """Scores in a window.

    Parameters
    ----------
    state : State
        Dataset, init day, lead time, and the filters of stations.
    forecast : callable or None
        Reads the forecast of that lead time; None where there is none, then baselines alone are scored.

    Raises
    ------
    FieldUnavailableError
        If the dataset lacks the init day or the valid day.
    """
    fields = _Fields(store, state, forecast)
    land = store.land(state.dataset)
    wants_ssim = window.cells <= LARGEST_SSIM
    sums: dict[str, PairSums] = {}
    totals, counts, missing = dict.fromkeys(fields.methods, 0.0), 0, 0
    for rows in window.bands(go_on):
        halo = RADIUS if wants_ssim else 0
        wide = slice(max(rows.start - halo, window.rows.start), min(rows.stop + halo, window.rows.stop))
        target, values = fields.read(wide, window.cols)
        on_land = np.isfinite(land.window(0, wide, window.cols))
        common = on_land & np.isfinite(target)
        for each in values.values():
            common &= np.isfinite(each)
        inner = slice(rows.start - wide.start, rows.stop - wide.start)
        missing += int(np.count_nonzero(on_land[inner] & ~common[inner]))
        counts += int(np.count_nonzero(common[inner]))
        reference = np.where(common, target, np.nan)
        for name, each in values.items():
            part = PairSums.of(each[inner][common[inner]], target[inner][common[inner]])
            sums[name] = sums[name] + part if name in sums else part
            if wants_ssim and common[inner].any():
                similar = ssim_map(np.where(common, each, np.nan), reference)[inner]
                totals[name] += float(np.nansum(similar))
    similarity = {name: total / counts for name, total in totals.items()} if wants_ssim and counts else {}
    return AreaScores(
        methods=fields.methods,
        cells=sums,
        missing=missing,
        similarity=similarity,
        stations=_at_stations(store, state, fields, window),
    )


def _at_stations(store: Store, state: State, fields: _Fields, window: Window) -> dict[str, PairSums]:
    """Sums over the chosen stations in a window that reported on the valid day."""
    table = station_day(store, state, state.valid_time)
    grid = store.dataset(state.dataset).domain.fine
    table = table[grid.contains(table["latitude"].to_numpy(), table["longitude"].to_numpy())]
    rows, cols = grid.cells_of(table["latitude"].to_numpy(), table["longitude"].to_numpy())
    inside = (rows >= window.rows.start) & (rows < window.rows.stop)
    inside &= (cols >= window.cols.start) & (cols < window.cols.stop)
    if not inside.any():
        return {}
    observed = table["pm2p5"].to_numpy(float)[inside]
    found = fields.at_cells(rows[inside], cols[inside])
    common = np.isfinite(observed)
    for values in found.values():
        common &= np.isfinite(values)
    return {name: PairSums.of(values[common], observed[common]) for name, values in found.items()}


class _Fields:
    """Target and methods of one day and lead time, by window."""

    def __init__(self, store: Store, state: State, forecast: Reader | None) -> None:
        self._dataset = store.dataset(state.dataset)
        self._init, self._valid = (np.datetime64(day, "D") for day in (state.init_time, state.valid_time))
        for day in (self._init, self._valid):
            if day not in self._dataset.days:
                raise FieldUnavailableError(
                    f"No target for {day}: scores need the init day and the valid day in the dataset."
                )
        self._cams = self._dataset.cams_forecast(self._init)[int(state.lead_time) - 1]
        self._forecast = forecast
        names = ("persistence", "cams_forecast")
        self.methods = names if forecast is None else ("forecast", *names)

    def read(self, rows: slice, cols: slice) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Target and methods on a window [ug m-3]."""
        target = self._dataset.pm2p5(self._valid, rows, cols).to_numpy()
        return target, self._methods(rows, cols)

    def _methods(self, rows: slice, cols: slice) -> dict[str, np.ndarray]:
        found = {} if self._forecast is None else {"forecast": self._forecast(rows, cols)}
        found["persistence"] = self._dataset.pm2p5(self._init, rows, cols).to_numpy()
        found["cams_forecast"] = cams_cells(self._dataset.domain, self._cams, rows, cols)
        return found

    def at_cells(self, rows: np.ndarray, cols: np.ndarray) -> dict[str, np.ndarray]:
        """Methods at single cells; cells of one band are read together."""
        out = {name: np.full(rows.size, np.nan) for name in self.methods}
        for band in np.unique(rows // BAND):
            chosen = np.flatnonzero(rows // BAND == band)
            first, left = rows[chosen].min(), cols[chosen].min()
            window = slice(first, rows[chosen].max() + 1), slice(left, cols[chosen].max() + 1)
            for name, values in self._methods(*window).items():
                out[name][chosen] = values[rows[chosen] - first, cols[chosen] - left]
        return out
