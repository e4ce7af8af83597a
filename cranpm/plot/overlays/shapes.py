"""A footprint as shapes in Mercator metres: cells with colours, arrows, the air's path, the order of the scan.

Everything comes from the tensors that the run recorded and the day's own wind; nothing is derived again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import colorcet
import numpy as np

from cranpm.plot.mercator import to_mercator
from cranpm.plot.style import ColourScale, round_up

TOKEN_NODES = 8
"""Nodes along the side of a coarse token."""

SCAN_TOKENS = 7
"""Tokens along the side of a group that shares one wind."""

SCAN_DIRECTIONS = 16

FootprintLayer = Literal["attention", "wind_bias", "elevation_bias", "height_damping"]

Footprint = Mapping[Any, Any]
"""From `cranpm.footprint_at`, or `cranpm.forecasting.attention.read_attention` with None for what the network lacks."""

Columns = Mapping[str, np.ndarray | list[Any]]
"""Of a ``ColumnDataSource``: arrays or lists, of one length."""

NO_CELLS: Columns = {"left": [], "right": [], "bottom": [], "top": [], "colour": [], "alpha": []}
NO_LINES: Columns = {"xs": [], "ys": []}
NO_DOTS: Columns = {"x": [], "y": []}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A layer of a footprint: values on a grid of centres, and their colours."""

    values: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    scale: ColourScale


def shown_layer(footprint: Footprint, what: FootprintLayer, layer: int = -1, head: int = -1) -> Shown | None:
    """What a footprint has of a layer; None where the network has no such part.

    Parameters
    ----------
    footprint : mapping
        From `cranpm.footprint_at` or `cranpm.forecasting.attention.read_attention`.
    what : str
        "attention" [% per token] and "wind_bias" over the coarse tokens; "elevation_bias" and "height_damping" over the
        tokens of the place's tile.
    layer, head : int
        Of the bridge; -1, or one that it does not have, for the mean over them.
    """
    found = footprint.get(what)
    if found is None:
        return None
    values = np.asarray(found)
    if what in ("attention", "wind_bias"):
        axes = footprint["latitude"], footprint["longitude"]
        layers, heads = values.shape[:2]
        values = values[layer : layer + 1] if 0 <= layer < layers else values
        values = (values[:, head : head + 1] if 0 <= head < heads else values).mean(axis=(0, 1))
        valid = footprint.get("valid")
        if valid is not None:  # what lies beyond the domain, or is missing there, is nothing to look at
            values = np.where(np.asarray(valid), values, np.nan)
    else:
        axes = footprint["tile_latitude"], footprint["tile_longitude"]
    values = np.asarray(values, np.float64) * (100 if what == "attention" else 1)
    latitude, longitude = (np.asarray(axis) for axis in axes)
    return Shown(values=values, latitude=latitude, longitude=longitude, scale=_scale(what, values))


def _scale(what: str, values: np.ndarray) -> ColourScale:
    """From the values' own range: attention of one place may lie on two tokens, that of another on two hundred."""
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    top = round_up(largest or 1.0)
    if what == "attention":
        return _made(
            what, "Share of attention per coarse token", "%", 0.0, top, colorcet.CET_L18, (0, top / 2, top)
        )
    if what == "height_damping":
        ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
        return _made(
            what, "Share of the change that height leaves", "", 0.0, 1.0, colorcet.CET_L19[::-1], ticks
        )
    if what == "elevation_bias" or bool((values <= 0).all()):
        title = "Elevation bias on the logits" if what == "elevation_bias" else "Wind bias on the logits"
        return _made(what, title, "", -top, 0.0, colorcet.CET_L19[::-1], (-top, -top / 2, 0))
    return _made(what, "Wind bias on the logits", "", -top, top, colorcet.CET_D9, (-top, 0, top))


def _made(
    name: str,
    title: str,
    units: str,
    low: float,
    high: float,
    colours: Sequence[str],
    ticks: tuple[float, ...],
) -> ColourScale:
    kind: Literal["diverging", "continuous"] = "diverging" if low < 0 < high else "continuous"
    return ColourScale(
        name=name,
        title=title,
        units=units,
        kind=kind,
        low=low,
        high=high,
        colours=tuple(colours),
        ticks=ticks,
    )


def cells(shown: Shown, opacity: float) -> Columns:
    """Rectangles about the centres, coloured; without those that have no value.

    Attention fades with its share, so that the map stays legible where nothing is read.
    """
    lat, lon = np.asarray(shown.latitude, float), np.asarray(shown.longitude, float)
    half_lat, half_lon = abs(np.diff(lat).mean()) / 2, abs(np.diff(lon).mean()) / 2
    left, right = (to_mercator(0 * lon, lon + side)[0] for side in (-half_lon, half_lon))
    bottom, top = (to_mercator(lat + side, 0 * lat)[1] for side in (-half_lat, half_lat))
    known = np.isfinite(shown.values)
    rows, cols = np.nonzero(known)
    colours = shown.scale.colours_of(shown.values[known])
    alpha = np.full(len(rows), opacity)
    if shown.scale.name == "attention":
        alpha *= np.sqrt(shown.scale.position(shown.values[known]))
    return {
        "left": left[cols],
        "right": right[cols],
        "bottom": bottom[rows],
        "top": top[rows],
        "colour": colours,
        "alpha": alpha,
    }


def arrows(wind: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> Columns:
    """An arrow at each coarse token: the mean wind of its nodes, to where the air goes.

    Parameters
    ----------
    wind : ndarray, shape (2, rows, cols)
        At the coarse nodes, towards east and north [m s-1].
    latitude, longitude : ndarray
        Of the coarse tokens.
    """
    rows, cols = len(latitude), len(longitude)
    full = np.full((2, rows * TOKEN_NODES, cols * TOKEN_NODES), np.nan)
    block = wind[:, : full.shape[1], : full.shape[2]]
    full[:, : block.shape[1], : block.shape[2]] = block
    parts = full.reshape(2, rows, TOKEN_NODES, cols, TOKEN_NODES)
    known = np.isfinite(parts)
    count = known.sum((2, 4))
    u, v = np.where(count, np.where(known, parts, 0).sum((2, 4)) / np.maximum(count, 1), np.nan)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    x, y = to_mercator(lat, lon)
    speed = np.hypot(u, v)
    strong = np.isfinite(speed) & (speed > 0.2)
    if not strong.any():
        return dict(NO_LINES)
    # the strongest reaches nearly to the next token; Mercator stretches both alike
    width = np.abs(np.diff(to_mercator(0 * longitude, longitude)[0])).mean()
    length = 0.85 * width / float(speed[strong].max())
    x0, y0, dx, dy = (part[strong] for part in (x, y, u * length, v * length))
    x0, y0 = x0 - dx / 2, y0 - dy / 2
    x1, y1 = x0 + dx, y0 + dy
    xs, ys = [], []
    for i in range(len(x0)):
        heads = [_turned(-0.34 * dx[i], -0.34 * dy[i], turn) for turn in (0.5, -0.5)]
        xs.append([x0[i], x1[i], x1[i] + heads[0][0], x1[i], x1[i] + heads[1][0]])
        ys.append([y0[i], y1[i], y1[i] + heads[0][1], y1[i], y1[i] + heads[1][1]])
    return {"xs": xs, "ys": ys}


def _turned(x: float, y: float, angle: float) -> tuple[float, float]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


def path(points: np.ndarray | None) -> tuple[Columns, Columns]:
    """The air's way to the place, (points, 3) of age, latitude, longitude, as a line and its dots."""
    if points is None or len(points) < 2:
        return dict(NO_LINES), dict(NO_DOTS)
    _, lat, lon = np.asarray(points, float).T
    x, y = to_mercator(lat, lon)
    return {"xs": [x.tolist()], "ys": [y.tolist()]}, {"x": x[1:], "y": y[1:]}


def scan(footprint: Footprint) -> Columns:
    """One line a group through its tokens in the order that they are read, and a head at its end.

    Groups of 7 x 7 tokens start in the north-west, row by row; tokens in the padding are left out.
    """
    order = footprint.get("order")
    if order is None:
        return dict(NO_LINES)
    latitude, longitude = np.asarray(footprint["latitude"]), np.asarray(footprint["longitude"])
    columns = -(-len(longitude) // SCAN_TOKENS)
    xs, ys = [], []
    for group, places in enumerate(np.asarray(order)):
        top, left = (SCAN_TOKENS * part for part in divmod(group, columns))
        rows, cols = top + places // SCAN_TOKENS, left + places % SCAN_TOKENS
        inside = (rows < len(latitude)) & (cols < len(longitude))
        if inside.sum() < 2:
            continue
        x, y = to_mercator(latitude[rows[inside]], longitude[cols[inside]])
        dx, dy = x[-1] - x[-2], y[-1] - y[-2]
        size = 0.25 * _token_width(tuple(np.asarray(longitude, float))) / max(float(np.hypot(dx, dy)), 1.0)
        ends = [_turned(-size * dx, -size * dy, turn) for turn in (0.5, -0.5)]
        xs.append([*x, x[-1] + ends[0][0], x[-1], x[-1] + ends[1][0]])
        ys.append([*y, y[-1] + ends[0][1], y[-1], y[-1] + ends[1][1]])
    return {"xs": xs, "ys": ys}


@lru_cache(maxsize=4)
def _token_width(longitude: tuple[float, ...]) -> float:
    x, _ = to_mercator(np.zeros(len(longitude)), np.array(longitude))
    return float(np.abs(np.diff(x)).mean())
