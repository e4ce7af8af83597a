"""The overlay on the map's figure: layers that lie between the field and the stations, filled by the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import ColumnDataSource, MultiLine, Quad, Scatter

from cranpm.plot.overlays.shapes import NO_CELLS, NO_DOTS, NO_LINES, Columns, Shown, arrows, cells, path, scan

from ...background import under_lock
from ...state import State

if TYPE_CHECKING:
    from bokeh.plotting import figure

    from cranpm.forecasting.attention import Footprint

THEMES = {
    False: {"ink": "#17222c", "halo": "#ffffff", "path": "#0b4f9e", "scan": "#7a3a00"},
    True: {"ink": "#f4f7f9", "halo": "#0b1015", "path": "#7cc7ff", "scan": "#ffb57a"},
}


class OverlayLayers:
    """Layers of a figure; empty until `draw` is called."""

    def __init__(self, plot: figure) -> None:
        self.figure = plot
        self.cells = ColumnDataSource(dict(NO_CELLS))
        self.arrows = ColumnDataSource(dict(NO_LINES))
        self.path = ColumnDataSource(dict(NO_LINES))
        self.dots = ColumnDataSource(dict(NO_DOTS))
        self.scan = ColumnDataSource(dict(NO_LINES))
        plot.add_glyph(self.cells, Quad(fill_color="colour", fill_alpha="alpha", line_color=None))
        # a line over a wider one of the ground's colour reads on every field
        self._lines = {
            name: [
                plot.add_glyph(source, MultiLine(xs="xs", ys="ys", line_width=width + 2.2, line_alpha=0.75)),
                plot.add_glyph(source, MultiLine(xs="xs", ys="ys", line_width=width)),
            ]
            for name, source, width in (
                ("scan", self.scan, 1.2), ("ink", self.arrows, 1.3), ("path", self.path, 2.6),
            )
        }  # fmt: skip
        self._points = plot.add_glyph(self.dots, Scatter(x="x", y="y", size=6, line_width=1.6))
        self.set_dark(False)

    @under_lock
    def set_dark(self, dark: bool) -> None:
        """Colours that read on a light or a dark ground."""
        theme = THEMES[dark]
        for name, (halo, line) in self._lines.items():
            halo.glyph.line_color, line.glyph.line_color = theme["halo"], theme[name]
        self._points.glyph.fill_color, self._points.glyph.line_color = theme["halo"], theme["path"]

    @under_lock
    def draw(
        self, state: State, footprint: Footprint | None, wind: np.ndarray | None, shown: Shown | None
    ) -> None:
        """Show what the state asks for; nothing without a footprint."""
        on = footprint is not None and bool(state.overlay)
        marks = set(state.marks) if on else set()
        _put(self.cells, cells(shown, float(state.opacity)) if on and shown is not None else NO_CELLS)
        if footprint is None:
            marks = set()
            line, dots = path(None)
            tokens = scanned = NO_LINES
        else:
            line, dots = path(footprint.get("path") if "path" in marks else None)
            axes = footprint["latitude"], footprint["longitude"]
            tokens = arrows(wind, *axes) if "arrows" in marks and wind is not None else NO_LINES
            scanned = scan(footprint) if "scan" in marks else NO_LINES
        _put(self.arrows, tokens)
        _put(self.path, line)
        _put(self.dots, dots)
        _put(self.scan, scanned)


def _put(source: ColumnDataSource, columns: Columns) -> None:
    if any(
        len(columns[name]) or len(source.data[name]) for name in columns
    ):  # nothing is not sent for nothing
        source.data = dict(columns)
