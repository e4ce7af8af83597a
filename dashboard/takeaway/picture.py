"""The map as a picture to be shown elsewhere: field, coast, stations, legend, day, source and attribution in one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cranpm.domain.eaqi import EAQI_CLASSES
from cranpm.plot.mercator import from_mercator, mercator_extent, to_mercator
from cranpm.plot.overlays.outlines import OutlinesMissingError, outline
from cranpm.plot.pyramid import Pyramid
from cranpm.plot.style import LAND_INDEX, ColourScale

from ..data.pictures import Picture
from .view import View

WIDTH = 1400
"""Pixels of the map from west to east, unless that makes it taller than :data:`TALLEST`."""

TALLEST = 1400
_DPI = 150


def map_png(view: View) -> bytes:
    """The area of a view, in Web Mercator as on the page."""
    pyramid = view.field()
    picture = view.picture(place=None)
    west, south, east, north = _cut(view, pyramid)
    left, bottom, right, top = mercator_extent((west, south, east, north))
    scale = min(WIDTH / (right - left), TALLEST / (top - bottom))
    size = max(int((right - left) * scale), 2), max(int((top - bottom) * scale), 2)
    figure = Figure(figsize=((size[0] + 120) / _DPI, (size[1] + 330) / _DPI), dpi=_DPI, facecolor="white")
    wide, high = size[0] + 120, size[1] + 330
    axes = figure.add_axes((60 / wide, 190 / high, size[0] / wide, size[1] / high))
    image = _pixels(view, pyramid, picture.scale, (left, bottom, right, top), size)
    axes.imshow(image, extent=(left, right, bottom, top), interpolation="nearest", aspect="auto")
    axes.set_facecolor("#e8eef2")
    _outlines(axes, (left, right - left))
    _stations(axes, picture)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_xticks([])
    axes.set_yticks([])
    _title(figure, view)
    _legend(figure, picture.scale, 60 / wide, high)
    _attribution(figure, view)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Title": view.state.what, "Source": view.dataset.source})
    return out.getvalue()


def _cut(view: View, pyramid: Pyramid) -> tuple[float, float, float, float]:
    """The area, as far as the field reaches."""
    window = view.window(pyramid)
    grid = pyramid.grid
    lat, lon = grid.lat_edges, grid.lon_edges
    rows, cols = window.rows, window.cols
    return float(lon[cols.start]), float(lat[rows.stop]), float(lon[cols.stop]), float(lat[rows.start])


def _pixels(
    view: View,
    pyramid: Pyramid,
    scale: ColourScale,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """Colours of the picture, (height, width, 4) uint8: the cell under each pixel; grey land without a value."""
    left, bottom, right, top = box
    width, height = size
    x = left + (np.arange(width) + 0.5) * (right - left) / width
    y = top - (np.arange(height) + 0.5) * (top - bottom) / height
    lat, _ = from_mercator(np.zeros(height), y)
    _, lon = from_mercator(x, np.zeros(width))
    index = scale.index(_nearest(pyramid, lat, lon))
    bare = (index == 0) & np.isfinite(_nearest(view.store.land(view.state.dataset), lat, lon))
    palette = np.frombuffer(scale.palette(), np.uint8).reshape(256, 3)
    index = np.where(bare, LAND_INDEX, index)
    alpha = np.where(index == 0, 0, 255).astype(np.uint8)
    return np.dstack([palette[index], alpha])


def _nearest(pyramid: Pyramid, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    grid = pyramid.grid
    level = pyramid.level_for(float(abs(np.diff(lat).mean())) if lat.size > 1 else grid.step)
    step, (num_rows, num_cols) = pyramid.level_step(level), pyramid.level_shape(level)
    rows = np.clip(np.floor((grid.north - lat) / step).astype(int), 0, num_rows - 1)
    cols = np.clip(np.floor((lon - grid.west) / step).astype(int), 0, num_cols - 1)
    window = pyramid.window(level, slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    return np.asarray(window[np.ix_(rows - rows.min(), cols - cols.min())])


def _outlines(axes: Axes, across: tuple[float, float]) -> None:
    detail = 0 if across[1] > 3e6 else 1 if across[1] > 6e5 else 2
    for kind, colour, width in (("border", "#33404c", 0.5), ("coast", "#243444", 0.7)):
        try:
            lines = outline(kind, detail)
        except OutlinesMissingError:
            return
        parts = [np.column_stack(part) for part in zip(lines["xs"], lines["ys"])]
        axes.add_collection(LineCollection(parts, colors=colour, linewidths=width, alpha=0.8))


def _stations(axes: Axes, picture: Picture) -> None:
    table = picture.stations
    if table is None or table.empty:
        return
    x, y = to_mercator(table["latitude"].to_numpy(float), table["longitude"].to_numpy(float))
    colours = picture.scale.colours_of(table["pm2p5"].to_numpy(float))
    axes.scatter(x, y, c=colours, s=9, edgecolors="#1b2733", linewidths=0.4, zorder=3)


def _title(figure: Figure, view: View) -> None:
    state = view.state
    lead = f" T+{state.lead_time}" if state.shown_layer.day == "valid" else ""
    figure.text(0.03, 0.985, _text(f"{state.shown_layer.title}{lead}"), va="top", size=13, weight="bold")
    about = f"{state.what} · init {state.init_time} · {view.area.title}"
    figure.text(0.03, 0.985 - 55 / figure.bbox.height, _text(about), va="top", size=7.5, color="#56646f")
    colour = "#8a5a00" if view.dataset.simulated else "#56646f"
    source = _text(view.dataset.source)
    figure.text(0.97, 0.985, source, va="top", ha="right", size=9, color=colour, weight="bold")


def _legend(figure: Figure, scale: ColourScale, left: float, height: float) -> None:
    bar = figure.add_axes((left, 128 / height, 0.5, 24 / height))
    if scale.kind == "classes":
        for number, item in enumerate(EAQI_CLASSES):
            bar.barh(0, 1, left=number, color=item.colour)
            label = f"{item.number} {item.name}\n{item.bounds}"
            style: dict[str, Any] = {"ha": "center", "va": "center", "size": 4.6, "color": item.text_colour}
            bar.text(number + 0.5, 0, label, **style)
        bar.set_xlim(0, len(EAQI_CLASSES))
        bar.set_xticks([])
    else:
        colours = [tuple(bytes.fromhex(colour.lstrip("#")[:6])) for colour in scale.colours]
        bar.imshow(np.array([colours], np.uint8), aspect="auto", extent=(0, 1, 0, 1))
        places = [float(scale.position(tick)) for tick in scale.ticks]
        bar.set_xticks(places, [f"{tick:g}" for tick in scale.ticks], size=6)
    bar.set_yticks([])
    title = f"{scale.title} [{scale.units}]" if scale.units else scale.title
    figure.text(left + 0.52, 140 / height, _text(f"{title}\ngrey: land without data"), size=6, va="center")
    if scale.note:
        figure.text(left, 84 / height, _text(scale.note), size=5.5, color="#56646f")


def _attribution(figure: Figure, view: View) -> None:
    said = view.provenance()
    model = (
        f"Checkpoint {said['checkpoint']} ({said['checkpoint_sha256'][:12]}). "
        if "checkpoint" in said
        else ""
    )
    lines = [
        f"{model}Dataset {said['dataset']} ({said['dataset_hash'][:12]}), {said['source']}. CRAN-PM Explorer."
    ]
    lines.append(said["attribution"])
    lines.append("Coast and borders: Natural Earth (public domain). Circles: stations, on the same colours.")
    figure.text(
        0.03, 8 / figure.bbox.height, _text("\n".join(lines)), size=4.8, color="#56646f", va="bottom", wrap=True,
        parse_math=False,
    )  # fmt: skip


def _text(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
