"""Addresses beside the page: map tiles, the value under the pointer, outlines; and the headers of every answer.

They are added when the server builds its application (see ``app_hooks.py``), so plain ``panel serve dashboard``
has them. Tiles of a versioned address never change, so browsers may keep them for ever.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Required, TypedDict, TypeVar, TypeVarTuple

from tornado.web import HTTPError, RequestHandler

from cranpm.data.errors import StoreError
from cranpm.domain.eaqi import EAQI_CLASSES, eaqi_class
from cranpm.domain.grid import OutsideGridError
from cranpm.forecasting.array_file import ArrayFileError
from cranpm.plot.channel_scales import find_scale
from cranpm.plot.mercator import MAX_ZOOM, from_mercator
from cranpm.plot.overlays.outlines import DETAILS, KINDS, OutlinesMissingError
from cranpm.plot.style import SCALES
from cranpm.plot.tiles import EMPTY_TILE, render_tile

from ..data.fields import Field, FieldUnavailableError
from ..data.outlines import names_json, outline_json
from ..data.store import get_store
from ..layers import Layer
from .handler import Handler
from .turns import TURNS

log = logging.getLogger(__name__)

_FOR_EVER = "max-age=31536000, immutable"

# two threads: datashader and numba release the lock only in part, and the forecast needs the other cores
_RENDERERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="tiles")
_READERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="fields")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LAND_COLOURS: dict[str, tuple[str, str]] = {"light": ("#dadfe3", "#c4cad0"), "dark": ("#262e37", "#36404a")}
"""Plain land and its hatching."""


class _Handler(Handler):
    def land_colours(self) -> tuple[str, str]:
        """Colours of bare land for the theme that the address names."""
        colours = LAND_COLOURS.get(self.get_query_argument("theme", "light"))
        if colours is None:
            raise HTTPError(404)
        return colours

    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more, for instance of a tile that was zoomed away."""
        stream = getattr(self.request.connection, "stream", None)
        return stream is None or stream.closed()

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(f"{status_code} {self._reason}")


async def answer(threads: ThreadPoolExecutor, work: Callable[[*Ts], T], *args: *Ts) -> T:
    """The result of work in threads; what it cannot find is 404, what it cannot read is 503 and told in the log."""
    try:
        with TURNS.answering():
            return await asyncio.get_running_loop().run_in_executor(threads, work, *args)
    except (KeyError, FileNotFoundError, FieldUnavailableError, OutlinesMissingError):
        raise HTTPError(404) from None
    except (StoreError, ArrayFileError, OSError) as error:
        log.warning("Not answered: %s", error)
        raise HTTPError(503) from None


async def read_field(field_id: str) -> Field:
    """An announced field; one that must be read first waits among its like, so that tiles of others go on."""
    fields = get_store().fields
    found = fields.peek(field_id)
    return found if found is not None else await answer(_READERS, fields.field, field_id)


def _coordinates(z: str, x: str, y: str) -> tuple[int, int, int]:
    zoom, col, row = int(z), int(x), int(y)
    if zoom > MAX_ZOOM or col >= 2**zoom or row >= 2**zoom:
        raise HTTPError(404)
    return zoom, col, row


class TileHandler(_Handler):
    """``tiles/{field}/{version}/{z}/{x}/{y}.png?scale=NAME&theme=NAME``"""

    async def get(self, field_id: str, version: str, z: str, x: str, y: str) -> None:
        place = _coordinates(z, x, y)
        scale, colours = find_scale(self.get_query_argument("scale", "continuous")), self.land_colours()
        if scale is None:
            raise HTTPError(404)

        field = await read_field(field_id)

        def draw() -> bytes:
            if self.is_gone():
                return EMPTY_TILE
            land = get_store().land(field.key.dataset)
            return render_tile(field.pyramid, scale, *place, land=land, land_colours=colours)

        png = await answer(_RENDERERS, draw)
        self.set_header("Content-Type", "image/png")
        self.keep(_FOR_EVER)
        self.finish(png)


class LandHandler(_Handler):
    """``land/{dataset}/{z}/{x}/{y}.png?theme=NAME``: land where no field is shown."""

    async def get(self, dataset: str, z: str, x: str, y: str) -> None:
        place, colours = _coordinates(z, x, y), self.land_colours()
        if dataset not in get_store().dataset_folders():
            raise HTTPError(404)

        def draw() -> bytes:
            land = get_store().land(dataset)
            return render_tile(None, SCALES["continuous"], *place, land=land, land_colours=colours)

        png = await answer(_RENDERERS, draw)
        self.set_header("Content-Type", "image/png")
        self.keep("max-age=3600")
        self.finish(png)


class CellHandler(_Handler):
    """``cell/{field}?x=..&y=..``: the exact value of the cell at a Mercator place, from the array."""

    async def get(self, field_id: str) -> None:
        try:
            x, y = (float(self.get_query_argument(name)) for name in "xy")
            if not (math.isfinite(x) and math.isfinite(y)):
                raise ValueError
        except ValueError:
            raise HTTPError(400) from None
        lat, lon = (float(v) for v in from_mercator(x, y))
        field = await read_field(field_id)
        cell = await answer(_RENDERERS, describe_cell, field, lat, lon)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(cell))


class Cell(TypedDict, total=False):
    """What `describe_cell` says of a place; beyond the map only that, and where it is."""

    inside: Required[bool]
    row: int
    col: int
    lat: Required[float]
    lon: Required[float]
    value: float | None
    text: str
    elevation: int | None
    index: str
    colour: str


def describe_cell(field: Field, lat: float, lon: float) -> Cell:
    """Value, place and elevation of the cell under a place; ``value`` is None where there is no data.

    ``text`` is the value as it is shown, with a thousandth of its scale's length as its last digit; ``lat`` and ``lon``
    are the cell's middle, which for a coarse field is its node.
    """
    grid, store, layer = field.pyramid.grid, get_store(), field.key.shown_layer
    fine = store.dataset(field.key.dataset).domain.fine
    try:
        row, col = grid.index_of(lat, lon)
        height = store.elevation(field.key.dataset, *fine.index_of(lat, lon))
    except OutsideGridError:
        return {"inside": False, "lat": round(lat, 3), "lon": round(lon, 3)}
    value, digits = field.pyramid.value(row, col), _digits(layer)
    number = int(eaqi_class(value)) if layer.is_concentration else 0
    return {
        "inside": True,
        "row": row,
        "col": col,
        "lat": round(float(grid.lat[row]), 3),
        "lon": round(float(grid.lon[col]), 3),
        "value": round(value, digits + 1) if math.isfinite(value) else None,
        "text": f"{value:.{digits}f}" if math.isfinite(value) else "",
        "elevation": round(height) if math.isfinite(height) else None,
        "index": f"{number} {EAQI_CLASSES[number - 1].name}" if number else "",
        "colour": EAQI_CLASSES[number - 1].colour if number else "",
    }


def _digits(layer: Layer) -> int:
    """Decimals to show: tenths of PM2.5, as it is stored; of all else a thousandth of its scale's length."""
    if layer.scale in ("", "change"):
        return 1
    scale = find_scale(layer.scale)
    assert scale is not None
    return max(0, 3 - math.floor(math.log10(scale.high - scale.low)) - 1)


class OutlineHandler(_Handler):
    """``outline/{kind}/{detail}.json``: lines in Mercator metres."""

    async def get(self, kind: str, detail: str) -> None:
        if kind not in KINDS or int(detail) not in DETAILS:
            raise HTTPError(404)
        body = await answer(_READERS, outline_json, kind, int(detail))
        self.set_header("Content-Type", "application/json")
        self.keep("max-age=86400")
        self.finish(body)


class NamesHandler(_Handler):
    """``names/{groups}.json``: labels of towns in Mercator metres."""

    async def get(self, groups: str) -> None:
        body = await answer(_READERS, names_json, int(groups))
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.keep("max-age=86400")
        self.finish(body)


class AliveHandler(_Handler):
    """``alive``: whether the server is there (again); pages that lost it ask, and those who must log in anew, too."""

    open_to_all = True

    def get(self) -> None:
        self.set_status(204)
        self.set_header("Cache-Control", "no-store")


_ID = r"([A-Za-z0-9._-]{1,160})"
_ZXY = r"(\d{1,2})/(\d{1,6})/(\d{1,6})\.png"

ROUTES: list[tuple[str, type[RequestHandler]]] = [
    (rf"/tiles/{_ID}/([A-Za-z0-9._-]{{1,40}})/{_ZXY}", TileHandler),
    (rf"/land/{_ID}/{_ZXY}", LandHandler),
    (rf"/cell/{_ID}", CellHandler),
    (r"/names/(\d)\.json", NamesHandler),
    (r"/outline/([a-z]{1,12})/(\d)\.json", OutlineHandler),
    (r"/alive", AliveHandler),
]
