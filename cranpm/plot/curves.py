"""Curves and intervals: how training goes, what variants and methods are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from .backend import load_bokeh
from .style import GROUNDS, INK, LINE, ground_options

load_bokeh()

FAINT = "#b8c0c8"


def learning_curve(steps: np.ndarray, ratio: np.ndarray, *, title: str = "", width: int = 560) -> hv.Overlay:
    """RMSE relative to persistence while training goes on; below 1 the network knows more than today's map.

    Parameters
    ----------
    steps : ndarray, shape (n,)
    ratio : ndarray, shape (n,)
        RMSE over that of persistence on the same cells.
    title : str
        Of the picture.
    width : int
        Of the picture [pixels].

    Returns
    -------
    hv.Overlay
        The curve and the line of persistence.
    """
    curve = hv.Curve((steps, ratio), "step", hv.Dimension("ratio", label="RMSE / RMSE of persistence"))
    return (curve.opts(color=LINE, line_width=2) * hv.HLine(1.0).opts(color=INK, line_dash="dashed")).opts(
        hv.opts.Overlay(width=width, height=300, title=title, show_grid=True)
    )


def paired_curves(
    curves: Mapping[str, Sequence[Sequence[tuple[int, float]]]], *, reference: str = "full", columns: int = 4
) -> hv.Layout:
    """Validation curves of variants, one small picture each, over those of the reference in grey.

    Parameters
    ----------
    curves : mapping of str to sequences of curves
        Points (step, skill over persistence) of each seed.
    reference : str
        The variant that others are compared with. Curves far below all of its own enter the picture from below.
    columns : int
        Pictures in a row.

    Returns
    -------
    hv.Layout
        Skill [%] against step, the same axis of skill in all.
    """
    skill, known = hv.Dimension("skill", label="skill [%]"), curves[reference]
    low = min((value for curve in known for _step, value in curve), default=0.0)
    high = max((value for each in curves.values() for curve in each for _step, value in curve), default=0.0)
    low, high = min(low, 0.0), max(high, 0.01)
    room = 0.15 * (high - low)
    pictures = [
        hv.Overlay(
            [
                *(_skill_curve(curve, skill).opts(color=FAINT, line_width=2) for curve in known),
                *(_skill_curve(curve, skill).opts(color=LINE, line_width=2) for curve in each),
            ]
        ).opts(
            width=230, height=200, title=name, ylim=(100 * (low - room), 100 * (high + room)), show_grid=True
        )
        for name, each in curves.items()
        if name != reference
    ]
    return hv.Layout(pictures).cols(columns)


def _skill_curve(curve: Sequence[tuple[int, float]], skill: hv.Dimension) -> hv.Curve:
    return hv.Curve([(step + 1, 100 * value) for step, value in curve], "step", skill)


def intervals(
    table: pd.DataFrame,
    name: str,
    value: str,
    *,
    low: str = "low",
    high: str = "high",
    label: str = "",
    title: str = "",
    width: int = 620,
) -> hv.Overlay:
    """Values with their intervals, one line each; the dashed line is "no difference".

    Parameters
    ----------
    table : DataFrame
        One row a line, the first on top.
    name, value, low, high : str
        Columns of the words at the side, the values, and the ends of their intervals.
    label : str
        Of the axis, with its unit; by default the name of the column.
    title : str
        Of the picture.
    width : int
        Of the picture [pixels]; its height follows from the number of rows.

    Returns
    -------
    hv.Overlay
        Intervals, points, and the line at zero.
    """
    rows = table.iloc[::-1]
    places = np.arange(len(rows))
    bars = hv.Segments((rows[low], places, rows[high], places), ["low", "y", "high", "y1"])
    points = hv.Points((rows[value], places), ["low", "y"])
    return (
        bars.opts(color=LINE, line_width=3)
        * points.opts(color=LINE, size=9)
        * hv.VLine(0.0).opts(color=INK, line_dash="dashed", line_width=1)
    ).opts(
        hv.opts.Overlay(
            width=width,
            height=80 + 30 * len(rows),
            yticks=list(zip(places.tolist(), rows[name])),
            ylabel="",
            xlabel=label or value,
            title=title,
        )
    )


HIDING_STYLE: dict[str, dict[str, Any]] = {
    "most_attended": {
        "label": "most attended",
        "color": ("#0b7fa8", "#4fc3e8"),
        "dash": "solid",
        "marker": "circle",
    },
    "nearest": {"label": "nearest", "color": ("#a0662a", "#e0a860"), "dash": "dashed", "marker": "square"},
    "elsewhere": {
        "label": "as much attention elsewhere",
        "color": ("#8e5bb5", "#c79be8"),
        "dash": "dotted",
        "marker": "triangle",
    },
}
"""Sets of hidden patches in drawing order, with label and style; colours on a light and on a dark ground."""


def hiding_curves(
    effects: pd.DataFrame,
    titles: Mapping[str, str],
    *,
    width: int = 200,
    height: int = 170,
    dark: bool = False,
) -> hv.Layout:
    """How much the forecast minds patches that are hidden from it.

    Parameters
    ----------
    effects : DataFrame
        ``hidden`` (a key of :data:`HIDING_STYLE`), ``count`` of most attended or nearest patches, ``change``, and
        ``low`` and ``high`` over draws [ug m-3]; ``where`` says whose change it is.
    titles : mapping
        Of the pictures, one for each ``where``, in order.
    width, height : int
        Of each picture [pixels].
    dark : bool
        Whether they are drawn on a dark ground.

    Returns
    -------
    hv.Layout
        One picture beside the other, with the same scale.
    """
    counts = sorted(effects["count"].unique())
    top = 1.1 * max(float(effects["high"].max()), 1e-3)
    number, change = hv.Dimension("number"), hv.Dimension("change", label="Change", unit="µg/m³")
    pictures = []
    for where, title in titles.items():
        parts: list[hv.Element] = []
        for name, style in HIDING_STYLE.items():
            rows = effects[(effects["where"] == where) & (effects["hidden"] == name)].sort_values("count")
            places = [counts.index(count) for count in rows["count"]]
            values, colour = rows["change"].to_numpy(), style["color"][dark]
            spread = list(zip(places, rows["low"], places, rows["high"], strict=True))
            parts += [
                hv.Segments(spread, ["x0", "y0", "x1", "y1"]).opts(color=colour, line_width=1.2, alpha=0.7),
                hv.Curve((places, values), number, change).opts(
                    color=colour, line_width=2.2, line_dash=style["dash"]
                ),
                hv.Scatter((places, values), number, change).opts(
                    color=colour, size=7, marker=style["marker"]
                ),
            ]
        pictures.append(
            hv.Overlay(parts).opts(
                hv.opts.Overlay(
                    title=title,
                    width=width,
                    height=height,
                    xlim=(-0.3, len(counts) - 0.7),
                    ylim=(0, top),
                    xticks=[(i, str(count)) for i, count in enumerate(counts)],
                    yticks=4,
                    xlabel="Patches hidden",
                    ylabel="Change [µg/m³]",
                    toolbar=None,
                    show_legend=False,
                    show_grid=True,
                    fontsize={"title": 9, "labels": 8, "ticks": 8},
                    backend_opts=ground_options(dark=dark) | {"plot.title.text_color": GROUNDS[dark]["ink"]},
                )
            )
        )
    return hv.Layout(pictures).opts(shared_axes=False, toolbar=None).cols(len(pictures))
