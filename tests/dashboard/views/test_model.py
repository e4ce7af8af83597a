"""The section that forecasts says what it will cost, and beside it what it did cost."""

from __future__ import annotations

from types import ModuleType

import pytest
from cranpm.dashboard.state import State
from cranpm.dashboard.views.model import ModelControls, cost_words

from cranpm.forecasting.service.run_folder import RunCost, RunStatus

MIB = 2**20
LAST = RunCost(seconds=240.4, memory=1900 * MIB)
DONE = RunStatus(state="done", seconds=251.0, peak_memory=1912 * MIB)


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (None, None, "Expected: not known, no earlier run is kept."),
        (None, LAST, "Expected 240 s, 1,900 MiB, as the last run."),
        (RunStatus(state="running", seconds=3.0), LAST, "Expected 240 s, 1,900 MiB, as the last run."),
        (DONE, LAST, "Took 251 s, 1,912 MiB (expected: 240 s, 1,900)"),
        (DONE, None, "Took 251 s, 1,912 MiB (expected: not known)"),
        (
            RunStatus(state="done", seconds=31.0),
            LAST,
            "Took 31 s, memory not recorded (expected: 240 s, 1,900)",
        ),
    ],
)
def test_expected_and_actual_cost_in_one_line(
    status: RunStatus | None, expected: RunCost | None, words: str
) -> None:
    assert cost_words(status, expected) == words


def controls(*checkpoints: str) -> ModelControls:
    return ModelControls(
        State(), checkpoints, on_run=lambda: None, on_cancel=lambda: None, expected=lambda: LAST
    )


def test_a_run_is_compared_with_what_was_expected_of_it_and_not_of_the_next(fake_run: ModuleType) -> None:
    view = controls("demo")
    view.show(None)
    assert "Expected 240 s" in view.budget.object
    run = fake_run.FakeRun()
    run.expected = RunCost(seconds=99.0, memory=1000 * MIB)
    run.become("done", seconds=101.0, peak_memory=1001 * MIB)
    view.show(run)
    assert "Took 101 s, 1,001 MiB (expected: 99 s, 1,000)" in view.budget.object


def test_without_a_checkpoint_there_is_no_cost() -> None:
    view = controls()
    view.show(None)
    assert view.budget.object == ""
