"""The benchmark of the page fails when it measures nothing, or the same picture twice."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def bench(load_file: Callable[[str], ModuleType]) -> ModuleType:
    return load_file("scripts/bench_page.py")


@pytest.fixture
def found(bench: ModuleType) -> dict:
    """Twelve ticks on each page at each depth, each another time."""
    times = {
        name: {what: bench.summary([float(10 * k + n) for n in range(12)]) for what in ("first", "last")}
        for k, name in enumerate(("cranpm_full", "cranpm_deep", "plain_full", "plain_deep"))
    }
    return times | {"cranpm_zoomed": True, "plain_zoomed": True}


def test_good_figures_pass(bench: ModuleType, found: dict):
    assert bench.problems(found, 12) == []


def test_a_depth_without_a_change_of_pixels_fails(bench: ModuleType, found: dict):
    found["cranpm_deep"] = {}
    assert bench.problems(found, 12)[0] == "cranpm, deep: 0 of 12 ticks changed the picture (first)"


def test_the_same_picture_twice_fails(bench: ModuleType, found: dict):
    found["plain_deep"] = found["plain_full"]
    assert bench.problems(found, 12) == [
        "plain: the same figures twice; the view did not change between them"
    ]
    found["cranpm_zoomed"] = False
    assert "cranpm: zooming in left the same picture" in bench.problems(found, 12)
