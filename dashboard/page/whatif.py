"""The what-if of one page: asked once the forecast is there, tiles in view first, watched and left like a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import panel as pn

from ..background import POLL_MILLISECONDS, in_page
from ..data.forecasts import Forecasts
from ..data.whatif import MAX_TILES, WhatIf
from ..state import State
from ..views.whatif.panel import WhatIfPanel

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run


class PageWhatIf:
    """Keeps ``current``, the difference that answers the state's what-if, or None.

    Parameters
    ----------
    state : State
    forecasts : Forecasts
    panel : WhatIfPanel
        Shows how far it is.
    base : callable
        Gives the forecast's run, or None.
    tiles : callable
        Numbers of the tiles in view, nearest to its middle first.
    on_change : callable
        Called when there is something new to draw.
    """

    def __init__(
        self,
        state: State,
        forecasts: Forecasts,
        panel: WhatIfPanel,
        *,
        base: Callable[[], Run | None],
        tiles: Callable[[], list[int]],
        on_change: Callable[[], None],
    ) -> None:
        self.current: WhatIf | None = None
        self._state, self._forecasts, self._panel = state, forecasts, panel
        self._base, self._tiles, self._on_change = base, tiles, on_change
        self._document = pn.state.curdoc
        self._lock = threading.Lock()
        self._asked: tuple[Any, ...] = ()
        self._about: tuple[Any, ...] = ()
        self._left_out = 0
        self._poll: Any = None
        self._closed = False

    def close(self) -> None:
        """The page is gone."""
        with self._lock:
            self._closed = True
        self._stop_polling()
        self._drop()

    @property
    def answer(self) -> WhatIf | None:
        """The difference to show: that of the present question, once it has a tile."""
        found, base = self.current, self._base()
        if found is None or base is None or (found.base.id, *self._about[1:]) != self._question(base):
            return None
        return found if found.status.done_tiles or found.status.finished else None

    def update(self) -> None:
        """Another question, another forecast, or the forecast has ended: ask for the tiles in view if need be."""
        if not self._state.asks_whatif or not self._state.whatif:
            if self.current is not None and not self.current.status.finished:
                self._drop()
                self._asked = ()
            self._stop_polling()
            self._panel.show(None)
            return
        base = self._base()
        if base is None or base.state != "done":
            self._panel.show(None, note="The forecast comes first; what is changed is compared with it.")
            return
        if self._question(base) != self._asked:
            self.ask_view()

    def ask_view(self) -> None:
        """Forecast the tiles in view anew."""
        in_view = self._tiles()
        self._left_out = max(len(in_view) - MAX_TILES, 0)
        self._ask(in_view[:MAX_TILES])

    def ask_all(self) -> None:
        """Forecast the whole domain anew, tiles in view first."""
        self._left_out = 0
        self._ask(None)

    def _question(self, base: Run) -> tuple[Any, ...]:
        return base.id, int(self._state.lead_time), self._state.whatif

    def _ask(self, tiles: list[int] | None) -> None:
        state, base = self._state, self._base()
        if base is None or base.state != "done" or not state.whatif:
            return
        question = self._asked = self._question(base)
        self._panel.show(None, note="Asking …")

        def then(run: Run | None, error: BaseException | None) -> None:
            with self._lock:
                closed = self._closed
            if closed:
                if run is not None:
                    self._forecasts.leave(run)
                return
            in_page(self._document, lambda: self._started(question, base, run, error))

        self._forecasts.submit(
            state.dataset,
            state.checkpoint,
            state.init_time,
            then=then,
            leads=(int(state.lead_time),),
            first=self._tiles() if tiles is None else tiles,
            tiles=tiles,
            interventions=state.whatif,
        )

    def _started(
        self, question: tuple[Any, ...], base: Run, run: Run | None, error: BaseException | None
    ) -> None:
        if question != self._asked or not self._state.asks_whatif:  # something else is asked by now
            if run is not None:
                self._forecasts.leave(run)
            self.update()
            return
        if run is None:
            self._panel.show(None, note=f"The what-if could not start: {error or type(error).__name__}")
            return
        if self.current is None or self.current.changed is not run:
            self._drop()
        self.current, self._about = WhatIf(run, base), question
        self.poll()
        if self._poll is None and not self.current.status.finished:
            self._poll = pn.state.add_periodic_callback(
                lambda: in_page(self._document, self.poll), period=POLL_MILLISECONDS
            )

    def poll(self) -> None:
        """Take in how far it is."""
        if self.current is None:
            return
        status = self.current.status
        self._panel.show(status, tiles_left_out=self._left_out)
        self._on_change()
        if status.finished:
            self._stop_polling()

    def _drop(self) -> None:
        """Watch the present one no more."""
        before, self.current = self.current, None
        if before is not None:
            self._forecasts.leave(before.changed)

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
