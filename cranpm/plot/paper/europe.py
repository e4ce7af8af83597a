"""Figure 3: the product and a forecast of a day, a region of both, and RMSE by lead time on both grids."""

from __future__ import annotations

from collections.abc import Sequence

import holoviews as hv
import pandas as pd
import xarray as xr

from cranpm.domain.regions import named_region

from ..backend import load_bokeh
from ..region import region_map
from ..whole import plot_map
from .colours import method_styles
from .panels import arranged, on_one_day

load_bokeh()

GRIDS = ("1 km", "25 km")


def europe_figure(
    target: xr.DataArray,
    forecast: xr.DataArray,
    scores: pd.DataFrame,
    *,
    ours: str,
    methods: Sequence[str] | None = None,
    region: str = "po_valley",
    data: str = "",
    width: int = 420,
) -> hv.Layout:
    """Maps of one day and errors of many (Fig. 3 of the paper).

    Parameters
    ----------
    target, forecast : DataArray, dims (latitude, longitude)
        The product and our forecast of one valid day [ug m-3].
    scores : DataFrame
        The tidy table of ``cranpm evaluate``, of one set.
    ours : str
        Our method in it, such as "CRAN-PM demo".
    methods : sequence of str, optional
        Those to draw, in this order; by default all.
    region : str
        What is shown closer, below each map.
    data : str
        What the data are called, for titles; say there that they are simulated.
    width : int
        Of each picture [pixels].

    Returns
    -------
    hv.Layout
        Two pictures a row: maps, the region of both, RMSE at 1 km and at 25 km.

    Raises
    ------
    ValueError
        If the forecast is valid on another day than the product's, or the table lacks a method, holds several sets, or
        none of the product's scores.
    """
    on_one_day(target, forecast)
    box = named_region(region)
    pictures: list[hv.Element] = [
        plot_map(field, scale="continuous", width=width, title=f"{letter} {name}, {data}".rstrip(", "))
        for letter, name, field in (("(a)", "product", target), ("(b)", ours, forecast))
    ]
    pictures += [
        region_map(field, box, width=width, title=f"{box.title}: {name}")
        for name, field in (("product", target), (ours, forecast))
    ]
    pictures += [
        error_by_lead(scores, grid, ours=ours, methods=methods, title=f"{letter} {grid}, {data}".rstrip(", "))
        for letter, grid in (("(c)", GRIDS[0]), ("(d)", GRIDS[1]))
    ]
    return arranged(pictures, 2)


def error_by_lead(
    scores: pd.DataFrame,
    grid: str,
    *,
    ours: str,
    methods: Sequence[str] | None = None,
    title: str = "",
    width: int = 520,
    height: int = 330,
) -> hv.Overlay:
    """RMSE of maps over all land against lead time, one line a method.

    Parameters
    ----------
    scores : DataFrame
        Columns ``reference``, ``where``, ``grid``, ``lead``, ``method`` and ``rmse``; of one set.
    grid : str
        "1 km" or "25 km".
    ours : str
        Drawn on top, with stars.
    methods : sequence of str, optional
        Those to draw, in this order; by default all.
    title : str
    width, height : int
        Of the picture [pixels].

    Raises
    ------
    ValueError
        If the table lacks a method, holds several sets, or none of these scores.
    """
    if "set" in scores and scores["set"].nunique() > 1:
        sets = ", ".join(map(str, scores["set"].unique()))
        raise ValueError(
            f"The table holds several sets ({sets}); choose one, such as scores[scores['set'] == ...]."
        )
    chosen = (scores["reference"] == "product") & (scores["where"] == "all land") & (scores["grid"] == grid)
    rows = scores[chosen]
    known = list(dict.fromkeys(rows["method"]))
    if not known:
        raise ValueError(f"The table holds no scores of maps over all land on {grid}.")
    wanted = list(methods or known)
    missing = [name for name in (*wanted, ours) if name not in known]
    if missing:
        raise ValueError(f"The table lacks {missing[0]!r}; it holds {', '.join(known)}.")
    styles = method_styles([*wanted, ours], ours)
    lead = hv.Dimension("lead", label="Lead time", unit="days")
    rmse = hv.Dimension("rmse", label="RMSE", unit="µg/m³")
    parts: list[hv.Element] = []
    for name, style in styles.items():
        frame = rows[rows["method"] == name].sort_values("lead")[["lead", "rmse"]]
        parts.append(hv.Curve(frame, lead, rmse, label=name).opts(**style))
        mark = {"marker": "star", "size": 14} if name == ours else {"marker": "circle", "size": 5}
        parts.append(
            hv.Scatter(frame, lead, rmse, label=name).opts(color=style["color"], tools=["hover"], **mark)
        )
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=height,
            title=title,
            show_grid=True,
            xticks=sorted(rows["lead"].unique().tolist()),
            legend_position="right",
            fontsize={"legend": 7},
            padding=0.05,
        )
    )
