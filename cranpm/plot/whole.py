"""A whole map in a notebook: Datashader reduces millions of cells to the pixels of the figure."""

from __future__ import annotations

import datashader as ds
import holoviews as hv
import numpy as np
import xarray as xr

from .backend import load_bokeh
from .style import ColourScale, scale_for

load_bokeh()


def whole_map(
    field: xr.DataArray,
    *,
    layer: str = "forecast",
    scale: ColourScale | None = None,
    width: int = 720,
    title: str = "",
) -> hv.Image:
    """A field on plain latitude and longitude, each pixel the mean of the cells under it.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        [ug m-3]; NaN stays empty; latitude in either order.
    layer : str
        Decides the colours: "forecast" (continuous) or "change" (diverging).
    width : int
        Pixels; the height follows from the extent, stretched as at the middle latitude.
    title : str
        Say there when the data are simulated.
    """
    scale = scale or scale_for(layer, "continuous")
    field = field.transpose("latitude", "longitude").sortby("latitude").astype(np.float32)
    lat, lon = field["latitude"].to_numpy(), field["longitude"].to_numpy()
    stretch = 1 / np.cos(np.deg2rad(lat.mean()))
    height = int(width * stretch * np.ptp(lat) / np.ptp(lon))
    canvas = ds.Canvas(
        plot_width=width, plot_height=height, x_range=(lon[0], lon[-1]), y_range=(lat[0], lat[-1])
    )
    picture = canvas.raster(field, downsample_method="mean", interpolate="nearest")
    value = hv.Dimension("pm2p5", label=scale.title, unit=scale.units)
    image = hv.Image(
        (picture["longitude"].to_numpy(), picture["latitude"].to_numpy(), picture.to_numpy()),
        [hv.Dimension("longitude", unit="°E"), hv.Dimension("latitude", unit="°N")],
        value,
    )
    return image.opts(
        width=width,
        height=height + 60,
        cmap=scale.even_colours,
        clim=(scale.low, scale.high),
        colorbar=True,
        tools=["hover"],
        title=title,
    )
