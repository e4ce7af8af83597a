"""The column of controls beside the map."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param
from panel.io.callbacks import PeriodicCallback

from ..layers import FINE, INPUT_DAYS, LAYERS, MAIN, TILED, Layer
from ..markup import Html, Markup
from ..state import LEADS, SCALES, State
from ..theme import HEADING, SOFT

ROW: dict[str, Any] = {
    "label": "",
    "size": "small",
    "sizing_mode": "stretch_width",
    "margin": (4, 16, 4, 16),
    "sx": {"& .MuiToggleButton-root": {"paddingX": "4px", "paddingY": "5px", "fontSize": "12.5px"}},
}
"""A row of small buttons."""

_HELP = Markup(f"<div style='font-size:12px;line-height:1.4;{SOFT}'>{{}}.</div>")


def heading_html(text: str) -> Markup:
    """A small section title."""
    return Markup("<div style='{}'>{}</div>").format(HEADING, text)


def heading(text: str) -> Html:
    """The same as a part of the column of controls."""
    return Html(heading_html(text), margin=(11, 16, 1, 16), sizing_mode="stretch_width")


def choice(parameter: param.Parameter, options: Mapping[str, object], **kwargs: Any) -> pmui.RadioButtonGroup:
    """A row of buttons bound to a parameter, under a heading that names it."""
    return pmui.RadioButtonGroup.from_param(parameter, description="", options=options, **(ROW | kwargs))


class DayControls:
    """Init day with steps and play, and the lead time."""

    def __init__(self, state: State, days: Sequence[dt.date]) -> None:
        self._state = state
        self._days = list(days)
        self.picker = pmui.DatePicker.from_param(
            state.param.init_time,
            label="Init day (UTC)",
            description="",
            enabled_dates=self._days,
            start=self._days[0],
            end=self._days[-1],
            size="small",
            sizing_mode="stretch_width",
            margin=(6, 2, 4, 2),
        )
        self.back = _icon("chevron_left", "Day before (left arrow key)", lambda: self.step(-1))
        self.forward = _icon("chevron_right", "Day after (right arrow key)", lambda: self.step(1))
        self.play = _icon("play_arrow", "Play days (space)", self.toggle_play)
        self._timer: PeriodicCallback | None = None
        self.lead = choice(state.param.lead_time, {f"T+{lead}": lead for lead in LEADS})
        self.root = pn.Column(
            heading("Day"),
            pn.Row(
                self.back,
                self.picker,
                self.forward,
                self.play,
                margin=(0, 0, 0, 8),
                sizing_mode="stretch_width",
            ),
            self.lead,
            sizing_mode="stretch_width",
            margin=0,
        )

    def step(self, days: int) -> None:
        """Go to the stored day so many places away; play starts over after the last."""
        if self._state.init_time not in self._days:
            self._state.init_time = self._days[0]
            return
        place = self._days.index(self._state.init_time) + days
        if 0 <= place < len(self._days):
            self._state.init_time = self._days[place]
        elif self.playing and days > 0:
            self._state.init_time = self._days[0]

    @property
    def playing(self) -> bool:
        return self._timer is not None

    def close(self) -> None:
        """The page is gone: stop playing."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def toggle_play(self) -> None:
        """Go through the days by itself, or stop."""
        if self._timer is not None:
            self.close()
        else:
            self._timer = pn.state.add_periodic_callback(lambda: self.step(1), period=1400)
        self.play.icon = "pause" if self.playing else "play_arrow"
        self.play.description = "Stop playing (space)" if self.playing else "Play days (space)"


def _icon(icon: str, label: str, action: Callable[[], None]) -> pmui.IconButton:
    button = pmui.IconButton(icon=icon, description=label, size="small", margin=(8, 0, 0, 0))
    button.on_click(lambda _event: action())
    return button


MORE = "more"
"""The button for everything that has none of its own."""


def _entry(layer: Layer) -> str:
    """A layer's place in the picker: an input has one, whatever its day."""
    return f"input.{layer.field}" if layer.field else layer.key


def _entries() -> dict[str, dict[str, str]]:
    """Entries of the picker by group; an input is named once, for its day t."""
    groups: dict[str, dict[str, str]] = {}
    for layer in LAYERS.values():
        if layer.key not in MAIN and layer.input_day in ("", "t"):
            name = f" ({layer.field})" if layer.input_day and layer.field != FINE else ""
            groups.setdefault(layer.group, {})[f"{layer.title}{name}"] = _entry(layer)
    return groups


class LayerControls:
    """Layer and colours: a button each for what the forecast is, one searchable list for all else."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._settling = False
        buttons = {LAYERS[key].title: key for key in MAIN} | {"More": MORE}
        self.layer = pmui.RadioButtonGroup(options=buttons, description="", **ROW)
        self.picker = pmui.Select(
            label="Baseline or input",
            groups=_entries(),
            searchable=True,
            size="small",
            dropdown_height=380,
            sizing_mode="stretch_width",
            margin=(8, 16, 4, 16),
        )
        self.day = pmui.RadioButtonGroup(
            options={title: key for key, title in INPUT_DAYS.items()}, description="", **ROW
        )
        self.help = Html("", margin=(2, 16, 4, 16), sizing_mode="stretch_width")
        self.seams = pmui.Switch.from_param(
            state.param.seams, label="Tile seams", description="", size="small", margin=(4, 16, 0, 16)
        )
        self.scale = choice(state.param.scale, {title: key for key, title in SCALES.items()})
        self.colours = pn.Column(heading("Colours"), self.scale, sizing_mode="stretch_width", margin=0)
        self.root = pn.Column(
            heading("Layer"), self.layer, self.picker, self.day, self.help, self.seams, self.colours,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._follow()
        state.param.watch(lambda _event: self._follow(), "layer")
        for widget in (self.layer, self.picker, self.day):
            widget.param.watch(lambda _event: self._choose(), "value")

    def _follow(self) -> None:
        """Widgets show what the state says."""
        layer = self._state.shown_layer
        more = layer.key not in MAIN
        self._settling = True
        self.layer.value = MORE if more else layer.key
        if more:
            self.picker.value = _entry(layer)
            if layer.input_day:
                self.day.value = layer.input_day
        self._settling = False
        self.picker.visible = self.help.visible = more
        self.day.visible = more and bool(layer.input_day)
        self.colours.visible = layer.is_concentration
        self.seams.visible = layer.key in TILED
        self.help.object = _HELP.format(layer.help) if more else ""

    def _choose(self) -> None:
        if self._settling:
            return
        key = self.layer.value
        if key == MORE:
            key = self.picker.value
            if key not in LAYERS:
                key = f"{key}.{self.day.value}"
        self._state.layer = key
