"""What a page says about itself, and what the captions of the first minute do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cranpm.plot.mercator import from_mercator, mercator_extent

from ..data.store import Store
from ..state import State
from ..views.guide.first_minute import FirstMinute, header_button
from ..views.guide.summary import ViewSummary
from ..views.whatif.panel import WhatIfPanel

TIME_SERIES, ATTENTION = 0, 1
"""Tabs of a place, see `views.inspector`, which is not imported before it is wanted."""

SCORES = 1
"""Tab of an area, see `views.areas.panel`."""


class PageGuide:
    """Captions and summary of the view; presses of captions as changes of the page.

    ``captions`` go over the map, ``button`` into the header; the root of ``summary`` is only read out.

    Parameters
    ----------
    state : State
    store : Store
    view : callable
        What is in view (west, south, east, north) [degrees].
    pick : callable
        Opens a place (latitude, longitude).
    tabs : callable
        Gives the tabs of the drawer: those of a place for "place", those of an area for "area".
    whatif : WhatIfPanel
    show_controls : callable
        Brings the column of controls into sight.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        *,
        view: Callable[[], tuple[float, float, float, float]],
        pick: Callable[[float, float], Any],
        tabs: Callable[[str], Any],
        whatif: WhatIfPanel,
        show_controls: Callable[[], Any],
    ) -> None:
        self._state, self._store = state, store
        self._view, self._pick, self._tabs = view, pick, tabs
        self._whatif, self._show_controls = whatif, show_controls
        # a link that opens something is not to be covered
        self.captions = FirstMinute(on_press=self.press, welcome=state.place is None and not state.numbers)
        self.summary = ViewSummary(store)
        self.button = header_button("help_outline", "First steps", self.captions.toggle)

    def press(self, name: str) -> None:
        """Do what a caption says."""
        {"place": self._place, "why": self._why, "whatif": self._what_if, "scores": self._scores}[name]()

    def _place(self) -> None:
        self._tabs("place").active = TIME_SERIES
        self._pick(*place_to_show(self._store, self._state.dataset, self._view()))

    def _why(self) -> None:
        self._tabs("place").active = ATTENTION
        if self._state.place is None:
            self._pick(*place_to_show(self._store, self._state.dataset, self._view()))

    def _what_if(self) -> None:
        self._show_controls()
        self._whatif.card.active = [0]

    def _scores(self) -> None:
        self._tabs("area").active = SCORES
        self._state.param.update(place=None, station="", numbers=True)


def place_to_show(store: Store, dataset: str, view: tuple[float, float, float, float]) -> tuple[float, float]:
    """The station nearest to the middle of a view, among those in view; without any, the middle itself.

    At a station there is land, and something measured to compare with.
    """
    west, south, east, north = view
    left, bottom, right, top = mercator_extent(view)
    middle = from_mercator((left + right) / 2, (bottom + top) / 2)
    lat, lon = float(middle[0]), float(middle[1])
    stations = store.stations(dataset)
    grid = store.dataset(dataset).domain.fine
    lats, lons = (stations[name].to_numpy(float) for name in ("latitude", "longitude"))
    near = (lats >= south) & (lats <= north) & (lons >= west) & (lons <= east)
    near &= np.asarray(grid.contains(lats, lons), bool) if len(lats) else near
    if not near.any():
        return lat, lon
    away = np.hypot(lats - lat, (lons - lon) * np.cos(np.deg2rad(lat)))
    nearest = int(np.argmin(np.where(near, away, np.inf)))
    return float(lats[nearest]), float(lons[nearest])
