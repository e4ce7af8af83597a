"""The run behind the picture of one page: found again or started, watched while it fills in, left when it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import panel as pn

from ..background import POLL_MILLISECONDS, in_page
from ..data.forecasts import Forecasts
from ..state import State

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run


class RunControls(Protocol):
    """What shows how far a run is."""

    def show(self, run: Run | None, *, starting: bool = False, position: int = 0) -> None:
        """The state of a run, or that there is none."""

    def show_left(self) -> None:
        """That the run goes on for others."""

    def failed(self, message: str) -> None:
        """Why it could not be started."""


class PageRun:
    """Keeps ``current``, the run that answers the page's question (dataset, checkpoint, init day), or None.

    The page watches that run and no other. A run that no page watches ends.

    Parameters
    ----------
    state : State
    forecasts : Forecasts
    controls : RunControls
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
        controls: RunControls,
        *,
        first_tiles: Callable[[], list[int]],
        on_change: Callable[[], None],
    ) -> None:
        self.current: Run | None = None
        self._state, self._forecasts, self._controls = state, forecasts, controls
        self._first_tiles, self._on_change = first_tiles, on_change
        self._open = self._starting = self._asked_itself = self._cancel_at_start = False
        self._under_way = False
        self._poll: Any = None
        self._document = pn.state.curdoc
        self._lock = threading.Lock()
        self._closed = False
        self._arriving: Run | None = None

    def open(self) -> None:
        """Somebody looks at the page: from now on it may start runs. A bare request of the document starts none."""
        self._open = True
        self._keep_polling()
        self.layer_changed()

    def close(self) -> None:
        """The page is gone."""
        with self._lock:
            self._closed = True
            watched = {run for run in (self.current, self._arriving) if run is not None}
            self.current = self._arriving = None
        self._stop_polling()
        for run in watched:
            self._forecasts.leave(run)

    def question_changed(self) -> None:
        """Another day or checkpoint: show the run that answers it, or start one if the layer needs it."""
        state = self._state
        self._take(
            self._forecasts.find(state.dataset, state.checkpoint, state.init_time)
            if state.checkpoint
            else None
        )
        self._asked_itself = False
        self._show(starting=self._starting)
        self._keep_polling()
        self.layer_changed()

    def layer_changed(self) -> None:
        """The first layer of a question that needs a forecast starts it; never twice, so a cancelled run stays so."""
        needed = self.current is None and self._state.needs_own_run and self._state.checkpoint
        if needed and self._open and not self._asked_itself:
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

        def then(run: Run | None, error: BaseException | None) -> None:
            with self._lock:
                closed, self._arriving = self._closed, run
            if closed:
                if run is not None:
                    self._forecasts.leave(run)
                return
            in_page(self._document, lambda: self._started(asked, run, error))

        self._forecasts.submit(
            state.dataset, state.checkpoint, state.init_time, first=self._first_tiles(), then=then
        )

    def cancel(self) -> None:
        """Stop waiting for the run; it ends unless another page waits for it, too."""
        self._cancel_at_start = self._starting
        run = self.current
        if run is None:
            return
        self._forecasts.leave(run)
        if run.status.finished:
            self.poll()
        else:
            self.current, self._asked_itself, self._under_way = None, True, False
            self._stop_polling()
            self._controls.show_left()
            self._on_change()

    def poll(self) -> None:
        """Take in how far the run is."""
        run = self.current
        if run is not None and run.state == "gone":
            self.question_changed()
            return
        self._show()
        self._on_change()
        self._keep_polling()

    def _take(self, run: Run | None) -> None:
        """Watch this run instead of the one before; ``run`` is watched already."""
        before, self.current = self.current, run
        if before is not None and before is not run:
            self._forecasts.leave(before)

    def _started(self, asked: tuple[Any, str], run: Run | None, error: BaseException | None) -> None:
        with self._lock:
            self._arriving = None
        self._starting = False
        cancelled, self._cancel_at_start = self._cancel_at_start, False
        if asked != (self._state.init_time, self._state.checkpoint):
            if run is not None and run is not self.current:
                self._forecasts.leave(run)
            self.question_changed()
            return
        if run is None:
            self._controls.failed(str(error) or type(error).__name__)
            return
        self._take(run)
        if cancelled:
            self.cancel()
            return
        self._show()
        self._keep_polling()
        self._on_change()

    def _show(self, *, starting: bool = False) -> None:
        run = self.current
        # asked before it is shown: a run that ends in between is looked at once more
        self._under_way = run is not None and run.state in ("queued", "running")
        self._controls.show(run, starting=starting, position=0 if run is None else run.position)

    def _keep_polling(self) -> None:
        # not before the page is open: what is changed while the browser mounts it can get lost
        unfinished = self._open and self._under_way
        if unfinished and self._poll is None:
            self._poll = pn.state.add_periodic_callback(self.poll, period=POLL_MILLISECONDS)
        elif not unfinished:
            self._stop_polling()

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
