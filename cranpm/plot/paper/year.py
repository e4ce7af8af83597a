"""Figure 4: daily means of regions through a year, and the error of every method there."""

from __future__ import annotations

from collections.abc import Sequence

import holoviews as hv
import numpy as np
import pandas as pd

from ..backend import load_bokeh
from .colours import TARGET, method_styles
from .panels import arranged

load_bokeh()

SIX = ("Po Valley", "Paris Basin", "Silesia", "Rhine-Ruhr", "London", "Malmö")
"""The regions of the paper's figure."""

LONGEST_GAP = np.timedelta64(3, "D")
"""Days further apart are not joined by a line: nothing is known between them."""


def regions_figure(
    daily: pd.DataFrame,
    *,
    ours: str,
    lead: int = 1,
    methods: Sequence[str] | None = None,
    regions: Sequence[str] = SIX,
    data: str = "",
    width: int = 420,
) -> hv.Layout:
    """Daily means of regions and RMSE bars (Fig. 4 of the paper).

    Parameters
    ----------
    daily : DataFrame
        Scores by day as ``cranpm evaluate`` writes them (``...-daily.csv``): ``where``, ``valid_day``, ``lead``,
        ``method``, ``mean``, ``target_mean`` [ug m-3], ``squared`` [(ug m-3)^2] and ``cells``.
    ours : str
        Our method; its means are drawn beside the product's.
    lead : int
        Lead time [days].
    methods : sequence of str, optional
        Those that have bars, in this order; by default all.
    regions : sequence of str
        Their titles; those without a day are left out.
    data : str
        What the data are called, for the titles; say there that they are simulated.
    width : int
        Of each picture [pixels].

    Returns
    -------
    hv.Layout
        Two regions a row, and the bars below. Days more than three days apart are points without a line.

    Raises
    ------
    ValueError
        If no region has a day of this lead time, or a method is missing.
    """
    rows = daily[(daily["lead"] == lead) & daily["where"].isin(regions) & (daily["cells"] > 0)]
    there = [name for name in regions if (rows["where"] == name).any()]
    if not there:
        held = ", ".join(map(str, daily["where"].unique()))
        raise ValueError(f"No day of T+{lead} in {', '.join(regions)}; the table holds {held}.")
    known = list(dict.fromkeys(rows["method"]))
    wanted = list(methods or known)
    missing = [name for name in (*wanted, ours) if name not in known]
    if missing:
        raise ValueError(f"The table lacks {missing[0]!r}; it holds {', '.join(known)}.")
    own = rows[rows["method"] == ours].assign(time=lambda part: pd.to_datetime(part["valid_day"]))
    top = 1.35 * float(own[["mean", "target_mean"]].to_numpy().max())  # room for the legend
    pictures: list[hv.Element] = [
        _series(own[own["where"] == name].sort_values("time"), name, ours, lead, data, top, width)
        for name in there
    ]
    pictures += [hv.Empty()] * (len(pictures) % 2)  # bars begin a row
    bars = error_bars(regional_rmse(rows, wanted), ours=ours, width=2 * width, title=f"RMSE, T+{lead}")
    return arranged([*pictures, bars], 2, {len(pictures): (1, 2)})


def regional_rmse(daily: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """RMSE pooled over cells of all days, by region and method.

    Parameters
    ----------
    daily : DataFrame
        As `regions_figure` takes it, of one lead time.
    methods : sequence of str
        In this order.

    Returns
    -------
    DataFrame
        ``region``, ``method``, ``rmse`` [ug m-3], regions in the order of the table.

    Examples
    --------
    >>> days = pd.DataFrame({"where": "Po Valley", "method": "ours", "squared": [1.0, 4.0], "cells": [3, 1]})
    >>> round(float(regional_rmse(days, ["ours"])["rmse"].iloc[0]), 3)  # root of (3 + 4) / 4
    1.323
    """
    parts = daily.assign(total=daily["squared"] * daily["cells"])
    sums = parts.groupby(["where", "method"], sort=False)[["total", "cells"]].sum()
    rmse = (sums["total"] / sums["cells"]) ** 0.5
    found = [
        {"region": region, "method": method, "rmse": float(rmse[region, method])}
        for region in dict.fromkeys(daily["where"])
        for method in methods
    ]
    return pd.DataFrame(found)


def _series(
    rows: pd.DataFrame, region: str, ours: str, lead: int, data: str, top: float, width: int
) -> hv.Overlay:
    day, pm = hv.Dimension("time", label="Valid day"), hv.Dimension("pm2p5", label="PM2.5", unit="µg/m³")
    parts: list[hv.Element] = []
    for column, label, colour in (
        ("target_mean", "product", TARGET),
        ("mean", ours, str(method_styles([ours], ours)[ours]["color"])),
    ):
        frame = rows[["time", column]].rename(columns={column: "pm2p5"})
        parts.append(hv.Curve(_broken(frame), day, pm, label=label).opts(color=colour, line_width=1.6))
        parts.append(hv.Scatter(frame, day, pm, label=label).opts(color=colour, size=4, tools=["hover"]))
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=220,
            ylim=(0, top),
            title=f"{region}, T+{lead}, {len(rows)} days, {data}".rstrip(", "),
            show_grid=True,
            legend_position="top_left",
            legend_cols=2,
            legend_opts={"padding": 2, "spacing": 12, "margin": 4, "background_fill_alpha": 0.7},
            fontsize={"legend": 7, "title": 9},
            padding=0.04,
        )
    )


def _broken(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with a missing value in each long gap, where a curve is interrupted."""
    times = frame["time"].to_numpy()
    ends = times[:-1][np.diff(times) > LONGEST_GAP]
    gaps = pd.DataFrame({"time": ends + np.timedelta64(1, "D"), "pm2p5": np.nan})
    return pd.concat([frame, gaps], ignore_index=True).sort_values("time") if len(gaps) else frame


def error_bars(
    errors: pd.DataFrame, *, ours: str, width: int = 840, height: int = 300, title: str = ""
) -> hv.Overlay:
    """RMSE by region and method, bars beside each other.

    Parameters
    ----------
    errors : DataFrame
        ``region``, ``method`` and ``rmse`` [ug m-3], such as from `regional_rmse`.
    ours : str
        The method that stands out.
    width, height : int
        Of the picture [pixels].
    title : str

    Returns
    -------
    hv.Overlay
        One set of rectangles a method, in the order of the table.
    """
    regions, methods = (list(dict.fromkeys(errors[name])) for name in ("region", "method"))
    styles = method_styles(methods, ours)
    thick = 0.84 / len(methods)
    parts = []
    for number, name in enumerate(methods):
        boxes = [
            (left, 0.0, left + 0.94 * thick, float(row.rmse), str(row.region))
            for row in errors[errors["method"] == name].itertuples()
            for left in [regions.index(row.region) - 0.42 + number * thick]
        ]
        bars = hv.Rectangles(boxes, ["x0", "y0", "x1", "RMSE"], "Region", label=name)
        parts.append(bars.opts(color=styles[name]["color"], line_color=None, tools=["hover"]))
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=height,
            title=title,
            ylim=(0, 1.1 * float(errors["rmse"].max())),
            xticks=list(enumerate(map(str, regions))),
            xlabel="",
            ylabel="RMSE [µg/m³]",
            legend_position="right",
            fontsize={"legend": 7},
        )
    )
