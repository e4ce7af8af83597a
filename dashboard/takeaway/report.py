"""One page on a place, as HTML that needs nothing else: values, map, series, the card of its station, provenance."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from cranpm.plot.series import LIMIT_LINES, SERIES_STYLE, series_colour

from ..data.fields import FieldUnavailableError
from ..data.forecasts import Forecasts
from ..data.pictures import PlacePicture
from ..data.station_card import days_scored, make_card
from ..data.trust import CAVEAT
from ..markup import Markup, join
from ..state import long_date
from ..views.inspector import place_html
from ..views.stations.card import classes_html, methods_shown, scores_html, station_head, surroundings_html
from .picture import map_png
from .view import View

AROUND = 1.5
"""Degrees of latitude to each side of the place on the report's map."""

_PAGE = Markup(
    "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
    "<meta http-equiv='Content-Security-Policy' "
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
    "<meta name='viewport' content='width=device-width, initial-scale=1'><title>{title}</title><style>"
    ":root{{--mui-palette-text-primary:#17222c;--mui-palette-text-secondary:#56646f;--mui-palette-divider:#dde3e8;"
    "--mui-palette-background-default:#f4f6f8;--mui-palette-secondary-main:#b4531f}}"
    "body{{font:14px/1.5 Roboto,Arial,sans-serif;color:#17222c;max-width:860px;margin:24px auto;padding:0 20px}}"
    "h1{{font-size:20px;margin:0}}h2{{font-size:15px;margin:22px 0 6px}}img{{max-width:100%;height:auto}}"
    "table{{margin:8px 0 12px}}footer{{margin-top:24px;font-size:11.5px;color:#56646f;border-top:1px solid #dde3e8}}"
    ".simulated{{background:#ffd166;color:#3a2a00;padding:3px 10px;border-radius:99px;font-weight:600;font-size:12px}}"
    "@media print{{body{{margin:0;max-width:none}}h2{{break-after:avoid}}img,table{{break-inside:avoid}}}}"
    "</style></head><body><h1>{title}</h1><p>{about} <span class='{badge}'>{source}</span></p>{place}{parts}"
    "<footer>{footer}</footer></body></html>\n"
)
_SECTION = Markup("<h2>{}</h2>{}")
_IMAGE = Markup("<img alt='{}' src='data:image/png;base64,{}'>")
_PARAGRAPH = Markup("<p>{}</p>")


def report_html(view: View, forecasts: Forecasts) -> str:
    """The report of the picked place of a view.

    Raises
    ------
    FieldUnavailableError
        If no place is picked.
    """
    picture = view.picture(stations=False)
    drawn, state = picture.place, view.state
    if drawn is None:
        raise FieldUnavailableError("Pick a place first: a report is of one place.")
    parts: list[Markup] = [_SECTION.format("Map", _map(view))]
    parts.append(
        _SECTION.format("Days around the init day", _image("Series of the place", _series_png(drawn)))
    )
    if drawn.place.station_id:
        parts.append(_SECTION.format("Nearest station", _station(view, drawn, forecasts)))
    said = view.provenance()
    facts = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in said.items())
    page = _PAGE.format(
        title=f"PM2.5 at {drawn.place.town or 'a place'}",
        about=f"{state.what}, init {long_date(state.init_time)}, daily means of UTC days.",
        badge="simulated" if view.dataset.simulated else "source",
        source=view.dataset.source,
        place=place_html(drawn.place, drawn.today, drawn.forecast),
        parts=join(parts),
        footer=join([_PARAGRAPH.format(facts), _PARAGRAPH.format(f"Made by CRAN-PM Explorer. {CAVEAT}")]),
    )
    return str(page)


def _map(view: View) -> Markup:
    try:
        return _image("Map around the place", map_png(view.around(AROUND)))
    except FieldUnavailableError as error:
        return _PARAGRAPH.format(str(error))


def _station(view: View, drawn: PlacePicture, forecasts: Forecasts) -> Markup:
    state, lead = view.state, int(view.state.lead_time)
    days = days_scored(view.store, state.dataset, state.init_time)
    runs = forecasts.finished(state.dataset, state.checkpoint, days) if state.checkpoint else {}
    card = make_card(view.store, state.dataset, drawn.place.station_id, days, runs)
    return join(
        [
            station_head(card, drawn.place.station_kilometres),
            scores_html(card, lead),
            classes_html(card, lead, methods_shown(card, lead)[0]),
            surroundings_html(card.surroundings, card.station),
        ]
    )


def _image(words: str, png: bytes) -> Markup:
    return _IMAGE.format(words, base64.b64encode(png).decode())


def _series_png(drawn: PlacePicture) -> bytes:
    figure = Figure(figsize=(8.2, 3.0), dpi=120)
    axes = figure.add_subplot()
    series = drawn.series
    when = series["time"].to_numpy()
    for name, style in SERIES_STYLE.items():
        if name not in series or not bool(series[name].notnull().any()):
            continue
        dash = {"dotted": ":", "dashed": "--"}.get(str(style.get("line_dash", "")), "-")
        line: dict[str, Any] = (
            {"ls": "none", "marker": "s", "ms": 4}
            if name == "observed"
            else {"ls": dash, "marker": "o", "ms": 3}
        )
        axes.plot(when, series[name].to_numpy(), color=series_colour(name), label=style["label"], **line)
    for title, value in LIMIT_LINES:
        axes.axhline(value, color="#c2410c", lw=0.8, ls="--", alpha=0.6)
        axes.annotate(title, (when[-1], value), size=7, color="#c2410c", ha="right", va="bottom")
    axes.set_ylabel("PM2.5 [µg/m³]")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncols=3, frameon=False, loc="upper left")
    figure.tight_layout()
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out)
    return out.getvalue()
