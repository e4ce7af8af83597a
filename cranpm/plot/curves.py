"""Curves and intervals: how training goes, what variants and methods are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import holoviews as hv
import numpy as np
import pandas as pd

from .backend import load_bokeh
from .style import INK, LINE

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
