"""The stations on one page's map: the dataset's of the day shown, or those of an external file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cranpm.plot.style import ColourScale

from ..data.fields import FieldUnavailableError
from ..data.places import station_day
from ..data.store import Store
from ..state import State
from ..views.map import MapView

_UNREADABLE = (FieldUnavailableError, ValueError, OSError)


class PageStations:
    """Draws stations, and only when they differ from those that are drawn.

    Parameters
    ----------
    state : State
    store : Store
    map_view : MapView
    say : callable
        Shows a notice over the map.
    """

    def __init__(self, state: State, store: Store, map_view: MapView, say: Callable[[str], None]) -> None:
        self._state, self._store, self._map, self._say = state, store, map_view, say
        self._shown: tuple[Any, ...] = ()

    def note(self) -> str:
        """What must be said beside circles that are not of the map's day and world; empty where they are."""
        if not (self._state.station_file and self._state.stations):
            return ""
        try:
            _, day = self._store.station_file(self._state.station_file)
        except _UNREADABLE:
            return ""
        return f"Circles: real stations of {day.day} {day:%B %Y}, an external file: another day and world than the map."

    def show(self, scale: ColourScale) -> None:
        """Circles in the colours of the field; none on changes and errors, which are no concentrations."""
        state = self._state
        if not state.stations or state.layer in ("change", "error"):
            self._map.set_stations(None, scale)
            self._shown = ()
            return
        day = state.shown_time
        question = (day, tuple(state.station_types), scale.name, state.station_file)
        if question == self._shown:
            return
        self._shown = question
        if not state.station_file:
            stations = station_day(self._store, state.dataset, day, state.station_types)
            self._map.set_stations(stations, scale)
            return
        try:
            table, _ = self._store.station_file(state.station_file)
            self._map.set_stations(table, scale)
        except _UNREADABLE as error:
            self._say(str(error))
