"""The run behind the picture of one page: found again or started, watched while it fills in, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from ..background import in_page
from ..data.forecasts import Forecasts
from ..state import State
from ..views.model import ModelControls

POLL_MILLISECONDS = 350
NEEDS_RUN = ("forecast", "change", "error")


class PageRun:
    """Keeps ``current``, the run that answers the page's question (dataset, checkpoint, init day), or None.

    Parameters
    ----------
    state : State
    forecasts : Forecasts
    controls : ModelControls
        Shows how far the run is.
    first_tiles : callable
        Numbers of the tiles in view, to be forecast first.
    on_change : callable
        Called when there is something new to draw.
    """

    def __init__(
        self,
        state: State,
        forecasts: Forecasts,
        controls: ModelControls,
        *,
        first_tiles: Callable[[], list[int]],
        on_change: Callable[[], None],
    ) -> None:
        self.current: Any = None
        self._state, self._forecasts, self._controls = state, forecasts, controls
        self._first_tiles, self._on_change = first_tiles, on_change
        self._starting = self._asked_itself = self._cancel_at_start = False
        self._own = ""
        self._poll: Any = None
        self._document = pn.state.curdoc

    def question_changed(self) -> None:
        """Another day or checkpoint: show the run that answers it, or start one if the layer needs it."""
        state, run = self._state, self.current
        if run is not None and run.id == self._own and run.state in ("queued", "running"):
            run.cancel()  # nobody waits for it any more; tiles of another day would only delay this one
        self._own = ""
        self.current = (
            self._forecasts.find(state.dataset, state.checkpoint, state.init_time)
            if state.checkpoint
            else None
        )
        self._asked_itself = False
        self._controls.show(self.current)
        self._keep_polling()
        self.layer_changed()

    def layer_changed(self) -> None:
        """The first layer of a question that needs a forecast starts it; never twice, so a cancelled run stays so."""
        needed = self.current is None and self._state.layer in NEEDS_RUN and self._state.checkpoint
        if needed and not self._asked_itself:
            self._asked_itself = True
            self.ask()
        self._on_change()

    def ask(self) -> None:
        """Start a run of the present question."""
        state = self._state
        if self._starting or not state.checkpoint:
            return
        self._starting = True
        self._controls.show(None, starting=True)
        asked = state.init_time, state.checkpoint

        def then(run: Any, error: BaseException | None) -> None:
            in_page(self._document, lambda: self._started(asked, run, error))

        self._forecasts.submit(
            state.dataset, state.checkpoint, state.init_time, first=self._first_tiles(), then=then
        )

    def cancel(self) -> None:
        """Stop the run; one whose worker is still starting stops as soon as it exists."""
        self._cancel_at_start = self._starting
        if self.current is not None:
            self.current.cancel()

    def poll(self) -> None:
        """Take in how far the run is."""
        run = self.current
        self._controls.show(run, position=getattr(run, "position", 0) if run is not None else 0)
        self._on_change()
        self._keep_polling()

    def _started(self, asked: tuple[Any, str], run: Any, error: BaseException | None) -> None:
        self._starting = False
        if run is not None and self._cancel_at_start:
            run.cancel()
        self._cancel_at_start = False
        if asked != (self._state.init_time, self._state.checkpoint):
            self.question_changed()
            return
        if error is not None:
            self._controls.failed(str(error) or type(error).__name__)
            return
        self.current = run
        self._own = run.id
        self._controls.show(run)
        self._keep_polling()
        self._on_change()

    def _keep_polling(self) -> None:
        unfinished = self.current is not None and self.current.state in ("queued", "running")
        if unfinished and self._poll is None:
            self._poll = pn.state.add_periodic_callback(self.poll, period=POLL_MILLISECONDS)
        elif not unfinished and self._poll is not None:
            self._poll.stop()
            self._poll = None
