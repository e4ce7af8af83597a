"""A seam is measured where tiles have one, and a map without tiles has none, however rough it is."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain.tiling import plan_tiles, stitch
from cranpm.verification.seams import SeamSteps, neighbours, seam_steps

PLAN = plan_tiles((960, 1408))  # 2 x 3 tiles
ALL = set(range(6))


def measured(field: np.ndarray, tiles: set[int] = ALL) -> SeamSteps:
    return seam_steps(lambda rows, cols: field[rows, cols], PLAN, tiles)


@pytest.fixture
def rough() -> np.ndarray:
    return np.random.default_rng(0).normal(size=PLAN.shape)


def test_a_rough_map_has_no_seam(rough: np.ndarray):
    assert measured(rough).ratio == pytest.approx(1, abs=0.02)


def test_tiles_that_end_abruptly_show_by_how_much(rough: np.ndarray):
    """Steps of white noise have a median of 0.954: 0.6745 times the root of two. Five are far above all of them."""
    field = rough.copy()
    field[PLAN.tiles[3].rows] += 5  # the lower row of tiles, from where it begins
    found = measured(field)
    assert found.elsewhere == pytest.approx(0.6745 * np.sqrt(2), rel=0.02)
    # 1408 pairs lie across the step, as many where the upper tiles end, and 4 x 960 across edges of columns
    assert found.pairs == 2 * 1408 + 4 * 960
    assert found.across > 1.2 * found.elsewhere
    only = measured(field, {0, 3})
    assert only.pairs == 2 * 448, (
        "one edge where the lower begins, one where the upper ends, up to the next pair"
    )
    assert only.across > 2.5 * only.elsewhere


def test_blended_tiles_that_disagree_show_far_less_than_the_step_between_them():
    """Constant tiles of 0 and 20: blended over 64 cells, no step is above 20 pi / 128."""
    levels = 20.0 * (np.indices((2, 3)).sum(0).ravel() % 2)
    tiles = np.broadcast_to(levels[:, None, None], (6, 512, 512))
    found = measured(stitch(tiles, PLAN))
    assert 0 < found.across < 20 * np.pi / 128 / 10


def test_cells_without_a_value_are_left_out(rough: np.ndarray):
    field = rough.copy()
    field[:, 700:] = np.nan
    field[:, 447] = np.nan
    found = measured(field)
    assert np.isfinite([found.across, found.elsewhere]).all()
    assert 0 < found.pairs < measured(rough).pairs
    nothing = measured(np.full(PLAN.shape, np.nan))
    assert nothing.pairs == 0 and np.isnan([nothing.across, nothing.elsewhere, nothing.ratio]).all()


def test_a_flat_map_has_no_ratio():
    assert np.isnan(measured(np.zeros(PLAN.shape)).ratio)


def test_only_tiles_beside_each_other_have_a_seam(rough: np.ndarray):
    assert measured(rough, {0, 5}).pairs == 0
    pairs = [(a.index, b.index) for axis in (0, 1) for a, b in neighbours(PLAN, {0, 1, 3, 5}, axis)]
    assert pairs == [(0, 3), (0, 1)]


def test_no_more_than_a_part_of_the_map_is_asked_for_at_once(rough: np.ndarray):
    asked: list[int] = []

    def read(rows: slice, cols: slice) -> np.ndarray:
        window = rough[rows, cols]
        asked.append(window.size)
        return window

    seam_steps(read, PLAN, ALL)
    assert max(asked) < 0.1 * rough.size
