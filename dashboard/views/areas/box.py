"""A box drawn on the map with the pointer; the map is moved again once it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, PanTool, Quad

from cranpm.plot.mercator import from_mercator, mercator_extent

from ...background import under_lock

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure

Box = tuple[float, float, float, float]

_INK = {False: "#b4531f", True: "#f0a070"}
_EDGES = ("left", "bottom", "right", "top")


class BoxTool:
    """Draws boxes on a figure, and shows one.

    Parameters
    ----------
    figure : Bokeh figure
        In Web Mercator.
    on_box : callable
        Called with west, south, east, north of a box that was drawn [degrees].
    on_end : callable
        Called when nothing is drawn any more.
    """

    def __init__(
        self, figure: Figure, *, on_box: Callable[[Box], object], on_end: Callable[[], object], dark: bool
    ) -> None:
        self.figure, self._on_box, self._on_end = figure, on_box, on_end
        self._source = ColumnDataSource({name: [] for name in _EDGES})
        box = Quad(fill_alpha=0.06, line_width=2.2, line_dash="dashed")
        self._quad = figure.add_glyph(self._source, box, level="overlay")
        self.set_dark(dark)
        self._move = next(tool for tool in figure.tools if isinstance(tool, PanTool))
        self._select = BoxSelectTool(renderers=[], persistent=False)
        figure.add_tools(self._select)
        figure.toolbar.active_drag = self._move
        figure.on_event(SelectionGeometry, self._drawn)

    @property
    def drawing(self) -> bool:
        """Whether dragging draws a box."""
        return self.figure.toolbar.active_drag is self._select

    @under_lock
    def draw(self, on: bool) -> None:
        """Let dragging draw a box, or move the map."""
        self.figure.toolbar.active_drag = self._select if on else self._move

    @under_lock
    def show(self, box: Box | None) -> None:
        """Put a box on the map (west, south, east, north) [degrees], or none."""
        edges = [] if box is None else mercator_extent(box)
        self._source.data = {name: [edge] for name, edge in zip(_EDGES, edges)} or {n: [] for n in _EDGES}

    @under_lock
    def set_dark(self, dark: bool) -> None:
        self._quad.glyph.line_color = self._quad.glyph.fill_color = _INK[dark]

    def _drawn(self, event: Any) -> None:
        if not event.final or not self.drawing:
            return
        self.draw(False)
        self._on_end()
        geometry = event.geometry
        if geometry.get("type") != "rect":
            return
        x, y = ([float(geometry[f"{axis}{end}"]) for end in "01"] for axis in "xy")
        lat, lon = from_mercator(np.array(x), np.array(y))
        if np.isfinite([*lat, *lon]).all() and lat[0] != lat[1] and lon[0] != lon[1]:
            self._on_box((float(min(lon)), float(min(lat)), float(max(lon)), float(max(lat))))
