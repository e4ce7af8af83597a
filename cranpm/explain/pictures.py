"""Pictures of the battery and of puffs (matplotlib figures; no file is written here)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cranpm._json import JsonObject
from cranpm.domain.grid import KM_PER_DEGREE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cranpm.explain.puff import PuffResponse

FORM_COLOURS = {"priors": "#b3400a", "channels": "#2b6ca3", "both": "#333333", "network": "#7a3e9d"}
FORM_WORDS = {
    "priors": "priors only",
    "channels": "channels only",
    "both": "both",
    "network": "a part of the network off",
}


def interval_figure(results: JsonObject, lead: int = 1) -> Figure:
    """Change of RMSE under every intervention as points with intervals (a matplotlib figure).

    Parameters
    ----------
    results : dict
        From `run_physics`, or read from the JSON that it wrote.
    lead : int
        Lead time [days].

    Returns
    -------
    matplotlib.figure.Figure
        One line an intervention, form and region; right of zero the intervention makes the forecast worse.
    """
    from matplotlib.figure import Figure

    rows = [r for r in results["rows"] if r["lead"] == lead and r["rmse_change_pct"] is not None][::-1]
    figure = Figure(figsize=(8.0, 1.2 + 0.2 * max(len(rows), 3)), layout="constrained")
    axes = figure.subplots()
    for height, row in enumerate(rows):
        value = row["rmse_change_pct"]
        low, high = (
            value if row[key] is None or np.isnan(row[key]) else row[key] for key in ("ci_low", "ci_high")
        )
        axes.plot([low, high], [height, height], color=FORM_COLOURS[row["form"]], lw=2)
        axes.plot(value, height, "o", color=FORM_COLOURS[row["form"]], ms=4)
    near = [" (near barriers)" if r["region"].startswith("near") else "" for r in rows]
    axes.set_yticks(
        range(len(rows)), [f"{r['intervention']}, {r['form']}{n}" for r, n in zip(rows, near)], fontsize=7
    )
    axes.axvline(0, color="grey", lw=0.8)
    axes.set_ylim(-1, len(rows))
    for form in dict.fromkeys(r["form"] for r in rows[::-1]):
        axes.plot([], [], "o-", color=FORM_COLOURS[form], lw=2, ms=4, label=FORM_WORDS[form])
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlabel(f"change of T+{lead} RMSE [%], 95 % interval (symmetric log scale)")
    where = " (simulated)" if results.get("simulated") else ""
    axes.set_title(f"What the forecast minds{where}", fontsize=10)
    return figure


def puff_figure(responses: Sequence[PuffResponse]) -> Figure:
    """Responses to puffs as maps, with the wind as an arrow from the place (a matplotlib figure).

    Parameters
    ----------
    responses : sequence of PuffResponse
        Made with ``keep=True``.

    Returns
    -------
    matplotlib.figure.Figure
        One map a response [ug m-3], true in aspect at its place: red where the forecast rises. The arrow is the wind
        times the lead time, the dotted line the way of the response's centre.

    Raises
    ------
    ValueError
        If a response was made without its map.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(responses), 4.2), layout="constrained")
    for axes, r in zip(np.atleast_1d(figure.subplots(1, len(responses))), responses):
        if r.response is None or r.latitude is None or r.longitude is None:
            raise ValueError(
                f"The response of {r.init_time} holds no map to draw. Insert the puffs with keep=True."
            )
        extent = (r.longitude[0], r.longitude[-1], r.latitude[-1], r.latitude[0])
        top = max(float(np.nanmax(np.abs(r.response))), 1e-6)
        step = max(r.response.shape[0] // 400, 1)
        picture = axes.imshow(r.response[::step, ::step], extent=extent, cmap="RdBu_r", vmin=-top, vmax=top)
        shrink = np.cos(np.deg2rad(r.lat))
        axes.set_aspect(1 / shrink)  # a degree of longitude is shorter than one of latitude
        way = r.wind * 86.4 * r.lead / KM_PER_DEGREE  # degrees
        tip = (r.lon + way[0] / shrink, r.lat + way[1])
        axes.annotate("", tip, (r.lon, r.lat), arrowprops={"arrowstyle": "->", "lw": 2})
        # an arrow whose tip lies beyond the picture would not be drawn at all
        axes.set_xlim(min(extent[0], tip[0] - 0.5), max(extent[1], tip[0] + 0.5))
        axes.set_ylim(min(extent[2], tip[1] - 0.5), max(extent[3], tip[1] + 0.5))
        moved = r.moved / KM_PER_DEGREE
        axes.plot([r.lon, r.lon + moved[0] / shrink], [r.lat, r.lat + moved[1]], "k:", lw=2)
        axes.set_title(f"{r.init_time} T+{r.lead}, {r.under}: cosine {r.cosine:.2f}", fontsize=9)
        figure.colorbar(picture, ax=axes, label="response [ug m-3]", shrink=0.8)
    return figure
