"""What is known of one station: pairs of forecasts and observations, their scores, its terrain and surroundings."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError, StoreError
from cranpm.domain.eaqi import EAQI_CLASSES, eaqi_class
from cranpm.forecasting.place_series import value_between_nodes
from cranpm.plot.series import METHODS
from cranpm.verification.bootstrap import Interval, block_bootstrap
from cranpm.verification.evaluate import BLOCK_DAYS, COARSE_CELLS
from cranpm.verification.fairmode import TargetPoint, target_point
from cranpm.verification.sums import PairSums

from ..state import LEADS
from .fields import FieldUnavailableError
from .store import Store

if TYPE_CHECKING:
    from cranpm.data.store.tables import StationRow
    from cranpm.forecasting.array_file import ArrayFile

log = logging.getLogger(__name__)

DAYS_SCORED = 60
"""Held days that a card reads at most: the last ones up to three days after the init day."""

DAYS_FOR_INTERVAL = 5
"""Fewer days give no interval: redrawing two or three of them says nothing."""

COMPARED: dict[str, str] = {**METHODS, "target": "Target of the day"}
"""Columns of pairs that are held against the station, in the order of tables."""


class Maps(Protocol):
    """A finished run, as far as a card needs it."""

    def open_map(self, lead: int) -> ArrayFile:
        """The map of one lead time, read window by window."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A method at a station on some days [ug m-3]; ``rmse`` with its interval, NaN where there are too few days."""

    method: str
    days: int
    bias: float
    rmse: Interval
    correlation: float


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The cell that holds the station, beside 25 x 25 cells around it and beside the station itself.

    ``cell``, ``around`` and ``spread`` are means over ``days`` days of the cell's target, of the mean of the cells
    around it, and of their standard deviation [ug m-3]; ``cells`` have a value. Heights in m.
    """

    cell: float
    around: float
    spread: float
    cells: int
    days: int
    height_of_station: float
    height_of_cell: float
    height_around: float


@dataclass(frozen=True, kw_only=True)
class StationCard:
    """One station.

    ``pairs`` has a row for each init day and lead time: ``init_time``, ``lead``, ``valid``, ``observed`` and a column
    for each of `COMPARED` [ug m-3]; NaN where there is none. ``unreadable`` names days that are damaged.
    """

    station: StationRow
    pairs: pd.DataFrame
    surroundings: Surroundings
    unreadable: tuple[str, ...] = field(default=())

    def of_lead(self, lead: int, *methods: str) -> pd.DataFrame:
        """Pairs of a lead time on the days that the station and all these methods have."""
        pairs = self.pairs[self.pairs["lead"] == lead]
        return pairs.dropna(subset=["observed", *methods])

    def scores(self, lead: int, methods: Sequence[str]) -> list[Score]:
        """Scores of methods, all on the same days."""
        pairs = self.of_lead(lead, *methods)
        return [_score(pairs, method) for method in methods] if len(pairs) else []

    def target_points(self, lead: int, methods: Sequence[str]) -> dict[str, TargetPoint]:
        """FAIRMODE's target diagram for methods, all on the same days."""
        pairs = self.of_lead(lead, *methods)
        return {name: target_point(pairs[name], pairs["observed"]) for name in methods} if len(pairs) else {}

    def classes(self, lead: int, method: str) -> np.ndarray:
        """Days by index class: observed (rows) and of a method (columns), int (6, 6)."""
        pairs = self.of_lead(lead, method)
        seen, said = eaqi_class(pairs["observed"]), eaqi_class(pairs[method])
        counts = np.zeros((len(EAQI_CLASSES),) * 2, int)
        both = (seen > 0) & (said > 0)
        np.add.at(counts, (seen[both] - 1, said[both] - 1), 1)
        return counts


def _score(pairs: pd.DataFrame, method: str) -> Score:
    values, observed = pairs[method].to_numpy(), pairs["observed"].to_numpy()
    days = len(pairs)
    pooled = PairSums.of(values, observed)
    interval = Interval(
        estimate=float(pooled.rmse), low=np.nan, high=np.nan, level=0.95, days=days, block_days=1
    )
    if days >= DAYS_FOR_INTERVAL:
        daily = PairSums.stack([PairSums.of(one, other) for one, other in zip(values, observed)])
        interval = block_bootstrap(
            lambda sums: float(sums.rmse), daily, block_days=min(BLOCK_DAYS, days // 2), repeats=500
        )
    return Score(
        method=method,
        days=days,
        bias=float(pooled.bias),
        rmse=interval,
        correlation=float(pooled.correlation) if days > 2 else float("nan"),
    )


def days_scored(store: Store, dataset_name: str, init_time: dt.date) -> list[dt.date]:
    """Held days that a card of this init day reads."""
    last = init_time + dt.timedelta(days=max(LEADS))
    return [day for day in store.days(dataset_name) if day <= last][-DAYS_SCORED:]


def make_card(
    store: Store,
    dataset_name: str,
    station_id: str,
    days: Sequence[dt.date],
    runs: Mapping[dt.date, Maps],
) -> StationCard:
    """Read all that a card shows.

    Parameters
    ----------
    days : sequence of date
        Held days to read, see `days_scored`.
    runs : mapping of date to a finished run
        Forecasts that are there, by init day.

    Raises
    ------
    FieldUnavailableError
        If the dataset has no such station, or it lies outside the grid.
    """
    station = _station(store, dataset_name, station_id)
    reader = _Reader(store, dataset_name, station)
    windows = {day: window for day in days if (window := reader.window(day)) is not None}
    observed = reader.observed()
    rows = []
    for init in days:
        cams = reader.cams(init)
        for lead in LEADS:
            valid = init + dt.timedelta(days=lead)
            rows.append(
                {
                    "init_time": pd.Timestamp(init),
                    "lead": lead,
                    "valid": pd.Timestamp(valid),
                    "observed": observed.get(valid, np.nan),
                    "forecast": reader.forecast(runs[init], lead) if init in runs else np.nan,
                    "persistence": reader.centre(windows.get(init)),
                    "cams_forecast": cams[lead - 1],
                    "target": reader.centre(windows.get(valid)),
                }
            )
    return StationCard(
        station=station,
        pairs=pd.DataFrame(rows),
        surroundings=reader.surroundings(list(windows.values())),
        unreadable=tuple(dict.fromkeys(reader.unreadable)),
    )


def _station(store: Store, dataset_name: str, station_id: str) -> StationRow:
    stations = store.stations(dataset_name)
    found = stations[stations["station_id"] == station_id]
    if found.empty:
        raise FieldUnavailableError(f"There is no station “{station_id}” in this dataset.")
    station = found.iloc[0].to_dict()
    if not store.dataset(dataset_name).domain.fine.contains(station["latitude"], station["longitude"]):
        raise FieldUnavailableError(f"Station “{station_id}” lies outside the map.")
    return cast("StationRow", {str(name): value for name, value in station.items()})


class _Reader:
    """Values of a dataset at one station; what is damaged is NaN and named."""

    def __init__(self, store: Store, dataset_name: str, station: StationRow) -> None:
        self._store, self._name, self._station = store, dataset_name, station
        self._dataset = store.dataset(dataset_name)
        grid, box = self._dataset.domain.fine, self._dataset.domain.coarse_box
        at = float(station["latitude"]), float(station["longitude"])
        self._row, self._col = grid.index_of(*at)
        self._node = float(box.row_of(at[0])), float(box.col_of(at[1]))
        half = COARSE_CELLS // 2
        self._rows = slice(max(self._row - half, 0), min(self._row + half + 1, grid.rows))
        self._cols = slice(max(self._col - half, 0), min(self._col + half + 1, grid.cols))
        self.unreadable: list[str] = []

    def window(self, day: dt.date) -> np.ndarray | None:
        """Target around the station [ug m-3]; None where it cannot be read."""
        try:
            return self._dataset.pm2p5(np.datetime64(day, "D"), self._rows, self._cols).to_numpy()
        except StoreError as error:
            self._damaged(f"PM2.5 of {day}", error)
            return None

    def centre(self, window: np.ndarray | None) -> float:
        """Value of the station's own cell."""
        if window is None:
            return float("nan")
        return float(window[self._row - self._rows.start, self._col - self._cols.start])

    def cams(self, day: dt.date) -> list[float]:
        """The physical forecast by lead time, between its nodes."""
        try:
            fields = self._dataset.cams_forecast(np.datetime64(day, "D"))
        except StoreError as error:
            self._damaged(f"CAMS forecast of {day}", error)
            return [float("nan")] * len(LEADS)
        return [value_between_nodes(values, *self._node) for values in fields]

    def forecast(self, run: Maps, lead: int) -> float:
        """A run's forecast for the station's cell."""
        cell = slice(self._row, self._row + 1), slice(self._col, self._col + 1)
        try:
            found = run.open_map(lead)
            if found.shape != self._dataset.domain.fine.shape:
                return float("nan")
            return float(found.read(*cell)[0, 0])
        except (DataFileError, OSError) as error:  # removed or damaged meanwhile
            self._damaged("a forecast", error)
            return float("nan")

    def observed(self) -> dict[dt.date, float]:
        """Daily means of the station [ug m-3]."""
        try:
            seen = self._dataset.observations(station_id=str(self._station["station_id"]))
        except StoreError as error:
            self._damaged("station values", error)
            return {}
        when = pd.to_datetime(seen["time"]).dt.date
        return dict(zip(when, seen["pm2p5"].astype(float)))

    def surroundings(self, windows: Sequence[np.ndarray]) -> Surroundings:
        """Means over days of what lies around; heights of station, cell and surroundings."""
        counts = [int(np.isfinite(window).sum()) for window in windows]
        cells = np.array([self.centre(window) for window in windows])
        usable = [w for w, count, cell in zip(windows, counts, cells) if count and np.isfinite(cell)]

        def mean(values: Sequence[float]) -> float:
            return float(np.mean(values)) if len(values) else float("nan")

        return Surroundings(
            cell=mean([self.centre(window) for window in usable]),
            around=mean([float(np.nanmean(window)) for window in usable]),
            spread=mean([float(np.nanstd(window)) for window in usable]),
            cells=max(counts, default=0),
            days=len(usable),
            height_of_station=float(self._station["altitude"]),
            height_of_cell=self._store.elevation(self._name, self._row, self._col),
            height_around=self._store.mean_elevation(self._name, self._rows, self._cols),
        )

    def _damaged(self, what: str, error: Exception) -> None:
        log.warning("%s: %s", what, error)
        self.unreadable.append(what)
