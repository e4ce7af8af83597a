"""Figure S4: the forecast of every cell against the product, as a density, with the line through it."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from cranpm.verification.density import PairDensity

from ..backend import load_bokeh
from ..frames import COLOUR_BAR
from ..style import INK, UNITS
from .panels import on_one_day, round_end

load_bokeh()

LINE = "#c8102e"


def scatter_figure(
    forecast: xr.DataArray,
    target: xr.DataArray,
    *,
    data: str = "",
    top: float | None = None,
    bins: int = 200,
    width: int = 420,
) -> hv.Overlay:
    """Forecast against target, cell by cell (Fig. S4 of the paper); twenty million take a few seconds.

    Parameters
    ----------
    forecast, target : DataArray
        Same cells and days, such as annual means [ug m-3]; pairs in which either is missing are left out.
    data : str
        What the data are called, for the title; say there that they are simulated.
    top : float, optional
        End of both axes [ug m-3]; by default all but one in a thousand targets lie below it.
    bins : int
        Of each axis.
    width : int
        Of the square inside the frame [pixels].

    Returns
    -------
    hv.Overlay
        See `density_figure`.

    Raises
    ------
    ValueError
        If the two lie on other cells or days, or there is no pair.
    """
    on_one_day(target, forecast)
    if top is None:
        values = np.asarray(target).ravel()
        known = values[:: max(1, values.size // 10**6)]  # a million tell a quantile well enough
        known = known[np.isfinite(known)]
        top = round_end(float(np.quantile(known, 0.999))) if known.size else 1.0
    return density_figure(PairDensity.of(forecast, target, top=top, bins=bins), data=data, width=width)


def density_figure(pairs: PairDensity, *, data: str = "", width: int = 420) -> hv.Overlay:
    """The same from counts, which add up over days that do not fit into memory together.

    Parameters
    ----------
    pairs : PairDensity
        Such as ``cranpm.verification.PairDensity.of(forecast, target, top=60) + ...``.
    data : str
        What the data are called, for the title; say there that they are simulated.
    width : int
        Of the square inside the frame [pixels].

    Returns
    -------
    hv.Overlay
        Counts on a logarithmic scale, bins without a pair blank; the line on which both are equal (dashed), and the
        least-squares line with its equation. The text tells R² (the square of Pearson's r), RMSE and bias (forecast
        minus target) of all pairs, those beyond the axes included, and how many there are.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    sums, top = pairs.sums, pairs.top
    if not sums.count:
        raise ValueError(
            f"No pair to draw: in each of {int(sums.missing):,} the forecast or the target is missing."
        )
    x = hv.Dimension("target", label="Target", unit=UNITS)
    y = hv.Dimension("forecast", label="Forecast", unit=UNITS)
    count = hv.Dimension("count", label="Cells")
    centres = (np.arange(len(pairs.counts)) + 0.5) * (top / len(pairs.counts))
    drawn = np.where(pairs.counts > 0, pairs.counts, np.nan).T  # rows are forecasts
    most = max(2.0, float(pairs.counts.max()))
    density = hv.Image((centres, centres, drawn), [x, y], count).opts(
        cmap="viridis", cnorm="log", clim=(1.0, most), tools=["hover"], **COLOUR_BAR
    )
    ends = np.array([0.0, top])
    parts: list[hv.Element] = [
        density,
        hv.Curve((ends, ends), x, y, label="1:1").opts(color=INK, line_dash="dashed", line_width=1.4),
    ]
    slope, intercept = float(sums.slope), float(sums.intercept)
    if np.isfinite(slope):
        line = hv.Curve((ends, intercept + slope * ends), x, y, label=_equation(slope, intercept))
        parts.append(line.opts(color=LINE, line_width=2.2))
    beyond = f", {pairs.beyond:,} beyond the axes" if pairs.beyond else ""
    words = [
        f"R² = {pairs.r_squared:.3f}",
        f"RMSE = {float(sums.rmse):.2f} {UNITS}",
        f"bias = {float(sums.bias):+.2f} {UNITS}",
    ]
    lines = pd.DataFrame({"x": 0.03 * top, "y": top * (0.97 - 0.055 * np.arange(len(words))), "text": words})
    parts.append(
        hv.Labels(lines, ["x", "y"], "text").opts(
            text_align="left", text_baseline="top", text_color=INK, text_font_size="10pt"
        )
    )
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            frame_width=width,
            frame_height=width,
            xlim=(0, top),
            ylim=(0, top),
            title=", ".join(part for part in (data, f"n = {int(sums.count):,}{beyond}") if part),
            legend_position="bottom_right",
            fontsize={"title": 9},
            show_grid=True,
        )
    )


def _equation(slope: float, intercept: float) -> str:
    return f"y = {slope:.2f} x {'-' if intercept < 0 else '+'} {abs(intercept):.2f}"
