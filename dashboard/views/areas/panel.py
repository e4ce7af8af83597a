"""The drawer for an area: what its cells hold, how forecasts score there, and the six regions of the paper."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from cranpm.domain.eaqi import EAQI_CLASSES
from cranpm.domain.grid import Grid
from cranpm.plot.series import METHODS, regional_lines, rmse_bars
from cranpm.verification.structure import DATA_RANGE
from cranpm.verification.sums import PairSums

from ...background import Latest
from ...data.areas.area import Area
from ...data.areas.scores import LARGEST_SSIM, AreaScores, area_scores
from ...data.areas.series import RegionalSeries, regional_series
from ...data.areas.statistics import BINS, QUANTILES, AreaStatistics, area_statistics
from ...data.areas.window import NotWantedError, Window
from ...data.fields import FieldUnavailableError
from ...data.forecasts import Forecasts
from ...data.pictures import Picture
from ...data.station_card import days_scored
from ...data.store import Store
from ...markup import Html, Markup, join, table, without_paths
from ...state import long_date
from ...theme import INK, SOFT

log = logging.getLogger(__name__)

WIDTH = 404
TABS = ("Statistics", "Scores", "Six regions")

_TEXT = Markup(f"<div class='cranpm-area' style='font-size:12.5px;line-height:1.45;{SOFT}'>{{}}</div>")
_HEAD = Markup(f"<div style='font-size:17px;font-weight:600;{INK}'>{{}}</div><div>{{}}</div>")
_LINE = Markup("<div>{}</div>")
_SMALL = Markup("<div style='font-size:11px;margin-top:4px'>{}</div>")


class AreaPanel:
    """Contents of the drawer; reads in threads, only what the open tab shows.

    Parameters
    ----------
    store : Store
    forecasts : Forecasts
        Where series look for finished runs.
    close, remove_box : callable
        Called when the drawer is to be closed, and when the drawn box is to go.
    """

    def __init__(
        self,
        store: Store,
        forecasts: Forecasts,
        *,
        close: Callable[[], Any],
        remove_box: Callable[[], Any],
    ) -> None:
        self._store, self._forecasts = store, forecasts
        self._questions = Latest(pn.state.curdoc)
        self._asked: tuple[object, ...] = ()
        self._picture: Picture | None = None
        self._area: Area | None = None
        self.head = Html("", sizing_mode="stretch_width", margin=(10, 0, 0, 16))
        self.remove = pmui.Button(
            label="Remove the box", icon="delete", size="small", variant="text", margin=(0, 16), visible=False
        )
        self.remove.on_click(lambda _event: remove_box())
        self.close = pmui.IconButton(
            icon="close", description="Close the statistics", size="small", margin=(6, 8, 0, 0)
        )
        self.close.on_click(lambda _event: close())
        self.texts = [Html("", sizing_mode="stretch_width", margin=(8, 16, 12, 16)) for _ in TABS]
        self.bars = pn.pane.HoloViews(sizing_mode="fixed", margin=(4, 8))
        self.lines = pn.pane.HoloViews(sizing_mode="fixed", margin=(4, 8))
        self.tabs = pmui.Tabs(
            (TABS[0], self.texts[0]),
            (TABS[1], self.texts[1]),
            (
                TABS[2],
                pn.Column(self.texts[2], self.bars, self.lines, margin=0, sizing_mode="stretch_width"),
            ),
            dynamic=True,
            sizing_mode="stretch_width",
            margin=(4, 0, 0, 0),
        )
        self.tabs.param.watch(lambda _event: self._ask(), "active")
        self.root = pn.Column(
            pn.Row(self.head, self.close, sizing_mode="stretch_width", margin=0), self.remove, self.tabs,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip

    def show(self, picture: Picture, area: Area) -> None:
        """Say what an area of a picture holds."""
        self._picture, self._area = picture, area
        self.remove.visible = picture.state.box is not None or area.title == "Drawn box"
        self.head.object = _TEXT.format(_HEAD.format(area.title, area.bounds))
        self._ask()

    def _ask(self) -> None:
        picture, area, tab = self._picture, self._area, int(self.tabs.active)
        if picture is None or area is None:
            return
        question = self._question(picture, area, tab)
        if question == self._asked:
            return
        new = self._asked[:2] != question[:2]
        self._asked = question
        if new:
            self.texts[tab].object = _TEXT.format("Reading …")
        work = (self._statistics, self._scores, self._series)[tab]

        def go_on() -> bool:
            return self._asked == question

        def then(answer: Any, error: BaseException | None) -> None:
            if question != self._asked or isinstance(error, NotWantedError):
                return
            if error is not None:
                self._failed(tab, error)
            else:
                (self._tell_statistics, self._tell_scores, self._tell_series)[tab](picture, answer)

        self._questions.ask(lambda: work(picture, area, go_on), then)

    @staticmethod
    def _question(picture: Picture, area: Area, tab: int) -> tuple[object, ...]:
        state, run = picture.state, picture.run
        done = "" if run is None or run.state != "done" else run.id
        day = state.dataset, state.checkpoint, state.init_time, int(state.lead_time), done
        if tab == 0:
            return tab, area, picture.field_id, picture.version
        if tab == 1:
            stations = tuple(state.station_types), tuple(state.station_areas), state.terrain
            return tab, area, *day, stations
        return tab, "", *day, bool(state.dark)

    def _failed(self, tab: int, error: BaseException) -> None:
        self._asked = ()
        if not isinstance(error, FieldUnavailableError):
            log.error("An area's numbers could not be made", exc_info=error)
        self.texts[tab].object = _TEXT.format(without_paths(str(error) or type(error).__name__))

    # -- in threads ----------------------------------------------------------------------------------------------

    def _window(self, grid: Grid, area: Area) -> Window:
        window = Window.of_box(grid, area.box)
        if not window.cells:
            raise FieldUnavailableError("No cell of this map has its centre in the box.")
        return window

    def _statistics(self, picture: Picture, area: Area, go_on: Callable[[], bool]) -> AreaStatistics:
        if not picture.field_id:
            raise FieldUnavailableError(picture.note or "There is no field on the map.")
        name = picture.state.dataset
        pyramid = self._store.fields.field(picture.field_id).pyramid
        fine = pyramid.grid == self._store.dataset(name).domain.fine  # others have cells of their own
        land = self._store.land(name).read if fine else None
        return area_statistics(pyramid.read, land, pyramid.grid, self._window(pyramid.grid, area), go_on)

    def _scores(self, picture: Picture, area: Area, go_on: Callable[[], bool]) -> AreaScores:
        state, run = picture.state, picture.run
        forecast = run.map(int(state.lead_time)).read if run is not None and run.state == "done" else None
        window = self._window(self._store.dataset(state.dataset).domain.fine, area)
        return area_scores(self._store, state, forecast, window, go_on)

    def _series(self, picture: Picture, _area: Area, go_on: Callable[[], bool]) -> RegionalSeries:
        state = picture.state
        days = days_scored(self._store, state.dataset, state.init_time)
        runs = self._forecasts.finished(state.dataset, state.checkpoint, days)
        return regional_series(self._store, state.dataset, int(state.lead_time), days, runs, go_on)

    # -- in the page ---------------------------------------------------------------------------------------------

    def _tell_statistics(self, picture: Picture, answer: AreaStatistics) -> None:
        self.texts[0].object = _TEXT.format(statistics_html(picture, answer))

    def _tell_scores(self, picture: Picture, answer: AreaScores) -> None:
        self.texts[1].object = _TEXT.format(scores_html(picture, answer))

    def _tell_series(self, picture: Picture, answer: RegionalSeries) -> None:
        dark, lead = bool(picture.state.dark), int(picture.state.lead_time)
        self.texts[2].object = _TEXT.format(series_html(answer, lead))
        there = len(answer.means) > 0
        self.bars.object = rmse_bars(answer.errors, width=WIDTH, dark=dark) if len(answer.errors) else None
        self.lines.object = regional_lines(answer.means, width=WIDTH // 2, dark=dark) if there else None


ABOVE_NOTE = (
    f"WHO 24 h: 15; EU 2030 24 h: 25; above 50 the index class is “{EAQI_CLASSES[3].name}” or worse. One day above a "
    "value is no breach of a limit."
)


def statistics_html(picture: Picture, found: AreaStatistics) -> Markup:
    """Cells, mean, quantiles and shares above limits of the layer on the map."""
    state = picture.state
    units, layer = picture.scale.units, state.shown_layer
    gaps = f"{found.without:,} {'land cells' if layer.is_concentration else 'cells'} without a value are left out."
    if not found.cells:
        return join([_LINE.format(state.what), _LINE.format(f"No cell with a value here. {gaps}")])
    rows = [("Mean", _value(found.mean)), ("Lowest", _value(found.lowest))]
    rows += [(f"{share:.0%} below", _value(value)) for share, value in zip(QUANTILES, found.quantiles)]
    rows += [("Highest", _value(found.highest))]
    parts: list[Markup] = [
        _LINE.format(state.what),
        table(f"n = {found.cells:,} cells", ("", units or "no unit"), rows),
    ]
    if layer.is_concentration:
        above = [(f"> {limit:g} µg/m³", f"{share:.1%}") for limit, share in found.above.items()]
        parts.append(table("Share of the area above", ("Daily mean", "Share"), above))
        parts.append(_SMALL.format(ABOVE_NOTE))
    parts.append(_SMALL.format(f"Weighted by the cells’ areas; quantiles to 1/{BINS} of the range. {gaps}"))
    return join(parts)


def scores_html(picture: Picture, found: AreaScores) -> Markup:
    """Methods against the target, and against stations."""
    state = picture.state
    first = next(iter(found.cells.values()), None)
    parts: list[Markup] = [_LINE.format(f"T+{state.lead_time}, valid {long_date(state.valid_time)}, 1 km")]
    if "forecast" not in found.methods:
        parts.append(
            _LINE.format("No finished forecast of this day and checkpoint: baselines alone are scored.")
        )
    if first is None or not int(first.count):
        parts.append(_LINE.format("No cell on which the target and every method have a value."))
    else:
        columns = "Method", "RMSE", "Bias", "r", "SSIM"
        rows = [
            (*_figures(METHODS[name], sums), _number(found.similarity.get(name, np.nan), 3))
            for name, sums in found.cells.items()
        ]
        parts.append(table(f"Against the target: n = {int(first.count):,} land cells", columns, rows))
        left_out = f"{found.missing:,} land cells are left out: a field has no value there. "
        parts.append(_SMALL.format(left_out + _about_ssim(found)))
    stations = next(iter(found.stations.values()), None)
    if stations is None or not int(stations.count):
        parts.append(_LINE.format("No chosen station reported here on that day."))
    else:
        rows = [_figures(METHODS[name], sums) for name, sums in found.stations.items()]
        caption = f"Against stations: n = {int(stations.count)}"
        parts.append(table(caption, ("Method", "RMSE", "Bias", "r"), rows))
    parts.append(_SMALL.format(SCORES_NOTE))
    return join(parts)


SCORES_NOTE = (
    "µg/m³; bias: method minus reference. All rows of a table on the same cells or stations; one day, so no intervals: "
    "see a station’s card for more days."
)


def _about_ssim(found: AreaScores) -> str:
    if found.similarity:
        return f"SSIM with a Gaussian window of 11 x 11 cells and a range of {DATA_RANGE:g} µg/m³."
    return f"SSIM is computed for areas of up to {LARGEST_SSIM:,} cells: zoom in."


def series_html(found: RegionalSeries, lead: int) -> Markup:
    """What the pictures show, and the numbers of the bars as a table."""
    if found.means.empty:
        return _LINE.format("None of the six regions lies in this dataset.")
    errors = found.errors
    with_forecast = bool((errors["method"] == "forecast").any()) if len(errors) else False
    days = int(errors["days"].max()) if len(errors) else 0
    said = (
        f"on the {days} day(s) that have a finished forecast"
        if with_forecast
        else f"on {days} days held; no finished forecast of this checkpoint among them"
    )
    wide = errors.pivot(index="region", columns="method", values="rmse") if len(errors) else None
    rows: list[tuple[str, ...]] = []
    columns: tuple[str, ...] = ()
    if wide is not None:
        used = [name for name in METHODS if name in wide.columns]
        rows = [
            (region, *(_number(float(wide.loc[region, name]), 1) for name in used))
            for region in errors["region"].unique()
        ]
        columns = "Region", *(METHODS[name] for name in used)
    parts: list[Markup] = []
    if rows:
        parts.append(table(f"RMSE at T+{lead} against the target, {said} [µg/m³]", columns, rows))
    if found.unreadable:
        parts.append(_SMALL.format(f"Damaged in this dataset, and left out: {', '.join(found.unreadable)}."))
    parts.append(
        _SMALL.format(
            "Lines: means of land, weighted by area, by valid day (regions of Fig. 4 of the paper)."
        )
    )
    return join(parts)


def _figures(name: str, sums: PairSums) -> tuple[str, ...]:
    bias = _number(float(sums.bias), 2)
    return name, _number(float(sums.rmse), 2), bias.replace("-", "−"), _number(float(sums.correlation), 2)


def _value(value: float) -> str:
    """Four digits at most: fields have units from mm to Pa."""
    if not np.isfinite(value):
        return "–"
    return (f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"
