"""Figure 5: the same regions in the product, in rivals and in our forecast, and our error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import holoviews as hv
import numpy as np
import xarray as xr

from cranpm.domain.regions import Region, named_region

from ..backend import load_bokeh
from ..frames import as_map
from ..region import region_map
from ..style import ColourScale, scale_for

load_bokeh()

FIVE = ("po_valley", "paris", "silesia", "rhine_ruhr", "london")
"""The regions of the paper's figure."""

TARGET, ERROR = "target", "error"


def comparison_figure(
    fields: Mapping[str, xr.DataArray],
    *,
    ours: str,
    regions: Sequence[str] = FIVE,
    data: str = "",
    width: int = 220,
) -> hv.Layout:
    """One row a method, one column a region, and the error of ours below (Fig. 5 of the paper).

    Parameters
    ----------
    fields : mapping of str to DataArray
        "target" first, then CAMS, rivals and ours, of one valid day [ug m-3], all on the same grid; their order is that
        of the rows.
    ours : str
        Whose error is the last row.
    regions : sequence of str
        Names of boxes (`cranpm.list_regions`).
    data : str
        What the data are called, for the first title; say there that they are simulated.
    width : int
        Of each map [pixels].

    Returns
    -------
    hv.Layout
        All concentrations with the same colours; a title names the method, the region, and its RMSE against the target
        in the box.

    Raises
    ------
    ValueError
        If there is no target or no field of ours, or the grids differ.
    """
    for name in (TARGET, ours):
        if name not in fields:
            raise ValueError(f"No field {name!r} to draw; got {', '.join(fields)}.")
    target = as_map(fields[TARGET], "comparison_figure")
    rows = {name: as_map(field, "comparison_figure") for name, field in fields.items() if name != TARGET}
    for name, field in rows.items():
        if field.shape != target.shape or not all(
            np.allclose(field[axis], target[axis], rtol=0, atol=1e-6) for axis in ("latitude", "longitude")
        ):
            raise ValueError(
                f"{name!r} has other cells ({field.shape}) than the target ({target.shape}); interpolate it first."
            )
    boxes = [named_region(name) for name in regions]
    concentration, change = scale_for("forecast", "continuous"), scale_for("error", "continuous")
    pictures = [
        _panel(
            target,
            box,
            concentration,
            f"{TARGET}, {box.title}" + (f", {data}" if data and not n else ""),
            width,
        )
        for n, box in enumerate(boxes)
    ]
    for name, field in rows.items():
        pictures += [
            _panel(field, box, concentration, f"{name}, RMSE {box_rmse(field, target, box):.2f}", width)
            for box in boxes
        ]
    error = rows[ours] - target
    pictures += [_panel(error, box, change, f"{ERROR} of {ours}", width) for box in boxes]
    return hv.Layout(pictures).cols(len(boxes)).opts(shared_axes=False)


def box_rmse(field: xr.DataArray, target: xr.DataArray, region: Region) -> float:
    """RMSE over the cells of a box that both fields have [ug m-3]; NaN without any.

    Parameters
    ----------
    field, target : DataArray, dims (latitude, longitude)
        South first, on the same grid.
    region : Region
    """
    cut = {"latitude": slice(region.south, region.north), "longitude": slice(region.west, region.east)}
    difference = (field.sel(cut) - target.sel(cut)).to_numpy().astype(np.float64)
    known = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(known**2))) if known.size else float("nan")


def _panel(field: xr.DataArray, box: Region, scale: ColourScale, title: str, width: int) -> hv.Overlay:
    return region_map(field, box, scale=scale, width=width, title=title).opts(
        hv.opts.Overlay(fontsize={"title": 8})
    )
