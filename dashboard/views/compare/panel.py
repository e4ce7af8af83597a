"""The section "Compare": how a second map B is shown, what it is, and how far its forecast is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import panel as pn
import panel_material_ui as pmui

from ...data.pictures import Picture
from ...data.whatif import ChangedForecast
from ...layers import BESIDE, WHATIF_BESIDE, layer_of
from ...markup import Html, Markup, without_paths
from ...state import COMPARISONS, LEADS, State
from ...theme import SOFT
from ..controls import ROW, choice, heading
from ..model import progress_words
from .errors import errors_html

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

_TILES = (
    "B is there for {} of {} tiles; for others, press “What is in view” or “Whole domain” under “What if?”."
)

_BY_LENGTH = {
    "& .MuiToggleButton-root": ROW["sx"]["& .MuiToggleButton-root"]
    | {"flex": "1 1 auto", "width": "auto", "whiteSpace": "nowrap"}
}
"""Buttons as wide as their words: four of equal width would break the longest."""

_HOW_TO_READ = {
    "swipe": "A is left of the handle, B right of it. Drag it, or press the arrow keys on it.",
    "side": "A is in the left half, B in the right one: one view, and the pointer reads both.",
}
"""By mode."""

SAME = "same"
"""Stands in the lists for what B has of A."""

_TEXT = Markup(f"<div class='cranpm-compare' style='font-size:12px;line-height:1.4;{SOFT}'>{{}}</div>")


class ComparePanel:
    """A section of the column of controls that writes what B is.

    Parameters
    ----------
    state : State
    checkpoints : sequence of str
    days : sequence of date
        Of the dataset.
    """

    def __init__(self, state: State, checkpoints: Sequence[str], days: Sequence[dt.date]) -> None:
        self._state, self._days = state, set(days)
        self.mode = choice(
            state.param.compare, {title: key for key, title in COMPARISONS.items()}, sx=_BY_LENGTH
        )
        self.layer = self._select(
            "against", "Layer of B", {layer.title: key for key, layer in BESIDE.items()}
        )
        self.checkpoint = self._select(
            "against_checkpoint", "Checkpoint of B", {name: name for name in checkpoints}
        )
        self.day = self._select(
            "against_day", "Init day of B", {f"{day.day} {day:%b %Y}": day.isoformat() for day in days}
        )
        self.lead = choice(state.param.against_lead, {"As A": 0} | {f"T+{lead}": lead for lead in LEADS})
        self._lead_part = pn.Column(
            heading("Lead time of B"), self.lead, sizing_mode="stretch_width", margin=0
        )
        self.progress = Html("", margin=(0, 16, 0, 16), sizing_mode="stretch_width")
        self.text = Html("", margin=(2, 16, 2, 16), sizing_mode="stretch_width")
        self.errors = Html("", margin=(4, 16, 4, 16), sizing_mode="stretch_width", visible=False)
        self._parts = pn.Column(
            self.layer, self.checkpoint, self.day, self._lead_part, self.progress, self.text,
            self.errors,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self.root = pn.Column(
            heading("Compare with a map B"), self.mode, self._parts, sizing_mode="stretch_width", margin=0
        )
        self._settle()
        state.param.watch(self._mode_changed, "compare")
        state.param.watch(lambda _event: self._against_changed(), "against")
        state.param.watch(lambda _event: self._settle(), "layer")

    def _select(self, name: str, label: str, options: dict[str, str]) -> pmui.Select:
        """A list bound to a parameter as its link writes it; without a value it is A's."""
        state = self._state

        def text() -> str:
            value = getattr(state, name)
            return (value.isoformat() if isinstance(value, dt.date) else value) or SAME

        widget = pmui.Select(
            label=label,
            options={"Same as A": SAME} | options,
            value=text(),
            size="small",
            searchable=len(options) > 20,
            sizing_mode="stretch_width",
            margin=(8, 16, 2, 16),
        )

        def choose(event: Any) -> None:
            if event.new == text():
                return
            chosen = "" if event.new == SAME else event.new
            is_day = name == "against_day"
            state.param.update(
                **{name: (dt.date.fromisoformat(chosen) if chosen else None) if is_day else chosen}
            )

        widget.param.watch(choose, "value")
        state.param.watch(lambda _event: setattr(widget, "value", text()), name)
        return widget

    # -- what can be chosen ----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Hide what would change nothing."""
        state = self._state
        shown = layer_of(state.against or state.layer)
        of_a = shown is WHATIF_BESIDE  # it is asked of A's forecast
        self._parts.visible = bool(state.compare)
        self.checkpoint.visible = shown.needs_run and len(self.checkpoint.options) > 2 and not of_a
        self.day.visible = not of_a
        self._lead_part.visible = shown.day == "valid" and not of_a

    def _mode_changed(self, event: Any) -> None:
        """The first B is one that differs: two equal maps would show nothing."""
        state = self._state
        if event.new and not event.old and not self._differs:
            state.against = self._first_choice()
        self._settle()

    def _against_changed(self) -> None:
        """A what-if stands beside the forecast that it changes, not beside the difference of both."""
        state = self._state
        if state.against == WHATIF_BESIDE.key and state.layer == "whatif":
            state.layer = "forecast"
        self._settle()

    @property
    def _differs(self) -> bool:
        own = {name: getattr(self._state, name) for name in self._state.other}
        return own != self._state.other

    def _first_choice(self) -> str:
        layer = self._state.shown_layer
        if layer.key == "whatif":
            return WHATIF_BESIDE.key
        if layer.key in ("change", "error"):
            return "error" if layer.key == "change" else "change"
        if not layer.is_concentration:
            return ""
        # nothing that would start a forecast by itself
        has_target = self._state.valid_time in self._days and layer.key != "target"
        return "target" if has_target else "persistence"

    # -- how far the forecast of B is ------------------------------------------------------------------------------

    def show(self, run: Run | None, *, starting: bool = False, position: int = 0) -> None:
        """Show the state of B's own run; nothing where it needs none."""
        words = progress_words(None if run is None else run.status, starting=starting, position=position)
        self._say(Markup("B: {}").format(words) if words else "")

    def show_left(self) -> None:
        """Show that the run goes on for others."""
        self._say("")

    def failed(self, message: str) -> None:
        """Show why B's forecast could not be started."""
        self._say(f"The forecast of B could not start: {without_paths(message)}")

    def _say(self, words: str | Markup) -> None:
        said = _TEXT.format(words)
        if self.progress.object != said:
            self.progress.object = said

    # -- what both say ---------------------------------------------------------------------------------------------

    def show_picture(self, picture: Picture) -> None:
        """Say what is missing, or how to read what is shown."""
        comparison = picture.comparison
        errors = None if comparison is None else comparison.errors
        self.errors.param.update(
            visible=errors is not None,
            object="" if errors is None else errors_html(errors, picture.state.shown_time),
        )
        if comparison is None:
            self.text.object = ""
            return
        if comparison.field.note:
            words = without_paths(comparison.field.note)
        elif not self._differs:
            words = "A and B are the same map: choose another layer, day, lead time or checkpoint."
        elif comparison.is_difference:
            words = "The map shows B minus A: above zero where B is higher."
        else:
            words = _HOW_TO_READ[comparison.mode]
            if picture.stations is not None and picture.state.shown_time != comparison.state.shown_time:
                words += " Circles are of A’s day."
        if not comparison.field.note and isinstance(comparison.run, ChangedForecast):
            words += _tiles_there(comparison.run)
        self.text.object = _TEXT.format(words)


def _tiles_there(changed: ChangedForecast) -> str:
    """Of how many tiles B is made; nothing once it is made of all."""
    missing = len(changed.pending())
    there = len(changed.base.status.done_list) - missing
    return f" {_TILES.format(there, there + missing)}" if missing else ""
