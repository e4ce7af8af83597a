"""How long the rest of a task takes, at the pace so far."""

from __future__ import annotations

import pytest

from cranpm import _progress
from cranpm._progress import Clock, duration


def test_the_rest_takes_as_long_a_part_as_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    told: list[tuple[int, int, float]] = []
    clock = Clock(5, lambda *what: told.append(what))
    assert clock.seconds_left == float("inf")
    now[0] += 6
    clock.tick(2)  # 3 s a part
    now[0] += 6
    clock.tick()  # 12 s for 3 parts: 4 s a part
    clock.tick(2)
    assert told == [(2, 5, 9.0), (3, 5, 8.0), (5, 5, 0.0)]
    assert clock.seconds == 12.0


def test_other_work_at_the_same_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    clock = Clock(10)
    assert clock.seconds_for(3) == float("inf")
    now[0] += 8
    clock.tick(4)  # 2 s a part
    assert clock.seconds_for(3) == 6.0
    clock.total += 2  # more has come up
    assert clock.seconds_left == 2.0 * 8


def test_nobody_has_to_listen() -> None:
    clock = Clock(1)
    clock.tick()
    assert (clock.done, clock.seconds_left) == (1, 0.0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (129600, "1.5 days")],
)
def test_seconds_are_said_in_the_unit_they_fill(seconds: float, said: str) -> None:
    assert duration(seconds) == said
