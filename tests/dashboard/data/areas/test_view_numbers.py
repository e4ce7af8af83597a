"""The map in numbers, against a field whose numbers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cranpm.dashboard.data.areas import view_numbers as module
from cranpm.dashboard.data.areas.view_numbers import view_numbers

from cranpm.domain.grid import Grid
from cranpm.plot.pyramid import Pyramid

GRID = Grid(name="g", rows=8, cols=8, step=1.0, north=60.0, west=0.0, registration="cell")
WHOLE = (0.0, 52.0, 8.0, 60.0)


def pyramid(field: np.ndarray) -> Pyramid:
    return Pyramid(lambda rows, cols: field[rows, cols], GRID, num_levels=2)


def test_rows_count_by_their_area_and_gaps_not_at_all() -> None:
    field = np.full((8, 8), 10.0, np.float32)
    field[:4] = 40.0
    field[0] = np.nan
    # three northern rows at 40, four southern at 10; a band's area goes with the difference of the sines of its edges
    north = math.sin(math.radians(59)) - math.sin(math.radians(56))
    south = math.sin(math.radians(56)) - math.sin(math.radians(52))
    found = view_numbers(pyramid(field), WHOLE)
    assert found.mean == pytest.approx((40 * north + 10 * south) / (north + south))
    assert found.above == pytest.approx(north / (north + south))
    assert (found.lowest, found.highest) == (10.0, 40.0)
    assert found.kilometres == pytest.approx(111.2)


def test_only_what_is_in_view_counts() -> None:
    field = np.full((8, 8), 100.0, np.float32)
    field[2:4, 4:6] = [[1, 2], [3, 4]]
    found = view_numbers(pyramid(field), (4.0, 56.0, 6.0, 58.0))
    assert (found.lowest, found.highest, found.above) == (1.0, 4.0, 0.0)


def test_a_large_view_is_read_coarser_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "MOST_CELLS", 16
    )  # of 64 cells: one level up, whose squares are means of four
    field = np.zeros((8, 8), np.float32)
    field[0, 0] = 100.0
    found = view_numbers(pyramid(field), WHOLE)
    assert found.highest == 25.0
    assert found.kilometres == pytest.approx(222.4)
    # a threshold is crossed by more than itself
    assert found.above == 0.0


def test_a_view_without_a_value_has_no_numbers() -> None:
    empty = pyramid(np.full((8, 8), np.nan, np.float32))
    for box in (WHOLE, (20.0, 52.0, 21.0, 53.0)):
        found = view_numbers(empty, box)
        assert all(map(math.isnan, (found.mean, found.lowest, found.highest, found.above)))
