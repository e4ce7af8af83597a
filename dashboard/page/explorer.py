"""The map page of one browser tab: state, store and views put together."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from cranpm.domain.regions import REGIONS
from cranpm.plot.style import ColourScale, scale_for

from ..data.fields import FieldKey, FieldUnavailableError
from ..data.forecasts import Forecasts, tiles_in_view
from ..data.store import Store
from ..markup import Html
from ..state import LEADS, MOVED, State
from ..theme import CARD, PAGE_SX, SIDEBAR_WIDTH, STAGE, STAGE_CSS, THEME
from ..views.controls import DayControls, LayerControls, RegionControls, StationControls
from ..views.header import BRAND, badge, title_html
from ..views.legend import legend_html
from ..views.map import MapView
from ..views.model import ModelControls
from ..views.notice import Notice
from ..views.share import Share
from .run import NEEDS_RUN, PageRun
from .stations import PageStations

INSPECTOR_WIDTH = 430


class Explorer:
    """The map page of one browser tab."""

    def __init__(self, state: State, store: Store, notices: list[str]) -> None:
        self.state, self.store = state, store
        self.dataset = store.dataset(state.dataset)
        self.domain_extent = self.dataset.domain.fine.extent
        self._settle_state(notices)
        self._build(notices)
        self.run = PageRun(
            state,
            Forecasts(store),
            self.model,
            first_tiles=self._tiles_in_view,
            on_change=self._picture_changed,
        )
        self._watch()
        self.run.question_changed()
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
        self.stations = PageStations(state, self.store, self.map, self.say)
        self.title = Html("", styles=CARD | {"left": "12px", "top": "12px"}, margin=0)
        self.legend = Html("", styles=CARD | {"left": "12px", "bottom": "12px"}, margin=0)
        self.days = DayControls(state, self.store.days(state.dataset))
        self.layers = LayerControls(state)
        self.model = ModelControls(
            state,
            list(self.store.checkpoints()),
            on_run=lambda: self.run.ask(),
            on_cancel=lambda: self.run.cancel(),
        )
        self.regions = RegionControls(state)
        self.station_controls = StationControls(state, list(self.store.station_files()))
        self.share = Share(state, self._address)
        self.notice = Notice(" ".join(notices))
        self.drawer = pn.Column(sizing_mode="stretch_width", margin=0)
        self.inspector: Any = None
        self.stage = pn.Column(
            self.map.root, self.title, self.legend, self.notice.root, self.share.dialog,
            sizing_mode="stretch_both", margin=0, styles=STAGE, stylesheets=[STAGE_CSS],
        )  # fmt: skip
        self.page = pmui.Page(
            title="",
            header=[
                pn.Row(
                    Html(BRAND, margin=(8, 8), sizing_mode="stretch_width"),
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
            sidebar_width=SIDEBAR_WIDTH,
            sidebar_resizable=False,
            main=[self.stage],
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
        watch(lambda *_: self.run.question_changed(), ["init_time", "checkpoint"])
        watch(lambda *_: self.run.layer_changed(), ["layer"])
        watch(lambda *_: self._picture_changed(), ["lead_time", "scale", "station_file", "stations"])
        watch(lambda *_: self._extras_changed(), ["station_types", "place"])
        watch(lambda *_: self._region_changed(), ["region"])
        watch(lambda *_: self._link_changed(), list(State.param))
        self.page.param.watch(self._theme_changed, "dark_theme")

    # -- the picture ---------------------------------------------------------------------------------------------

    @property
    def scale(self) -> ColourScale:
        return scale_for(self.state.layer, self.state.scale)

    def field_key(self) -> FieldKey:
        state, run = self.state, self._needed_run()
        return FieldKey(
            dataset=state.dataset,
            layer=state.layer,
            init_time=state.init_time,
            lead_time=0 if state.layer == "today" else int(state.lead_time),
            run="" if run is None else run.id,
        )

    def _needed_run(self) -> Any:
        """The run that the layer is made from; None where it needs none, or there is none yet."""
        return self.run.current if self.state.layer in NEEDS_RUN else None

    def _picture_changed(self) -> None:
        state, note = self.state, ""
        run = self._needed_run()
        try:
            if run is not None and run.state == "queued":
                raise FieldUnavailableError("The forecast has not started yet.")
            field_id = self.store.fields.announce(self.field_key(), run)
            version = "0" if run is None else str(run.version)
            self.map.show(field_id, version, self.scale)
        except FieldUnavailableError as error:
            note = str(error)
            self.map.clear()
        self.title.object = title_html(
            state,
            checkpoint=state.checkpoint,
            badge_html=badge(self.dataset.source, self.dataset.simulated),
            note=note or self.stations.note(),
        )
        self.legend.object = legend_html(self.scale)
        self.stations.show(self.scale)
        if self.inspector is not None:
            self.inspector.update()

    # -- stations, place -----------------------------------------------------------------------------------------

    def _extras_changed(self) -> None:
        self.stations.show(self.scale)
        self._place_changed()

    def _place_changed(self) -> None:
        place = self.state.place
        self.map.set_place(place)
        if place is not None:
            self._open_inspector()
            self.inspector.update()
        self.stage.css_classes = [] if place is None else ["above-drawer"]
        self.page.contextbar_open = place is not None

    def _open_inspector(self) -> None:
        """Build the drawer when it is first wanted: HoloViews views are most of a page's cost."""
        if self.inspector is not None:
            return
        from ..views.inspector import Inspector

        def close() -> None:
            self.state.place = None

        self.inspector = Inspector(self.state, self.store, run=lambda: self.run.current, close=close)
        self.drawer[:] = [self.inspector.root]

    # -- moving about --------------------------------------------------------------------------------------------

    def _region_extent(self, name: str) -> tuple[float, float, float, float]:
        if name in REGIONS:
            region = REGIONS[name]
            return region.west, region.south, region.east, region.north
        return self.domain_extent

    def _tiles_in_view(self) -> list[int]:
        grid = self.dataset.domain.fine
        return tiles_in_view(grid.shape, grid, self.state.extent or self._region_extent(self.state.region))

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
            self.days.toggle_play()
        elif key == "Escape":
            self.state.place = None

    def _theme_changed(self, event: Any) -> None:
        self.state.dark = bool(event.new)
        self.map.set_dark(self.state.dark)
        if self.inspector is not None:
            self.inspector.update()

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

    def _link_changed(self) -> None:
        if pn.state.location is not None:
            pn.state.location.search = "?" + self.state.to_query()


def _shows(view: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """Whether a view was made for a box: about the same centre, and no larger than the box needs."""
    centres = abs(view[0] + view[2] - box[0] - box[2]) / 2, abs(view[1] + view[3] - box[1] - box[3]) / 2
    sizes = (view[2] - view[0]) / (box[2] - box[0]), (view[3] - view[1]) / (box[3] - box[1])
    close = centres[0] < 0.06 * (view[2] - view[0]) and centres[1] < 0.12 * (view[3] - view[1])
    return close and 0.9 < min(sizes) < 1.2
