"""The card of a station: series, scores with intervals, target diagram, index classes, terrain and surroundings."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import panel as pn
import xarray as xr

from cranpm.domain.eaqi import EAQI_CLASSES, EAQI_NOTE
from cranpm.plot.scores import target_diagram
from cranpm.plot.series import SERIES_STYLE, plot_series, series_colour
from cranpm.verification.bootstrap import Interval
from cranpm.verification.fairmode import LEAST_DAYS, TargetPoint

from ...background import Latest
from ...data.fields import FieldUnavailableError
from ...data.forecasts import Forecasts
from ...data.pictures import Picture
from ...data.station_card import (
    COMPARED,
    DAYS_FOR_INTERVAL,
    Score,
    StationCard,
    Surroundings,
    days_scored,
    make_card,
)
from ...data.store import Store
from ...markup import Html, Markup, join, signed, table, without_paths
from ...state import LEADS
from ...theme import INK, SOFT

if TYPE_CHECKING:
    from cranpm.data.store.tables import StationRow

log = logging.getLogger(__name__)

WIDTH = 404

_TEXT = Markup(f"<div class='cranpm-station' style='font-size:12.5px;line-height:1.45;{SOFT}'>{{}}</div>")
_HEAD = Markup(f"<div style='font-size:15px;font-weight:600;{INK}'>{{}}</div><div>{{}}</div>{{}}")
_LINE = Markup("<div>{}</div>")
_SMALL = Markup("<div style='font-size:11px;margin-top:3px'>{}</div>")
_DOT = Markup(
    "<span style='display:inline-block;width:9px;height:9px;border-radius:9px;margin-right:5px;"
    "border:2px solid {colour};box-sizing:border-box;background:{fill}'></span>"
)
_CLASS = Markup(
    "<span title='{}' style='background:{};color:{};border-radius:4px;padding:1px 6px;font-weight:600'>{}</span>"
)


class StationView:
    """The tab's contents; reads in a thread when it is looked at."""

    def __init__(self, store: Store, forecasts: Forecasts) -> None:
        self._store, self._forecasts = store, forecasts
        self._questions = Latest(pn.state.curdoc)
        self._asked: tuple[object, ...] = ()
        self._card: StationCard | None = None
        self._drawn: tuple[object, ...] = ()
        self.head = Html("", sizing_mode="stretch_width", margin=(10, 16, 0, 16))
        self.series = pn.pane.HoloViews(sizing_mode="fixed", margin=(6, 10, 0, 8))
        self.scores = Html("", sizing_mode="stretch_width", margin=(0, 16, 0, 16))
        self.target = pn.pane.HoloViews(sizing_mode="fixed", margin=(8, 0, 0, 8))
        self.key = Html("", width=150, margin=(16, 8, 0, 4))
        self.rest = Html("", sizing_mode="stretch_width", margin=(0, 16, 16, 16))
        body = pn.Column(
            self.series, self.scores, pn.Row(self.target, self.key, margin=0), self.rest,
            margin=0, sizing_mode="stretch_width",
        )  # fmt: skip
        self.root = pn.Column(self.head, body, sizing_mode="stretch_width", margin=0)

    def show(self, picture: Picture) -> None:
        """Read the station of a picture's place, unless it is shown already."""
        state, picked = picture.state, picture.place
        station_id = "" if picked is None else picked.place.station_id
        if picked is None or not station_id:
            self._asked, self._card = (), None
            self._clear()
            self._say("No station within 15 km of this place. Stations are circles on the map; their table is "
                      "under “Stations”.")  # fmt: skip
            return
        run = picture.run
        done = "" if run is None or run.state != "done" else run.id
        question = state.dataset, station_id, state.checkpoint, state.init_time, done
        if question == self._asked:
            self._draw(picture)
            return
        self._asked = question
        self._clear()
        self._say("Reading the station’s days …")
        dataset, checkpoint, init = state.dataset, state.checkpoint, state.init_time

        def read() -> StationCard:
            days = days_scored(self._store, dataset, init)
            runs = self._forecasts.finished(dataset, checkpoint, days)
            return make_card(self._store, dataset, station_id, days, runs)

        def then(card: StationCard | None, error: BaseException | None) -> None:
            if question != self._asked:
                return
            self._card, self._drawn = card, ()
            if card is None:
                self._failed(error)
            else:
                self._draw(picture)

        self._questions.ask(read, then)

    def _failed(self, error: BaseException | None) -> None:
        self._asked = ()
        self._clear()
        if isinstance(error, FieldUnavailableError):
            self._say(str(error))
            return
        log.error("The station's card could not be made", exc_info=error)
        self._say(f"This station cannot be shown: {error}")

    def _clear(self) -> None:
        self._drawn = ()
        self.series.object = self.target.object = None
        self.scores.object = self.key.object = self.rest.object = ""

    def _say(self, text: str) -> None:
        self.head.object = _TEXT.format(without_paths(text))

    def _draw(self, picture: Picture) -> None:
        card, state = self._card, picture.state
        if card is None or picture.place is None:
            return
        lead, dark = int(state.lead_time), bool(state.dark)
        drawn = self._asked, lead, dark, picture.place.place.station_kilometres
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self.head.object = _TEXT.format(station_head(card, picture.place.place.station_kilometres))
        series = card_series(card, str(state.init_time))
        self.series.object = plot_series(series, width=WIDTH, height=210, show_legend=False, dark=dark)
        methods = methods_shown(card, lead)
        self.scores.object = _TEXT.format(
            join([series_key(series, dark=dark), scores_html(card, lead), _unreadable(card)])
        )
        points = card.target_points(lead, methods)
        self.target.object = target_diagram(points, size=250, dark=dark) if points else None
        self.key.object = _TEXT.format(target_key(points, lead, dark=dark)) if points else ""
        self.rest.object = _TEXT.format(
            join([classes_html(card, lead, methods[0]), surroundings_html(card.surroundings, card.station)])
        )


def methods_shown(card: StationCard, lead: int) -> list[str]:
    """The forecast where there is one for a day that the station has; baselines always."""
    there = ["forecast"] if len(card.of_lead(lead, "forecast")) else []
    return [*there, "persistence", "cams_forecast"]


def station_head(card: StationCard, kilometres: float) -> Markup:
    """Name, id, kind, heights."""
    station = card.station
    words = [station["station_id"], _known(station["country"]), _known(station["station_type"])]
    words += [_known(station["area"]), f"{station['altitude']:.0f} m" if _finite(station["altitude"]) else ""]
    away = (
        _LINE.format(f"{kilometres:.1f} km from the picked place: the nearest station.")
        if kilometres > 0.5
        else ""
    )
    return _HEAD.format(station["name"], " · ".join(str(word) for word in words if word), away)


def card_series(card: StationCard, init_time: str) -> xr.Dataset:
    """Observed, target and forecasts by valid day, as `cranpm.plot.series.plot_series` takes them."""
    by_day = card.pairs.groupby("valid")[["observed", "target"]].first()
    leads = {
        f"lead_{lead}": card.pairs[card.pairs["lead"] == lead].set_index("valid")["forecast"]
        for lead in LEADS
    }
    columns = by_day.assign(**leads).sort_index()
    return xr.Dataset(
        {name: ("time", columns[name].to_numpy(float), {"units": "ug m-3"}) for name in columns},
        coords={"time": columns.index.to_numpy().astype("datetime64[ns]")},
        attrs={"init_time": init_time},
    )


def series_key(series: xr.Dataset, *, dark: bool) -> Markup:
    """Names of the lines that are drawn, with their colours."""
    drawn = [name for name in SERIES_STYLE if name in series and bool(series[name].notnull().any())]
    entry = Markup("<span style='margin-right:12px;white-space:nowrap'>{}{}</span>")
    dots = (
        entry.format(_dot(series_colour(name, dark=dark), full=True), SERIES_STYLE[name]["label"])
        for name in drawn
    )
    return _LINE.format(join(dots))


def scores_html(card: StationCard, lead: int) -> Markup:
    """Two tables: on the days that have a forecast, and on all days held; each method on the same days."""
    with_forecast = card.scores(lead, ["forecast", "persistence", "cams_forecast"])
    held = card.scores(lead, ["persistence", "cams_forecast", "target"])
    parts: list[Markup] = []
    if with_forecast:
        parts.append(_score_table(f"T+{lead}, days with a forecast", with_forecast))
    else:
        parts.append(
            _LINE.format(
                f"No finished forecast of a day that this station reported at T+{lead}; baselines only."
            )
        )
    if held:
        parts.append(_score_table(f"T+{lead}, all days held", held))
        parts.append(
            _SMALL.format(
                f"Against the station’s daily means, µg/m³; each table on the same days for all its rows. In brackets: "
                f"95 % interval from redrawn days, told from {DAYS_FOR_INTERVAL} days on."
            )
        )
    return join(parts)


def _score_table(caption: str, scores: Sequence[Score]) -> Markup:
    rows = [
        (
            COMPARED[one.method],
            one.days,
            signed(one.bias, 1),
            interval_text(one.rmse),
            _number(one.correlation, 2),
        )
        for one in scores
    ]
    return table(f"{caption} (n = {scores[0].days})", ("Method", "n", "Bias", "RMSE", "r"), rows)


def interval_text(interval: Interval) -> str:
    """“3.4 [2.1, 5.0]”; without an interval where there is none."""
    text = _number(interval.estimate, 1)
    return f"{text} [{interval.low:.1f}, {interval.high:.1f}]" if _finite(interval.low) else text


def target_key(points: dict[str, TargetPoint], lead: int, *, dark: bool) -> Markup:
    """What the dots are, with their indicators."""
    lines = [
        _LINE.format(
            Markup("{}{}: {}").format(
                _dot(series_colour(name, dark=dark), full=point.enough_days),
                COMPARED[name],
                _number(point.indicator, 2),
            )
        )
        for name, point in points.items()
    ]
    days = next(iter(points.values())).days
    few = f" Hollow: fewer than {LEAST_DAYS} days, no verdict." if days < LEAST_DAYS else ""
    note = (
        f"FAIRMODE target, T+{lead}, n = {days} days. Indicator; inside the circle (≤ 1): objective met.{few}"
    )
    return join([*lines, _SMALL.format(note)])


def classes_html(card: StationCard, lead: int, method: str) -> Markup:
    """Days by index class, observed against a method; only classes that occur."""
    counts = card.classes(lead, method)
    if not counts.sum():
        return _LINE.format("No day on which both an index class was observed and one was forecast.")
    used = [i for i in range(len(EAQI_CLASSES)) if counts[i].sum() or counts[:, i].sum()]
    rows = [(_class_chip(i), *(int(counts[i, j]) or "·" for j in used)) for i in used]
    hit = int(counts.trace())
    caption = f"Index class: observed (rows), {COMPARED[method].lower()} T+{lead} (columns)"
    text = f"The same class on {hit} of {int(counts.sum())} days. {EAQI_NOTE}."
    return join([table(caption, ("", *(_class_chip(j) for j in used)), rows), _SMALL.format(text)])


def surroundings_html(around: Surroundings, station: StationRow) -> Markup:
    """Cell against its surroundings, station against its cell, and what that means."""
    complexity = float(station["terrain_complexity"])
    higher = around.height_of_station - around.height_of_cell
    heights = around.height_of_station, around.height_of_cell, around.height_around
    rows = [
        ("Height [m]", *(_number(height, 0) for height in heights)),
        (
            "PM2.5, target [µg/m³]",
            "–",
            _number(around.cell, 1),
            f"{_number(around.around, 1)} ± {_number(around.spread, 1)}",
        ),
    ]
    sentence = (
        f"Mean over {around.days} days; 25 km: the mean and the spread of up to {around.cells} cells with a value. "
        f"Elevation around the station varies by σz = {_number(complexity, 0)} m"
        f"{'' if not _finite(complexity) else ' (complex terrain)' if complexity >= 50 else ' (flat)'}; it lies "
        f"{_height_words(higher)} its cell."
    )
    columns = "", "Station", "1-km cell", "25 km"
    return join([table("Terrain and representativeness", columns, rows), _SMALL.format(sentence)])


def _height_words(metres: float) -> str:
    if not _finite(metres):
        return "at an unknown height in"
    return f"{abs(metres):.0f} m {'above' if metres >= 0 else 'below'} the mean of"


def _class_chip(index: int) -> Markup:
    item = EAQI_CLASSES[index]
    return _CLASS.format(item.name, item.colour, item.text_colour, item.number)


def _dot(colour: str, *, full: bool) -> Markup:
    return _DOT.format(colour=colour, fill=colour if full else "transparent")


def _unreadable(card: StationCard) -> str | Markup:
    if not card.unreadable:
        return ""
    return _LINE.format(f"Damaged in this dataset, and left out: {', '.join(card.unreadable)}.")


def _known(value: object) -> str:
    return value if isinstance(value, str) else ""


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if _finite(value) else "–"
