"""The map: a plain Bokeh figure over server-drawn tiles, with outlines, names, stations and the picked place.

HoloViews' figure repaints in 300-700 ms in the browser, a plain figure with tiles in 35-50 ms; hence this one view
is plain Bokeh. What happens in the browser is in ``static/map``, a file for each idea.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, CustomJS

from cranpm.plot.mercator import from_mercator, mercator_extent, to_mercator
from cranpm.plot.style import ColourScale

from ..background import under_lock
from ..data.outlines import TOWN_ZOOMS
from .map_layers import NO_TILES, MapLayers
from .overlays.layers import OverlayLayers
from .overlays.seams import SeamLayers

STATIC = Path(__file__).parent.parent / "static"

MIN_RESOLUTION = 12.0
"""Closest view [Mercator metres per pixel]: a fine cell is then some 90 pixels wide."""

_STATION_COLUMNS = ("x", "y", "colour", "name", "value", "kind", "height", "id")

NEAR_PIXELS = 9
"""How near to a station's middle a click must be to mean the station."""


MODULES = ("view", "pictures", "lines", "furniture", "readout", "split", "swipe", "keys", "start")
"""Files of ``static/map`` that make up the map's script; each defines functions and runs nothing by itself."""


@lru_cache(maxsize=16)
def _static_text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def map_code() -> str:
    """What the browser runs when the map has its size, as the module of a `CustomJS`.

    Bokeh's own callback carries it: it needs no address of its own, and the page's policy for scripts allows it.
    """
    parts = "\n".join(_static_text(f"map/{name}.js") for name in MODULES)
    once = "if (args.fig.cranpm_started) return\nargs.fig.cranpm_started = true\nstart_map(args, context)"
    return f"{parts}\nexport default function (args, obj, data, context) {{\n{once}\n}}"


@dataclass(frozen=True, kw_only=True)
class MapListeners:
    """Who is told what somebody does on the map."""

    picked: Callable[[float, float, str], None]
    """With latitude and longitude [degrees] and the id of the station that was hit, or ""."""
    moved: Callable[[tuple[float, float, float, float]], None]
    """With the new extent (west, south, east, north) [degrees]."""
    key_pressed: Callable[[str], None]
    """With its name."""
    swiped: Callable[[float], None]
    """With the share of the map left of the handle."""


class MapView:
    """The map of one page.

    Parameters
    ----------
    domain_extent, view_extent : tuple of float
        Domain and first view (west, south, east, north) [degrees].
    dataset : str
        Name of the dataset, for the land shown where there is no field.
    listeners : MapListeners
        Called when somebody does something on the map.
    swipe : float
        Where the handle stands first.
    """

    def __init__(
        self,
        *,
        domain_extent: tuple[float, float, float, float],
        view_extent: tuple[float, float, float, float],
        dataset: str,
        dark: bool,
        listeners: MapListeners,
        swipe: float = 0.5,
    ) -> None:
        self._dataset = dataset
        self._listeners = listeners
        self._dark = dark
        self._shown: tuple[str, str, ColourScale] | None = None
        self._beside: tuple[str, str, ColourScale] | None = None
        self._labels, self._tag, self._halves = ("", ""), "", False
        self._picture = ColumnDataSource(self._picture_columns())
        self._other = ColumnDataSource(self._other_columns())
        self._handle = ColumnDataSource({"share": [float(swipe)]})
        self._view = ColumnDataSource(_box_columns(mercator_extent(view_extent), serial=0))
        self._viewport = ColumnDataSource(_box_columns(mercator_extent(view_extent)))
        self._keys = ColumnDataSource({"key": [""], "serial": [0], "x": [0.0], "y": [0.0]})
        self.stations = ColumnDataSource({name: [] for name in _STATION_COLUMNS})
        self._place = ColumnDataSource({"x": [], "y": []})
        self._layers = MapLayers(mercator_extent(view_extent), stations=self.stations, place=self._place)
        self._layers.set_dark(dark)
        self.figure = self._layers.figure
        self.figure.js_on_change("inner_width", self._script(mercator_extent(domain_extent)))
        self._viewport.on_change("data", self._moved)
        self._keys.on_change("data", self._key_pressed)
        self._handle.on_change("data", self._swiped)
        self.figure.on_event(Tap, self._tapped)
        self.root = pn.pane.Bokeh(self.figure, sizing_mode="stretch_both", margin=0, min_height=300)

    # -- what the page calls -------------------------------------------------------------------------------------

    def show(self, field_id: str, version: str, scale: ColourScale, *, tag: str = "") -> None:
        """Put a field on the map; the browser crossfades when all tiles in view are there.

        ``tag`` stands before the value under the pointer.
        """
        self._layers.set_scale(scale.name)
        self._tag = tag
        self._shown = field_id, version, scale
        self._send_picture()

    def clear(self) -> None:
        """Show no field, only land without data."""
        self._shown = None
        self._send_picture()

    def show_other(
        self,
        field_id: str,
        version: str,
        scale: ColourScale,
        labels: tuple[str, str],
        *,
        halves: bool = False,
    ) -> None:
        """Put a second field right of a handle, or into a half of its own; ``labels`` name both fields."""
        self._beside, self._labels, self._halves = (field_id, version, scale), labels, halves
        self._send_picture()

    def hide_other(self) -> None:
        """Show one field only."""
        self._beside = None
        self._send_picture()

    @under_lock
    def _send_picture(self) -> None:
        for source, columns in (
            (self._picture, self._picture_columns()),
            (self._other, self._other_columns()),
        ):
            if columns != source.data:
                source.data = columns

    def _picture_columns(self) -> dict[str, Any]:
        if self._shown is not None:
            return self._field_columns(*self._shown) | {"tag": [self._tag]}
        theme = "dark" if self._dark else "light"
        url = f"land/{self._dataset}/{{Z}}/{{X}}/{{Y}}.png?theme={theme}"
        return {"url": [url], "cell": [""], "units": [""], "signed": [False], "tag": [""]}

    def _other_columns(self) -> dict[str, Any]:
        if self._beside is None:
            columns: dict[str, Any] = {"url": [NO_TILES], "cell": [""], "units": [""], "signed": [False]}
            return columns | {"a": [""], "b": [""], "mode": [""]}
        a, b = self._labels
        mode = "side" if self._halves else "swipe"
        return self._field_columns(*self._beside) | {"a": [a], "b": [b], "mode": [mode]}

    def _field_columns(self, field_id: str, version: str, scale: ColourScale) -> dict[str, Any]:
        theme = "dark" if self._dark else "light"
        url = f"tiles/{field_id}/{version}/{{Z}}/{{X}}/{{Y}}.png?scale={scale.name}&theme={theme}"
        return {
            "url": [url],
            "cell": [field_id],
            "units": [scale.units],
            "signed": [scale.kind == "diverging"],
        }

    @property
    def tile_path(self) -> str:
        """Path of the tiles on the map, with x, y and z in braces as other map programs write them."""
        if self._shown is None:
            return ""
        path = str(self._picture_columns()["url"][0])
        return path.replace("{Z}", "{z}").replace("{X}", "{x}").replace("{Y}", "{y}")

    @under_lock
    def go_to(self, extent: tuple[float, float, float, float]) -> None:
        """Move the view to a box (west, south, east, north) [degrees]."""
        serial = int(self._view.data["serial"][0]) + 1
        self._view.data = _box_columns(mercator_extent(extent), serial=serial)

    @under_lock
    def set_place(self, place: tuple[float, float] | None) -> None:
        if place is None:
            self._place.data = {"x": [], "y": []}
        else:
            x, y = to_mercator(*place)
            self._place.data = {"x": [float(x)], "y": [float(y)]}

    @under_lock
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
            "id": (
                stations["station_id"] if "station_id" in stations else pd.Series("", stations.index)
            ).to_list(),
            "height": [
                f"{v:.0f} m" if np.isfinite(v) else "unknown" for v in stations["altitude"].to_numpy(float)
            ],
        }

    @property
    def overlay(self) -> OverlayLayers:
        """What is drawn over the field for the picked place."""
        return self._layers.overlay

    @property
    def seams(self) -> SeamLayers:
        """What is drawn for the tiles of a forecast."""
        return self._layers.seams

    def set_dark(self, dark: bool) -> None:
        self._dark = dark
        self._send_picture()
        self._layers.set_dark(dark)

    # -- what the browser runs ------------------------------------------------------------------------------------

    def _script(self, domain: tuple[float, ...]) -> CustomJS:
        layers = self._layers
        return CustomJS(
            args={
                "fig": layers.figure,
                "tiles": layers.tiles,
                "others": layers.others,
                "other": self._other,
                "handle": self._handle,
                "stations": layers.stations,
                "place": self._place,
                "lines": layers.lines,
                "names": layers.names[0].data_source,
                "picture": self._picture,
                "view": self._view,
                "viewport": self._viewport,
                "keys": self._keys,
                "config": {
                    "domain": list(domain),
                    "min_resolution": MIN_RESOLUTION,
                    "name_resolutions": [limit for limit, _ in TOWN_ZOOMS],
                    "css": _static_text("map/map.css"),
                    "no_tiles": NO_TILES,
                },
            },
            code=map_code(),
        )

    # -- what the browser says -----------------------------------------------------------------------------------

    def _tapped(self, event: Any) -> None:
        x, y, station = self._nearest_station(float(event.x), float(event.y))
        lat, lon = from_mercator(x, y)
        if np.isfinite(lat) and np.isfinite(lon):
            self._listeners.picked(float(lat), float(lon), station)

    def _nearest_station(self, x: float, y: float) -> tuple[float, float, str]:
        """Place and id of the station that a click at a Mercator place means; the place itself where it means none."""
        there = self.stations.data
        box, height = self._viewport.data, self.figure.inner_height  # the width may be that of two maps
        if not len(there["x"]) or not height:
            return x, y, ""
        reach = NEAR_PIXELS * (float(box["north"][0]) - float(box["south"][0])) / height
        away = np.hypot(np.asarray(there["x"]) - x, np.asarray(there["y"]) - y)
        nearest = int(np.argmin(away))
        if not away[nearest] <= reach or not there["id"][nearest]:
            return x, y, ""
        return float(there["x"][nearest]), float(there["y"][nearest]), str(there["id"][nearest])

    def _key_pressed(self, _attr: str, _old: Any, new: dict[str, list[Any]]) -> None:
        key = str(new["key"][0])[:12]
        if key == "Enter":  # the place in the middle of the map
            self._tapped(SimpleNamespace(x=float(new["x"][0]), y=float(new["y"][0])))
        else:
            self._listeners.key_pressed(key)

    def _swiped(self, _attr: str, _old: Any, new: dict[str, list[float]]) -> None:
        share = float(new["share"][0])
        if 0 <= share <= 1:
            self._listeners.swiped(round(share, 3))

    def _moved(self, _attr: str, _old: Any, new: dict[str, list[float]]) -> None:
        edges = [float(new[name][0]) for name in ("west", "south", "east", "north")]
        if not np.isfinite(edges).all():
            return
        (south, north), (west, east) = from_mercator([edges[0], edges[2]], [edges[1], edges[3]])
        self._listeners.moved((float(west), float(south), float(east), float(north)))


def _box_columns(box: tuple[float, ...], *, serial: int | None = None) -> dict[str, Any]:
    columns = {name: [float(value)] for name, value in zip(("west", "south", "east", "north"), box)}
    return columns if serial is None else columns | {"serial": [serial]}


def _with_units(value: float, units: str) -> str:
    return f"{value:.1f} {units}" if np.isfinite(value) else "no data"
