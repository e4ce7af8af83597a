"""Reads where a place looks from the run on the map: once per place, for the overlay and the drawer alike."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import panel as pn

from ...background import Latest
from ...data.pictures import Picture
from ...data.store import Store
from ...markup import without_paths

if TYPE_CHECKING:
    from cranpm.forecasting.attention import Footprint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """What is known of a place: its footprint and the day's wind at the coarse nodes, or why there is none."""

    footprint: Footprint | None = None
    wind: np.ndarray | None = None
    message: str = ""
    picture: Picture | None = None


class FootprintReader:
    """Keeps ``look``, that of the place asked for last, and tells ``listeners`` of another."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._questions = Latest(pn.state.curdoc)
        self._asked: tuple[object, ...] = ()
        self.look = Look()
        self.listeners: list[Callable[[Look], None]] = []

    def ask(self, picture: Picture) -> None:
        """Read the footprint of a picture's place, unless that is what there is."""
        state, run = picture.state, picture.run
        if state.place is None:
            return
        if run is None or run.state != "done":
            self._asked = ()
            self._tell(Look(message="Attention is there when the forecast is done.", picture=picture))
            return
        question = (run.id, int(state.lead_time), state.place)
        if question == self._asked:
            return
        self._asked = question
        self._tell(Look(message="Reading the run's tensors …", picture=picture))
        lat, lon = state.place

        def read() -> tuple[Footprint, np.ndarray]:
            wind = self._store.dataset(state.dataset).era5(np.datetime64(state.init_time, "D"))[:2]
            return cast("Footprint", run.attention(int(state.lead_time), lat, lon)), wind

        def then(answer: tuple[Footprint, np.ndarray] | None, error: BaseException | None) -> None:
            if question != self._asked:  # somebody has clicked elsewhere meanwhile
                return
            if answer is None:
                log.warning("No attention", exc_info=error)
                self._tell(Look(message=without_paths(str(error) or type(error).__name__), picture=picture))
            else:
                self._tell(Look(*answer, picture=picture))

        self._questions.ask(read, then)

    def _tell(self, look: Look) -> None:
        self.look = look
        for listener in self.listeners:
            listener(look)
