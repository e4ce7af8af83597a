"""The page's parts react to its parameters and to the run; looked at without a browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.state import State

Open = Callable[..., Explorer]


def address_of(page: Explorer) -> str:
    return page.map._picture.data["url"][0]


def test_without_a_checkpoint_the_map_says_so_and_today_still_shows(
    explorer: Open, machine: Path, runs: list[Any]
):
    page = explorer()
    assert runs == []
    assert "No checkpoint found" in page.controls.model.text.object
    assert "No forecast has been run" in page.title.object
    page.state.layer = "today"
    assert "_today_2022-01-12_T0/0/" in address_of(page)
    assert "No forecast" not in page.title.object


def test_opening_starts_the_forecast_and_the_map_fills_in(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer()
    (run,) = runs
    assert "Waiting" in page.controls.model.text.object
    run.finish_tiles(2)
    page.run.poll()
    assert "<b>2 of 9</b> tiles · 3 s left · cpu" in page.controls.model.text.object
    assert f"_T1_{run.id}/2/" in address_of(page)
    run.finish_tiles(9)
    page.run.poll()
    assert "/1000009/" in address_of(page)
    assert not page.controls.model.cancel.visible
    assert "9 tiles" in page.controls.model.text.object


def test_cancel_reaches_the_run(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer()
    assert page.controls.model.cancel.visible
    page.run.cancel()
    assert runs[0].state == "cancelled"
    assert "Cancelled after 0 of 9 tiles" in page.controls.model.text.object
    assert page.controls.model.run.visible


def test_a_failed_run_says_why_without_folders(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer()
    runs[0].become("failed", message="Weights at /home/someone/secret/model.safetensors are damaged.")
    page.run.poll()
    assert "are damaged" in page.controls.model.text.object
    assert "/home" not in page.controls.model.text.object


def test_layer_lead_and_scale_change_the_picture_and_the_legend(
    explorer: Open, checkpoint: str, runs: list[Any]
):
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


def test_every_screen_says_simulated(explorer: Open, checkpoint: str, runs: list[Any]):
    page = explorer()
    for layer in ("forecast", "today", "target", "change", "error"):
        page.state.layer = layer
        assert "testbed (simulated)" in page.title.object


def test_a_day_that_is_not_there_becomes_one_that_is(machine: Path, runs: list[Any]):
    notices: list[str] = []
    page = Explorer(State(dataset="testbed", init_time=dt.date(1999, 1, 1)), Store(), notices)
    assert page.state.init_time == dt.date(2022, 1, 12)
    assert "01 Jan 1999 is not in this dataset" in notices[0]
