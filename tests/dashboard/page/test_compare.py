"""A second map beside the one that is shown: what it is, whose run answers it, and how it goes away."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cranpm.dashboard.data.forecasts import Forecasts
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.state import State

from cranpm.plot.style import SCALES, scale_for


@pytest.fixture
def runs(
    polling_by_hand: None, monkeypatch: pytest.MonkeyPatch, fake_run: ModuleType
) -> dict[tuple[str, str], Any]:
    """Runs by checkpoint and init day; they start at once and do nothing by themselves."""
    asked: dict[tuple[str, str], Any] = {}

    def submit(self: Any, dataset: str, checkpoint: str, init: Any, *, then: Any, **more: Any) -> None:
        run = asked.setdefault((checkpoint, str(init)), fake_run.FakeRun())
        run.watch(self._watcher)
        then(run, None)

    def find(self: Any, dataset: str, checkpoint: str, init: Any) -> Any:
        run = asked.get((checkpoint, str(init)))
        if run is not None:
            run.watch(self._watcher)
        return run

    monkeypatch.setattr(Forecasts, "find", find)
    monkeypatch.setattr(Forecasts, "submit", submit)
    return asked


@pytest.fixture
def checkpoints(machine: Path) -> None:
    for name in ("demo", "second"):
        folder = machine / "checkpoints" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_text("")


def explorer(**state: Any) -> Explorer:
    return Explorer(State(dataset="testbed", **state), Store(), [])


def other_address(page: Explorer) -> str:
    return page.map._other.data["url"][0]


def test_a_swipe_shows_both_and_off_takes_b_away(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", init_time=dt.date(2022, 1, 12))
    assert other_address(page).startswith("data:")
    page.state.compare = "swipe"
    assert page.state.against == "target", "the first B is another map"
    assert "_target_2022-01-12_T1" in other_address(page)
    assert "_today_2022-01-12_T0" in page.map._picture.data["url"][0]
    assert page.map._other.data["b"] == ["Target T+1 · 13 Jan 2022"]
    assert "Target T+1 · 13 Jan 2022" in page.title.object and "A beside B" in page.title.object
    page.state.compare = ""
    assert other_address(page).startswith("data:")
    assert "A beside B" not in page.title.object


def test_side_by_side_b_has_a_half_of_its_own(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", compare="side", against="persistence", init_time=dt.date(2022, 1, 12))
    assert "_persistence_2022-01-12_T1" in other_address(page)
    assert page.map._other.data["mode"] == ["side"]
    assert "A beside B" in page.title.object
    assert "A is in the left half, B in the right one" in page.controls.compare.text.object
    assert "Circles are of A’s day" in page.controls.compare.text.object
    assert "compare=side" in page.state.to_query()
    page.state.compare = "swipe"
    assert page.map._other.data["mode"] == ["swipe"]
    assert "Drag it" in page.controls.compare.text.object


def test_the_difference_is_on_the_map_with_a_scale_that_says_which(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", compare="difference", against="target")
    assert "_difference_" in page.map._picture.data["url"][0]
    assert page.map._picture.data["signed"] == [True] and page.map._picture.data["tag"] == ["B − A"]
    assert "Difference, B minus A" in page.legend.object and "Difference, B minus A" in page.title.object
    assert page.shown is not None and page.shown.stations is None
    assert "_today_" in page.shown.field_id, "numbers of an area and of stations stay A's"


def test_another_checkpoint_has_a_run_of_its_own_that_is_left_with_b(checkpoints: None, runs: dict[Any, Any]):
    page = explorer(layer="forecast", checkpoint="demo", compare="swipe", against_checkpoint="second")
    day = str(page.state.init_time)
    assert set(runs) == {("demo", day), ("second", day)}
    ours, theirs = runs["demo", day], runs["second", day]
    ours.finish_tiles(9)
    page.run.poll()
    assert "has not started" in page.controls.compare.text.object
    theirs.finish_tiles(2)
    page.compare.run.poll()
    assert "<b>2 of 9</b> tiles" in page.controls.compare.progress.object
    assert f"_T1_{theirs.id}/2/" in other_address(page)
    assert "second" in page.map._other.data["b"][0] and "demo" in page.map._other.data["a"][0]
    page.state.compare = ""
    assert theirs.state == "cancelled" and ours.watchers
    assert page.controls.compare.progress.object.count("tiles") == 0


def test_another_lead_of_one_run_needs_no_second_run(checkpoints: None, runs: dict[Any, Any]):
    page = explorer(layer="forecast", checkpoint="demo", compare="swipe", against_lead=3)
    assert len(runs) == 1
    (run,) = runs.values()
    run.finish_tiles(9)
    page.run.poll()
    assert f"_T3_{run.id}" in other_address(page)
    page.close()
    assert not run.watchers


def test_b_follows_the_days_of_a_unless_it_has_its_own(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", compare="swipe", against="persistence")
    page.controls.days.step(-1)
    assert "_persistence_2022-01-11_" in other_address(page)
    page.state.against_day = page.state.init_time.replace(day=10)
    page.controls.days.step(-1)
    page.controls.days.step(1)
    assert "_persistence_2022-01-10_" in other_address(page)


@pytest.mark.parametrize("mode", ["swipe", "side", "difference"])
def test_maps_on_different_scales_are_not_laid_side_by_side(
    checkpoints: None, runs: dict[Any, Any], mode: str
):
    page = explorer(layer="today", checkpoint="demo", compare=mode, against="change")
    assert "each has a scale of its own" in page.controls.compare.text.object
    assert other_address(page).startswith("data:")


def test_a_b_that_cannot_be_shown_says_why(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", compare="difference", against="target", lead_time=3)
    assert "B: No target yet" in page.controls.compare.text.object
    assert page.map._picture.data["url"][0].startswith("land/")


def test_what_a_link_says_of_b_must_be_there(machine: Path, runs: dict[Any, Any]):
    notices: list[str] = []
    state = State(dataset="testbed", against_day=dt.date(1999, 1, 1), against_checkpoint="nobodys")
    page = Explorer(state, Store(), notices)
    assert page.state.against_day is None and page.state.against_checkpoint == ""
    assert "01 Jan 1999" in page.notice.text.object and "nobodys" in page.notice.text.object


def test_the_handle_stays_where_it_was_put(machine: Path, runs: dict[Any, Any]):
    page = explorer(layer="today", compare="swipe", swipe=0.25)
    assert page.map._handle.data["share"] == [0.25]
    page.map._handle.data = {"share": [0.75]}
    assert page.state.swipe == 0.75
    for share in (float("nan"), 7):
        page.map._handle.data = {"share": [share]}
    assert page.state.swipe == 0.75


def test_the_difference_has_the_colours_of_changes():
    assert scale_for("difference", "eaqi").colours == SCALES["change"].colours
