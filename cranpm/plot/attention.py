"""Attention footprint of a place: attention over the coarse tokens, the biases that shaped it, and the wind.

Drawn in Web Mercator like the map, from the tensors that a run recorded; nothing is derived again here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import holoviews as hv
import numpy as np
import xarray as xr

from .backend import load_bokeh
from .mercator import to_mercator
from .style import GROUNDS, INK, LINE

load_bokeh()

FOOTPRINT_COLOURS = "YlOrRd"
BIAS_COLOURS = "PuOr_r"
UPHILL_COLOURS = "Purples_r"

BAR_HEIGHT = 56
"""Room for the colour bar under a map [pixels]."""

_NO_AXES = {"xaxis": None, "yaxis": None, "toolbar": None, "show_frame": False}
_BAR_OPTIONS: dict[str, object] = {
    "height": 9,
    "padding": 4,
    "title_standoff": 6,
    "major_label_text_font_size": "8pt",
    "title_text_font_size": "9pt",
}
_BAR = {"colorbar": True, "colorbar_position": "bottom", "colorbar_opts": _BAR_OPTIONS}


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges of cells around evenly spaced centres."""
    half = np.diff(centres).mean() / 2
    return np.concatenate([centres - half, centres[-1:] + half])


def mercator_mesh(field: xr.DataArray, value: hv.Dimension) -> hv.QuadMesh:
    """A latitude-longitude field as a mesh on Mercator axes; cells keep their true edges.

    Parameters
    ----------
    field : DataArray, dims (latitude, longitude)
        Evenly spaced centres, either order.
    value : hv.Dimension
        Name, label and unit of the values.
    """
    field = field.transpose("latitude", "longitude").sortby("latitude")
    lat_edges = np.clip(_edges(field["latitude"].to_numpy().astype(float)), -85.0, 85.0)
    lon_edges = _edges(field["longitude"].to_numpy().astype(float))
    _, y = to_mercator(lat_edges, np.zeros_like(lat_edges))
    x, _ = to_mercator(np.zeros_like(lon_edges), lon_edges)
    return hv.QuadMesh((x, y, field.to_numpy()), ["x", "y"], value)


def footprint_field(footprint: Mapping[str, Any], what: str, layer: int = -1, head: int = -1) -> xr.DataArray:
    """One layer of an attention footprint as a field.

    Parameters
    ----------
    footprint : mapping
        From `cranpm.forecasting.attention.read_attention`.
    what : str
        "attention" or "wind_bias" over the coarse tokens; "elevation_bias" over the tile's tokens.
    layer, head : int
        Of the bridge; -1 for the mean over them.
    """
    if what == "elevation_bias":
        values, axes = footprint[what], ("tile_latitude", "tile_longitude")
    else:
        values, axes = footprint[what], ("latitude", "longitude")
        values = values if layer < 0 else values[layer : layer + 1]
        values = (values if head < 0 else values[:, head : head + 1]).mean(axis=(0, 1))
    return xr.DataArray(
        values, {"latitude": footprint[axes[0]], "longitude": footprint[axes[1]]}, ("latitude", "longitude")
    )


def footprint_mesh(footprint: Mapping[str, Any], what: str, layer: int = -1, head: int = -1) -> hv.QuadMesh:
    """`footprint_field`, drawn as a footprint or a bias.

    Parameters
    ----------
    footprint : mapping
        From `cranpm.forecasting.attention.read_attention`.
    what : str
        "attention" (shares, each layer and head sums to one) or "wind_bias" over the coarse tokens; "elevation_bias"
        over the tile's tokens. Biases are what is added to logits: positive where attention is favoured.
    layer, head : int
        Of the bridge; -1 for the mean over them.

    Returns
    -------
    hv.QuadMesh
        In Mercator metres, for `footprint_map`.
    """
    field = footprint_field(footprint, what, layer, head)
    names = {"wind_bias": "Wind bias", "elevation_bias": "Elevation bias"}
    return attention_mesh(field) if what == "attention" else bias_layer(field, name=names[what])


def attention_mesh(attention: xr.DataArray) -> hv.QuadMesh:
    """Share of a place's attention per coarse token.

    Parameters
    ----------
    attention : DataArray, dims (latitude, longitude)
        Weights that sum to one over the tokens.

    Returns
    -------
    hv.QuadMesh
        In percent.
    """
    share = hv.Dimension("share", label="Share of attention", unit="%")
    percent = 100 * attention
    top = float(percent.max()) or 1.0
    return mercator_mesh(percent, share).opts(
        cmap=FOOTPRINT_COLOURS, clim=(0.0, top), alpha=0.85, tools=["hover"], **_BAR, **_NO_AXES
    )


def bias_layer(bias: xr.DataArray, *, name: str) -> hv.QuadMesh:
    """A bias as added to the attention logits; positive attracts, negative repels.

    Parameters
    ----------
    bias : DataArray, dims (latitude, longitude)
        For one query, per key.
    name : str
        "Wind bias", "Elevation bias".
    """
    value = hv.Dimension("bias", label=f"{name} on the logits")
    limit = float(np.nanmax(np.abs(bias))) or 1.0
    one_sided = bool((bias <= 0).all())
    return mercator_mesh(bias, value).opts(
        cmap=UPHILL_COLOURS if one_sided else BIAS_COLOURS,
        clim=(-limit, 0.0) if one_sided else (-limit, limit),
        alpha=0.85,
        tools=["hover"],
        **_BAR,
        **_NO_AXES,
    )


def wind_arrows(eastward: xr.DataArray, northward: xr.DataArray, *, longest: float) -> hv.Segments:
    """Wind as strokes that begin at a dot and point to where the air goes.

    Parameters
    ----------
    eastward, northward : DataArray, dims (latitude, longitude)
        Wind towards east and north [m s-1].
    longest : float
        Length drawn for the strongest wind [m in Mercator].
    """
    lat, lon = np.meshgrid(eastward["latitude"], eastward["longitude"], indexing="ij")
    x, y = to_mercator(lat.ravel(), lon.ravel())
    u, v = (
        np.asarray(part.transpose("latitude", "longitude"), float).ravel() for part in (eastward, northward)
    )
    scale = longest / max(float(np.nanmax(np.hypot(u, v))), 0.1)
    tail = hv.Segments((x, y, x + u * scale, y + v * scale), ["x", "y", "x1", "y1"])
    return tail.opts(color=INK, line_width=1.2, alpha=0.8)


def arrow_heads(arrows: hv.Segments, *, share: float = 0.32) -> hv.Segments:
    """Two short strokes at the end of every arrow."""
    x0, y0, x1, y1 = (np.asarray(arrows.dimension_values(d), float) for d in ("x", "y", "x1", "y1"))
    parts = []
    for turn in (2.6, -2.6):
        dx, dy = (x1 - x0) * share, (y1 - y0) * share
        parts.append(
            (x1, y1, x1 + dx * np.cos(turn) - dy * np.sin(turn), y1 + dx * np.sin(turn) + dy * np.cos(turn))
        )
    columns = [np.concatenate(column) for column in zip(*parts)]
    return hv.Segments(tuple(columns), ["x", "y", "x1", "y1"]).opts(color=INK, line_width=1.2, alpha=0.8)


def outline_path(lines: Mapping[str, Any], colour: str = "#3a4753") -> hv.Path:
    """Coast or borders (``xs``, ``ys`` in Mercator metres) as a path."""
    paths = [np.column_stack([x, y]) for x, y in zip(lines["xs"], lines["ys"])]
    return hv.Path(paths, ["x", "y"]).opts(color=colour, line_width=0.7, alpha=0.7)


def air_path(path: np.ndarray) -> hv.Overlay:
    """The way the air takes to a place by the run's own transport, with a dot for each point.

    Parameters
    ----------
    path : ndarray, shape (points, 3)
        Age [h], latitude and longitude [degrees], the place itself first.
    """
    age, latitude, longitude = np.asarray(path, float).T
    x, y = to_mercator(latitude, longitude)
    hours = hv.Dimension("age", label="Hours before", unit="h")
    line = hv.Path([np.column_stack([x, y])], ["x", "y"]).opts(color=LINE, line_width=2.4)
    dots = hv.Points((x[1:], y[1:], age[1:]), ["x", "y"], hours).opts(
        color="#ffffff", line_color=LINE, line_width=1.6, size=7, tools=["hover"]
    )
    return line * dots


def place_marker(lat: float, lon: float) -> hv.Points:
    """The place whose attention is shown."""
    x, y = to_mercator(lat, lon)
    return hv.Points([(float(x), float(y))], ["x", "y"]).opts(
        marker="circle_cross", size=14, fill_alpha=0, color=LINE, line_width=2.2
    )


def footprint_map(
    layer: hv.QuadMesh,
    *,
    place: tuple[float, float],
    outlines: hv.Path | None = None,
    arrows: hv.Segments | None = None,
    path: np.ndarray | None = None,
    extent: tuple[float, float, float, float] | None = None,
    width: int = 400,
    dark: bool = False,
) -> hv.Overlay:
    """One layer of an attention footprint with coast, wind and the place, true in aspect.

    Parameters
    ----------
    layer : QuadMesh
        From :func:`footprint` or :func:`bias_layer`.
    place : tuple of float
        Latitude and longitude of the place whose attention is shown [degrees].
    outlines : hv.Path, optional
        Coasts and borders, in Mercator metres.
    arrows : hv.Segments, optional
        The wind, from where it comes to where it blows, in Mercator metres.
    path : ndarray, optional
        The air's way to the place, for `air_path`.
    extent : tuple of float, optional
        West, south, east, north [degrees]; by default what the layer covers.
    width : int
        Of the whole picture [pixels]; its height follows, between 220 and 480.
    dark : bool
        Whether it is drawn on a dark ground.

    Returns
    -------
    hv.Overlay
        In Mercator metres.
    """
    text = {"major_label_text_color": GROUNDS[dark]["soft"], "title_text_color": GROUNDS[dark]["ink"]}
    bar = _BAR_OPTIONS | text | {"background_fill_alpha": 0}
    parts: list[hv.Element] = [layer.opts(colorbar_opts=bar, clone=True)]
    if outlines is not None:
        parts.append(outlines)
    if arrows is not None:
        parts += [arrows, arrow_heads(arrows)]
    if path is not None:
        parts += list(air_path(path))
    parts.append(place_marker(*place))
    if extent is None:
        (x0, x1), (y0, y1) = layer.range("x"), layer.range("y")
    else:
        west, south, east, north = extent
        (x0, x1), (y0, y1) = to_mercator([south, north], [west, east])
    height = int(np.clip(width * (y1 - y0) / (x1 - x0) + BAR_HEIGHT, 220, 480))
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            width=width, height=height, xlim=(float(x0), float(x1)), ylim=(float(y0), float(y1)),
            show_legend=False, toolbar=None, xaxis=None, yaxis=None,
            backend_opts={"plot.border_fill_alpha": 0, "plot.outline_line_color": GROUNDS[dark]["rule"]},
        )
    )  # fmt: skip
