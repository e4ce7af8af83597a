"""Small pictures of what goes on inside: one field, the reading order of a group, the sectors of a day."""

from __future__ import annotations

from collections.abc import Mapping

import holoviews as hv
import numpy as np
import xarray as xr

from .backend import load_bokeh
from .frames import COLOUR_BAR, as_map, aspect_of, frame_size, reduced
from .style import INK

load_bokeh()

LEVEL_COLOURS = "viridis"
SIGNED_COLOURS = "RdBu_r"

BAR_WIDTH = 100
"""Room beside a map for its colour bar [pixels]."""


def field_map(
    field: xr.DataArray,
    *,
    label: str = "",
    unit: str = "",
    title: str = "",
    width: int = 330,
    limits: tuple[float, float] | None = None,
) -> hv.Image:
    """One field on plain latitude and longitude, its own range of colours; missing cells stay empty.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        Evenly spaced, either order of latitude; averaged over blocks where it has more cells than the picture pixels.
    label, unit : str
        By default the field's name and its ``units``.
    title : str
        By default the label.
    width : int
        Of the whole picture, colour bar included; the map itself is true in aspect at its middle latitude.
    limits : tuple of float, optional
        Lowest and highest colour; by default the 1st and 99th percentile, symmetric where the field has both signs.

    Returns
    -------
    hv.Image
        On degrees of longitude and latitude.
    """
    frame = width - BAR_WIDTH
    attrs, name = field.attrs, field.name
    field = reduced(as_map(field, "field_map"), frame)
    values = field.to_numpy()
    low, high = limits or _limits(values)
    signed = low < 0 < high and np.isclose(-low, high)
    lat, lon = field["latitude"].to_numpy(), field["longitude"].to_numpy()
    value = hv.Dimension("value", label=label or str(name or "value"), unit=unit or attrs.get("units"))
    return hv.Image((lon, lat, values), ["longitude", "latitude"], value).opts(
        **frame_size(aspect_of(lat, lon), frame),
        **COLOUR_BAR,
        cmap=SIGNED_COLOURS if signed else LEVEL_COLOURS,
        clim=(low, high),
        title=title or value.label,
        xaxis="bare",
        yaxis="bare",
        tools=["hover"],
    )


def field_maps(
    fields: Mapping[str, xr.DataArray],
    *,
    label: str = "",
    unit: str = "",
    columns: int = 3,
    width: int = 280,
    same_colours: bool = False,
) -> hv.Layout:
    """Several fields side by side, titled by their keys; each with its own range of colours, or all with the same.

    Parameters
    ----------
    fields : mapping of str to DataArray
        Dims (latitude, longitude), as `field_map` takes them; missing cells stay empty.
    label, unit : str
        Of all of them; by default each one's key and its ``units``.
    columns : int
        Maps in a row.
    width : int
        Of each picture, colour bar included [pixels].
    same_colours : bool
        One range of colours for all.

    Returns
    -------
    hv.Layout
        Maps that zoom each for itself.
    """
    limits = None
    if same_colours:
        limits = _limits(np.concatenate([field.to_numpy().ravel() for field in fields.values()]))
    maps = [
        field_map(field, label=label or name, unit=unit, title=name, width=width, limits=limits)
        for name, field in fields.items()
    ]
    return hv.Layout(maps).cols(columns).opts(shared_axes=False)


def _limits(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(known, [1, 99]))
    if low < 0 < high:
        high = max(-low, high)
        low = -high
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def reading_order(
    order: np.ndarray, wind: tuple[float, float], *, title: str = "", width: int = 260
) -> hv.Overlay:
    """The order in which a group of tokens is read: numbers in their places, darker later, and the wind.

    Parameters
    ----------
    order : ndarray of int, shape (n * n,)
        Place (row-major, row 0 in the north) of each slot, upwind first.
    wind : tuple of float
        Mean wind of the group towards east and north [m s-1].
    """
    size = round(len(order) ** 0.5)
    slot = np.empty(len(order), dtype=int)
    slot[np.asarray(order)] = np.arange(len(order))
    rows, cols = np.divmod(np.arange(len(order)), size)
    places = hv.HeatMap((cols, -rows, slot), ["column", "row"], "slot").opts(
        cmap="Blues", clim=(0, 1.8 * len(order)), tools=["hover"]
    )  # not to the darkest blue: numbers stand on it
    numbers = hv.Labels((cols, -rows, [str(n) for n in slot]), ["column", "row"], "text").opts(
        text_font_size="8pt", text_color=INK
    )
    speed = max(float(np.hypot(*wind)), 1e-6)
    half = 0.5 * (size - 1)
    east, north = (0.9 * half * part / speed for part in wind)
    middle = half, -half
    arrow = hv.Segments([(middle[0] - east, middle[1] - north, middle[0] + east, middle[1] + north)]).opts(
        color="#c0392b", line_width=3
    )
    tip = hv.Points([(middle[0] + east, middle[1] + north)]).opts(color="#c0392b", size=9)
    return (places * numbers * arrow * tip).opts(
        hv.opts.Overlay(width=width, height=width, xaxis=None, yaxis=None, title=title, toolbar=None)
    )


def reading_orders(sectors: np.ndarray, order: np.ndarray, *, number: int = 3) -> hv.Layout:
    """The reading order of some groups with different winds.

    Parameters
    ----------
    sectors : ndarray of int, shape (G,)
        Of 16: 0 towards east, 4 towards north.
    order : ndarray of int, shape (G, n * n)
        Place (row-major, row 0 in the north) of each slot, upwind first.
    number : int
        Groups to show, each of another sector.

    Returns
    -------
    hv.Layout
        One picture a group, darker later, with an arrow along its wind.
    """
    kinds, groups = np.unique(sectors, return_index=True)
    angles = kinds * (2 * np.pi / 16)
    pictures = [
        reading_order(order[group], (np.cos(angle), np.sin(angle)), title=f"group {group}")
        for angle, group in list(zip(angles, groups, strict=True))[:number]
    ]
    return hv.Layout(pictures).opts(shared_axes=False)


def sector_arrows(
    sectors: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, *, num_sectors: int = 16
) -> hv.VectorField:
    """Where each group's wind blows to, as the network rounds it.

    Parameters
    ----------
    sectors : ndarray of int, shape (G,)
        0 towards east, a quarter of ``num_sectors`` towards north.
    latitude, longitude : ndarray, shape (G,)
        Centres of the groups [degrees].
    num_sectors : int
        Directions that winds are rounded to.

    Returns
    -------
    hv.VectorField
        Arrows of one length, on degrees of longitude and latitude.
    """
    angle = np.asarray(sectors) * (2 * np.pi / num_sectors)
    return hv.VectorField(
        (longitude, latitude, angle, np.ones(len(angle))), ["longitude", "latitude"], ["angle", "length"]
    ).opts(color=INK, magnitude="length", pivot="mid", line_width=2)
