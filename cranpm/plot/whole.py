"""A map of PM2.5, whole or of one region: `cranpm.plot_map`."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import xarray as xr

from cranpm.domain.regions import Region, named_region

from .backend import load_bokeh
from .frames import as_map, aspect_of, colour_options, frame_size, reduced, value_dimension
from .style import SCALES, ColourScale

load_bokeh()

PM2P5_UNITS = ("ug m-3", "µg/m³", "ug/m3")


def plot_map(
    field: xr.DataArray,
    *,
    region: str | Region | None = None,
    scale: str | ColourScale | None = None,
    zoomable: bool = False,
    width: int = 600,
    title: str | None = None,
) -> hv.Element | hv.DynamicMap:
    """Draw a map of PM2.5, or of a change or error of it.

    Millions of cells are averaged over blocks to about the pixels of the figure; a gap stays a gap.
    ``zoomable=True`` keeps all cells at hand: where somebody zooms in, Datashader draws anew, down to single cells.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        PM2.5 [ug m-3], NaN where there is no value; latitude in either order. Such as ``maps.pm2p5.sel(lead=1)``.
    region : str or Region, optional
        A box such as "po_valley" (see `cranpm.list_regions`), drawn on an equal-area projection with coast and
        borders; by default all of the field, on plain degrees.
    scale : str or ColourScale, optional
        "continuous", "eaqi" (classes of the European index) or "change" (diverging); by default "change" where the
        field has negative values, which PM2.5 itself never has.
    zoomable : bool
        Draw anew for what is in view, at each zoom. It needs Python behind the picture: JupyterLab or a Panel page. A
        saved page shows the whole.
    width : int
        Of the map inside its frame [pixels]; the height follows, true in aspect at the middle latitude.
    title : str, optional
        By default what the field says of itself: its long name, its day and its source.

    Returns
    -------
    hv.Image, hv.Overlay for a region, or hv.DynamicMap if zoomable
        With the unit at the colour bar.

    Raises
    ------
    TypeError, ValueError
        For something that is not one map of PM2.5, saying what to select.

    Examples
    --------
    >>> import cranpm
    >>> today = cranpm.open_dataset().pm2p5("2022-01-11")
    >>> picture = cranpm.plot_map(today)
    >>> picture.vdims[0].pprint_label
    'PM2.5, 24-h mean (µg/m³)'
    """
    field = as_map(field, "plot_map")
    units = field.attrs.get("units")
    if units is not None and units not in PM2P5_UNITS:
        raise ValueError(
            f"plot_map draws PM2.5 in ug m-3, got a field in {units!r}; cranpm.plot.field_map draws any field."
        )
    colours = _scale(scale, field)
    title = _title(field) if title is None else title
    if region is not None and zoomable:
        raise ValueError(
            "plot_map zooms in the whole map only: leave out region, or draw the region with zoomable=False."
        )
    if region is not None:
        from .region import region_map  # with a projection library, which takes seconds to import

        return region_map(field, named_region(region), scale=colours, width=width, title=title)
    drawn = field if zoomable else reduced(field, width)
    latitude, longitude = (drawn[name].to_numpy() for name in ("latitude", "longitude"))
    size = frame_size(aspect_of(latitude, longitude), width)
    image = hv.Image(
        (longitude, latitude, drawn.to_numpy()),
        [hv.Dimension("longitude", unit="°E"), hv.Dimension("latitude", unit="°N")],
        value_dimension(colours),
    )
    if zoomable:
        from holoviews.operation.datashader import rasterize  # with datashader, which takes seconds to import

        # cells are averaged where several share a pixel; one cell over several pixels stays a square
        pixels = size["frame_width"], size["frame_height"]
        image = rasterize(
            image, aggregator="mean", interpolation="nearest", width=pixels[0], height=pixels[1]
        )
    return image.opts(
        hv.opts.Image(
            **size,
            **colour_options(colours),
            tools=["hover"],
            active_tools=["wheel_zoom"] if zoomable else [],
            title=title,
        )
    )


def _scale(scale: str | ColourScale | None, field: xr.DataArray) -> ColourScale:
    if isinstance(scale, ColourScale):
        return scale
    if scale is None:
        scale = "change" if bool((field < 0).any()) else "continuous"
    if scale not in SCALES:
        raise ValueError(f"Scales are {', '.join(SCALES)}; got {scale!r}.")
    return SCALES[scale]


def _title(field: xr.DataArray) -> str:
    """What is drawn, of which day, and where it comes from: a simulated map says so."""
    day = np.datetime_as_string(field["time"].values, "D") if "time" in field.coords else ""
    parts = [field.attrs.get("long_name", ""), day, field.attrs.get("source", "")]
    title = ", ".join(part for part in parts if part)
    return title[:1].upper() + title[1:]
