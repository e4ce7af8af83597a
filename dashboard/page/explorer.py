"""The map page of one browser tab: state, store and views put together."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import panel as pn

from cranpm.domain.regions import REGIONS

from ..background import Latest, in_page, tell_failures
from ..data.areas.area import area_of
from ..data.fields import FieldUnavailableError
from ..data.forecasts import Forecasts, tiles_in_view
from ..data.pictures import Picture, UnreadableError, make_picture, question_of
from ..data.store import Store
from ..data.whatif import network_parts
from ..markup import Html, join, without_paths
from ..state import LEADS, MOVED, State
from ..theme import CARD, CORNER, SIDEBAR_WIDTH, STAGE, STAGE_CSS
from ..views.about.dialog import About
from ..views.areas.box import BoxTool
from ..views.areas.controls import AreaControls
from ..views.compare.panel import ComparePanel
from ..views.compare.words import labels, sides_html
from ..views.controls import DayControls, LayerControls
from ..views.frame import page_frame
from ..views.header import BRAND, badge, title_html
from ..views.inputs import InputStrip
from ..views.legend import legend_html
from ..views.map import MapListeners, MapView
from ..views.model import ModelControls
from ..views.notice import Notice
from ..views.overlays.overlay import Overlay
from ..views.overlays.reader import FootprintReader
from ..views.share import Share
from ..views.stations.controls import StationControls
from ..views.stations.table import StationTable
from ..views.whatif.panel import WhatIfPanel
from .compare import PageCompare
from .guide import PageGuide
from .run import PageRun
from .whatif import PageWhatIf

if TYPE_CHECKING:
    from ..views.areas.panel import AreaPanel
    from ..views.inspector import Inspector

log = logging.getLogger(__name__)

INSPECTOR_WIDTH = 430


class Explorer:
    """The map page of one browser tab.

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
        self.domain_extent = self.dataset.domain.fine.extent
        self.shown: Picture | None = None
        self._document = pn.state.curdoc
        self._pictures = Latest(self._document)
        self._asked: tuple[Any, ...] = ()
        self._settle_state(notices)
        self._forecasts = Forecasts(store, watcher=uuid4().hex)
        self._build(notices)
        tell_failures(self._document, self.notice.say)
        self.run = PageRun(
            state,
            self._forecasts,
            self.model,
            first_tiles=self._tiles_in_view,
            on_change=self._question_changed,
        )
        self.whatif = PageWhatIf(
            state, self._forecasts, self.whatif_panel, base=lambda: self.run.current, tiles=self._tiles_in_view,
            on_change=self._ask_picture,
        )  # fmt: skip
        self.compare = PageCompare(
            state, store, self.compare_panel, base=lambda: self.run.current, first_tiles=self._tiles_in_view,
            on_change=self._ask_picture,
        )  # fmt: skip
        self._watch()
        self.run.question_changed()
        pn.state.onload(self.run.open)
        pn.state.onload(self.compare.open)
        if self._document is not None:
            self._document.on_session_destroyed(lambda _context: self.close())

    def close(self) -> None:
        """The page is gone: nothing waits for it any more."""
        self.run.close()
        self.compare.close()
        self.whatif.close()
        self.days.close()

    # -- the state, made possible --------------------------------------------------------------------------------

    def _settle_state(self, notices: list[str]) -> None:
        state, days = self.state, self.store.days(self.state.dataset)
        if state.init_time not in days:
            if state.init_time is not None:
                notices.append(
                    f"{state.init_time:%d %b %Y} is not in this dataset; the last day with a target is shown."
                )
            # the last day whose T+1 target is there: forecast, target and error can all be looked at
            state.init_time = days[-2] if len(days) > 1 else days[-1]
        checkpoints = list(self.store.checkpoints())
        if state.checkpoint not in checkpoints:
            if state.checkpoint:
                notices.append(f"There is no checkpoint “{state.checkpoint}” on this machine.")
            state.checkpoint = "demo" if "demo" in checkpoints else next(iter(checkpoints), "")
        if state.against_checkpoint and state.against_checkpoint not in checkpoints:
            notices.append(f"There is no checkpoint “{state.against_checkpoint}” on this machine.")
            state.against_checkpoint = ""
        if state.against_day is not None and state.against_day not in days:
            notices.append(f"{state.against_day:%d %b %Y} is not in this dataset; B is of A’s day.")
            state.against_day = None
        if state.place is not None and not self._inside(*state.place):
            notices.append("The link's place lies outside this dataset and was ignored.")
            state.place = None
        if state.extent is not None and not _shows(state.extent, self._region_extent(state.region)):
            state.region = MOVED
        if state.station and state.station not in set(self.store.stations(state.dataset)["station_id"]):
            notices.append(f"There is no station “{state.station}” in this dataset.")
            state.station = ""

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self, notices: list[str]) -> None:
        state = self.state
        self.map = MapView(
            domain_extent=self.domain_extent,
            view_extent=self._view(),
            dataset=state.dataset,
            dark=state.dark,
            listeners=MapListeners(
                picked=self._picked,
                moved=self._map_moved,
                key_pressed=self._key_pressed,
                swiped=self._swiped,
            ),
            swipe=state.swipe,
        )
        self.footprints = FootprintReader(self.store)
        self.overlay = Overlay(state, self.map.overlay, self.footprints, on_legend=self._draw_legend)
        self.title = Html("", styles=CARD | {"left": "12px", "top": "12px"}, margin=0)
        self.legend = Html("", styles=CARD | {"position": "static", "pointer-events": "auto"}, margin=0)
        self.days = DayControls(state, self.store.days(state.dataset))
        self.layers = LayerControls(state)
        self.model = ModelControls(
            state,
            list(self.store.checkpoints()),
            on_run=lambda: self.run.ask(),
            on_cancel=lambda: self.run.cancel(),
            expected=lambda: self._forecasts.expected(state.dataset, state.checkpoint, state.init_time),
        )
        self.whatif_panel = WhatIfPanel(
            state, on_view=lambda: self.whatif.ask_view(), on_all=lambda: self.whatif.ask_all()
        )
        self._offer_changes()
        self.compare_panel = ComparePanel(
            state, list(self.store.checkpoints()), self.store.days(state.dataset)
        )
        self.inputs = InputStrip(self.dataset.source, str(self.dataset.meta.get("hash", "")))
        self.regions = AreaControls(state, on_draw=lambda on: self.box.draw(on))
        self.box = BoxTool(
            self.map.figure,
            on_box=lambda box: state.param.update(box=box, numbers=True),
            on_end=lambda: self.regions.draw.param.update(value=False),
            dark=state.dark,
        )
        self.box.show(state.box)
        self.station_table = StationTable(self.store, on_pick=self._picked)
        self.station_controls = StationControls(
            state, list(self.store.station_files()), on_table=self._open_station_table
        )
        self.share = Share(state, self._address, tiles=lambda: self.map.tile_path, precision=self._precision)
        self.about = About(state, self.store)
        self.notice = Notice(" ".join(notices))
        self.guide = PageGuide(
            state, self.store, view=self._view, pick=self._picked, whatif=self.whatif_panel,
            tabs=lambda kind: (self._open_inspector() if kind == "place" else self._open_area()).tabs,
            show_controls=lambda: self.page.param.update(sidebar_open=True),
        )  # fmt: skip
        self.drawer = pn.Column(sizing_mode="stretch_width", margin=0)
        self.inspector: Inspector | None = None
        self.area: AreaPanel | None = None
        self.stage = pn.Column(
            self.map.root, self.title, pn.Column(self.guide.captions, self.legend, margin=0, styles=CORNER),
            self.notice.root, self.share.dialog, self.station_table.dialog, self.about.dialog,
            self.guide.summary.root,
            sizing_mode="stretch_both", margin=0, styles=STAGE, stylesheets=[STAGE_CSS],
        )  # fmt: skip
        self.page = page_frame(
            header=[
                pn.Row(
                    Html(BRAND, margin=(8, 8), sizing_mode="stretch_width"),
                    self.guide.button,
                    self.about.button,
                    self.share.button,
                    sizing_mode="stretch_width",
                    margin=0,
                )
            ],
            sidebar=[
                self.days.root,
                self.layers.root,
                self.compare_panel.root,
                self.model.root,
                self.whatif_panel.root,
                self.inputs.root,
                self.regions.root,
                self.station_controls.root,
            ],
            sidebar_width=SIDEBAR_WIDTH,
            sidebar_resizable=False,
            main=[self.stage],
            contextbar=[self.drawer],
            # as the link has it: a change that arrives while the browser mounts the page may be lost there
            contextbar_open=state.place is not None,
            contextbar_variant="persistent",
            contextbar_width=INSPECTOR_WIDTH,
            dark_theme=state.dark,
        )

    def _watch(self) -> None:
        watch = self.state.param.watch
        watch(lambda *_: self.run.question_changed(), ["init_time", "checkpoint"])
        watch(lambda *_: self._offer_changes(), ["checkpoint"])
        watch(lambda *_: self.run.layer_changed(), ["layer"])
        watch(lambda *_: self._question_changed(), ["lead_time", "whatif"])
        compared = ["compare", "against", "against_lead", "against_day", "against_checkpoint"]
        watch(lambda *_: self._other_changed(), [*compared, "init_time", "checkpoint", "layer"])
        watch(
            lambda *_: self._ask_picture(),
            [
                "scale",
                "station_file",
                "stations",
                "station_types",
                "station_areas",
                "terrain",
                "place",
                "station",
                "dark",
            ],
        )
        watch(lambda *_: self._region_changed(), ["region"])
        watch(lambda *_: self._area_changed(), ["box", "numbers", "extent", "region"])
        watch(lambda *_: self._link_changed(), list(State.param))
        self.page.param.watch(self._theme_changed, "dark_theme")

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

    def _question_changed(self) -> None:
        """What is asked, or how far its forecast is, may have changed."""
        self.whatif.update()
        self._ask_picture()

    def _other_changed(self) -> None:
        """What is asked of the second map may have changed."""
        self.compare.update()
        self._ask_picture()

    def _offer_changes(self) -> None:
        folder = self.store.checkpoints().get(self.state.checkpoint)
        self.whatif_panel.offer({} if folder is None else network_parts(folder))

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
        self._draw_legend()
        self.inputs.show(picture.run)
        self.guide.summary.show(picture, self._view())
        if before is None or before.station_question != picture.station_question:
            self.map.set_stations(picture.stations, scale)
        self.map.set_place(picture.state.place)
        self._show_drawer(picture)
        if picture.warnings and (before is None or picture.warnings != before.warnings):
            self.say(" ".join(picture.warnings))

    def _show_beside(self, picture: Picture) -> None:
        """Put B at the other side of the handle, or take it away."""
        comparison = picture.comparison
        if comparison is None or comparison.is_difference or not comparison.field.field_id:
            self.map.hide_other()
        else:
            field = comparison.field
            self.map.show_other(
                field.field_id, field.version, comparison.scale, labels(picture.state, comparison.state)
            )
        self.compare_panel.show_picture(picture)

    def _draw_legend(self) -> None:
        if self.shown is not None:
            self.legend.object = join([legend_html(self.shown.on_map[2]), self.overlay.legend])

    def _show_drawer(self, picture: Picture) -> None:
        """What belongs into the drawer: a picked place, else the numbers of an area; without either it is shut."""
        if picture.place is not None:
            inspector = self._open_inspector()
            inspector.show(picture)
            self._fill_drawer(inspector.root)
        elif self.state.numbers:
            panel = self._open_area()
            panel.show(picture, area_of(self.state, self._view()))
            self._fill_drawer(panel.root)
        opened = picture.place is not None or self.state.numbers
        self.stage.css_classes = ["above-drawer"] if opened else []
        self.page.contextbar_open = opened

    def _fill_drawer(self, view: Any) -> None:
        if view not in self.drawer:
            self.drawer[:] = [view]

    def _open_area(self) -> AreaPanel:
        if self.area is None:
            from ..views.areas.panel import AreaPanel

            self.area = AreaPanel(
                self.store,
                self._forecasts,
                close=lambda: self.state.param.update(numbers=False),
                remove_box=lambda: self.state.param.update(box=None),
            )
        return self.area

    def _area_changed(self) -> None:
        self.box.show(self.state.box)
        if self.shown is not None:
            self._show_drawer(self.shown)
            self.guide.summary.show(self.shown, self._view())

    def _open_inspector(self) -> Inspector:
        """Build the drawer when it is first wanted: HoloViews views are most of a page's cost."""
        if self.inspector is None:
            from ..views.inspector import Inspector

            def close() -> None:
                self.state.param.update(place=None, station="")

            self.inspector = Inspector(
                self.store, self._forecasts, state=self.state, footprints=self.footprints, close=close
            )
        return self.inspector

    # -- moving about --------------------------------------------------------------------------------------------

    def _region_extent(self, name: str) -> tuple[float, float, float, float]:
        if name in REGIONS:
            region = REGIONS[name]
            return region.west, region.south, region.east, region.north
        return self.domain_extent

    def _view(self) -> tuple[float, float, float, float]:
        return self.state.extent or self._region_extent(self.state.region)

    def _tiles_in_view(self) -> list[int]:
        grid = self.dataset.domain.fine
        return tiles_in_view(grid.shape, grid, self._view())

    def _region_changed(self) -> None:
        if self.state.region != MOVED:
            self.map.go_to(self._region_extent(self.state.region))

    def _map_moved(self, extent: tuple[float, float, float, float]) -> None:
        west, south, east, north = extent
        self.state.extent = (max(west, -180.0), max(south, -85.0), min(east, 180.0), min(north, 85.0))
        if self.state.region != MOVED and not _shows(extent, self._region_extent(self.state.region)):
            self.state.region = MOVED

    def _inside(self, lat: float, lon: float) -> bool:
        return bool(self.dataset.domain.fine.contains(lat, lon))

    def _picked(self, lat: float, lon: float, station: str = "") -> None:
        lat, lon = round(lat, 4), round(lon, 4)
        if self._inside(lat, lon):
            self.state.param.update(place=(lat, lon), station=station)

    def _open_station_table(self) -> None:
        if self.shown is not None:
            self.station_table.open(self.shown)

    def _swiped(self, share: float) -> None:
        self.state.swipe = share

    def _key_pressed(self, key: str) -> None:
        if key == "ArrowLeft":
            self.days.step(-1)
        elif key == "ArrowRight":
            self.days.step(1)
        elif key in "123" and int(key) in LEADS:
            self.state.lead_time = int(key)
        elif key == " ":
            self.days.toggle_play()
        elif key == "Escape":
            self.state.param.update(place=None, station="")

    def _theme_changed(self, event: Any) -> None:
        self.state.dark = bool(event.new)
        self.map.set_dark(self.state.dark)
        self.box.set_dark(self.state.dark)

    def say(self, text: str) -> None:
        """Show a notice over the map."""
        self.notice.say(text)

    def _address(self) -> str:
        location = pn.state.location
        base = (
            ""
            if location is None
            else f"{location.protocol}//{location.hostname}:{location.port}{location.pathname}"
        )
        return f"{base}?{self.state.to_query()}"

    def _precision(self) -> str:
        """What the run on the map was computed in; empty where there is none."""
        run = None if self.shown is None else self.shown.run
        return "" if run is None else run.status.precision

    def _link_changed(self) -> None:
        in_page(self._document, self._write_link)

    def _write_link(self) -> None:
        if pn.state.location is not None:
            pn.state.location.search = "?" + self.state.to_query()


def _shows(view: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """Whether a view was made for a box: about the same centre, and no larger than the box needs."""
    centres = abs(view[0] + view[2] - box[0] - box[2]) / 2, abs(view[1] + view[3] - box[1] - box[3]) / 2
    sizes = (view[2] - view[0]) / (box[2] - box[0]), (view[3] - view[1]) / (box[3] - box[1])
    close = centres[0] < 0.06 * (view[2] - view[0]) and centres[1] < 0.12 * (view[3] - view[1])
    return close and 0.9 < min(sizes) < 1.2
