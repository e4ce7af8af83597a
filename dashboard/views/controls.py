"""The column of controls beside the map."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import panel as pn
import panel_material_ui as pmui

from cranpm.domain.regions import REGIONS

from ..markup import Html, Markup
from ..state import LAYERS, LEADS, MOVED, SCALES, STATION_TYPES, State
from ..theme import HEADING


def heading_html(text: str) -> Markup:
    """A small section title."""
    return Markup("<div style='{}'>{}</div>").format(HEADING, text)


def heading(text: str) -> Html:
    """The same as a part of the column of controls."""
    return Html(heading_html(text), margin=(11, 16, 1, 16), sizing_mode="stretch_width")


def choice(parameter: Any, options: dict[str, Any], **kwargs: Any) -> pmui.RadioButtonGroup:
    """A row of buttons bound to a parameter, under a heading that names it."""
    return pmui.RadioButtonGroup.from_param(
        parameter,
        label="",
        description="",
        options=options,
        size="small",
        sizing_mode="stretch_width",
        margin=(4, 16, 4, 16),
        sx={"& .MuiToggleButton-root": {"paddingX": "4px", "paddingY": "5px", "fontSize": "12.5px"}},
        **kwargs,
    )


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
        self._timer: Any = None
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


class LayerControls:
    """Layer and colours."""

    def __init__(self, state: State) -> None:
        self.layer = choice(state.param.layer, {title: key for key, title in LAYERS.items()})
        self.scale = choice(state.param.scale, {title: key for key, title in SCALES.items()})
        self.root = pn.Column(
            heading("Layer"),
            self.layer,
            heading("Colours"),
            self.scale,
            sizing_mode="stretch_width",
            margin=0,
        )


class RegionControls:
    """The paper's regional zooms, one click each."""

    def __init__(self, state: State) -> None:
        options = (
            {"Whole domain": ""}
            | {region.title: name for name, region in REGIONS.items()}
            | {"Free view": MOVED}
        )
        self.pills = pmui.Pill.from_param(
            state.param.region, label="", description="", options=options, size="small",
            sizing_mode="stretch_width", margin=(2, 13, 4, 13),
        )  # fmt: skip
        self.root = pn.Column(heading("Regions"), self.pills, sizing_mode="stretch_width", margin=0)


class StationControls:
    """Stations on or off, which types, and an external file of a day."""

    def __init__(self, state: State, files: Sequence[str]) -> None:
        self.show = pmui.Switch.from_param(
            state.param.stations, label="Show on the map", description="", margin=(2, 16, 2, 16)
        )
        self.types = pmui.CheckButtonGroup.from_param(
            state.param.station_types,
            label="",
            description="",
            options={kind.capitalize(): kind for kind in STATION_TYPES},
            size="small",
            sizing_mode="stretch_width",
            margin=(4, 16, 4, 16),
            sx={"& .MuiToggleButton-root": {"paddingX": "4px", "paddingY": "4px", "fontSize": "12px"}},
        )
        parts: list[Any] = [heading("Stations"), self.show, self.types]
        if files:
            self.file = pmui.Select.from_param(
                state.param.station_file,
                label="External station file",
                description="",
                options={"None": ""} | {name: name for name in files},
                size="small",
                sizing_mode="stretch_width",
                margin=(8, 16, 4, 16),
            )
            parts.append(self.file)
        self.root = pn.Column(*parts, sizing_mode="stretch_width", margin=0)
