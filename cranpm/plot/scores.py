"""Skill of methods with its intervals, beside each other."""

from __future__ import annotations

import holoviews as hv
import pandas as pd

from .curves import intervals


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
    ValueError
        If the table holds no such lead or grid.

    Examples
    --------
    >>> import cranpm
    >>> scores = cranpm.score("demo", days=1, leads=1)
    >>> len(cranpm.plot_scores(scores.table()))  # against the product, and at stations
    2
    """
    rows = table.reset_index()
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
