"""Checkpoint picker, "run forecast" and the strip that shows how far a run is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import panel as pn
import panel_material_ui as pmui

from cranpm._progress import duration

from ..markup import Html, Markup, without_paths
from ..state import State
from .controls import heading

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run
    from cranpm.forecasting.service.run_folder import RunCost, RunStatus

NO_CHECKPOINT = Markup(
    "No checkpoint found, so nothing can be forecast. Train one with <code>cranpm train</code>, or put a "
    "checkpoint's folder into <code>checkpoints/</code>."
)


_BUDGET = Markup(
    "<div class='cranpm-budget' style='font-size:12px;color:var(--mui-palette-text-secondary)' "
    "title='Seconds of the tiles without loading, and the most memory that the process which forecasts has held'>"
    "{}</div>"
)


class ModelControls:
    """What forecasts, and how far it is."""

    def __init__(
        self,
        state: State,
        checkpoints: Sequence[str],
        *,
        on_run: Callable[[], None],
        on_cancel: Callable[[], None],
        expected: Callable[[], RunCost | None] = lambda: None,
    ) -> None:
        self.picker = pmui.Select.from_param(
            state.param.checkpoint,
            label="Checkpoint",
            description="",
            options=list(checkpoints) or [""],
            size="small",
            sizing_mode="stretch_width",
            margin=(8, 16, 4, 16),
            disabled=not checkpoints,
        )
        self.run = pmui.Button(
            label="Run forecast", icon="bolt", variant="contained", size="small", sizing_mode="stretch_width",
            margin=(4, 16, 4, 16), disabled=not checkpoints,
        )  # fmt: skip
        self.run.on_click(lambda _event: on_run())
        self.bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(6, 16, 0, 16), visible=False
        )
        self.text = Html("", margin=(2, 16, 0, 16), sizing_mode="stretch_width")
        self.budget = Html("", margin=(2, 16, 0, 16), sizing_mode="stretch_width")
        self._expected = expected
        self.cancel = pmui.Button(
            label="Cancel", variant="text", size="small", margin=(0, 12, 0, 12), visible=False, icon="close"
        )
        self.cancel.on_click(lambda _event: on_cancel())
        self.root = pn.Column(
            heading("Forecast"), self.picker, self.run, self.bar, self.text, self.budget, self.cancel,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._nothing: str | Markup = "" if checkpoints else NO_CHECKPOINT
        self._say(self._nothing)

    def show(self, run: Run | None, *, starting: bool = False, position: int = 0) -> None:
        """Show the state of a run, or that there is none."""
        status = run.status if run is not None else None
        self._tell_cost(run, status)
        busy = starting or (status is not None and status.state in ("queued", "running"))
        self.run.visible = not busy
        self.cancel.visible = busy
        self.bar.visible = busy
        if starting or status is None or status.state == "queued":
            self.bar.variant = "indeterminate"
        if status is None:
            self.run.label = "Run forecast"
        elif not starting and status.state == "running":
            self.bar.variant = "determinate" if status.done_tiles else "indeterminate"
            self.bar.value = int(100 * status.done_tiles / max(status.total_tiles, 1))
        elif not busy:
            self.run.label = "Run again" if status.state in ("failed", "cancelled") else "Run forecast"
            self.run.visible = status.state != "done"
        self._say(progress_words(status, starting=starting, position=position) or self._nothing)

    def show_left(self) -> None:
        """Show that the run goes on for others."""
        self.show(None)
        self._say(
            "Another page still waits for this forecast, so it goes on. “Run forecast” shows it here again."
        )

    def failed(self, message: str) -> None:
        """Show why a forecast could not be started."""
        self.show(None)
        self._say(f"The forecast could not start: {without_paths(message)}")

    def _tell_cost(self, run: Run | None, status: RunStatus | None) -> None:
        if not self.picker.options[0]:
            return  # no checkpoint, no cost
        expected = self._expected() if run is None else run.expected
        text = _BUDGET.format(cost_words(status, expected))
        if self.budget.object != text:
            self.budget.object = text

    def _say(self, words: str | Markup) -> None:
        text = Markup(
            "<div class='cranpm-run' style='font-size:12px;color:var(--mui-palette-text-secondary)'>{}</div>"
        ).format(words)
        if self.text.object != text:
            self.text.object = text


def progress_words(status: RunStatus | None, *, starting: bool, position: int) -> str | Markup:
    """How far a run is, in words; empty where there is none."""
    if starting:
        return "Starting the forecast worker …"
    if status is None:
        return ""
    if status.state == "queued":
        several = "s" if position != 1 else ""
        return f"Waiting: {f'{position} forecast{several} ahead' if position else 'loading the network'} …"
    if status.state != "running":
        return _ended(status)
    left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)} left"
    tiles = Markup("<b>{} of {}</b> tiles{}").format(status.done_tiles, status.total_tiles, left)
    return Markup("{} · {}").format(tiles if status.total_tiles else "Reading the day …", status.device)


def cost_words(status: RunStatus | None, expected: RunCost | None) -> str:
    """Seconds and MiB of a forecast: those expected before it ends, and beside them those it took.

    Parameters
    ----------
    status : RunStatus or None
        Of the forecast; None before there is one.
    expected : RunCost or None
        What the last forecast like it took; None where there was none.
    """
    if status is None or status.state != "done":
        if expected is None:
            return "Expected: not known, no earlier run is kept."
        return f"Expected {_cost(expected)} MiB, as the last run."
    if status.cost is None:
        took = f"Took {status.seconds:,.0f} s, memory not recorded"
    else:
        took = f"Took {_cost(status.cost)} MiB"
    return f"{took} (expected: {'not known' if expected is None else _cost(expected)})"


def _cost(cost: RunCost) -> str:
    return f"{cost.seconds:,.0f} s, {cost.memory / 2**20:,.0f}"


def _ended(status: RunStatus) -> str:
    if status.state == "done":
        return (
            f"T+1 to T+3 ready: {status.done_tiles} tiles in {duration(status.seconds)} on {status.device}."
        )
    if status.state == "cancelled":
        return f"Cancelled after {status.done_tiles} of {status.total_tiles} tiles."
    return f"The forecast stopped: {without_paths(status.message or 'no reason given')}"
