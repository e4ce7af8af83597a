"""What panels of figures share: one grid, cells of a box, boxes drawn on a map, panels over several rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cartopy.crs as ccrs
import geoviews as gv
import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

from cranpm.domain.regions import Region, named_region

from ..frames import as_map
from ..style import round_up
from ..whole import PM2P5_UNITS

BOX_COLOUR = "#c8102e"
"""Of boxes on a map, as in the paper."""

_PAPER = {
    "glyph.background_fill_color": "white",
    "glyph.background_fill_alpha": 0.8,
    "glyph.padding": 1,
}
"""Words on a map of any colour have white behind them."""


def on_one_grid(fields: Mapping[str, xr.DataArray], what: str) -> dict[str, xr.DataArray]:
    """Maps south first, refused unless all have the cells of the first.

    Parameters
    ----------
    fields : mapping of str to DataArray, dims (latitude, longitude)
    what : str
        The figure, for messages.

    Raises
    ------
    ValueError
        Naming the field that has other cells, or that is no PM2.5 in ug m-3.
    """
    for name, field in fields.items():
        units = getattr(field, "attrs", {}).get("units", PM2P5_UNITS[0])
        if units not in PM2P5_UNITS:
            raise ValueError(f"{what} draws PM2.5 in ug m-3; {name!r} is in {units!r}, convert it first.")
    maps = {name: as_map(field, what) for name, field in fields.items()}
    (first, target), *others = maps.items()
    for name, field in others:
        if field.shape != target.shape or not all(
            np.allclose(field[axis], target[axis], rtol=0, atol=1e-6) for axis in ("latitude", "longitude")
        ):
            raise ValueError(
                f"{name!r} has other cells ({field.shape}) than the {first} ({target.shape}); interpolate it first."
            )
    return maps


def on_one_day(target: xr.DataArray, forecast: xr.DataArray, name: str = "forecast") -> None:
    """Refuse a forecast that is valid on another day than the target, where both say of which they are.

    Raises
    ------
    ValueError
        Naming both days.
    """
    if "time" in target.coords and "time" in forecast.coords:
        days = [field["time"].to_numpy().astype("datetime64[D]") for field in (target, forecast)]
        if days[0].shape != days[1].shape or (days[0] != days[1]).any():
            raise ValueError(
                f"The target is of {days[0]}, the {name} valid on {days[1]}; give the target of the valid day, such as "
                "data.pm2p5(forecast.time.values)."
            )


def boxes_in(field: xr.DataArray, boxes: Iterable[str | Region]) -> list[Region]:
    """Boxes by name, each with a cell of the field.

    Raises
    ------
    ValueError
        Naming the first that lies elsewhere, and where the field lies.
    """
    found = [named_region(box) for box in boxes]
    for box in found:
        if not cells_of(field, box).size:
            whole = extent_of(field)
            raise ValueError(
                f"Region {box.title!r} has no cell in this field, which covers {whole.south:g} to {whole.north:g} °N, "
                f"{whole.west:g} to {whole.east:g} °E."
            )
    return found


def cells_of(field: xr.DataArray, box: Region) -> xr.DataArray:
    """The cells with their centre in a box; the field is south first."""
    return field.sel(latitude=slice(box.south, box.north), longitude=slice(box.west, box.east))


def extent_of(field: xr.DataArray, title: str = "") -> Region:
    """All of a field as a box, to the outer edges of its cells."""
    (south, north), (west, east) = (_ends(field[axis].to_numpy()) for axis in ("latitude", "longitude"))
    return Region(name="whole", title=title, south=south, north=north, west=west, east=east)


def _ends(centres: np.ndarray) -> tuple[float, float]:
    half = abs(float(centres[-1] - centres[0])) / (len(centres) - 1) / 2
    return round(float(centres.min()) - half, 6), round(float(centres.max()) + half, 6)


def outlines(boxes: Sequence[Region], labels: Sequence[str], projection: ccrs.Projection) -> list[hv.Element]:
    """Boxes on a projection, where their edges are curves, with a word at their side that is towards its middle."""
    lines = [projection.transform_points(ccrs.PlateCarree(), *_edge(box))[:, :2] for box in boxes]
    drawn: list[hv.Element] = [
        gv.Path(lines, ["x", "y"], crs=projection).opts(
            projection=projection, color=BOX_COLOUR, line_width=1.8
        )
    ]
    for side, edge in (("left", np.max), ("right", np.min)):
        words = [
            (edge(line[:, 0]), line[:, 1].mean(), f" {label} ")
            for line, label in zip(lines, labels, strict=True)
            if (line[:, 0].mean() < 0) == (side == "left")
        ]
        if words:
            drawn.append(
                gv.Labels(words, ["x", "y"], "label", crs=projection).opts(
                    projection=projection,
                    text_color=BOX_COLOUR,
                    text_font_size="9pt",
                    text_font_style="bold",
                    text_align=side,
                    text_baseline="middle",
                    backend_opts=_PAPER,
                )
            )
    return drawn


def _edge(box: Region) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes round a box, from its north-western corner."""
    along = np.linspace(0, 1, 30)
    there, back = box.west + (box.east - box.west) * along, box.east + (box.west - box.east) * along
    down, up = box.north + (box.south - box.north) * along, box.south + (box.north - box.south) * along
    fixed = np.ones(30)
    longitude = np.concatenate([there, box.east * fixed, back, box.west * fixed])
    return longitude, np.concatenate([box.north * fixed, down, box.south * fixed, up])


def arranged(
    pictures: Sequence[hv.Element], columns: int, spans: Mapping[int, tuple[int, int]] | None = None
) -> hv.Layout:
    """Panels row by row, each with its own room for axes, legend and colour bar.

    Parameters
    ----------
    pictures : sequence of hv.Element
        ``hv.Empty()`` leaves a cell free, such as one that a large panel covers.
    columns : int
    spans : mapping of int to tuple of int, optional
        Rows and columns that a picture takes, by its number; one of each by default.
    """
    for number, picture in enumerate(pictures):
        if isinstance(picture, hv.Empty):
            continue
        # by itself Bokeh gives all panels of a column the margins of the one with the widest legend
        options: dict[str, Any] = {"plot.frame_align": False}
        if spans and number in spans:
            rows, columns_taken = spans[number]
            options["plot.styles"] = {
                "grid-row": f"span {rows}",
                "grid-column": f"span {columns_taken}",
            }
        picture.opts(getattr(hv.opts, type(picture).__name__)(backend_opts=options))
    return hv.Layout(pictures).cols(columns).opts(shared_axes=False)


def round_end(value: float) -> float:
    """The next multiple of a tenth of `cranpm.plot.style.round_up`, for the end of an axis or of colours.

    Examples
    --------
    >>> round_end(61.0), round_end(0.23), round_end(0.0)
    (70.0, 0.25, 0.1)
    """
    step = round_up(max(value, 0.1)) / 10
    return round(float(np.ceil(max(value, 0.1) / step - 1e-9)) * step, 9)


def known_points(places: pd.DataFrame, projection: ccrs.Projection) -> pd.DataFrame:
    """Places with their coordinates on a projection, as columns ``x`` and ``y``."""
    degrees = (places[name].to_numpy(np.float64) for name in ("longitude", "latitude"))
    x, y, _ = projection.transform_points(ccrs.PlateCarree(), *degrees).T
    return places.assign(x=x, y=y)
