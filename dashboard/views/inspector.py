"""The drawer for a picked place: its values, its series, and where it attended."""

from __future__ import annotations

import math
from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
import xarray as xr

from cranpm.domain.eaqi import EAQI_CLASSES, eaqi_class
from cranpm.plot.series import SERIES_STYLE, plot_series, series_colour

from ..data.forecasts import Forecasts
from ..data.pictures import Picture, PlacePicture
from ..data.places import Place
from ..data.store import Store
from ..markup import Html, Markup, join, latitude, longitude
from ..state import State
from ..theme import INK, SOFT
from .overlays.drawer import AttentionView
from .overlays.reader import FootprintReader
from .stations.card import StationView

WIDTH = 430
STATION_TAB = 2


_NO_VALUE = Markup(f"<span style='{SOFT}'>no data</span>")
_CHIP = Markup(
    "<span title='{name}' style='background:{colour};color:{ink};border-radius:6px;padding:2px 8px;font-weight:600'>"
    "{value:.1f}</span>"
)
_PLACE = Markup(
    f"<div class='cranpm-place' style='font-size:12.5px;line-height:1.45;{SOFT}'>"
    f"<div style='font-size:17px;font-weight:600;{INK}'>{{town}}</div>"
    "<div>{coordinates} · {height} · cell {row}, {col}</div>{station}"
    f"<div style='display:flex;gap:22px;margin-top:10px;{INK}'>{{values}}</div>"
    "<div style='font-size:11px;margin-top:5px'>µg/m³, 24-h mean; colours: EAQI classes</div></div>"
)
_STATION = Markup("<div>Nearest station: {}, {:.1f} km</div>")
_VALUE = Markup(
    f"<div style='text-align:center'><div style='font-size:11px;{SOFT};margin-bottom:3px'>{{}}</div>{{}}</div>"
)
_LEGEND = Markup(f"<div style='font-size:12px;line-height:1.7;{INK}'>{{}}</div>")
_ENTRY = Markup("<span style='margin-right:14px;white-space:nowrap'>{}&nbsp;{}</span>")
_SQUARE = Markup("<span style='display:inline-block;width:8px;height:8px;background:{}'></span>")
_DASH = Markup(
    "<span style='display:inline-block;width:20px;vertical-align:4px;border-top:2.5px {} {}'></span>"
)


def chip(value: float) -> str | Markup:
    """A value with its index class as a coloured chip; says so where there is none."""
    if not math.isfinite(value):
        return _NO_VALUE
    number = int(eaqi_class(value))
    if not number:
        return f"{value:.1f}"
    item = EAQI_CLASSES[number - 1]
    return _CHIP.format(name=item.name, colour=item.colour, ink=item.text_colour, value=value)


def place_html(place: Place, today: float, forecast: dict[int, float]) -> Markup:
    """Name, coordinates, and today's and the forecast values in a row."""
    cells = [("Today", today), *((f"T+{lead}", value) for lead, value in forecast.items())]
    return _PLACE.format(
        town=place.town or ("Open country" if place.land else "At sea"),
        coordinates=f"{latitude(place.lat, 3)}, {longitude(place.lon, 3)}",
        height=f"{place.elevation:.0f} m" if math.isfinite(place.elevation) else "elevation unknown",
        row=place.row,
        col=place.col,
        station=_STATION.format(place.station, place.station_kilometres) if place.station else "",
        values=join(_VALUE.format(name, chip(value)) for name, value in cells),
    )


def series_legend(series: xr.Dataset, *, dark: bool) -> Markup:
    """Names of the lines that are drawn."""
    entries = []
    for name, style in SERIES_STYLE.items():
        if name in series and bool(series[name].notnull().any()):
            dash = {"dotted": "dotted", "dashed": "dashed"}.get(str(style.get("line_dash", "")), "solid")
            colour = series_colour(name, dark=dark)
            mark = _SQUARE.format(colour) if name == "observed" else _DASH.format(dash, colour)
            entries.append(_ENTRY.format(mark, style["label"]))
    return _LEGEND.format(join(entries))


class Inspector:
    """Contents of the drawer; built when first opened.

    Parameters
    ----------
    store : Store
    forecasts : Forecasts
        Where a station's card looks for finished runs, and a place is tested.
    state : State
        Of the page, which holds what is drawn on the map.
    footprints : FootprintReader
    close : callable
        Called when the drawer is to be closed.
    """

    def __init__(
        self,
        store: Store,
        forecasts: Forecasts,
        *,
        state: State,
        footprints: FootprintReader,
        close: Callable[[], None],
    ) -> None:
        self.text = Html("", sizing_mode="stretch_width", margin=(10, 0, 0, 16))
        self.close = pmui.IconButton(
            icon="close", description="Close (Escape)", size="small", margin=(6, 8, 0, 0)
        )
        self.close.on_click(lambda _event: close())
        self.series = pn.pane.HoloViews(sizing_mode="fixed", margin=(8, 10, 0, 8))
        self.legend = Html("", sizing_mode="stretch_width", margin=(0, 16, 8, 16))
        self.attention = AttentionView(state, footprints, forecasts)
        self.station = StationView(store, forecasts)
        self.tabs = pmui.Tabs(
            ("Time series", pn.Column(self.series, self.legend, margin=0, sizing_mode="stretch_width")),
            ("Where does this place look?", self.attention.root),
            ("Station", self.station.root),
            dynamic=True,
            sizing_mode="stretch_width",
            margin=(4, 0, 0, 0),
        )
        self.tabs.param.watch(lambda _event: self._draw_tab(), "active")
        self.root = pn.Column(
            pn.Row(self.text, self.close, sizing_mode="stretch_width", margin=0), self.tabs,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._drawn: PlacePicture | None = None
        self._station = ""
        self._dark = False
        self._picture: Picture | None = None

    def show(self, picture: Picture) -> None:
        """Draw the picked place of a picture."""
        self._picture, drawn = picture, picture.place
        if drawn is None:
            return
        dark = bool(picture.state.dark)
        if self._drawn is None or dark != self._dark or not _same(drawn, self._drawn):
            self._drawn, self._dark = drawn, dark
            self.text.object = place_html(drawn.place, drawn.today, drawn.forecast)
            self.series.object = plot_series(
                drawn.series, width=WIDTH - 26, height=230, show_legend=False, dark=dark
            )
            self.legend.object = series_legend(drawn.series, dark=dark)
        if picture.state.station and picture.state.station != self._station:
            self.tabs.active = STATION_TAB
        self._station = picture.state.station
        self._draw_tab()

    def _draw_tab(self) -> None:
        """Views of tabs read for themselves, once they are looked at."""
        views: dict[int, AttentionView | StationView] = {1: self.attention, STATION_TAB: self.station}
        view = views.get(int(self.tabs.active))
        if view is not None and self._picture is not None:
            view.show(self._picture)


def _same(one: PlacePicture, other: PlacePicture) -> bool:
    """Whether two draw the same; a run under way brings new pictures that mostly do."""
    return one.place == other.place and one.series.identical(other.series)
