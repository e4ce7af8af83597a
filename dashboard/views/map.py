"""The map: a plain Bokeh figure over server-drawn tiles, with outlines, names, stations and the picked place.

HoloViews' figure repaints in 300-700 ms in the browser, a plain figure with tiles in 35-50 ms; hence this one view
is plain Bokeh. What happens in the browser is in ``static/map.js``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
from bokeh.events import Tap
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    HoverTool,
    PanTool,
    Range1d,
    WheelZoomTool,
    WMTSTileSource,
)
from bokeh.models.renderers import TileRenderer
from bokeh.plotting import figure

from cranpm.plot.mercator import MAX_ZOOM, from_mercator, mercator_extent, to_mercator
from cranpm.plot.style import ColourScale

from ..outlines import TOWN_ZOOMS

STATIC = Path(__file__).parent.parent / "static"

THEMES: dict[bool, dict[str, str]] = {
    False: {"coast": "#3a4753", "name": "#17222c", "halo": "#ffffff", "ring": "#1b2733"},
    True: {"coast": "#c3ced8", "name": "#eef3f7", "halo": "#0b1015", "ring": "#f4f7f9"},
}
BORDERS: dict[str, str] = {"continuous": "#ffffff", "eaqi": "#33404c", "change": "#33404c"}
"""Borders must read on the field's colours: white on dark ones, ink on light ones."""

MIN_RESOLUTION = 12.0
"""Closest view [Mercator metres per pixel]: a fine cell is then some 90 pixels wide."""

_NO_TILES = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

_STATION_COLUMNS = ("x", "y", "colour", "name", "value", "kind", "height")


@lru_cache(maxsize=4)
def _static_text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


class MapView:
    """The map of one page.

    Parameters
    ----------
    domain_extent, view_extent : tuple of float
        Domain and first view (west, south, east, north) [degrees].
    dataset : str
        Name of the dataset, for the land shown where there is no field.
    on_pick, on_move, on_key : callable
        Called with (lat, lon), with the new extent in degrees, and with the name of a key.
    """

    def __init__(
        self,
        *,
        domain_extent: tuple[float, float, float, float],
        view_extent: tuple[float, float, float, float],
        dataset: str,
        dark: bool,
        on_pick: Callable[[float, float], None],
        on_move: Callable[[tuple[float, float, float, float]], None],
        on_key: Callable[[str], None],
    ) -> None:
        self._dataset = dataset
        self._on_pick, self._on_move, self._on_key = on_pick, on_move, on_key
        self._dark = dark
        self._shown: tuple[str, str, ColourScale] | None = None
        self._picture = ColumnDataSource(self._picture_columns())
        self._view = ColumnDataSource(_box_columns(mercator_extent(view_extent), serial=0))
        self._viewport = ColumnDataSource(_box_columns(mercator_extent(view_extent)))
        self._keys = ColumnDataSource({"key": [""], "serial": [0]})
        self.stations = ColumnDataSource({name: [] for name in _STATION_COLUMNS})
        self._place = ColumnDataSource({"x": [], "y": []})
        self.figure = self._build(mercator_extent(domain_extent), mercator_extent(view_extent), dark)
        self._viewport.on_change("data", self._moved)
        self._keys.on_change("data", lambda _attr, _old, new: self._on_key(str(new["key"][0])[:12]))
        self.figure.on_event(Tap, self._tapped)
        self.root = pn.pane.Bokeh(self.figure, sizing_mode="stretch_both", margin=0, min_height=300)

    # -- what the page calls -------------------------------------------------------------------------------------

    def show(self, field_id: str, version: str, scale: ColourScale) -> None:
        """Put a field on the map; the browser crossfades when all tiles in view are there."""
        self._lines["border"].glyph.line_color = BORDERS.get(scale.name, "#33404c")
        self._shown = field_id, version, scale
        self._send_picture()

    def clear(self) -> None:
        """Show no field, only land without data."""
        self._shown = None
        self._send_picture()

    def _send_picture(self) -> None:
        columns = self._picture_columns()
        if columns != self._picture.data:
            self._picture.data = columns

    def _picture_columns(self) -> dict[str, Any]:
        theme = "dark" if self._dark else "light"
        if self._shown is None:
            url = f"land/{self._dataset}/{{Z}}/{{X}}/{{Y}}.png?theme={theme}"
            return {"url": [url], "cell": [""], "units": [""], "signed": [False]}
        field_id, version, scale = self._shown
        url = f"tiles/{field_id}/{version}/{{Z}}/{{X}}/{{Y}}.png?scale={scale.name}&theme={theme}"
        return {
            "url": [url],
            "cell": [field_id],
            "units": [scale.units],
            "signed": [scale.kind == "diverging"],
        }

    def go_to(self, extent: tuple[float, float, float, float]) -> None:
        """Move the view to a box (west, south, east, north) [degrees]."""
        serial = int(self._view.data["serial"][0]) + 1
        self._view.data = _box_columns(mercator_extent(extent), serial=serial)

    def set_place(self, place: tuple[float, float] | None) -> None:
        if place is None:
            self._place.data = {"x": [], "y": []}
        else:
            x, y = to_mercator(*place)
            self._place.data = {"x": [float(x)], "y": [float(y)]}

    def set_stations(self, stations: pd.DataFrame | None, scale: ColourScale) -> None:
        """Circles at stations, coloured by ``pm2p5`` on the map's own scale.

        Parameters
        ----------
        stations : DataFrame
            ``name, latitude, longitude, altitude, pm2p5`` [ug m-3] and ``kind``.
        """
        if stations is None or stations.empty:
            self.stations.data = {name: [] for name in _STATION_COLUMNS}
            return
        x, y = to_mercator(stations["latitude"].to_numpy(float), stations["longitude"].to_numpy(float))
        self.stations.data = {
            "x": x,
            "y": y,
            "colour": scale.colours_of(stations["pm2p5"].to_numpy(float)),
            "name": stations["name"].astype(str).to_list(),
            "value": [_with_units(v, scale.units) for v in stations["pm2p5"]],
            "kind": stations["kind"].astype(str).to_list(),
            "height": [
                f"{v:.0f} m" if np.isfinite(v) else "unknown" for v in stations["altitude"].to_numpy(float)
            ],
        }

    def set_dark(self, dark: bool) -> None:
        theme = THEMES[dark]
        self._dark = dark
        self._send_picture()
        for kind in ("coast", "lake"):
            self._lines[kind].glyph.line_color = theme["coast"]
        halo, ink = self._names
        halo.glyph.text_outline_color = halo.glyph.text_color = theme["halo"]
        ink.glyph.text_color = theme["name"]
        self._station_glyphs.glyph.line_color = theme["ring"]
        self._place_glyphs.glyph.line_color = theme["ring"]

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self, domain: tuple[float, ...], view: tuple[float, ...], dark: bool) -> figure:
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
        self._tiles = [self._tile_layer(plot), self._tile_layer(plot)]
        self._lines = {kind: self._line_layer(plot, kind) for kind in ("lake", "border", "coast")}
        self._names = self._name_layers(plot)
        self._station_glyphs = plot.scatter(
            "x",
            "y",
            source=self.stations,
            size={"value": 4},
            fill_color="colour",
            line_color="#1b2733",
            line_width={"value": 0.4},
        )
        self._place_glyphs = plot.scatter(
            "x", "y", source=self._place, size=17, fill_alpha=0, line_width=2.2, marker="circle_cross"
        )
        # the card is map.js's own, filled as plain text: station names come from files
        plot.add_tools(HoverTool(renderers=[self._station_glyphs], tooltips=None))
        plot.js_on_change("inner_width", self._script(plot, domain))
        self.figure = plot
        self.set_dark(dark)
        return plot

    @staticmethod
    def _tile_layer(plot: Any) -> TileRenderer:
        """A layer whose address the browser sets; cells stay sharp when a tile is enlarged."""
        return plot.add_tile(
            WMTSTileSource(url=_NO_TILES, min_zoom=0, max_zoom=MAX_ZOOM, attribution=""), smoothing=False
        )

    @staticmethod
    def _line_layer(plot: Any, kind: str) -> Any:
        """An empty layer; the browser fetches the lines once and changes them with the zoom."""
        width = {"coast": 0.9, "border": 0.8, "lake": 0.6}[kind]
        source = ColumnDataSource({"xs": [], "ys": []}, syncable=False)
        return plot.multi_line("xs", "ys", source=source, line_width=width, line_alpha=0.8)

    @staticmethod
    def _name_layers(plot: Any) -> list[Any]:
        """Names with a halo; Bokeh strokes text over its fill, so the halo is a layer of its own underneath."""
        source = ColumnDataSource({"x": [], "y": [], "name": []}, syncable=False)
        style = {
            "text_font": {"value": "Roboto, Helvetica, Arial, sans-serif"},
            "text_font_size": "11.5px",
            "text_align": "center",
            "text_baseline": "middle",
        }
        halo = plot.text("x", "y", text="name", source=source, text_outline_width=3.0, **style)
        return [halo, plot.text("x", "y", text="name", source=source, **style)]

    def _script(self, plot: Any, domain: tuple[float, ...]) -> CustomJS:
        body = _static_text("map.js")
        code = f"export default function (args, obj, data, context) {{\n{_once()}\n{body}\n}}"
        return CustomJS(
            args={
                "fig": plot,
                "tiles": self._tiles,
                "stations": self._station_glyphs,
                "place": self._place,
                "lines": self._lines,
                "names": self._names[0].data_source,
                "picture": self._picture,
                "view": self._view,
                "viewport": self._viewport,
                "keys": self._keys,
                "config": {
                    "domain": list(domain),
                    "min_resolution": MIN_RESOLUTION,
                    "name_resolutions": [limit for limit, _ in TOWN_ZOOMS],
                    "css": _static_text("map.css"),
                    "no_tiles": _NO_TILES,
                },
            },
            code=code,
        )

    # -- what the browser says -----------------------------------------------------------------------------------

    def _tapped(self, event: Any) -> None:
        lat, lon = from_mercator(event.x, event.y)
        if np.isfinite(lat) and np.isfinite(lon):
            self._on_pick(float(lat), float(lon))

    def _moved(self, _attr: str, _old: Any, new: dict[str, list[float]]) -> None:
        edges = [float(new[name][0]) for name in ("west", "south", "east", "north")]
        if not np.isfinite(edges).all():
            return
        (south, north), (west, east) = from_mercator([edges[0], edges[2]], [edges[1], edges[3]])
        self._on_move((float(west), float(south), float(east), float(north)))


def _once() -> str:
    names = "fig, tiles, stations, place, lines, names, picture, view, viewport, keys, config"
    return f"const {{{names}}} = args\nif (fig.cranpm_started) return\nfig.cranpm_started = true"


def _box_columns(box: tuple[float, ...], *, serial: int | None = None) -> dict[str, Any]:
    columns = {name: [float(value)] for name, value in zip(("west", "south", "east", "north"), box)}
    return columns if serial is None else columns | {"serial": [serial]}


def _with_units(value: float, units: str) -> str:
    return f"{value:.1f} {units}" if np.isfinite(value) else "no data"
