"""The second map B of one page: what it asks for, and its own run where A's does not answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..data.forecasts import Forecasts
from ..data.shown import Other
from ..data.store import Store
from ..data.whatif import ChangedForecast, WhatIf
from ..layers import WHATIF_BESIDE
from ..state import State
from ..views.compare.panel import ComparePanel
from .run import PageRun

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run


class PageCompare:
    """Keeps B's run: started when B needs a forecast that is not there, left when it is no longer looked at.

    Parameters
    ----------
    state : State
        Of the page.
    store : Store
    panel : ComparePanel
        Shows how far B's run is.
    base : callable
        Gives A's run, or None.
    whatif : callable
        Gives the answer of the what-if, or None.
    first_tiles : callable
        Numbers of the tiles in view, to be forecast first.
    on_change : callable
        Called when there is something new to draw.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        panel: ComparePanel,
        *,
        base: Callable[[], Run | None],
        whatif: Callable[[], WhatIf | None],
        first_tiles: Callable[[], list[int]],
        on_change: Callable[[], None],
    ) -> None:
        self._state, self._base, self._whatif = state, base, whatif
        self._asked = State(dataset=state.dataset, layer="today")
        # watched under a name of its own: to leave B's run is not to leave A's
        self.run = PageRun(
            self._asked,
            Forecasts(store, watcher=uuid4().hex),
            panel,
            first_tiles=first_tiles,
            on_change=on_change,
        )

    def open(self) -> None:
        """Somebody looks at the page."""
        self.update()
        self.run.open()

    def close(self) -> None:
        """The page is gone."""
        self.run.close()

    @property
    def other(self) -> Other | None:
        """What B shows; None where nothing is compared."""
        if not self._state.compare:
            return None
        state = State(**self._state.other)
        if state.layer == WHATIF_BESIDE.key:
            found = self._whatif()
            return Other(
                state=state, run=None if found is None else ChangedForecast(found.changed, found.base)
            )
        return Other(state=state, run=self._base() if self._is_answered_by_a else self.run.current)

    @property
    def _is_answered_by_a(self) -> bool:
        other = self._state.other
        return (other["init_time"], other["checkpoint"]) == (self._state.init_time, self._state.checkpoint)

    def update(self) -> None:
        """What is asked of B may have changed."""
        other = State(**self._state.other)
        own = bool(self._state.compare) and other.shown_layer.needs_run and not self._is_answered_by_a
        question: dict[str, Any] = {
            "init_time": other.init_time if own else None,
            "checkpoint": other.checkpoint if own else "",
            "layer": other.layer if own else "today",
        }
        before = self._asked.init_time, self._asked.checkpoint
        self._asked.param.update(**question)
        if before != (question["init_time"], question["checkpoint"]):
            self.run.question_changed()
