"""Figures S2 and S3: a forecast of a region that the network was not trained on, beside the product, and its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import holoviews as hv
import numpy as np
import xarray as xr

from cranpm.domain.regions import Region
from cranpm.verification.metrics import rmse

from ..backend import load_bokeh
from ..region import projection_of, region_map
from ..style import ColourScale, scale_for
from .panels import arranged, boxes_in, cells_of, extent_of, on_one_day, on_one_grid, outlines, round_end

load_bokeh()


def transfer_figure(
    target: xr.DataArray,
    forecast: xr.DataArray,
    *,
    boxes: Sequence[str | Region] = (),
    data: str = "",
    width: int = 300,
) -> hv.Layout:
    """Product, forecast and error of one day, with boxes named (Fig. S2 and Fig. S3 of the paper).

    Parameters
    ----------
    target, forecast : DataArray, dims (latitude, longitude)
        Of one valid day [ug m-3], on the same grid; anywhere on Earth.
    boxes : sequence of Region or str
        What is told apart: boxes of your own (`cranpm.domain.Region`), or by name (`cranpm.list_regions`).
    data : str
        What the data are called, for the first title; say there that they are simulated.
    width : int
        Of each map inside its frame [pixels].

    Returns
    -------
    hv.Layout
        On an equal-area projection about the map, with coast and borders. Both concentrations have the same colours and
        one colour bar, which ends at their 99.5th percentile; RMSE over all cells is in the title of the forecast, that
        of each box beside its name in the map of errors.

    Raises
    ------
    ValueError
        If grids or days differ, the maps or a box share no known cell, or a box lies outside them.
    """
    on_one_day(target, forecast)
    maps = on_one_grid({"target": target, "forecast": forecast}, "transfer_figure")
    target, forecast = maps["target"], maps["forecast"]
    chosen = boxes_in(target, boxes)
    whole = extent_of(target, "the whole map")
    errors = [_rmse(forecast, target, box) for box in (whole, *chosen)]
    error = forecast - target
    names = [box.title for box in chosen]
    told = [f"{name} {value:.2f}" for name, value in zip(names, errors[1:], strict=True)]
    high = max(_end(target, 99.5), _end(forecast, 99.5))
    concentration = replace(scale_for("forecast", "continuous"), high=high)
    reach = _end(abs(error), 99.0)
    change = replace(scale_for("error", "continuous"), low=-reach, high=reach)
    projection = projection_of(whole)

    def panel(
        field: xr.DataArray, scale: ColourScale, title: str, labels: Sequence[str], colour_bar: bool = True
    ) -> hv.Overlay:
        marks = outlines(chosen, labels, projection) if chosen else []
        drawn = region_map(
            field,
            whole,
            scale=scale,
            projection=projection,
            width=width,
            title=title,
            marks=marks,
            colour_bar=colour_bar,
        )
        return drawn.opts(hv.opts.Overlay(fontsize={"title": 10}))

    pictures = [
        panel(target, concentration, ", ".join(part for part in ("(a) product", data) if part), names, False),
        panel(forecast, concentration, f"(b) forecast, RMSE {errors[0]:.2f} {concentration.units}", names),
        panel(
            error, change, f"(c) error, with RMSE of boxes [{change.units}]" if chosen else "(c) error", told
        ),
    ]
    return arranged(pictures, 3)


def _rmse(forecast: xr.DataArray, target: xr.DataArray, box: Region) -> float:
    ours, product = (cells_of(field, box).to_numpy() for field in (forecast, target))
    value = float(rmse(ours, product))
    if not np.isfinite(value):
        raise ValueError(
            f"Forecast and target share no known cell in {box.title}; nothing can be compared there."
        )
    return value


def _end(field: xr.DataArray, percentile: float) -> float:
    """A round number that so many percent of the values do not exceed."""
    values = field.to_numpy()
    return round_end(float(np.percentile(values[np.isfinite(values)], percentile)))
