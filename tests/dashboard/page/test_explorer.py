"""The page's parts react to its parameters; looked at without a browser."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import holoviews as hv
import numpy as np
import panel as pn
import pytest
from cranpm.dashboard import pages
from cranpm.dashboard.data.forecasts import Forecasts, tiles_in_view
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.server.routes import describe_cell
from cranpm.dashboard.state import State

from cranpm.domain import get_domain, plan_tiles


@pytest.fixture
def checkpoint(machine: Path, scene: ModuleType) -> str:
    folder = machine / "checkpoints" / "random"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("")
    return "random"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, fake_run: ModuleType) -> list[Any]:
    """Every run that a page starts; they start at once and do nothing by themselves."""
    started: list[Any] = []
    asked: dict[Any, Any] = {}

    def submit(self: Any, dataset: str, checkpoint: str, init: Any, *, then: Any, **more: Any) -> None:
        key = (init, more["interventions"], str(more.get("tiles"))) if more.get("interventions") else init
        run = asked.get(key)
        if run is None or run.state not in ("queued", "running", "done"):
            run = asked[key] = fake_run.FakeRun()
            run.question = more
            started.append(run)
        run.watch(self._watcher)
        then(run, None)

    def find(self: Any, dataset: str, checkpoint: str, init: Any) -> Any:
        run = asked.get(init)
        if run is None or run.state not in ("queued", "running", "done"):
            return None
        run.watch(self._watcher)
        return run

    monkeypatch.setattr(Forecasts, "find", find)
    monkeypatch.setattr(Forecasts, "submit", submit)
    # no server here: polling is done by hand
    monkeypatch.setattr(
        pn.state, "add_periodic_callback", lambda *_, **__: SimpleNamespace(stop=lambda: None)
    )
    return started


def explorer(**state: Any) -> Explorer:
    return Explorer(State(dataset="testbed", **state), Store(), [])


def address_of(page: Explorer) -> str:
    return page.map._picture.data["url"][0]


def test_without_a_checkpoint_the_map_says_so_and_today_still_shows(machine: Path, runs: list[Any]):
    page = explorer()
    assert runs == []
    assert "No checkpoint found" in page.model.text.object
    assert "No forecast has been run" in page.title.object
    page.state.layer = "today"
    assert "_today_2022-01-12_T0/0/" in address_of(page)
    assert "No forecast" not in page.title.object


def test_opening_starts_the_forecast_and_the_map_fills_in(checkpoint: str, runs: list[Any]):
    page = explorer()
    (run,) = runs
    assert "Waiting" in page.model.text.object
    run.finish_tiles(2)
    page.run.poll()
    assert "<b>2 of 9</b> tiles · 3 s left · cpu" in page.model.text.object
    assert f"_T1_{run.id}/2/" in address_of(page)
    run.finish_tiles(9)
    page.run.poll()
    assert "/1000009/" in address_of(page)
    assert not page.model.cancel.visible
    assert "9 tiles" in page.model.text.object


def test_cancel_reaches_the_run(checkpoint: str, runs: list[Any]):
    page = explorer()
    assert page.model.cancel.visible
    page.run.cancel()
    assert runs[0].state == "cancelled"
    assert "Cancelled after 0 of 9 tiles" in page.model.text.object
    assert page.model.run.visible


def test_a_failed_run_says_why_without_folders(checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].become("failed", message="Weights at /home/someone/secret/model.safetensors are damaged.")
    page.run.poll()
    assert "are damaged" in page.model.text.object
    assert "/home" not in page.model.text.object


def test_layer_lead_and_scale_change_the_picture_and_the_legend(checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    page.state.lead_time = 2
    # 12 + 2 days is not in the dataset of four days: the forecast is there, the target is not
    assert f"_T2_{runs[0].id}" in address_of(page)
    page.state.layer = "target"
    assert "No target yet for 14 Jan 2022" in page.title.object
    assert address_of(page).startswith("land/testbed/")
    page.state.lead_time = 1
    assert "scale=continuous" in address_of(page)
    page.state.scale = "eaqi"
    assert "scale=eaqi" in address_of(page)
    assert "not the official hourly index" in page.legend.object
    page.state.layer = "error"
    assert "scale=change" in address_of(page)
    assert "≤−15" in page.legend.object
    assert page.map._picture.data["signed"] == [True]


def test_every_screen_says_simulated(checkpoint: str, runs: list[Any]):
    page = explorer()
    for layer in ("forecast", "today", "target", "change", "error"):
        page.state.layer = layer
        assert "testbed (simulated)" in page.title.object


def test_stations_follow_types_and_are_plain_text(machine: Path, runs: list[Any], scene: ModuleType):
    page = explorer(layer="today")
    everything = len(page.map.stations.data["x"])
    assert everything > 40
    page.state.station_types = ["traffic"]
    assert 0 < len(page.map.stations.data["x"]) < everything
    assert all(kind.startswith("traffic") for kind in page.map.stations.data["kind"])
    page.state.station_types = ["background"]
    milan = page.map.stations.data["name"].index("<img src=x onerror=alert(1)>Milano")
    # observed = 1.1 x the field of day 2 at Milan
    row, col = get_domain("alps").fine.index_of(*scene.MILAN)
    expected = 1.1 * float(scene.pm2p5_of(2, get_domain("alps"))[row, col])
    assert page.map.stations.data["value"][milan] == f"{expected:.1f} µg/m³"
    page.state.stations = False
    assert len(page.map.stations.data["x"]) == 0


def test_picking_a_place_opens_its_series_and_its_attention(
    checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    assert page.inspector is None  # built only when wanted
    page._picked(*scene.MILAN)
    assert page.page.contextbar_open
    assert "Milan" in page.inspector.text.object
    assert "10.0" in page.inspector.text.object
    overlay = page.inspector.series.object
    hv.renderer("bokeh").get_plot(overlay)  # draws
    assert "&lt;img" in page.inspector.text.object
    assert "<img" not in page.inspector.text.object
    assert len(page.map.overlay.cells.data["left"]) == 0  # nothing is drawn before somebody asks
    page.inspector.tabs.active = 1
    numbers = {"attention": 49, "wind_bias": 49, "elevation_bias": 32 * 32, "height_damping": 0}
    for what, cells in numbers.items():
        page.inspector.attention.what.value = what
        assert page.state.overlay == what
        assert len(page.map.overlay.cells.data["left"]) == cells  # the fake run has no height damping
        assert ("cranpm-overlay-legend" in page.legend.object) is bool(cells)
    assert len(page.map.overlay.arrows.data["xs"]) == 49
    page.state.marks = []
    assert len(page.map.overlay.arrows.data["xs"]) == 0
    page.inspector.attention.on.value = False
    assert page.state.overlay == ""
    page.inspector.attention.on.value = True
    page.inspector.attention.what.value = "attention"
    assert "not source apportionment" in page.inspector.attention.text.object
    page._key_pressed("Escape")
    assert not page.page.contextbar_open
    assert len(page.map.overlay.cells.data["left"]) == 0
    assert "overlay-legend" not in page.legend.object


def test_a_click_on_a_station_opens_its_card(checkpoint: str, runs: list[Any], scene: ModuleType):
    page = explorer(layer="today")
    view = page.map
    view.figure.set_from_json("inner_width", 800)  # as the browser tells it
    view._viewport.data = {"west": [0.0], "east": [800_000.0], "south": [0.0], "north": [400_000.0]}
    where = view.stations.data["id"].index("TB000")
    x, y = view.stations.data["x"][where], view.stations.data["y"][where]
    view._tapped(SimpleNamespace(x=x + 8_000, y=y))  # 8 pixels beside its middle
    assert page.state.station == "TB000"
    assert page.state.place == scene.MILAN
    card = page.inspector.station
    assert page.inspector.tabs.active == 2
    assert "&lt;img src=x" in card.head.object
    assert "<img" not in card.head.object
    assert "all days held (n = 3)" in card.scores.object
    hv.renderer("bokeh").get_plot(card.series.object)
    view._tapped(SimpleNamespace(x=x + 30_000, y=y + 30_000))
    assert page.state.station == ""
    page._key_pressed("Escape")
    assert page.state.place is None


def test_a_link_to_a_station_that_is_not_there_says_so(machine: Path, runs: list[Any]):
    notices: list[str] = []
    page = Explorer(State(dataset="testbed", station="nobody", layer="today"), Store(), notices)
    assert page.state.station == ""
    assert "There is no station “nobody”" in notices[0]


def test_a_place_outside_the_domain_is_not_picked(machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page._picked(10.0, 0.0)
    assert page.state.place is None


def test_keys_step_days_and_leads(machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    assert page.state.init_time == dt.date(2022, 1, 12)  # the last day with a target of T+1
    for name in ("ArrowLeft", "3", "ArrowRight", "ArrowRight", "ArrowRight", "x"):
        page._key_pressed(name)
    assert page.state.init_time == dt.date(2022, 1, 13)  # stops at the end
    assert page.state.lead_time == 3


def test_a_region_moves_the_map_and_a_move_lets_it_go(machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.state.region = "po_valley"
    serial = page.map._view.data["serial"][0]
    assert serial >= 1
    page._map_moved((8.0, 44.5, 12.0, 46.0))
    assert page.state.region == "moved"
    assert page.map._view.data["serial"][0] == serial  # letting go does not move the map


def test_the_link_follows_the_view(machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page._map_moved((7.0, 44.0, 12.0, 46.0))
    back, notices = State.from_query(
        dict(part.split("=") for part in page.state.to_query().replace("%2C", ",").split("&"))
    )
    assert notices == []
    assert back.extent == (7.0, 44.0, 12.0, 46.0)
    assert back.layer == "today"


def test_a_day_that_is_not_there_becomes_one_that_is(machine: Path, runs: list[Any]):
    notices: list[str] = []
    page = Explorer(State(dataset="testbed", init_time=dt.date(1999, 1, 1)), Store(), notices)
    assert page.state.init_time == dt.date(2022, 1, 12)
    assert "01 Jan 1999 is not in this dataset" in notices[0]


def test_tiles_in_view_come_first_nearest_first(scene: ModuleType):
    grid = get_domain("alps").fine
    # Milan lies at row 553, col 519 of 1392 x 1392: in tile (1, 1) of the 3 x 3 plan with starts 0, 440, 880
    tiles = tiles_in_view(grid.shape, grid, (9.0, 45.3, 9.4, 45.6))
    assert (
        plan_tiles(grid.shape).tiles[tiles[0]].rows.start
        <= 553
        < plan_tiles(grid.shape).tiles[tiles[0]].rows.stop
    )
    assert len(tiles) < 9
    assert tiles_in_view(grid.shape, grid, None) == []


def test_anything_that_breaks_becomes_a_page_that_explains(machine: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: Any) -> None:
        raise RuntimeError("half a store at /srv/data/testbed: <b>coarse.zarr</b> is missing")

    monkeypatch.setattr(pages, "Explorer", broken)
    text = pages.build().main[0].object
    assert "coarse.zarr" in text
    assert "/srv" not in text
    assert "<b>coarse" not in text
    assert "cranpm doctor" in text


def test_an_empty_machine_gets_the_first_run_page(
    machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path / "nothing"))
    pages.get_store.cache_clear()
    page = pages.build()
    assert "first-run" in " ".join(page.main[0].css_classes)


def test_a_drawn_box_opens_its_statistics(machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.regions.draw.value = True
    assert page.box.drawing
    corners = {"x0": 900_000.0, "x1": 1_100_000.0, "y0": 5_600_000.0, "y1": 5_800_000.0}
    drawn = SimpleNamespace(geometry={"type": "rect", **corners}, final=True)
    page.box._drawn(drawn)
    assert not page.box.drawing
    assert not page.regions.draw.value
    assert page.state.numbers
    west, south, east, north = page.state.box
    # x = R lon: 900 km is 8.085 degrees; y 5600 km is 44.87 N
    assert (west, east) == (pytest.approx(8.085, abs=1e-3), pytest.approx(9.881, abs=1e-3))
    assert (south, north) == (pytest.approx(44.87, abs=0.01), pytest.approx(46.13, abs=0.01))
    assert page.page.contextbar_open
    assert "Drawn box" in page.area.head.object
    assert "n = 2" in page.area.texts[0].object
    page.area.tabs.active = 1
    assert "Against the target: n = " in page.area.texts[1].object
    page.area.tabs.active = 2
    assert "Po Valley" in page.area.texts[2].object
    page._picked(45.2, 9.5)  # a place comes first, the numbers come back when it is closed
    assert page.drawer[0] is page.inspector.root
    page._key_pressed("Escape")
    assert page.drawer[0] is page.area.root
    page.state.box = None
    assert "In view" in page.area.head.object
    page.state.numbers = False
    assert not page.page.contextbar_open


def whatif(page: Explorer, **values: float) -> None:
    """As a person sets switches and lets sliders go."""
    for name, value in values.items():
        control = page.whatif_panel.controls[name]
        if isinstance(value, bool):
            control.value = value
        else:
            control.param.update(value=value, value_throttled=value)


def test_a_what_if_waits_for_the_forecast_then_shows_the_difference(
    checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer(extent=(9.0, 45.3, 9.4, 45.6))
    whatif(page, wind_turn=90.0, hide_cams=True)
    assert page.state.layer == "whatif"
    assert len(runs) == 1  # the forecast itself
    assert "forecast comes first" in page.whatif_panel.text.object
    runs[0].finish_tiles(9)
    page.run.poll()
    changed = runs[1]
    assert changed.question["interventions"] == (("wind_turn", 90.0), ("hide_cams", 1.0))
    assert changed.question["leads"] == (1,)
    assert changed.question["tiles"] == page._tiles_in_view()
    assert "Forecast T+1" in page.title.object  # what was there stays until there is something new
    changed.finish_tiles(9)
    for values in changed.values.values():
        values += 2.5
    page.whatif.poll()
    assert f"_whatif_2022-01-12_T1_{changed.id}.{runs[0].id}/" in address_of(page)
    assert "wind turned by 90°, CAMS hidden" in page.title.object
    assert "What if, minus forecast" in page.legend.object
    field = page.store.fields.field(page.shown.field_id)
    assert describe_cell(field, *scene.MILAN)["value"] == 2.5


def test_cells_of_tiles_that_are_still_missing_have_no_difference(checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    whatif(page, transport=True)
    runs[1].finish_tiles(2)  # the first two of the upper row: rows 0..511, columns 0..511 and 440..951
    page.whatif.poll()
    values = page.whatif.current.map(1).read(slice(0, 600), slice(0, 1000))
    plan = plan_tiles((1392, 1392))
    third, below = plan.tiles[2].cols.start, plan.tiles[3].rows.start
    assert np.isfinite(values[:below, :third]).all()
    assert np.isnan(values[below:]).all()
    assert np.isnan(values[:, third:]).all()


def test_undo_and_reset_lead_back(checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    whatif(page, wind_scale=0.5)
    whatif(page, terrain_flatten=1.0)
    assert [run.question["interventions"] for run in runs[1:]] == [
        (("wind_scale", 0.5),), (("wind_scale", 0.5), ("terrain_flatten", 1.0)),
    ]  # fmt: skip
    page.whatif_panel._undo()
    assert page.state.whatif == (("wind_scale", 0.5),)
    assert page.whatif_panel.controls["terrain_flatten"].value == 0
    assert runs[2].state == "cancelled"  # nobody asks for it any more
    page.whatif_panel._reset()
    assert (page.state.whatif, page.state.layer) == ((), "forecast")
    page.whatif_panel._undo()
    assert page.state.layer == "whatif"


def test_a_what_if_is_in_the_link(checkpoint: str, runs: list[Any]):
    page = explorer(layer="whatif", whatif=(("bridge_off", 1.0),))
    runs[0].finish_tiles(9)
    page.run.poll()
    assert page.whatif_panel.controls["bridge_off"].value is True
    assert runs[1].question["interventions"] == (("bridge_off", 1.0),)
    assert "whatif=bridge_off:1" in page.state.to_query()


def test_switches_are_those_of_the_network(machine: Path, checkpoint: str, runs: list[Any]):
    folder = machine / "checkpoints" / "random"
    (folder / "config.json").write_text(
        '{"model": {"transport": false, "wind_bias": true, "fusion": "film"}}'
    )
    controls = explorer().whatif_panel.controls
    shown = {name for name in ("transport", "wind_bias", "bridge_off", "hide_cams") if controls[name].visible}
    assert shown == {"wind_bias", "hide_cams"}
