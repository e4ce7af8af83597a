"""The map page of one browser tab: its parts put together, and the picture that they show.

`settling` makes the link's state possible, `map` is where the page looks, `controls` the column beside it, `drawer`
what a place or an area says, `link` its address; `run`, `compare` and `whatif` are the forecasts behind it.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import panel as pn

from ..background import Latest, tell_failures
from ..data.fields import FieldUnavailableError
from ..data.forecasts import Forecasts
from ..data.pictures import Picture, UnreadableError, make_picture, question_of
from ..data.store import Store
from ..markup import Html, join, without_paths
from ..server.turns import after_arrivals
from ..state import State
from ..theme import CARD, CORNER, SIDEBAR_WIDTH, STAGE, STAGE_CSS
from ..views.about.dialog import About
from ..views.areas.box import BoxTool
from ..views.compare.words import labels, sides_html
from ..views.frame import on_phone, page_frame
from ..views.header import BRAND, badge, title_html
from ..views.legend import legend_html
from ..views.notice import Notice
from ..views.overlays.overlay import Overlay
from ..views.overlays.reader import FootprintReader
from ..views.overlays.seams import TileSeams
from ..views.share import Share
from ..views.stations.table import StationTable
from .compare import PageCompare
from .controls import Actions, PageControls
from .drawer import PageDrawer
from .guide import PageGuide
from .link import PageLink
from .map import PageMap
from .run import PageRun
from .settling import settle_state
from .whatif import PageWhatIf

log = logging.getLogger(__name__)

DRAWER_WIDTH = 430


class Explorer:
    """The map page of one browser tab.

    The browser gets the map first and the controls after it: they are most of what a page takes to make, and while many
    arrive at once nobody waits for the controls of others.

    Parameters
    ----------
    state : State
        What the link asks for; what is not there is replaced, with a notice.
    store : Store
    notices : list of str
        Sentences about the link, to which this adds its own.
    """

    def __init__(self, state: State, store: Store, notices: list[str]) -> None:
        self.state, self.store = state, store
        self.dataset = store.dataset(state.dataset)
        self.shown: Picture | None = None
        self._document = pn.state.curdoc
        self._pictures = Latest(self._document)
        self._asked: tuple[Any, ...] = ()
        settle_state(state, store, notices)
        self._forecasts = Forecasts(store, watcher=uuid4().hex)
        self.controls = PageControls(state, store, self._actions())
        self.where = PageMap(state, self.dataset.domain.fine, self.controls.days)
        self.map = self.where.view
        self._build_stage(notices)
        self._build_frame()
        tell_failures(self._document, self.notice.say)
        self._begin_runs()
        self._watch()
        self.run.question_changed()
        pn.state.onload(self.run.open)
        pn.state.onload(self.compare.open)
        pn.state.onload(lambda: after_arrivals(self._document, self._add_controls))
        if self._document is not None:
            self._document.on_session_destroyed(lambda _context: self.close())

    def close(self) -> None:
        """The page is gone: nothing waits for it any more."""
        self.run.close()
        self.compare.close()
        self.whatif.close()
        self.controls.close()

    def say(self, text: str) -> None:
        """Show a notice over the map."""
        self.notice.say(text)

    # -- the parts -----------------------------------------------------------------------------------------------

    def _actions(self) -> Actions:
        state = self.state
        return Actions(
            run=lambda: self.run.ask(),
            cancel=lambda: self.run.cancel(),
            expected=lambda: self._forecasts.expected(state.dataset, state.checkpoint, state.init_time),
            whatif_in_view=lambda: self.whatif.ask_view(),
            whatif_everywhere=lambda: self.whatif.ask_all(),
            draw_box=lambda on: self.box.draw(on),
            open_station_table=self._open_station_table,
        )

    def _build_stage(self, notices: list[str]) -> None:
        """The map and what lies over it."""
        state, store = self.state, self.store
        footprints = FootprintReader(store)
        self.overlay = Overlay(state, self.map.overlay, footprints, on_legend=self._draw_legend)
        self.seams = TileSeams(state, store, self.map.seams, self._document, on_legend=self._draw_legend)
        self.title = Html("", styles=CARD | {"left": "12px", "top": "12px"}, margin=0)
        self.legend = Html("", styles=CARD | {"position": "static", "pointer-events": "auto"}, margin=0)
        self.box = BoxTool(
            self.map.figure,
            on_box=lambda box: state.param.update(box=box, numbers=True),
            on_end=lambda: self.controls.regions.draw.param.update(value=False),
            dark=state.dark,
        )
        self.box.show(state.box)
        self.drawer = PageDrawer(
            state, store, self._forecasts, footprints, view=lambda: self.where.extent, on_open=self._drawer_opened
        )  # fmt: skip
        self.link = PageLink(state, self._document)
        self.station_table = StationTable(store, on_pick=self.where.pick)
        self.share = Share(
            state, self.link.address, tiles=lambda: self.map.tile_path, precision=self._precision
        )
        self.about = About(state, store)
        self.notice = Notice(" ".join(notices))
        self.guide = PageGuide(
            state, store, view=lambda: self.where.extent, pick=self.where.pick, whatif=self.controls.whatif,
            tabs=self.drawer.tabs, show_controls=lambda: self.page.param.update(sidebar_open=True),
        )  # fmt: skip
        self._dialogs = pn.Column(margin=0)
        self.stage = pn.Column(
            self.map.root, self.title, pn.Column(self.guide.captions, self.legend, margin=0, styles=CORNER),
            self.notice.root, self._dialogs, self.guide.summary.root,
            sizing_mode="stretch_both", margin=0, styles=STAGE, stylesheets=[STAGE_CSS],
        )  # fmt: skip

    def _build_frame(self) -> None:
        """Header, controls and drawer round the stage; empty, see `_add_controls`."""
        self._buttons = pn.Row(margin=0)
        self._column = pn.Column(sizing_mode="stretch_width", margin=0)
        brand = Html(BRAND, margin=(8, 8), sizing_mode="stretch_width")
        self.page = page_frame(
            header=[pn.Row(brand, self._buttons, sizing_mode="stretch_width", margin=0)],
            sidebar=[self._column],
            sidebar_open=not on_phone(pn.state.headers),
            sidebar_width=SIDEBAR_WIDTH,
            sidebar_resizable=False,
            main=[self.stage],
            contextbar=[self.drawer.root],
            # as the link has it: a change that arrives while the browser mounts the page may be lost there
            contextbar_open=self.state.place is not None,
            contextbar_variant="persistent",
            contextbar_width=DRAWER_WIDTH,
            dark_theme=self.state.dark,
        )

    def _add_controls(self) -> None:
        """Put the controls beside the map, which the browser shows by now."""
        self._column[:] = self.controls.column
        self._buttons[:] = [self.guide.button, self.about.button, self.share.button]
        self._dialogs[:] = [self.share.dialog, self.station_table.dialog, self.about.dialog]

    def _begin_runs(self) -> None:
        """The forecasts behind the map: A's, its what-if, and B's."""
        state, forecasts, tiles = self.state, self._forecasts, self.where.tiles
        self.run = PageRun(
            state, forecasts, self.controls.model, first_tiles=tiles, on_change=self._question_changed
        )
        self.whatif = PageWhatIf(
            state, forecasts, self.controls.whatif, base=lambda: self.run.current, tiles=tiles,
            on_change=self._ask_picture,
        )  # fmt: skip
        self.compare = PageCompare(
            state, self.store, self.controls.compare, base=lambda: self.run.current,
            whatif=lambda: self.whatif.answer, first_tiles=tiles, on_change=self._ask_picture,
        )  # fmt: skip

    def _watch(self) -> None:
        watch = self.state.param.watch
        watch(lambda *_: self.run.question_changed(), ["init_time", "checkpoint"])
        watch(lambda *_: self._question_changed(), ["lead_time", "whatif"])
        compared = ["compare", "against", "against_lead", "against_day", "against_checkpoint"]
        watch(lambda *_: self._other_changed(), [*compared, "init_time", "checkpoint", "layer"])
        stations = ["station_file", "stations", "station_types", "station_areas", "terrain", "station"]
        watch(lambda *_: self._ask_picture(), ["scale", *stations, "place", "dark"])
        watch(lambda *_: self._area_changed(), ["box", "numbers", "extent", "region"])
        self.link.follow()
        self.page.param.watch(self._theme_changed, "dark_theme")

    # -- what changes --------------------------------------------------------------------------------------------

    def _question_changed(self) -> None:
        """What is asked, or how far its forecast is, may have changed."""
        self.whatif.update()
        self._ask_picture()

    def _other_changed(self) -> None:
        """What is asked of the second map may have changed."""
        self.compare.update()
        self.run.layer_changed()  # B may need A's forecast, too

    def _area_changed(self) -> None:
        self.box.show(self.state.box)
        if self.shown is not None:
            self.drawer.show(self.shown)
            self.guide.summary.show(self.shown, self.where.extent)

    def _drawer_opened(self, opened: bool) -> None:
        self.stage.css_classes = ["above-drawer"] if opened else []
        self.page.contextbar_open = opened

    def _theme_changed(self, event: Any) -> None:
        self.state.dark = bool(event.new)
        self.map.set_dark(self.state.dark)
        self.box.set_dark(self.state.dark)

    def _open_station_table(self) -> None:
        if self.shown is not None:
            self.station_table.open(self.shown)

    # -- the picture ---------------------------------------------------------------------------------------------

    def _ask_picture(self) -> None:
        """Have what the state asks for read in a thread, and shown as a whole when it is there."""
        state, run, store = self.state.copy(), self.run.current, self.store
        whatif = self.whatif.answer if state.layer == "whatif" else None
        if state.layer == "whatif" and state.whatif and whatif is None and self.shown is not None:
            return  # until its first tile is there, the page keeps what it shows
        other = self.compare.other
        question = question_of(state, run, whatif, other)
        if question == self._asked:
            return
        self._asked = question

        def then(picture: Picture | None, error: BaseException | None) -> None:
            if picture is None:
                picture = self._instead(state, error)
            if picture is not None:
                self._show(picture)

        self._pictures.ask(lambda: make_picture(store, state, run, whatif, other), then)

    def _instead(self, state: State, error: BaseException | None) -> Picture | None:
        """What to show where a picture cannot be made: nothing new, or at first a title that says why."""
        if isinstance(error, UnreadableError | FieldUnavailableError):
            reason = without_paths(str(error))
        else:
            log.error("The picture could not be made", exc_info=error)
            reason = f"{state.what} cannot be shown: an error of this program, {type(error).__name__}."
        if self.shown is None:
            return Picture(state=state, run=None, note=reason)
        self.say(f"{reason} The page still shows {self.shown.state.what}.")
        return None

    def _show(self, picture: Picture) -> None:
        before, self.shown = self.shown, picture
        field_id, version, scale = picture.on_map
        if field_id:
            is_difference = picture.comparison is not None and picture.comparison.is_difference
            self.map.show(field_id, version, scale, tag="B − A" if is_difference else "")
        else:
            self.map.clear()
        self._show_beside(picture)
        self.title.object = title_html(
            picture.state,
            badge_html=badge(self.dataset.source, self.dataset.simulated),
            note=picture.note,
            sides=sides_html(picture),
        )
        self.overlay.show(picture)
        self.seams.show(picture)
        self._draw_legend()
        self.controls.inputs.show(picture.run)
        self.guide.summary.show(picture, self.where.extent)
        if before is None or before.station_question != picture.station_question:
            self.map.set_stations(picture.stations, scale)
        self.map.set_place(picture.state.place)
        self.drawer.show(picture)
        if picture.warnings and (before is None or picture.warnings != before.warnings):
            self.say(" ".join(picture.warnings))

    def _show_beside(self, picture: Picture) -> None:
        """Put B beside A, or take it away."""
        comparison = picture.comparison
        if comparison is None or comparison.is_difference or not comparison.field.field_id:
            self.map.hide_other()
        else:
            field = comparison.field
            self.map.show_other(
                field.field_id, field.version, comparison.scale, labels(picture.state, comparison.state),
                halves=comparison.mode == "side",
            )  # fmt: skip
        self.controls.compare.show_picture(picture)

    def _draw_legend(self) -> None:
        if self.shown is not None:
            self.legend.object = join(
                [legend_html(self.shown.on_map[2]), self.overlay.legend, self.seams.legend]
            )

    def _precision(self) -> str:
        """What the run on the map was computed in; empty where there is none."""
        run = None if self.shown is None else self.shown.run
        return "" if run is None else run.status.precision
