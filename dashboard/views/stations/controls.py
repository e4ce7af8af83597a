"""Which stations are shown: on or off, type, area, terrain, an external file of a day; and the way to their table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import panel as pn
import panel_material_ui as pmui
import param
from panel.viewable import Viewable

from ...state import STATION_AREAS, STATION_TYPES, TERRAINS, State
from ..controls import choice, heading

_BUTTONS = {"& .MuiToggleButton-root": {"paddingX": "4px", "paddingY": "4px", "fontSize": "12px"}}


class StationControls:
    """A section of the column of controls.

    Parameters
    ----------
    state : State
    files : sequence of str
        External station files by name.
    on_table : callable
        Called when the table of stations is wanted.
    """

    def __init__(self, state: State, files: Sequence[str], *, on_table: Callable[[], None]) -> None:
        self.show = pmui.Switch.from_param(
            state.param.stations, label="Show on the map", description="", margin=(2, 0, 2, 16)
        )
        self.table = pmui.Button(
            label="Table", icon="table_rows", variant="outlined", size="small", margin=(0, 16, 0, 0)
        )
        self.table.on_click(lambda _event: on_table())
        self.types = _some_of(state.param.station_types, STATION_TYPES)
        self.areas = _some_of(state.param.station_areas, STATION_AREAS)
        self.terrain = choice(state.param.terrain, {title: key for key, title in TERRAINS.items()})
        parts: list[Viewable] = [
            heading("Stations"),
            pn.Row(self.show, pn.layout.HSpacer(), self.table, margin=0, sizing_mode="stretch_width"),
            self.types,
            self.areas,
            self.terrain,
        ]
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


def _some_of(parameter: param.Parameter, names: Sequence[str]) -> pmui.CheckButtonGroup:
    return pmui.CheckButtonGroup.from_param(
        parameter,
        label="",
        description="",
        options={name.capitalize(): name for name in names},
        size="small",
        sizing_mode="stretch_width",
        margin=(4, 16, 4, 16),
        sx=_BUTTONS,
    )
