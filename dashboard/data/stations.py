"""Stations as the map and the table show them: filtered by kind and terrain, with what they saw on a day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from cranpm.data.store.tables import COMPLEX_TERRAIN

from ..state import STATION_AREAS, STATION_TYPES, State
from .fields import Field
from .store import Store


def chosen_stations(stations: pd.DataFrame, state: State) -> pd.DataFrame:
    """The stations that the filters of a page leave.

    A choice of everything leaves also those of which type, area or terrain is not known.
    """
    keep = np.ones(len(stations), bool)
    for column, chosen, known in (
        ("station_type", state.station_types, STATION_TYPES),
        ("area", state.station_areas, STATION_AREAS),
    ):
        if set(chosen) != set(known):
            keep &= stations[column].isin(chosen).to_numpy()
    if state.terrain:
        sigma = stations["terrain_complexity"].to_numpy(float)
        keep &= sigma < COMPLEX_TERRAIN if state.terrain == "flat" else sigma >= COMPLEX_TERRAIN
    return stations[keep]


def station_day(store: Store, state: State, day: dt.date) -> pd.DataFrame:
    """Chosen stations that reported on a day.

    Returns
    -------
    DataFrame
        The columns of the station table, ``pm2p5`` [ug m-3] and ``kind`` in words.
    """
    stations = chosen_stations(store.stations(state.dataset), state)
    seen = store.observations(state.dataset, day)
    table = stations.merge(seen[["station_id", "pm2p5"]], on="station_id", how="inner")
    return table.assign(kind=[_kind(*both) for both in zip(table["station_type"], table["area"])])


def station_rows(store: Store, state: State, day: dt.date, field: Field | None) -> pd.DataFrame:
    """Chosen stations inside the map, for a table: what they saw on a day, and what the map shows in their cells.

    Parameters
    ----------
    field : Field or None
        The concentrations on the map; None where there are none.

    Returns
    -------
    DataFrame
        The columns of the station table, ``observed``, ``shown`` and ``difference`` (shown minus observed) [ug m-3],
        NaN where there is no value.
    """
    stations = chosen_stations(store.stations(state.dataset), state)
    grid = store.dataset(state.dataset).domain.fine
    stations = stations[grid.contains(stations["latitude"].to_numpy(), stations["longitude"].to_numpy())]
    seen = store.observations(state.dataset, day)[["station_id", "pm2p5"]].rename(
        columns={"pm2p5": "observed"}
    )
    table = stations.merge(seen, on="station_id", how="left").reset_index(drop=True)
    shown = np.full(len(table), np.nan)
    if field is not None and len(table):
        cells = field.pyramid.grid  # a coarse layer has cells of its own
        rows, cols = cells.cells_of(table["latitude"].to_numpy(), table["longitude"].to_numpy())
        shown = np.array([field.pyramid.value(int(row), int(col)) for row, col in zip(rows, cols)])
    return table.assign(shown=shown, difference=shown - table["observed"].astype(float))


def _kind(station_type: object, area: object) -> str:
    known = [str(part) for part in (station_type, area) if isinstance(part, str) and part]
    return ", ".join(known) or "type unknown"
