"""What is picked, drawn, typed and moved on the map; looked at without a browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import holoviews as hv
import pytest
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.state import State

from cranpm.domain import get_domain

Open = Callable[..., Explorer]


def test_stations_follow_types_and_are_plain_text(
    explorer: Open, machine: Path, runs: list[Any], scene: ModuleType
):
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
    explorer: Open, checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer()
    runs[0].finish_tiles(9)
    page.run.poll()
    assert page.drawer.inspector is None  # built only when wanted
    page.where.pick(*scene.MILAN)
    assert page.page.contextbar_open
    assert "Milan" in page.drawer.inspector.text.object
    assert "10.0" in page.drawer.inspector.text.object
    overlay = page.drawer.inspector.series.object
    hv.renderer("bokeh").get_plot(overlay)  # draws
    assert "&lt;img" in page.drawer.inspector.text.object
    assert "<img" not in page.drawer.inspector.text.object
    assert len(page.map.overlay.cells.data["left"]) == 0  # nothing is drawn before somebody asks
    page.drawer.inspector.tabs.active = 1
    numbers = {"attention": 49, "wind_bias": 49, "elevation_bias": 32 * 32, "height_damping": 0}
    for what, cells in numbers.items():
        page.drawer.inspector.attention.what.value = what
        assert page.state.overlay == what
        assert len(page.map.overlay.cells.data["left"]) == cells  # the fake run has no height damping
        assert ("cranpm-overlay-legend" in page.legend.object) is bool(cells)
    assert len(page.map.overlay.arrows.data["xs"]) == 49
    page.state.marks = []
    assert len(page.map.overlay.arrows.data["xs"]) == 0
    page.drawer.inspector.attention.on.value = False
    assert page.state.overlay == ""
    page.drawer.inspector.attention.on.value = True
    page.drawer.inspector.attention.what.value = "attention"
    assert "not source apportionment" in page.drawer.inspector.attention.text.object
    page.where.key_pressed("Escape")
    assert not page.page.contextbar_open
    assert len(page.map.overlay.cells.data["left"]) == 0
    assert "overlay-legend" not in page.legend.object


def test_a_click_on_a_station_opens_its_card(
    explorer: Open, checkpoint: str, runs: list[Any], scene: ModuleType
):
    page = explorer(layer="today")
    view = page.map
    view.figure.set_from_json("inner_height", 400)  # as the browser tells it
    view._viewport.data = {"west": [0.0], "east": [800_000.0], "south": [0.0], "north": [400_000.0]}
    where = view.stations.data["id"].index("TB000")
    x, y = view.stations.data["x"][where], view.stations.data["y"][where]
    view._tapped(SimpleNamespace(x=x + 8_000, y=y))  # 8 pixels beside its middle
    assert page.state.station == "TB000"
    assert page.state.place == scene.MILAN
    card = page.drawer.inspector.station
    assert page.drawer.inspector.tabs.active == 2
    assert "&lt;img src=x" in card.head.object
    assert "<img" not in card.head.object
    assert "all days held (n = 3)" in card.scores.object
    hv.renderer("bokeh").get_plot(card.series.object)
    view._tapped(SimpleNamespace(x=x + 30_000, y=y + 30_000))
    assert page.state.station == ""
    page.where.key_pressed("Escape")
    assert page.state.place is None


def test_a_link_to_a_station_that_is_not_there_says_so(machine: Path, runs: list[Any]):
    notices: list[str] = []
    page = Explorer(State(dataset="testbed", station="nobody", layer="today"), Store(), notices)
    assert page.state.station == ""
    assert "There is no station “nobody”" in notices[0]


def test_a_place_outside_the_domain_is_not_picked(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.where.pick(10.0, 0.0)
    assert page.state.place is None


def test_keys_step_days_and_leads(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    assert page.state.init_time == dt.date(2022, 1, 12)  # the last day with a target of T+1
    for name in ("ArrowLeft", "3", "ArrowRight", "ArrowRight", "ArrowRight", "x"):
        page.where.key_pressed(name)
    assert page.state.init_time == dt.date(2022, 1, 13)  # stops at the end
    assert page.state.lead_time == 3


def test_a_region_moves_the_map_and_a_move_lets_it_go(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.state.region = "po_valley"
    serial = page.map._view.data["serial"][0]
    assert serial >= 1
    page.where.moved((8.0, 44.5, 12.0, 46.0))
    assert page.state.region == "moved"
    assert page.map._view.data["serial"][0] == serial  # letting go does not move the map


def test_the_link_follows_the_view(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.where.moved((7.0, 44.0, 12.0, 46.0))
    back, notices = State.from_query(
        dict(part.split("=") for part in page.state.to_query().replace("%2C", ",").split("&"))
    )
    assert notices == []
    assert back.extent == (7.0, 44.0, 12.0, 46.0)
    assert back.layer == "today"


def test_a_drawn_box_opens_its_statistics(explorer: Open, machine: Path, runs: list[Any]):
    page = explorer(layer="today")
    page.controls.regions.draw.value = True
    assert page.box.drawing
    corners = {"x0": 900_000.0, "x1": 1_100_000.0, "y0": 5_600_000.0, "y1": 5_800_000.0}
    drawn = SimpleNamespace(geometry={"type": "rect", **corners}, final=True)
    page.box._drawn(drawn)
    assert not page.box.drawing
    assert not page.controls.regions.draw.value
    assert page.state.numbers
    west, south, east, north = page.state.box
    # x = R lon: 900 km is 8.085 degrees; y 5600 km is 44.87 N
    assert (west, east) == (pytest.approx(8.085, abs=1e-3), pytest.approx(9.881, abs=1e-3))
    assert (south, north) == (pytest.approx(44.87, abs=0.01), pytest.approx(46.13, abs=0.01))
    assert page.page.contextbar_open
    assert "Drawn box" in page.drawer.area.head.object
    assert "n = 2" in page.drawer.area.texts[0].object
    page.drawer.area.tabs.active = 1
    assert "Against the target: n = " in page.drawer.area.texts[1].object
    page.drawer.area.tabs.active = 2
    assert "Po Valley" in page.drawer.area.texts[2].object
    page.where.pick(45.2, 9.5)  # a place comes first, the numbers come back when it is closed
    assert page.drawer.root[0] is page.drawer.inspector.root
    page.where.key_pressed("Escape")
    assert page.drawer.root[0] is page.drawer.area.root
    page.state.box = None
    assert "In view" in page.drawer.area.head.object
    page.state.numbers = False
    assert not page.page.contextbar_open
