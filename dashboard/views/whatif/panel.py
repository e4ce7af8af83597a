"""The panel "What if?": what may be changed, how far the answer is, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import panel as pn
import panel_material_ui as pmui

from cranpm._progress import duration

from ...changes import CHANGES, Change, Steps, steps_of
from ...markup import Html, Markup, without_paths
from ...state import State
from ...theme import SOFT
from ..controls import heading

if TYPE_CHECKING:
    from cranpm.forecasting.service.run_folder import RunStatus

_TEXT = Markup(f"<div class='cranpm-whatif' style='font-size:12px;line-height:1.4;{SOFT}'>{{}}</div>")
_HINT = "What would the network have forecast? Change something; the map shows the difference, tiles in view first."


class WhatIfPanel:
    """A section of the column of controls that writes ``state.whatif``.

    Parameters
    ----------
    state : State
    on_view, on_all : callable
        Called when tiles in view, and those of the whole domain, are asked for.
    """

    def __init__(self, state: State, *, on_view: Callable[[], None], on_all: Callable[[], None]) -> None:
        self._state = state
        self._before: list[Steps] = []
        self._settling = False
        self.controls = {name: _control(change) for name, change in CHANGES.items()}
        self.undo = _button("Undo", "undo", self._undo)
        self.reset = _button("Reset", "restart_alt", self._reset)
        self.view = _button("What is in view", "crop_free", on_view)
        self.all = _button("Whole domain", "public", on_all)
        self.bar = pmui.LinearProgress(
            value=0, variant="determinate", sizing_mode="stretch_width", margin=(6, 16, 0, 16), visible=False
        )
        self.text = Html("", margin=(4, 16, 2, 16), sizing_mode="stretch_width")
        groups: dict[str, list[pmui.Switch | pmui.FloatSlider]] = {}
        for name, change in CHANGES.items():
            groups.setdefault(change.group, []).append(self.controls[name])
        self._parts = pn.Column(
            *(
                part
                for group, controls in groups.items()
                for part in (heading(group), *controls)
            ),
            pn.Row(self.undo, self.reset, margin=(4, 10, 0, 10)),
            pn.Row(self.view, self.all, margin=(0, 10, 0, 10)),
            sizing_mode="stretch_width",
            margin=0,
        )  # fmt: skip
        self.card = pmui.Accordion(
            ("Switches and sliders", self._parts),
            active=[0] if state.asks_whatif else [],
            disable_gutters=True,
            elevation=0,
            title_variant="body2",
            margin=(2, 8, 0, 8),
            sizing_mode="stretch_width",
            sx={"& .MuiAccordionSummary-root": {"minHeight": "34px", "fontSize": "13px"}},
        )
        self.root = pn.Column(
            heading("What if?"), self.text, self.bar, self.card, sizing_mode="stretch_width", margin=0
        )
        for name, control in self.controls.items():
            control.param.watch(lambda _event: self._changed(), _watched(CHANGES[name]))
        state.param.watch(lambda _event: self._follow(), "whatif")
        self._follow()
        self.show(None)

    # -- what the network has ------------------------------------------------------------------------------------

    def offer(self, parts: Mapping[str, bool]) -> None:
        """Show the switches of those parts only that the network has; unknown ones are shown."""
        for name, change in CHANGES.items():
            if change.needs:
                self.controls[name].visible = parts.get(change.needs, True)

    # -- from the state, and back --------------------------------------------------------------------------------

    def _follow(self) -> None:
        values = dict(self._state.whatif)
        self._settling = True
        for name, change in CHANGES.items():
            value = values.get(name, change.neutral)
            control = self.controls[name]
            control.value = (value != change.neutral) if change.is_switch else value
        self._settling = False
        self.reset.disabled = not values
        self.undo.disabled = not self._before
        self.view.disabled = self.all.disabled = not values

    def _changed(self) -> None:
        if self._settling:
            return
        values = {}
        for name, change in CHANGES.items():
            value = self.controls[name].value
            values[name] = (
                (change.switched if value else change.neutral) if change.is_switch else float(value)
            )
        self._go(steps_of(values))

    def _go(self, steps: Steps) -> None:
        if steps == self._state.whatif:
            return
        self._before.append(self._state.whatif)
        self._show_steps(steps)

    def _undo(self) -> None:
        if self._before:
            steps = self._before.pop()
            self._show_steps(steps)
            self.undo.disabled = not self._before

    def _show_steps(self, steps: Steps) -> None:
        """The map shows the difference, unless the answer stands beside it as B already."""
        state = self._state
        as_b = state.asks_whatif and state.layer != "whatif"
        layer = state.layer if as_b else "whatif" if steps else "forecast"
        state.param.update(whatif=steps, layer=layer)

    def _reset(self) -> None:
        self._go(())

    # -- how far it is -------------------------------------------------------------------------------------------

    def show(self, status: RunStatus | None, *, note: str = "", tiles_left_out: int = 0) -> None:
        """Show the state of a what-if; ``note`` says what it waits for."""
        busy = status is not None and not status.finished
        self.bar.visible = busy or bool(note)
        known = status is not None and status.done_tiles > 0
        self.bar.variant = "determinate" if known else "indeterminate"
        more = (
            f" {tiles_left_out} more in view: move closer, or ask for the whole domain."
            if tiles_left_out
            else ""
        )
        if note:
            text = note
        elif status is None:
            text = _HINT
        elif status.state in ("queued", "running"):
            self.bar.value = int(100 * status.done_tiles / max(status.total_tiles, 1))
            left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)} left"
            text = f"{status.done_tiles} of {status.total_tiles or '…'} tiles{left}.{more}"
        elif status.state == "done":
            text = f"{status.done_tiles} tiles in {duration(status.seconds)}.{more}"
        elif status.state == "cancelled":
            text = "Cancelled."
        else:
            text = f"The what-if stopped: {without_paths(status.message or 'no reason given')}"
        said = _TEXT.format(text)
        if self.text.object != said:
            self.text.object = said


def _watched(change: Change) -> str:
    """A slider counts when it is let go."""
    return "value" if change.is_switch else "value_throttled"


def _control(change: Change) -> pmui.Switch | pmui.FloatSlider:
    if change.is_switch:
        return pmui.Switch(label=change.title, value=False, margin=(0, 16, 0, 16), size="small")
    units = f" [{change.units}]" if change.units else ""
    return pmui.FloatSlider(
        label=f"{change.title}{units}", start=change.low, end=change.high, step=change.step, value=change.neutral,
        size="small", sizing_mode="stretch_width", margin=(4, 22, 0, 22),
    )  # fmt: skip


def _button(label: str, icon: str, action: Callable[[], None]) -> pmui.Button:
    button = pmui.Button(label=label, icon=icon, size="small", variant="text", margin=(2, 2))
    button.on_click(lambda _event: action())
    return button
