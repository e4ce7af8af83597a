"""Where a place looks, over the map: `cranpm.plot_footprint`, with the very shapes that the page draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import colorcet
import holoviews as hv
import numpy as np
import xarray as xr

from cranpm._installed import PackageDataError
from cranpm.plot.backend import load_bokeh
from cranpm.plot.frames import COLOUR_BAR, as_map, frame_size, reduced
from cranpm.plot.mercator import from_mercator, latitude_rows, to_mercator
from cranpm.plot.overlays.outlines import OutlinesMissingError, outline
from cranpm.plot.overlays.shapes import (
    Columns,
    Footprint,
    FootprintLayer,
    Shown,
    arrows,
    cells,
    path,
    scan,
    shown_layer,
)
from cranpm.plot.style import INK

load_bokeh()

Limits = tuple[float, float]

LAYERS: dict[str, str] = {
    "attention": "Where the place looks",
    "wind_bias": "What the wind favours",
    "elevation_bias": "What higher ground costs in the tile",
    "height_damping": "What height leaves of the change in the tile",
}
"""What a footprint holds, with its title."""

MARKS = ("wind", "path", "scan")

UNDERLAY = tuple(colorcet.gray[250:110:-1])
"""Greys in which a map lies under a footprint: colours belong to the footprint."""

HELD, REACH = 0.9, 7.0
"""Share of the attention that the view holds, and degrees of latitude that it reaches about the place at least."""

_GREATEST = 60.0  # PM2.5 of the darkest grey [ug m-3], as on the map's own scale
_PATH, _SCAN = "#0b4f9e", "#7a3a00"


def plot_footprint(
    footprint: Footprint,
    what: FootprintLayer = "attention",
    *,
    layer: int | None = None,
    head: int | None = None,
    over: xr.DataArray | None = None,
    marks: Sequence[str] = ("wind", "path"),
    width: int = 600,
    title: str | None = None,
) -> hv.Overlay:
    """Draw where a place looks: attention or a bias of its token, over coasts and borders, with the wind.

    Attention is what the network read, not where particles came from: it is no source apportionment. The view holds all
    but a tenth of it; the rest is there when you zoom out.

    Parameters
    ----------
    footprint : Dataset
        From `cranpm.footprint_at`.
    what : str
        "attention" (share of each coarse token [%]) or "wind_bias" (added to the attention's logits) over the
        continent; "elevation_bias" (added to logits) or "height_damping" (share of the change that height leaves) in
        the place's tile.
    layer, head : int, optional
        Of the bridge, counted from 0; by default the mean over all.
    over : DataArray, dims (latitude, longitude), optional
        PM2.5 [ug m-3] to lie under it in greys, such as ``maps.pm2p5.sel(lead=1)``.
    marks : sequence of str
        Of "wind" (arrows to where the air goes), "path" (the air's way to the place by the network's own transport)
        and "scan" (the order in which the groups of tokens are read).
    width : int
        Of the map inside its frame [pixels]; the height follows.
    title : str, optional
        By default what is drawn, of which place and where it comes from.

    Returns
    -------
    hv.Overlay
        In Mercator metres, with the unit at its colour bar.

    Raises
    ------
    TypeError
        For something that is no footprint.
    ValueError
        For a layer, head or mark that there is not, saying which there are.

    Examples
    --------
    >>> import cranpm
    >>> footprint = cranpm.footprint_at("2022-01-11", 45.46, 9.19)
    >>> picture = cranpm.plot_footprint(footprint)
    >>> picture.get(0).vdims[0].pprint_label  # above it outlines, wind, path and place
    'Share of attention per coarse token (%)'
    """
    _check(footprint, what, layer, head, marks)
    shown = shown_layer(footprint, what, -1 if layer is None else layer, -1 if head is None else head)
    if shown is None:
        raise ValueError(
            f"The network of this footprint has no {what}; it has {', '.join(_held(footprint))}."
        )
    (x0, x1), (y0, y1) = _view(footprint, shown, what, marks)
    size = frame_size((y1 - y0) / (x1 - x0), width)
    parts: list[hv.Element] = [] if over is None else [_greys(over, (x0, x1), (y0, y1), size)]
    parts += [_cells(shown), *_outlines((x0, x1), (y0, y1)), *_marks(footprint, marks), _place(footprint)]
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            **size,
            xlim=(x0, x1),
            ylim=(y0, y1),
            xaxis=None,
            yaxis=None,
            show_legend=False,
            title=_title(footprint, what, layer, head) if title is None else title,
        )
    )


def _check(footprint: Any, what: str, layer: int | None, head: int | None, marks: Sequence[str]) -> None:
    if not isinstance(footprint, (xr.Dataset, Mapping)) or "attention" not in footprint:
        raise TypeError(
            f"plot_footprint draws what cranpm.footprint_at returns; got {type(footprint).__name__}."
        )
    if what not in LAYERS:
        raise ValueError(f"A footprint has the layers {', '.join(LAYERS)}; got {what!r}.")
    marks = (marks,) if isinstance(marks, str) else marks
    unknown = [mark for mark in marks if mark not in MARKS]
    if unknown:
        raise ValueError(f"Marks are {', '.join(MARKS)}; got {unknown[0]!r}.")
    for name, number, count in zip(("layer", "head"), (layer, head), footprint["attention"].shape):
        if number is not None and number not in range(count):
            raise ValueError(
                f"The bridge has {count} {name}s, counted from 0, or None for their mean; got {number!r}."
            )


def _held(footprint: Footprint) -> list[str]:
    return [name for name in LAYERS if footprint.get(name) is not None]


def _view(footprint: Footprint, shown: Shown, what: str, marks: Sequence[str]) -> tuple[Limits, Limits]:
    """West, east and south, north [m in Mercator]: a tile as it is, of the continent what is attended to most."""
    drawn = cells(shown, 1.0)
    edges = {side: np.asarray(drawn[side], float) for side in ("left", "right", "bottom", "top")}
    whole = (edges["left"].min(), edges["right"].max()), (edges["bottom"].min(), edges["top"].max())
    attention = shown_layer(footprint, "attention")
    if what not in ("attention", "wind_bias") or attention is None:
        return whole
    share = attention.values[np.isfinite(attention.values)]
    order = np.argsort(share)[::-1]
    most = order[: int(np.searchsorted(np.cumsum(share[order]), HELD * share.sum())) + 1]
    at = float(footprint["token_latitude"]), float(footprint["token_longitude"])
    wide = REACH / np.cos(np.deg2rad(at[0]))
    xs, ys = to_mercator([at[0] - REACH, at[0] + REACH], [at[1] - wide, at[1] + wide])
    way = footprint.get("path") if "path" in marks else None
    line, _ = path(None if way is None else np.asarray(way))
    xs = np.concatenate([xs, edges["left"][most], edges["right"][most], *line["xs"]])
    ys = np.concatenate([ys, edges["bottom"][most], edges["top"][most], *line["ys"]])
    (west, east), (south, north) = whole
    return (
        (max(float(xs.min()), west), min(float(xs.max()), east)),
        (max(float(ys.min()), south), min(float(ys.max()), north)),
    )


def _cells(shown: Shown) -> hv.Rectangles:
    columns = cells(shown, 0.85)
    known = np.isfinite(shown.values)
    rows, cols = np.nonzero(known)
    scale = shown.scale
    value = hv.Dimension("value", label=scale.title, unit=scale.units or None)
    return hv.Rectangles(
        (
            *(columns[name] for name in ("left", "bottom", "right", "top")),
            shown.values[known],
            shown.latitude[rows],
            shown.longitude[cols],
            columns["alpha"],
        ),
        ["left", "bottom", "right", "top"],
        [value, hv.Dimension("latitude", unit="°N"), hv.Dimension("longitude", unit="°E"), "alpha"],
    ).opts(
        color="value",
        cmap=list(scale.colours),
        clim=(scale.low, scale.high),
        alpha="alpha",
        line_alpha=0,
        tools=["hover"],
        hover_tooltips=["@value{0.[000]}" + scale.units, ("token", "@latitude{0.0} N, @longitude{0.0} E")],
        **COLOUR_BAR,
    )


def _greys(over: xr.DataArray, x_range: Limits, y_range: Limits, size: Mapping[str, int]) -> hv.Image:
    """A map in greys on Mercator's pixels: a column stays a column, rows are chosen by their latitude."""
    field = reduced(as_map(over, "plot_footprint"), 2 * size["frame_width"])
    x, y = (
        low + (np.arange(count) + 0.5) * (high - low) / count
        for (low, high), count in ((x_range, size["frame_width"]), (y_range, size["frame_height"]))
    )
    index = []
    for name, places in (("latitude", from_mercator(0 * y, y)[0]), ("longitude", from_mercator(x, 0 * x)[1])):
        axis = field[name].to_numpy()
        step = float(axis[1] - axis[0])
        edge = float(axis[0]) - step / 2
        index.append(latitude_rows(-places, north_edge=-edge, step=step, rows=len(axis)))
    values = field.to_numpy()[np.ix_(index[0], index[1])]
    values[index[0] < 0] = np.nan
    values[:, index[1] < 0] = np.nan
    return hv.Image((x, y, values), ["x", "y"], hv.Dimension("pm2p5", label="PM2.5", unit="µg/m³")).opts(
        cmap=list(UNDERLAY), clim=(0.0, _GREATEST)
    )


def _outlines(x_range: Limits, y_range: Limits) -> list[hv.Element]:
    """Coasts and borders where the picture is; none where the package with them is not installed."""
    detail = 0 if x_range[1] - x_range[0] > 2.5e6 else 1
    parts = []
    for kind, alpha in (("coast", 0.9), ("border", 0.45)):
        try:
            found = outline(kind, detail)
        except (OutlinesMissingError, PackageDataError):
            return []
        lines = [
            np.column_stack([x, y])
            for x, y in zip(found["xs"], found["ys"])
            if _touches(x, x_range) and _touches(y, y_range)
        ]
        parts.append((lines, alpha))
    return [hv.Path(lines, ["x", "y"]).opts(color=INK, line_width=0.8, alpha=alpha) for lines, alpha in parts]


def _touches(values: Sequence[float], limits: Limits) -> bool:
    return min(values) <= limits[1] and max(values) >= limits[0]


def _marks(footprint: Footprint, marks: Sequence[str]) -> list[hv.Element]:
    parts: list[hv.Element] = []
    axes = np.asarray(footprint["latitude"]), np.asarray(footprint["longitude"])
    if "scan" in marks:
        parts += _lines(scan(footprint), _SCAN, 1.2)
    if "wind" in marks and footprint.get("eastward_wind") is not None:
        wind = np.stack([np.asarray(footprint[f"{side}ward_wind"]) for side in ("east", "north")])
        parts += _lines(arrows(wind, *axes), INK, 1.2)
    if "path" in marks and footprint.get("path") is not None:
        way = np.asarray(footprint["path"])
        line, dots = path(way)
        parts += _lines(line, _PATH, 2.6)
        age = hv.Dimension("age", label="Hours before", unit="h")
        points = hv.Points((dots["x"], dots["y"], way[1:, 0]), ["x", "y"], age)
        parts.append(points.opts(color="white", line_color=_PATH, line_width=1.6, size=6, tools=["hover"]))
    return parts


def _lines(columns: Columns, colour: str, width: float) -> list[hv.Element]:
    """Lines over wider white ones, which read on every ground."""
    lines = [np.column_stack([x, y]) for x, y in zip(columns["xs"], columns["ys"])]
    return [
        hv.Path(lines, ["x", "y"]).opts(color="white", line_width=width + 2.2, alpha=0.75),
        hv.Path(lines, ["x", "y"]).opts(color=colour, line_width=width),
    ]


def _place(footprint: Footprint) -> hv.Points:
    """The middle of the token whose attention is shown."""
    x, y = to_mercator(float(footprint["token_latitude"]), float(footprint["token_longitude"]))
    return hv.Points([(float(x), float(y))], ["x", "y"]).opts(
        marker="circle_cross", size=15, fill_alpha=0, color=_PATH, line_width=2.4
    )


def _title(footprint: Footprint, what: str, layer: int | None, head: int | None) -> str:
    facts = getattr(footprint, "attrs", {})
    which = [f"{name} {number}" for name, number in (("layer", layer), ("head", head)) if number is not None]
    bridge = f" ({', '.join(which)})" if which and what in ("attention", "wind_bias") else ""
    changed = f", if {facts['interventions']}" if facts.get("interventions") else ""
    origin = [facts[name] for name in ("place", "when", "source") if facts.get(name)]
    return "\n".join(line for line in (LAYERS[what] + bridge + changed, ", ".join(origin)) if line)
