"""Names of two maps say what tells them apart, and no more."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cranpm.dashboard.state import State
from cranpm.dashboard.views.compare.words import labels, side


def state(**more: Any) -> State:
    return State(**{"layer": "forecast", "init_time": dt.date(2022, 1, 8), "checkpoint": "demo"} | more)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"layer": "target"}, ("Forecast T+1", "Target T+1")),
        ({"checkpoint": "new"}, ("Forecast T+1 · demo", "Forecast T+1 · new")),
        ({"lead_time": 2}, ("Forecast T+1 · 9 Jan 2022", "Forecast T+2 · 10 Jan 2022")),
        (
            {"lead_time": 2, "init_time": dt.date(2022, 1, 7)},
            ("Forecast T+1 · init 8 Jan 2022", "Forecast T+2 · init 7 Jan 2022"),
        ),
    ],
)
def test_labels(other: dict[str, Any], expected: tuple[str, str]):
    assert labels(state(), state(**other)) == expected


def test_a_side_says_all_of_it():
    assert side(state()) == "Forecast T+1 · 9 Jan 2022 · init 8 Jan 2022 · demo"
    assert side(state(layer="today")) == "Today · 8 Jan 2022"
