"""One page: state, store and views put together."""

from __future__ import annotations

import logging
from typing import Any

import panel as pn
import panel_material_ui as pmui

from cranpm.domain.regions import REGIONS
from cranpm.plot.style import ColourScale, scale_for

from .forecasts import Forecasts, tiles_in_view
from .places import station_day
from .state import LEADS, MOVED, State
from .store import FieldKey, FieldUnavailableError, Store, get_store
from .theme import CARD, NOTICE, PAGE_SX, STAGE, THEME
from .views.controls import DayControls, LayerControls, RegionControls, StationControls
from .views.first_run import COMMAND, first_run_pane, shared_build
from .views.header import BRAND, badge, title_html
from .views.legend import legend_html
from .views.map import MapView
from .views.model import ModelControls
from .views.problem import problem_pane, without_paths
from .views.share import Share

log = logging.getLogger(__name__)

POLL_MILLISECONDS = 350
INSPECTOR_WIDTH = 430
NEEDS_RUN = ("forecast", "change", "error")


class Explorer:
    """The map page of one browser tab."""

    def __init__(self, state: State, store: Store, notices: list[str]) -> None:
        self.state, self.store = state, store
        self.dataset = store.dataset(state.dataset)
        self.domain_extent = self.dataset.domain.fine.extent
        self.forecasts = Forecasts(store)
        self.run: Any = None
        self._shown: tuple[str, str] = ("", "")
        self._stations_shown: tuple[Any, ...] = ()
        self._starting = self._asked_itself = self._cancel_at_start = False
        self._own_run = ""
        self._poll: Any = None
        self._document = pn.state.curdoc
        self._settle_state(notices)
        self._build(notices)
        self._watch()
        self._question_changed()
        self._extras_changed()

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

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self, notices: list[str]) -> None:
        state = self.state
        self.map = MapView(
            domain_extent=self.domain_extent,
            view_extent=state.extent or self._region_extent(state.region),
            dataset=state.dataset,
            dark=state.dark,
            on_pick=self._picked,
            on_move=self._map_moved,
            on_key=self._key_pressed,
        )
        self.title = pn.pane.HTML("", styles=CARD | {"left": "12px", "top": "12px"}, margin=0)
        self.legend = pn.pane.HTML("", styles=CARD | {"left": "12px", "bottom": "12px"}, margin=0)
        self.days = DayControls(state, self.store.days(state.dataset))
        self.layers = LayerControls(state)
        self.model = ModelControls(
            state, list(self.store.checkpoints()), on_run=self._run_asked, on_cancel=self._cancel_asked
        )
        self.regions = RegionControls(state)
        self.station_controls = StationControls(state, list(self.store.station_files()))
        self.share = Share(state, self._address)
        self.notice = pmui.Alert(
            title="", severity="info", closeable=True, visible=bool(notices), margin=0,
            object=" ".join(notices), styles={**NOTICE},
        )  # fmt: skip
        self.drawer = pn.Column(sizing_mode="stretch_width", margin=0)
        self.inspector: Any = None
        stage = pn.Column(
            self.map.root, self.title, self.legend, self.notice, self.share.place,
            sizing_mode="stretch_both", margin=0, styles=STAGE,
        )  # fmt: skip
        self.page = pmui.Page(
            title="",
            header=[
                pn.Row(
                    pn.pane.HTML(BRAND, margin=(8, 8), sizing_mode="stretch_width"),
                    self.share.button,
                    sizing_mode="stretch_width",
                    margin=0,
                )
            ],
            sidebar=[
                self.days.root,
                self.layers.root,
                self.model.root,
                self.regions.root,
                self.station_controls.root,
            ],
            sidebar_width=308,
            sidebar_resizable=False,
            main=[stage],
            contextbar=[self.drawer],
            contextbar_open=False,
            contextbar_variant="persistent",
            contextbar_width=INSPECTOR_WIDTH,
            dark_theme=state.dark,
            theme_config=THEME,
            sx=PAGE_SX,
            busy_indicator=None,
        )

    def _watch(self) -> None:
        watch = self.state.param.watch
        watch(lambda *_: self._question_changed(), ["init_time", "checkpoint"])
        watch(lambda *_: self._layer_changed(), ["layer"])
        watch(lambda *_: self._picture_changed(), ["lead_time", "scale", "station_file", "stations"])
        watch(lambda *_: self._extras_changed(), ["station_types", "place"])
        watch(lambda *_: self._region_changed(), ["region"])
        watch(lambda *_: self._link_changed(), list(State.param))
        self.page.param.watch(self._theme_changed, "dark_theme")

    # -- forecasts -----------------------------------------------------------------------------------------------

    def _question_changed(self) -> None:
        """Another day or checkpoint: show the run that answers it, or start one if the layer needs it."""
        state = self.state
        if self.run is not None and self.run.id == self._own_run and self.run.state in ("queued", "running"):
            self.run.cancel()  # nobody waits for it any more; tiles of another day would only delay this one
        self._own_run = ""
        self.run = (
            self.forecasts.find(state.dataset, state.checkpoint, state.init_time)
            if state.checkpoint
            else None
        )
        self._asked_itself = False
        self.model.show(self.run)
        self._keep_polling()
        self._layer_changed()

    def _layer_changed(self) -> None:
        """The first layer of a question that needs a forecast starts it; never twice, so a cancelled run stays so."""
        if (
            self.run is None
            and self.state.layer in NEEDS_RUN
            and self.state.checkpoint
            and not self._asked_itself
        ):
            self._asked_itself = True
            self._run_asked()
        self._picture_changed()

    def _run_asked(self) -> None:
        state = self.state
        if self._starting or not state.checkpoint:
            return
        self._starting = True
        self.model.show(None, starting=True)
        grid = self.dataset.domain.fine
        first = tiles_in_view(grid.shape, grid, state.extent or self._region_extent(state.region))
        asked = state.init_time, state.checkpoint

        def then(run: Any, error: BaseException | None) -> None:
            self._in_page(lambda: self._started(asked, run, error))

        self.forecasts.submit(state.dataset, state.checkpoint, state.init_time, first=first, then=then)

    def _started(self, asked: tuple[Any, str], run: Any, error: BaseException | None) -> None:
        self._starting = False
        if run is not None and self._cancel_at_start:
            run.cancel()
        self._cancel_at_start = False
        if asked != (self.state.init_time, self.state.checkpoint):
            self._question_changed()
            return
        if error is not None:
            self.model.failed(str(error) or type(error).__name__)
            return
        self.run = run
        self._own_run = run.id
        self.model.show(run)
        self._keep_polling()
        self._picture_changed()

    def _cancel_asked(self) -> None:
        """Stop the run; one whose worker is still starting stops as soon as it exists."""
        self._cancel_at_start = self._starting
        if self.run is not None:
            self.run.cancel()

    def _keep_polling(self) -> None:
        unfinished = self.run is not None and self.run.state in ("queued", "running")
        if unfinished and self._poll is None:
            self._poll = pn.state.add_periodic_callback(self._look_at_run, period=POLL_MILLISECONDS)
        elif not unfinished and self._poll is not None:
            self._poll.stop()
            self._poll = None

    def _look_at_run(self) -> None:
        self.model.show(self.run, position=getattr(self.run, "position", 0) if self.run is not None else 0)
        self._picture_changed()
        self._keep_polling()

    def _in_page(self, action: Any) -> None:
        """Run something from another thread under the page's lock."""
        if self._document is None or self._document.session_context is None:
            action()
        else:
            self._document.add_next_tick_callback(action)

    # -- the picture ---------------------------------------------------------------------------------------------

    @property
    def scale(self) -> ColourScale:
        return scale_for(self.state.layer, self.state.scale)

    def field_key(self) -> FieldKey:
        state = self.state
        needs_run = state.layer in NEEDS_RUN
        return FieldKey(
            dataset=state.dataset,
            layer=state.layer,
            init_time=state.init_time,
            lead_time=0 if state.layer == "today" else int(state.lead_time),
            run=self.run.id if needs_run and self.run is not None else "",
        )

    def _picture_changed(self) -> None:
        state, note = self.state, ""
        needs_run = state.layer in NEEDS_RUN
        try:
            if needs_run and self.run is not None and self.run.state == "queued":
                raise FieldUnavailableError("The forecast has not started yet.")
            field_id = self.store.announce(self.field_key(), self.run if needs_run else None)
            version = str(self.run.version) if needs_run and self.run is not None else "0"
            self.map.show(field_id, version, self.scale)
            self._shown = field_id, version
        except FieldUnavailableError as error:
            note = str(error)
            self._shown = "", ""
            self.map.clear()
        if state.station_file and state.stations and not note:
            note = self._station_note()
        self.title.object = title_html(
            state,
            checkpoint=state.checkpoint,
            badge_html=badge(self.dataset.source, self.dataset.simulated),
            note=note,
        )
        self.legend.object = legend_html(self.scale)
        self._stations_changed()
        if self.inspector is not None:
            self.inspector.update()

    # -- stations, place -----------------------------------------------------------------------------------------

    def _station_note(self) -> str:
        try:
            _, day = self.store.station_file(self.state.station_file)
        except (FieldUnavailableError, ValueError, OSError):
            return ""
        return f"Circles: real stations of {day.day} {day:%B %Y}, an external file: another day and world than the map."

    def _extras_changed(self) -> None:
        self._stations_changed()
        self._place_changed()

    def _place_changed(self) -> None:
        place = self.state.place
        self.map.set_place(place)
        if place is not None:
            self._open_inspector()
            self.inspector.update()
        self.page.contextbar_open = place is not None

    def _open_inspector(self) -> None:
        """Build the drawer when it is first wanted: HoloViews views are most of a page's cost."""
        if self.inspector is not None:
            return
        from .views.inspector import Inspector

        def close() -> None:
            self.state.place = None

        self.inspector = Inspector(self.state, self.store, run=lambda: self.run, close=close)
        self.drawer[:] = [self.inspector.root]

    def _stations_changed(self) -> None:
        state = self.state
        concentrations = state.layer not in ("change", "error")
        if not state.stations or not concentrations:
            self.map.set_stations(None, self.scale)
            self._stations_shown = ()
            return
        day = state.shown_time
        question = (day, tuple(state.station_types), self.scale.name, state.station_file)
        if question == self._stations_shown:
            return
        self._stations_shown = question
        if state.station_file:
            try:
                table, _ = self.store.station_file(state.station_file)
                self.map.set_stations(table, self.scale)
            except (FieldUnavailableError, ValueError, OSError) as error:
                self.say(str(error))
            return
        self.map.set_stations(station_day(self.store, state.dataset, day, state.station_types), self.scale)

    # -- moving about --------------------------------------------------------------------------------------------

    def _region_extent(self, name: str) -> tuple[float, float, float, float]:
        if name in REGIONS:
            region = REGIONS[name]
            return region.west, region.south, region.east, region.north
        return self.domain_extent

    def _region_changed(self) -> None:
        if self.state.region != MOVED:
            self.map.go_to(self._region_extent(self.state.region))

    def _map_moved(self, extent: tuple[float, float, float, float]) -> None:
        west, south, east, north = extent
        self.state.extent = (max(west, -180.0), max(south, -85.0), min(east, 180.0), min(north, 85.0))
        if self.state.region != MOVED and not _shows(extent, self._region_extent(self.state.region)):
            self.state.region = MOVED

    def _picked(self, lat: float, lon: float) -> None:
        if bool(self.dataset.domain.fine.contains(lat, lon)):
            self.state.place = (round(lat, 4), round(lon, 4))

    def _key_pressed(self, key: str) -> None:
        if key == "ArrowLeft":
            self.days.step(-1)
        elif key == "ArrowRight":
            self.days.step(1)
        elif key in "123" and int(key) in LEADS:
            self.state.lead_time = int(key)
        elif key == " ":
            self.days.play.value = not self.days.play.value
        elif key == "Escape":
            self.state.place = None

    def _theme_changed(self, event: Any) -> None:
        self.state.dark = bool(event.new)
        self.map.set_dark(self.state.dark)

    def say(self, text: str) -> None:
        """Show a notice over the map."""
        self.notice.object = without_paths(text)
        self.notice.visible = True

    def _address(self) -> str:
        location = pn.state.location
        base = (
            ""
            if location is None
            else f"{location.protocol}//{location.hostname}:{location.port}{location.pathname}"
        )
        return f"{base}?{self.state.to_query()}"

    def _link_changed(self) -> None:
        if pn.state.location is not None:
            pn.state.location.search = "?" + self.state.to_query()


def _shows(view: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """Whether a view was made for a box: about the same centre, and no larger than the box needs."""
    centres = abs(view[0] + view[2] - box[0] - box[2]) / 2, abs(view[1] + view[3] - box[1] - box[3]) / 2
    sizes = (view[2] - view[0]) / (box[2] - box[0]), (view[3] - view[1]) / (box[3] - box[1])
    close = centres[0] < 0.06 * (view[2] - view[0]) and centres[1] < 0.12 * (view[3] - view[1])
    return close and 0.9 < min(sizes) < 1.2


def build() -> pmui.Page:
    """The page for this request: the map, the first-run page, or a page that says what is wrong."""
    try:
        return _build()
    except Exception as error:
        log.exception("The page could not be built")
        message = str(error) or type(error).__name__
        return plain_page(problem_pane("The map cannot be shown", message, "cranpm doctor"))


def _build() -> pmui.Page:
    state, notices = State.from_query(pn.state.session_args or {})
    store = get_store()
    folders = store.dataset_folders()
    if not folders or shared_build().state == "running":
        return plain_page(first_run_pane(open_map))
    if state.dataset not in folders:
        if state.dataset:
            notices.append(f"There is no dataset “{state.dataset}” on this machine.")
        state.dataset = "testbed" if "testbed" in folders else next(iter(folders), "")
    store.refresh(state.dataset)
    if not store.days(state.dataset):
        message = f"The dataset “{state.dataset}” holds no days yet; its build was probably interrupted."
        return plain_page(problem_pane("Nothing to show yet", message, COMMAND))
    return Explorer(state, store, notices).page


def plain_page(*content: Any) -> pmui.Page:
    """A page without controls."""
    return pmui.Page(
        title="", main=list(content), theme_config=THEME, sx=PAGE_SX, theme_toggle=False, busy_indicator=None
    )


def open_map() -> None:
    """Load this page anew, now that there is something to show."""
    location = pn.state.location
    if location is not None:
        location.reload = True
        location.search = "?dataset=testbed&layer=" + ("forecast" if get_store().checkpoints() else "today")
