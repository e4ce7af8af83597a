"""Time series: of one place with station and limits; of regions, with the errors of forecasts there."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from .backend import load_bokeh
from .style import GROUNDS, ground_options

load_bokeh()

LIMIT_LINES: tuple[tuple[str, float], ...] = (("WHO 24 h", 15.0), ("EU 2030 24 h", 25.0))
"""Daily values drawn as lines [ug m-3]; one day above them is no breach of either."""


class SeriesStyle(TypedDict):
    """Label of a variable, and how it is drawn."""

    label: str
    color: tuple[str, str]
    """On a light and on a dark ground."""
    line_width: NotRequired[float]
    line_dash: NotRequired[str]


SERIES_STYLE: dict[str, SeriesStyle] = {
    "target": {"label": "Target (GHAP-like)", "color": ("#5b6875", "#a9b6c2"), "line_width": 2.0},
    "persistence": {
        "label": "Persistence",
        "color": ("#a0662a", "#e0a860"),
        "line_dash": "dotted",
        "line_width": 1.8,
    },
    "cams_forecast": {
        "label": "CAMS-like forecast",
        "color": ("#8e5bb5", "#c79be8"),
        "line_dash": "dashed",
        "line_width": 1.8,
    },
    "observed": {"label": "Station", "color": ("#1b2733", "#f2f5f8")},
    "forecast": {"label": "Forecast", "color": ("#0b7fa8", "#4fc3e8"), "line_width": 2.8},
    "lead_3": {
        "label": "Forecast T+3",
        "color": ("#b0559a", "#e8a0d6"),
        "line_dash": "dotted",
        "line_width": 2.0,
    },
    "lead_2": {
        "label": "Forecast T+2",
        "color": ("#3c6fc4", "#8fb4f5"),
        "line_dash": "dashed",
        "line_width": 2.2,
    },
    "lead_1": {"label": "Forecast T+1", "color": ("#0b7fa8", "#4fc3e8"), "line_width": 2.8},
}
"""Variables of a series in drawing order, with label and style; a method has one name and one label everywhere."""

METHODS: dict[str, str] = {
    name: SERIES_STYLE[name]["label"] for name in ("forecast", "persistence", "cams_forecast")
}
"""What is held against target and stations, with its label, in the order of tables."""

_LIMIT = ("#c2410c", "#ff9d6e")
_INIT = ("#6a7683", "#93a3b1")


def series_colour(name: str, *, dark: bool = False) -> str:
    """Colour of a variable on a light or dark ground."""
    return SERIES_STYLE[name]["color"][dark]


def _line(name: str, *, dark: bool) -> dict[str, object]:
    """Options of a variable's curve."""
    width_and_dash = {key: value for key, value in SERIES_STYLE[name].items() if key.startswith("line_")}
    return {"color": series_colour(name, dark=dark), **width_and_dash}


def plot_series(
    series: xr.Dataset,
    *,
    width: int = 700,
    height: int = 320,
    show_legend: bool = True,
    dark: bool = False,
    title: str | None = None,
) -> hv.Overlay:
    """Draw PM2.5 of one place over days: what came, forecasts, a station, and limits.

    Parameters
    ----------
    series : Dataset, dim time
        From `cranpm.series_at`, or any of the variables of `SERIES_STYLE` [ug m-3], NaN where there is no value;
        attribute ``init_time`` marks the day on which the forecast starts.
    width, height : int
        Size [pixels].
    show_legend : bool
        False where the page has its own legend of `SERIES_STYLE`.
    dark : bool
        Whether it is drawn on a dark ground.
    title : str, optional
        By default the place, its station and where the data come from, as far as the series says.

    Returns
    -------
    hv.Overlay
        Curves and points with units in the axis label.

    Raises
    ------
    TypeError
        For something that is no such series.

    Examples
    --------
    >>> import cranpm
    >>> maps = cranpm.forecast("2022-01-11", leads=[1, 2])
    >>> picture = cranpm.plot_series(cranpm.series_at(maps, 45.46, 9.19))
    >>> sorted({part.label for part in picture if part.label})
    ['CAMS-like forecast', 'Forecast', 'Persistence', 'Station', 'Target (GHAP-like)']
    """
    if not isinstance(series, xr.Dataset) or "time" not in series.dims or not set(SERIES_STYLE) & set(series):
        raise TypeError(
            f"plot_series draws what cranpm.series_at returns, or a dataset over time with any of "
            f"{', '.join(SERIES_STYLE)}; got {type(series).__name__}."
        )
    pm = hv.Dimension("pm2p5", label="PM2.5", unit="µg/m³")
    day = hv.Dimension("time", label="Day (UTC)")
    parts: list[hv.Element] = []
    first, last = series["time"].values[[0, -1]]
    for name, value in LIMIT_LINES:
        line = hv.Curve([(first, value), (last, value)], day, pm)
        parts.append(line.opts(color=_LIMIT[dark], line_width=1, line_dash="dashed", alpha=0.65))
        text = hv.Text(first, value, f"{name} {value:g}")  # the forecasts meet at the other end
        parts.append(
            text.opts(
                text_font_size="8pt", text_align="left", text_baseline="bottom", text_color=_LIMIT[dark]
            )
        )
    init = series.attrs.get("init_time")
    if init is not None:
        parts.append(hv.VLine(np.datetime64(init, "ns")).opts(color=_INIT[dark], line_width=1))
    for name, style in SERIES_STYLE.items():
        if name not in series or bool(series[name].isnull().all()):
            continue
        label, colour = style["label"], series_colour(name, dark=dark)
        frame = series[name].dropna("time").to_dataframe(name="pm2p5").reset_index()[["time", "pm2p5"]]
        if name != "observed":
            parts.append(hv.Curve(frame, day, pm, label=label).opts(**_line(name, dark=dark)))
        marker = "square" if name == "observed" else "circle"
        points = hv.Scatter(frame, day, pm, label=label)
        size = 6 if name in ("forecast", "observed", "lead_1", "lead_2", "lead_3") else 4
        parts.append(points.opts(color=colour, size=size, marker=marker, tools=["hover"]))
    top = max(
        [30.0, *(float(series[n].max()) for n in SERIES_STYLE if n in series and series[n].notnull().any())]
    )
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=height,
            ylim=(0, 1.12 * top),
            show_legend=show_legend,
            legend_position="bottom",
            legend_cols=3 if width < 600 else 6,
            toolbar=None,
            show_grid=True,
            fontsize={"legend": 8, "labels": 9, "ticks": 8},
            padding=0.04,
            xlabel="",
            ylabel="PM2.5 [µg/m³]",
            title=_place_title(series) if title is None else title,
            backend_opts=ground_options(dark=dark) | {"plot.title.text_color": GROUNDS[dark]["ink"]},
        )
    )


def _place_title(series: xr.Dataset) -> str:
    facts = series.attrs
    place = f"{facts['latitude']:.2f}° N, {facts['longitude']:.2f}° E" if "latitude" in facts else ""
    station = (
        f"station {facts['station']} at {facts['station_kilometres']:.1f} km" if "station" in facts else ""
    )
    return ", ".join(part for part in (place, station, facts.get("source", "")) if part)


REGION_LINES = ("target", "persistence", "cams_forecast", "forecast")
"""Variables of regional series, in drawing order."""


def regional_lines(
    means: pd.DataFrame, *, width: int = 200, height: int = 130, dark: bool = False
) -> hv.Layout:
    """Daily means of regions, one small picture each (Fig. 4 of the paper).

    Parameters
    ----------
    means : DataFrame
        ``region``, ``time`` and columns of :data:`REGION_LINES` [ug m-3], NaN where there is no value.
    width, height : int
        Of each picture [pixels].
    dark : bool
        Whether they are drawn on a dark ground.

    Returns
    -------
    hv.Layout
        Two pictures a row, all with the same scale.
    """
    pm = hv.Dimension("pm2p5", label="PM2.5", unit="µg/m³")
    day = hv.Dimension("time", label="Day (UTC)")
    top = max(20.0, 1.1 * float(np.nanmax(means[list(REGION_LINES)].to_numpy(float), initial=0.0)))
    pictures = []
    for region, rows in means.groupby("region", sort=False):
        parts: list[hv.Element] = []
        for name in REGION_LINES:
            frame = rows[["time", name]].rename(columns={name: "pm2p5"}).dropna()
            colour = series_colour(name, dark=dark)
            parts.append(hv.Curve(frame, day, pm).opts(**_line(name, dark=dark)))
            if len(frame) and name in ("target", "forecast"):  # one day alone is no line
                parts.append(hv.Scatter(frame, day, pm).opts(color=colour, size=4))
        pictures.append(
            hv.Overlay(parts).opts(
                hv.opts.Overlay(
                    title=str(region),
                    width=width,
                    height=height,
                    ylim=(0, top),
                    toolbar=None,
                    show_legend=False,
                    show_grid=True,
                    fontsize={"title": 9, "labels": 8, "ticks": 7},
                    xlabel="",
                    ylabel="µg/m³",
                    xticks=3,
                    yticks=3,
                    backend_opts=ground_options(dark=dark) | {"plot.title.text_color": GROUNDS[dark]["ink"]},
                )
            )
        )
    return hv.Layout(pictures).opts(shared_axes=False, toolbar=None).cols(2)


def rmse_bars(errors: pd.DataFrame, *, width: int = 400, height: int = 190, dark: bool = False) -> hv.Overlay:
    """RMSE by region and method.

    Parameters
    ----------
    errors : DataFrame
        ``region``, ``method`` (names of :data:`SERIES_STYLE`) and ``rmse`` [ug m-3].
    width, height : int
        Size [pixels].
    dark : bool
        Whether it is drawn on a dark ground.

    Returns
    -------
    hv.Overlay
        Bars of a region beside each other, always in the order of the methods; the colours are those of the lines.
    """
    regions = list(dict.fromkeys(errors["region"]))
    methods = list(dict.fromkeys(errors["method"]))
    thick = 0.8 / max(len(methods), 1)
    parts = []
    for number, name in enumerate(methods):
        rows = errors[errors["method"] == name]
        label = SERIES_STYLE[name]["label"]
        bars = [
            (left, 0.0, left + 0.92 * thick, float(rmse), str(region))
            for region, rmse in zip(rows["region"], rows["rmse"])
            for left in [regions.index(region) - 0.4 + number * thick]
        ]
        boxes = hv.Rectangles(bars, ["x0", "y0", "x1", "RMSE"], "Region", label=label)
        parts.append(boxes.opts(color=series_colour(name, dark=dark), line_color=None, tools=["hover"]))
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=height,
            ylim=(0, 1.1 * max(float(errors["rmse"].max()), 1.0)),
            xticks=list(enumerate(map(str, regions))),
            xrotation=20,
            xlabel="",
            ylabel="RMSE [µg/m³]",
            legend_position="top",
            legend_opts={"background_fill_alpha": 0, "label_text_color": GROUNDS[dark]["ink"]},
            toolbar=None,
            fontsize={"legend": 8, "labels": 9, "ticks": 8},
            backend_opts=ground_options(dark=dark),
        )
    )
