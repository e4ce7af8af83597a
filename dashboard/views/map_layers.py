"""The map's figure and its layers.

Bottom first: field, a second one beside it, lakes, borders, coasts, names, stations, the picked place.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import (
    ColumnDataSource,
    HoverTool,
    MultiLine,
    PanTool,
    Range1d,
    Scatter,
    Text,
    WheelZoomTool,
    WMTSTileSource,
)
from bokeh.models.renderers import GlyphRenderer, TileRenderer
from bokeh.plotting import figure

from cranpm.plot.mercator import MAX_ZOOM

from ..background import under_lock
from .overlays.layers import OverlayLayers
from .overlays.seams import SeamLayers

THEMES: dict[bool, dict[str, str]] = {
    False: {"coast": "#3a4753", "name": "#17222c", "halo": "#ffffff", "ring": "#1b2733"},
    True: {"coast": "#c3ced8", "name": "#eef3f7", "halo": "#0b1015", "ring": "#f4f7f9"},
}
BORDERS: dict[str, str] = {"continuous": "#ffffff", "eaqi": "#33404c", "change": "#33404c"}
"""Borders must read on the field's colours: white on dark ones, ink on light ones."""

NO_TILES = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


class MapLayers:
    """A figure with its layers; lines, names and tiles are filled by the browser.

    Glyphs are added as such: the figure's own methods give each copies for selections, which this map has not, and
    every page would be the later for them.

    Parameters
    ----------
    view : tuple of float
        First view (west, south, east, north) [Mercator metres].
    stations, place : ColumnDataSource
        ``x``, ``y``, and ``colour`` of stations.
    """

    def __init__(
        self, view: tuple[float, ...], *, stations: ColumnDataSource, place: ColumnDataSource
    ) -> None:
        plot = self.figure = _empty_figure(view)
        self.tiles = [_tile_layer(plot), _tile_layer(plot)]
        self.others = [_tile_layer(plot, visible=False), _tile_layer(plot, visible=False)]
        self.lines = {kind: _line_layer(plot, kind) for kind in ("lake", "border", "coast")}
        self.overlay = OverlayLayers(plot)
        self.seams = SeamLayers(plot)
        self.names = _name_layers(plot)
        self.stations: GlyphRenderer = plot.add_glyph(
            stations,
            Scatter(
                x="x",
                y="y",
                size={"value": 4},
                fill_color="colour",
                line_color="#1b2733",
                line_width={"value": 0.4},
            ),
        )
        self.place: GlyphRenderer = plot.add_glyph(
            place, Scatter(x="x", y="y", size=17, fill_alpha=0, line_width=2.2, marker="circle_cross")
        )
        # the card is readout.js's own, filled as plain text: station names come from files
        plot.add_tools(HoverTool(renderers=[self.stations], tooltips=None))

    @under_lock
    def set_dark(self, dark: bool) -> None:
        theme = THEMES[dark]
        self.overlay.set_dark(dark)
        self.seams.set_dark(dark)
        for kind in ("coast", "lake"):
            self.lines[kind].glyph.line_color = theme["coast"]
        halo, ink = self.names
        halo.glyph.text_outline_color = halo.glyph.text_color = theme["halo"]
        ink.glyph.text_color = theme["name"]
        self.stations.glyph.line_color = theme["ring"]
        self.place.glyph.line_color = theme["ring"]

    @under_lock
    def set_scale(self, name: str) -> None:
        """Draw borders so that they read on a colour scale."""
        self.lines["border"].glyph.line_color = BORDERS.get(name, "#33404c")


def _empty_figure(view: tuple[float, ...]) -> Any:
    # ranges live in the browser: a message for every pixel of a pan would help nobody
    x_range = Range1d(start=view[0], end=view[2], syncable=False)
    y_range = Range1d(start=view[1], end=view[3], syncable=False)
    wheel = WheelZoomTool(speed=1 / 600)
    plot: Any = figure(  # type: ignore[call-arg]
        x_range=x_range,
        y_range=y_range,
        tools=[PanTool(), wheel],
        active_scroll=wheel,
        toolbar_location=None,
        sizing_mode="stretch_both",
        min_border=0,
        outline_line_color=None,
        # the sea is the colour of the page under the map: pmui restyles every figure that has its own
        background_fill_alpha=0,
        border_fill_alpha=0,
        lod_threshold=None,
        tags=["cranpm-map"],
    )
    plot.axis.visible = False
    plot.grid.visible = False
    return plot


def _tile_layer(plot: Any, *, visible: bool = True) -> TileRenderer:
    """A layer whose address the browser sets; cells stay sharp when a tile is enlarged."""
    source = WMTSTileSource(url=NO_TILES, min_zoom=0, max_zoom=MAX_ZOOM, attribution="")
    return plot.add_tile(source, smoothing=False, visible=visible)


def _line_layer(plot: Any, kind: str) -> Any:
    """An empty layer; the browser fetches the lines once and changes them with the zoom."""
    width = {"coast": 0.9, "border": 0.8, "lake": 0.6}[kind]
    source = ColumnDataSource({"xs": [], "ys": []}, syncable=False)
    return plot.add_glyph(source, MultiLine(xs="xs", ys="ys", line_width=width, line_alpha=0.8))


def _name_layers(plot: Any) -> list[Any]:
    """Names with a halo; Bokeh strokes text over its fill, so the halo is a layer of its own underneath."""
    source = ColumnDataSource({"x": [], "y": [], "name": []}, syncable=False)
    return [plot.add_glyph(source, _name_glyph(outline_width=width)) for width in (3.0, 1.0)]


def _name_glyph(*, outline_width: float) -> Text:
    return Text(
        x="x",
        y="y",
        text="name",
        text_font={"value": "Roboto, Helvetica, Arial, sans-serif"},
        text_font_size="11.5px",
        text_align="center",
        text_baseline="middle",
        text_outline_width=outline_width,
    )
