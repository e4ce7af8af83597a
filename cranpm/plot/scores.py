"""Scores as pictures: skill with its intervals, and FAIRMODE's target diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import holoviews as hv
import numpy as np
import pandas as pd

from .curves import intervals
from .series import SERIES_STYLE, series_colour
from .style import GROUNDS, ground_options

if TYPE_CHECKING:
    from cranpm.verification.fairmode import TargetPoint


def plot_scores(
    table: pd.DataFrame, *, lead: int | None = None, grid: str = "1 km", width: int = 760
) -> hv.Layout:
    """Skill of each method with its 95 % interval, against the product and, where there are any, at stations.

    Parameters
    ----------
    table : DataFrame
        From ``cranpm.score(...).table()``.
    lead : int, optional
        Lead time [days]; by default the shortest of the table.
    grid : str
        "1 km" or "25 km".
    width : int
        Of each of the two pictures [pixels].

    Returns
    -------
    hv.Layout
        A picture for each reference, one below the other; the baseline itself, whose skill is 0, is the dashed line.

    Raises
    ------
    TypeError
        For something that is no table of scores.
    ValueError
        If the table holds no such lead or grid.

    Examples
    --------
    >>> import cranpm
    >>> scores = cranpm.score("demo", days=1, leads=1)
    >>> len(cranpm.plot_scores(scores.table()))  # against the product, and at stations
    2
    """
    rows = table.reset_index() if isinstance(table, pd.DataFrame) else pd.DataFrame()
    if not {"lead", "grid", "method"} <= set(rows.columns):
        raise TypeError(
            f"plot_scores draws the table of scores, cranpm.score(...).table(); got {type(table).__name__}."
        )
    lead = int(rows["lead"].min()) if lead is None else lead
    against = table.attrs.get("against", "the baseline")
    chosen = rows[(rows["lead"] == lead) & (rows["grid"] == grid) & (rows["method"] != against)]
    if chosen.empty:
        raise ValueError(
            f"No scores of lead {lead} on {grid}; the table has leads {sorted(rows['lead'].unique().tolist())} and "
            f"grids {sorted(rows['grid'].unique().tolist())}."
        )
    source, days = table.attrs.get("source", ""), len(table.attrs.get("init_days", []))
    percent = ["skill", "skill_low", "skill_high"]
    chosen = chosen.assign(**{name: 100 * chosen[name] for name in percent})
    names = {"product": "maps against the product", "stations": "at stations"}
    pictures = [
        intervals(
            part,
            "method",
            "skill",
            low="skill_low",
            high="skill_high",
            label=f"RMSE below {against} [%]",
            title=f"T+{lead}, {names.get(str(reference), reference)}, {days} days, {source}",
            width=width,
        )
        for reference, part in chosen.groupby("reference", sort=False)
    ]
    return hv.Layout(pictures).opts(shared_axes=False).cols(1)  # names of methods and titles are long


def target_diagram(points: Mapping[str, TargetPoint], *, size: int = 260, dark: bool = False) -> hv.Overlay:
    """FAIRMODE's target diagram: who lies inside the circle of radius 1 meets the quality objective.

    Parameters
    ----------
    points : mapping of str to TargetPoint
        By method, named as in `cranpm.plot.series.SERIES_STYLE`; hollow where the days are too few for a verdict.
    size : int
        Of the picture [pixels].
    dark : bool
        Whether it is drawn on a dark ground.

    Returns
    -------
    hv.Overlay
        Centred error (x) and bias (y) in units of beta times the uncertainty of the observations.
    """
    x = hv.Dimension("x", label="CRMSE / (β RMSU)")
    y = hv.Dimension("y", label="Bias / (β RMSU)")
    known = {name: point for name, point in points.items() if np.isfinite(point.indicator)}
    reach = 1.15 * max([1.1, *(max(abs(p.x), abs(p.y)) for p in known.values())])
    rule, ink = GROUNDS[dark]["rule"], GROUNDS[dark]["soft"]
    parts: list[hv.Element] = [
        hv.Ellipse(0, 0, 2.0).opts(color=ink, line_width=1.4),
        hv.Ellipse(0, 0, 1.0).opts(color=ink, line_width=0.8, line_dash="dashed"),
        hv.HLine(0).opts(color=rule, line_width=1),
        hv.VLine(0).opts(color=rule, line_width=1),
    ]
    for name, point in known.items():
        colour = series_colour(name, dark=dark)
        frame = pd.DataFrame(
            {
                "x": [point.x],
                "y": [point.y],
                "Method": [SERIES_STYLE[name]["label"]],
                "Indicator": [point.indicator],
            }
        )
        dot = hv.Points(frame, [x, y], ["Method", "Indicator"])
        parts.append(
            dot.opts(
                size=11,
                line_width=2.2,
                line_color=colour,
                fill_color=colour,
                fill_alpha=1.0 if point.enough_days else 0.0,
                tools=["hover"],
            )
        )
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=size,
            height=size,
            xlim=(-reach, reach),
            ylim=(-reach, reach),
            toolbar=None,
            show_legend=False,
            fontsize={"labels": 9, "ticks": 8},
            xlabel=x.label,
            ylabel=y.label,
            backend_opts=ground_options(dark=dark),
        )
    )
