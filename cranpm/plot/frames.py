"""What maps share: a frame true in aspect, a colour bar whose label has room, cells no finer than pixels."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np
import xarray as xr

from .style import ColourScale

COLOUR_BAR: dict[str, Any] = {"colorbar": True, "colorbar_opts": {"title_standoff": 10}}
"""Options of an element with a colour bar; Bokeh by itself sets the label so close that it runs into the bar."""

TALLEST = 1.5
"""Height of a frame over its width, at most; a taller one is made narrower, not squeezed."""


def frame_size(aspect: float, width: int) -> dict[str, int]:
    """Options for a frame of so many pixels and of this height over width; axes and colour bar come on top.

    Examples
    --------
    >>> frame_size(0.5, 600), frame_size(3.0, 600)
    ({'frame_width': 600, 'frame_height': 300}, {'frame_width': 300, 'frame_height': 900})
    """
    height = min(width * aspect, width * TALLEST)
    return {"frame_width": round(height / aspect), "frame_height": round(height)}


def aspect_of(latitude: np.ndarray, longitude: np.ndarray) -> float:
    """Height over width on plain degrees, true at the middle latitude; axes are evenly spaced centres of cells.

    Examples
    --------
    At 60 degrees north a degree of longitude is half as long as one of latitude.

    >>> round(aspect_of(np.array([59.5, 60.5]), np.array([0.5, 1.5])), 6)
    2.0
    """
    return float(_extent(latitude) / (_extent(longitude) * np.cos(np.deg2rad(np.mean(latitude)))))


def _extent(axis: np.ndarray) -> float:
    """Degrees from the first cell's outer edge to the last one's."""
    step = abs(float(axis[1] - axis[0])) if len(axis) > 1 else 1.0
    return abs(float(axis[-1] - axis[0])) + step


def as_map(field: xr.DataArray, what: str) -> xr.DataArray:
    """A field of latitude and longitude, south first, as float32.

    Raises
    ------
    TypeError
        For something that is not an array with names.
    ValueError
        For other dimensions, saying how to select one map.
    """
    if not isinstance(field, xr.DataArray):
        raise TypeError(
            f"{what} draws one DataArray, got {type(field).__name__}. Of a forecast take maps.pm2p5.sel(lead=1)."
        )
    if set(field.dims) != {"latitude", "longitude"}:
        other = [str(name) for name in field.dims if name not in ("latitude", "longitude")]
        mend = f"; select one {other[0]}, such as .sel({other[0]}=...)" if other else ""
        raise ValueError(f"{what} draws a map with latitude and longitude, got {field.dims}{mend}.")
    return field.transpose("latitude", "longitude").sortby("latitude").astype(np.float32)


def values_at(field: xr.DataArray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """The value of the cell that each place lies in, float32; NaN at places outside the field.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        Evenly spaced; coordinates are centres of cells.
    latitude, longitude : ndarray
        Of the places [degrees], both of one shape.

    Examples
    --------
    >>> field = xr.DataArray([[1.0, 2.0]], {"latitude": [0.0], "longitude": [0.0, 1.0]}, ("latitude", "longitude"))
    >>> field = xr.concat([field, field.assign_coords(latitude=[1.0]) + 2], "latitude")
    >>> values_at(field, np.array([0.4, 0.6, 5.0]), np.array([0.9, 0.1, 0.0])).tolist()
    [2.0, 3.0, nan]
    """
    index, inside = [], np.ones(np.shape(latitude), bool)
    for name, places in (("latitude", latitude), ("longitude", longitude)):
        axis = field[name].to_numpy()
        cell = np.floor((places - axis[0]) / (axis[1] - axis[0]) + 0.5).astype(int)
        inside &= (cell >= 0) & (cell < len(axis))
        index.append(np.clip(cell, 0, len(axis) - 1))
    return np.where(inside, field.to_numpy()[index[0], index[1]], np.nan).astype(np.float32)


def reduced(field: xr.DataArray, pixels: int) -> xr.DataArray:
    """Means of square blocks, so that a map has hardly more columns than pixels; NaN only where a block holds nothing.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        Evenly spaced.
    pixels : int
        Of the picture's width; blocks are as large as leave at least one column a pixel.

    Examples
    --------
    >>> field = xr.DataArray(np.array([[1.0, np.nan, 5.0], [3.0, np.nan, 7.0]]), dims=("latitude", "longitude"),
    ...     coords={"latitude": [0.0, 1.0], "longitude": [0.0, 1.0, 2.0]})
    >>> means = reduced(field, 1)  # a block of 3 x 3 cells, as far as there are any
    >>> means.values.tolist(), means.latitude.values.tolist(), means.longitude.values.tolist()
    ([[4.0]], [1.0], [1.0])
    """
    size = max(1, field.sizes["longitude"] // max(1, pixels))
    if size == 1:
        return field
    values = field.to_numpy()
    starts = [np.arange(0, length, size) for length in values.shape]
    known = np.isfinite(values)
    total = np.add.reduceat(np.add.reduceat(np.where(known, values, 0), starts[0], axis=0), starts[1], axis=1)
    count = np.add.reduceat(np.add.reduceat(known, starts[0], axis=0, dtype=np.int32), starts[1], axis=1)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    coords = {}
    for name, start in zip(("latitude", "longitude"), starts, strict=True):
        axis = field[name].to_numpy()
        step = (axis[-1] - axis[0]) / (len(axis) - 1) if len(axis) > 1 else 0.0
        coords[name] = axis[0] + step * (start + (size - 1) / 2)
    return xr.DataArray(
        means.astype(values.dtype), coords, ("latitude", "longitude"), field.name, field.attrs
    )


def value_dimension(scale: ColourScale) -> hv.Dimension:
    """The values of a map, with the label and unit of its colour bar."""
    return hv.Dimension("pm2p5", label=scale.title, unit=scale.units)


def colour_options(scale: ColourScale) -> dict[str, Any]:
    """Colours, limits and colour bar of a map; classes keep their unequal bounds."""
    options: dict[str, Any] = {"clim": (scale.low, scale.high), **COLOUR_BAR}
    if scale.kind != "classes":
        return options | {"cmap": scale.even_colours}
    # a whole number belongs to the class that begins half below it, since concentrations are rounded
    lower = [max(0.0, tick - 0.5) for tick in scale.ticks]
    top = lower[-1] + (lower[-1] - lower[-2])
    ticks = [(low, f"{tick:.0f}") for low, tick in zip(lower, scale.ticks, strict=True)]
    return options | {
        "clim": (0.0, top),
        "cmap": list(scale.colours),
        "color_levels": [*lower, top],
        "cticks": ticks,
    }
