"""What a fetch tells of itself: files, bytes, and the time left at the pace of what really moved."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cranpm import _progress
from cranpm.data.download.progress import FetchProgress, ProgressTracker


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    return clock


def file(name: str, size: int | None) -> SimpleNamespace:
    return SimpleNamespace(label=name, size=size)


def test_bytes_that_lay_there_before_moved_in_no_time(now: list[float]) -> None:
    told: list[FetchProgress] = []
    tell = ProgressTracker(told.append, files=2, total=1000)
    tell.begin(file("first", 500))
    tell.bytes(300, 500)  # 300 were there from an earlier run
    assert told[-1].seconds_left is None
    now[0] += 10
    tell.bytes(400, 500)  # 100 in 10 s, 600 to come
    assert told[-1].seconds_left == pytest.approx(60.0)
    now[0] += 10
    tell.bytes(500, 500)
    tell.finish(SimpleNamespace(bytes=500))
    assert (told[-1].files_done, told[-1].files, told[-1].state) == (1, 2, "complete")
    assert told[-1].seconds_left == pytest.approx(50.0)  # 200 in 20 s, 500 to come
    tell.begin(file("second", 500))
    assert told[-1].seconds_left == pytest.approx(50.0)


def test_where_sizes_are_unknown_files_are_counted(now: list[float]) -> None:
    told: list[FetchProgress] = []
    tell = ProgressTracker(told.append, files=2, total=0)
    tell.begin(file("first", None))
    now[0] += 30
    tell.bytes(5, None)
    assert told[-1].seconds_left is None
    tell.finish(SimpleNamespace(bytes=5))
    assert told[-1].seconds_left == pytest.approx(30.0)
    tell.more(1)  # a request was cut in two
    tell.begin(file("second", None))
    assert (told[-1].files, told[-1].seconds_left) == (3, pytest.approx(60.0))
