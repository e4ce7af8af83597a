"""Tiles are drawn where they lie, the strips that two share between them, and the legend says what was measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cranpm.dashboard.views.overlays.seams import seam_lines, tile_boxes

from cranpm.domain import get_domain
from cranpm.domain.tiling import plan_tiles
from cranpm.plot.mercator import from_mercator
from cranpm.verification.seams import SeamSteps

GRID = get_domain("alps").fine
PLAN = plan_tiles(GRID.shape)


def degrees(columns: dict[str, list[float]], k: int) -> tuple[float, ...]:
    """West, south, east, north of a box."""
    south, west = from_mercator(columns["left"][k], columns["bottom"][k])
    north, east = from_mercator(columns["right"][k], columns["top"][k])
    return float(west), float(south), float(east), float(north)


def test_tiles_and_the_strips_between_them_lie_where_the_plan_says():
    tiles, strips = tile_boxes(GRID, PLAN, {0, 1, 3})
    west, _, _, north = GRID.extent
    size, shared = 512 * GRID.step, 64 * GRID.step
    assert [len(columns["left"]) for columns in (tiles, strips)] == [3, 2]
    assert degrees(tiles, 0) == pytest.approx((west, north - size, west + size, north))
    # tile 3 begins below tile 0, 64 cells before it ends; tile 1 beside it
    assert degrees(strips, 0) == pytest.approx((west, north - size, west + size, north - size + shared))
    assert degrees(strips, 1) == pytest.approx((west + size - shared, north - size, west + size, north))


def test_tiles_apart_share_nothing():
    _, strips = tile_boxes(GRID, PLAN, {0, 8})
    assert strips["left"] == []


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (SeamSteps(across=0.123, elsewhere=0.1, pairs=9), "0.123 µg/m³ across tile edges, 0.1 µg/m³ between"),
        (SeamSteps(across=0.123, elsewhere=0.1, pairs=9), "1.23 times. At 1, tiles leave no trace."),
        (SeamSteps(across=0.123, elsewhere=0.0, pairs=9), "ordinary neighbours near them."),
        (SeamSteps(across=math.nan, elsewhere=math.nan, pairs=0), "cannot be measured here"),
        (None, "measured when the forecast is done"),
    ],
)
def test_what_the_legend_says(steps: SeamSteps | None, said: str):
    lines = seam_lines(131, steps, "µg/m³")
    assert "131 tiles of 512 × 512 cells" in lines[0]
    assert said in lines[1] and "nan" not in lines[1]


def test_a_box_is_a_box():
    tiles, _ = tile_boxes(GRID, PLAN, range(PLAN.num_tiles))
    assert np.all(np.array(tiles["right"]) > tiles["left"]) and np.all(
        np.array(tiles["top"]) > tiles["bottom"]
    )
