"""What a forecast is expected to cost is what the last one like it took, and nothing where there was none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cranpm.forecasting.service.budget import expected_cost
from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run_folder import RunCost, RunFolder, RunStatus

MIB = 2**20


def request(**changes: Any) -> RunRequest:
    asked: dict[str, Any] = {
        "dataset": "/d", "dataset_hash": "d", "checkpoint": "/c", "checkpoint_hash": "c",
        "init_time": "2022-01-05", "leads": (1, 2, 3),
    }  # fmt: skip
    return RunRequest(**asked | changes)


def ended(root: Path, asked: RunRequest, seconds: float, **status: Any) -> RunFolder:
    folder = RunFolder.new(root, asked)
    folder.write_status(RunStatus(**{"state": "done", "seconds": seconds, "peak_memory": 900 * MIB} | status))
    return folder


def test_the_last_forecast_of_any_day_tells(tmp_path: Path) -> None:
    for written, (day, seconds) in enumerate(
        (("2022-01-05", 80.0), ("2022-01-07", 70.0), ("2022-01-06", 60.0))
    ):
        path = ended(tmp_path, request(init_time=day), seconds).path / "progress.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"updated": float(written)}))
    assert expected_cost(tmp_path, request(init_time="2022-01-09")) == RunCost(seconds=60.0, memory=900 * MIB)


@pytest.mark.parametrize(
    "other",
    [
        {"checkpoint_hash": "another"},
        {"dataset": "/another"},
        {"leads": (1,)},
        {"tiles": (3, 4)},
        {"interventions": (("wind_turn", 90.0),)},
        {"device": "cuda"},
    ],
)
def test_one_that_asked_for_something_else_tells_nothing(tmp_path: Path, other: dict[str, Any]) -> None:
    ended(tmp_path, request(**other), 60)
    assert expected_cost(tmp_path, request()) is None
    assert expected_cost(tmp_path, request(**other)) == RunCost(seconds=60, memory=900 * MIB)


@pytest.mark.parametrize(
    "status", [{"state": "running"}, {"state": "failed"}, {"state": "cancelled"}, {"peak_memory": None}]
)
def test_one_that_has_not_ended_well_or_left_no_record_tells_nothing(
    tmp_path: Path, status: dict[str, Any]
) -> None:
    ended(tmp_path, request(), 60, **status)
    assert expected_cost(tmp_path, request()) is None
    assert expected_cost(tmp_path / "nowhere", request()) is None


def test_a_damaged_request_is_passed_over(tmp_path: Path) -> None:
    ended(tmp_path, request(), 60)
    damaged = ended(tmp_path, request(init_time="2022-01-06"), 70)
    (damaged.path / "request.json").write_text("{}")
    assert expected_cost(tmp_path, request()) == RunCost(seconds=60, memory=900 * MIB)


def test_what_was_expected_stays_with_the_run(tmp_path: Path) -> None:
    expected = RunCost(seconds=61.5, memory=901 * MIB)
    assert RunFolder.new(tmp_path, request(), expected).expected() == expected
    assert RunFolder.new(tmp_path, request()).expected() is None
