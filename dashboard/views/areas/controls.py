"""Where to look: the paper's regional zooms, one click each; a box to draw; numbers of what is in view."""

from __future__ import annotations

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui

from cranpm.domain.regions import REGIONS

from ...state import MOVED, State
from ..controls import heading

_TOGGLE = {"paddingY": "3px", "fontSize": "12.5px", "gap": "6px", "textTransform": "none"}


class AreaControls:
    """A section of the column of controls.

    Parameters
    ----------
    state : State
    on_draw : callable
        Called with True when a box is to be drawn, with False when not.
    """

    def __init__(self, state: State, *, on_draw: Callable[[bool], None]) -> None:
        options = (
            {"Whole domain": ""}
            | {region.title: name for name, region in REGIONS.items()}
            | {"Free view": MOVED}
        )
        self.pills = pmui.Pill.from_param(
            state.param.region, label="", description="", options=options, size="small",
            sizing_mode="stretch_width", margin=(2, 13, 4, 13),
        )  # fmt: skip
        self.numbers = pmui.Toggle.from_param(
            state.param.numbers, label="Statistics", icon="query_stats", description="", size="small",
            variant="outlined", sizing_mode="stretch_width", margin=(2, 4, 4, 16), sx=_TOGGLE,
        )  # fmt: skip
        self.draw = pmui.Toggle(
            label="Draw a box", icon="highlight_alt", size="small", variant="outlined",
            sizing_mode="stretch_width", margin=(2, 16, 4, 4), sx=_TOGGLE,
        )  # fmt: skip
        self.draw.param.watch(lambda event: on_draw(bool(event.new)), "value")
        self.root = pn.Column(
            heading("Regions"),
            self.pills,
            pn.Row(self.numbers, self.draw, margin=0, sizing_mode="stretch_width"),
            sizing_mode="stretch_width",
            margin=0,
        )
