"""Figures 5 and 6: the same regions in the product, in rivals or variants and in our forecast, and our error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import holoviews as hv
import xarray as xr

from cranpm.domain.regions import Region
from cranpm.verification.metrics import rmse
from cranpm.verification.structure import ssim

from ..backend import load_bokeh
from ..region import region_map
from ..style import scale_for
from .panels import arranged, boxes_in, cells_of, on_one_day, on_one_grid

load_bokeh()

FIVE = ("po_valley", "paris", "silesia", "rhine_ruhr", "london")
"""The regions of the paper's Figure 5."""

TARGET, ERROR = "target", "error"


def comparison_figure(
    fields: Mapping[str, xr.DataArray],
    *,
    ours: str,
    regions: Sequence[str | Region] = FIVE,
    data: str = "",
    ssim_range: float | None = None,
    across: bool = False,
    width: int = 220,
) -> hv.Layout:
    """One row a method or variant, one column a region, and the error of ours below (Figs. 5 and 6 of the paper).

    Parameters
    ----------
    fields : mapping of str to DataArray
        "target" first, then CAMS, rivals and ours (Fig. 5), or variants A, C and D of Table 3b (Fig. 6), of one valid
        day [ug m-3], all on the same grid; their order is that of the rows.
    ours : str
        Whose error is the last row.
    regions : sequence of str or Region
        Boxes, by name (`cranpm.list_regions`) or your own.
    data : str
        What the data are called, for the first title; say there that they are simulated.
    ssim_range : float, optional
        Data range of SSIM [ug m-3], such as 100 or 20; by default titles tell RMSE alone.
    across : bool
        One column a method and one row a region instead, as the paper prints them.
    width : int
        Of each map [pixels].

    Returns
    -------
    hv.Layout
        All concentrations with the same colours; a title names the method, the region, and its RMSE against the target
        in the box. The last map of each row has the colour bar; with ``across`` the last concentration has one, too.

    Raises
    ------
    ValueError
        If there is no target or no field of ours, the grids differ, ours is of another day than the target, or a region
        lies outside them.
    """
    for name in (TARGET, ours):
        if name not in fields:
            raise ValueError(f"No field {name!r} to draw; got {', '.join(fields)}.")
    on_one_day(fields[TARGET], fields[ours], ours)  # a rival may be the map of another day: persistence is
    first = {TARGET: fields[TARGET]}
    maps = on_one_grid(
        first | {name: field for name, field in fields.items() if name != TARGET}, "comparison_figure"
    )
    target = maps.pop(TARGET)
    boxes = boxes_in(target, regions)
    concentration, change = scale_for("forecast", "continuous"), scale_for("error", "continuous")
    rows = [
        (target, concentration, [", ".join(part for part in (TARGET, data) if part)] * len(boxes)),
        *(
            (field, concentration, [f"{name}\n{_scores(field, target, box, ssim_range)}" for box in boxes])
            for name, field in maps.items()
        ),
        (maps[ours] - target, change, [f"{ERROR} of {ours}\nforecast minus target"] * len(boxes)),
    ]
    last = len(rows) - 2  # of the concentrations
    grid = [
        [
            region_map(
                field,
                box,
                scale=scale,
                width=width,
                title=f"{box.title}\n{title}" if field is target else title,
                colour_bar=number >= last if across else box is boxes[-1],
            ).opts(hv.opts.Overlay(fontsize={"title": 8, "clabel": 7}))
            for box, title in zip(boxes, titles, strict=True)
        ]
        for number, (field, scale, titles) in enumerate(rows)
    ]
    if across:
        grid = [list(column) for column in zip(*grid, strict=True)]
    return arranged([picture for row in grid for picture in row], len(grid[0]))


def _scores(field: xr.DataArray, target: xr.DataArray, box: Region, ssim_range: float | None) -> str:
    ours, product = (cells_of(each, box).to_numpy() for each in (field, target))
    told = f"RMSE {rmse(ours, product):.2f}"
    return told if ssim_range is None else f"{told}, SSIM {ssim(ours, product, data_range=ssim_range):.2f}"
