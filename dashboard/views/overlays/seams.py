"""The tiles that a forecast was made of, drawn over it, and how much of a step their edges leave in the map."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from typing import Any

from bokeh.document import Document
from bokeh.models import ColumnDataSource, Quad

from cranpm.domain.grid import Grid
from cranpm.domain.tiling import TilePlan, plan_tiles
from cranpm.plot.mercator import to_mercator
from cranpm.plot.overlays.shapes import Columns
from cranpm.verification.seams import SeamSteps, neighbours, seam_steps

from ...background import Latest, under_lock
from ...data.pictures import Picture
from ...data.store import Store
from ...layers import TILED
from ...markup import Markup
from ...state import State
from ..legend import lines_html

log = logging.getLogger(__name__)

_EDGES = ("left", "right", "bottom", "top")
_NOTHING: Columns = {name: [] for name in _EDGES}

THEMES = {False: {"line": "#17222c", "halo": "#ffffff"}, True: {"line": "#f4f7f9", "halo": "#0b1015"}}


class SeamLayers:
    """Layers of a figure: outlines of tiles, and the strips that two tiles share; empty until `draw` is called."""

    def __init__(self, plot: Any) -> None:
        self.figure = plot
        self.tiles, self.strips = ColumnDataSource(dict(_NOTHING)), ColumnDataSource(dict(_NOTHING))
        self._strips = plot.add_glyph(self.strips, Quad(fill_alpha=0.18, line_color=None))
        self._outlines = [
            plot.add_glyph(self.tiles, Quad(fill_color=None, line_width=width, line_alpha=alpha))
            for width, alpha in ((3.0, 0.55), (1.0, 0.9))
        ]
        self.set_dark(False)

    @under_lock
    def set_dark(self, dark: bool) -> None:
        """Colours that read on a light or a dark ground."""
        halo, line = self._outlines
        halo.glyph.line_color = self._strips.glyph.fill_color = THEMES[dark]["halo"]
        line.glyph.line_color = THEMES[dark]["line"]

    @under_lock
    def draw(self, tiles: Columns, strips: Columns) -> None:
        """Show boxes [Mercator metres]."""
        for source, columns in ((self.tiles, tiles), (self.strips, strips)):
            if any(list(source.data[name]) != list(columns[name]) for name in _EDGES):
                source.data = dict(columns)


def tile_boxes(grid: Grid, plan: TilePlan, tiles: Collection[int]) -> tuple[Columns, Columns]:
    """Outlines of tiles, and of the strips that two of them share [Mercator metres].

    Parameters
    ----------
    grid : Grid
        Of the map that the plan covers.
    plan : TilePlan
    tiles : collection of int
        Numbers of those that are drawn.
    """
    outlines = [(plan.tiles[index].rows, plan.tiles[index].cols) for index in sorted(tiles)]
    strips = [
        (_shared(first.rows, second.rows), _shared(first.cols, second.cols))
        for axis in (0, 1)
        for first, second in neighbours(plan, tiles, axis)
    ]
    return _boxes(grid, outlines), _boxes(grid, strips)


def _shared(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _boxes(grid: Grid, windows: list[tuple[slice, slice]]) -> Columns:
    columns: dict[str, list[float]] = {name: [] for name in _EDGES}
    for rows, cols in windows:
        south, north = (grid.north - row * grid.step for row in (rows.stop, rows.start))
        west, east = (grid.west + col * grid.step for col in (cols.start, cols.stop))
        (left, right), (bottom, top) = to_mercator([south, north], [west, east])
        for name, edge in zip(_EDGES, (left, right, bottom, top)):
            columns[name].append(float(edge))
    return columns


def seam_lines(tiles: int, steps: SeamSteps | None, units: str) -> list[str]:
    """What the legend says of the tiles of a forecast; without steps, that they are still to come."""
    drawn = f"{tiles} tiles of 512 × 512 cells; the strips that two share are tinted, and blended."
    if steps is None:
        return [drawn, "How large the steps across their edges are is measured when the forecast is done."]
    if not math.isfinite(steps.across):
        return [drawn, "The steps across their edges cannot be measured here."]
    measured = (
        f"Median step from cell to cell: {steps.across:.3g} {units} across tile edges, {steps.elsewhere:.3g} {units} "
        "between ordinary neighbours near them"
    )
    if not math.isfinite(steps.ratio):
        return [drawn, f"{measured}."]
    return [drawn, f"{measured}: {steps.ratio:.2f} times. At 1, tiles leave no trace."]


class TileSeams:
    """The tile seams of one page: drawn where the state asks for them and the map is made of tiles.

    Parameters
    ----------
    state : State
    store : Store
    layers : SeamLayers
        On the map.
    document : Document or None
        Of the page.
    on_legend : callable
        Called when `legend` has changed.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        layers: SeamLayers,
        document: Document | None,
        *,
        on_legend: Callable[[], None],
    ) -> None:
        self._state, self._store, self._layers, self._on_legend = state, store, layers, on_legend
        self._questions = Latest(document)
        self._picture: Picture | None = None
        self._asked: tuple[str, str] = ("", "")
        self._steps: SeamSteps | None = None
        self.legend: str | Markup = ""
        state.param.watch(lambda _event: self._follow(), "seams")

    def show(self, picture: Picture) -> None:
        """Draw the tiles of a picture's forecast, if the state asks for them."""
        self._picture = picture
        self._follow()

    def _follow(self) -> None:
        picture = self._picture
        if not self._state.seams or picture is None or not _is_tiled(picture):
            self._layers.draw(_NOTHING, _NOTHING)
            self._say("")
            return
        assert picture.run is not None
        tiles = set(picture.run.status.done_list)
        grid = self._store.dataset(picture.state.dataset).domain.fine
        plan = plan_tiles(grid.shape)
        self._layers.draw(*tile_boxes(grid, plan, tiles))
        question = (picture.field_id, picture.version) if picture.run.status.finished else ("", "")
        if question != self._asked:
            self._asked, self._steps = question, None
            if question[0]:
                self._measure(question, plan, tiles)
        self._say(
            lines_html("cranpm-seams", "Tile seams", seam_lines(len(tiles), self._steps, picture.scale.units))
        )

    def _measure(self, question: tuple[str, str], plan: TilePlan, tiles: set[int]) -> None:
        fields = self._store.fields

        def then(steps: SeamSteps | None, error: BaseException | None) -> None:
            if error is not None:
                log.warning("Tile seams could not be measured: %s", error)
                steps = SeamSteps(across=math.nan, elsewhere=math.nan, pairs=0)
            if question == self._asked:
                self._steps = steps
                self._follow()

        self._questions.ask(lambda: seam_steps(fields.field(question[0]).pyramid.read, plan, tiles), then)

    def _say(self, legend: str | Markup) -> None:
        if legend != self.legend:
            self.legend = legend
            self._on_legend()


def _is_tiled(picture: Picture) -> bool:
    """Whether the map shows the tiles of a forecast; a difference of two maps has those of both."""
    compared = picture.comparison is not None and picture.comparison.is_difference
    there = picture.run is not None and bool(picture.field_id)
    return there and not compared and picture.state.layer in TILED
