"""Drawing a 256-pixel tile of the map, beside plain HoloViews and datashader on the same field."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cranpm import extras
from cranpm.bench.ceilings import COPY, Ceilings
from cranpm.bench.figures import Bound, Figure, Label, PartUnavailableError
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import time_in_turns
from cranpm.domain import Grid

ZOOMS = (4, 6, 8, 10)
"""From the whole of Europe to a town."""


def measure_render(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """The figure of tiles at four zooms around the middle of the domain.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        Compared with copying the pixels of a tile once, as float32: drawing is not limited by memory.

    Raises
    ------
    PartUnavailableError
        Where the packages of the dashboard are not installed.
    """
    missing = extras.missing_modules("dashboard")
    if missing:
        raise PartUnavailableError(
            f"Drawing needs {', '.join(missing)}: {extras.how_to_install('dashboard')}"
        )
    from cranpm.plot.mercator import TILE_PIXELS, tile_of
    from cranpm.plot.pyramid import Pyramid
    from cranpm.plot.style import SCALES
    from cranpm.plot.tiles import render_tile

    grid = settings.domain.fine
    values = _field(grid)
    pyramid = Pyramid.of_packed(np.rint(10 * values).astype(np.uint16), grid)
    west, south, east, north = grid.extent
    places = [(z, *tile_of((south + north) / 2, (west + east) / 2, z)) for z in ZOOMS]
    rasterize = _plain(values, grid)

    def ours() -> object:
        return [render_tile(pyramid, SCALES["continuous"], *place) for place in places]

    def plain() -> object:
        return [rasterize(*place) for place in places]

    forms = {"tile": ours, "plain rasterize": plain, **ceilings.forms(COPY)}
    turns = time_in_turns(forms, torch.device("cpu"), seconds=settings.seconds / 2)
    pixels = len(places) * TILE_PIXELS**2
    return [
        Figure.of(
            turns,
            "tile",
            Label("render", "tile", f"{TILE_PIXELS} pixels, zooms {', '.join(map(str, ZOOMS))}"),
            count=len(places),
            bound=Bound(8.0 * pixels, ceilings.of[COPY]),
            instead={"plain rasterize": float(len(places))},
        )
    ]


def _field(grid: Grid) -> np.ndarray:
    """A smooth field with noise in every cell [ug m-3], float32."""
    rows, cols = (np.linspace(0, 12, n, dtype=np.float32) for n in grid.shape)
    rng = np.random.default_rng(3)
    return 20 + 10 * np.sin(rows)[:, None] * np.cos(cols) + rng.random(grid.shape, np.float32)


def _plain(values: np.ndarray, grid: Grid) -> Any:
    """What a user of HoloViews writes: rasterize an image for a window, shade it, make a PNG of it."""
    import datashader.transfer_functions as tf
    import holoviews as hv
    from holoviews.operation.datashader import rasterize

    from cranpm.plot.mercator import TILE_PIXELS, from_mercator, tile_bounds
    from cranpm.plot.style import SCALES

    image = hv.Image((grid.lon, grid.lat[::-1], values[::-1]), ["longitude", "latitude"], "pm2p5")
    colours = list(SCALES["continuous"].colours)

    def draw(z: int, x: int, y: int) -> object:
        west, south, east, north = tile_bounds(z, x, y)
        (lat_low, lat_high), (lon_low, lon_high) = from_mercator(
            np.array([west, east]), np.array([south, north])
        )
        drawn = rasterize(
            image,
            aggregator="mean",
            x_range=(float(lon_low), float(lon_high)),
            y_range=(float(lat_low), float(lat_high)),
            width=TILE_PIXELS,
            height=TILE_PIXELS,
            dynamic=False,
        )
        shaded = tf.shade(drawn.data["pm2p5"], cmap=colours, how="linear", span=(0, 60))
        return shaded.to_bytesio("png")

    return draw
