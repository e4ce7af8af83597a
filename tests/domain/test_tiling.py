from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain import FINE, REGIONS, Splits, plan_tiles, split, stitch

HOWS = [{}, {"count": (9, 14)}, {"stride": 384}, {"overlap": 0}, {"overlap": 200}]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # (4192 - 512) / 448 = 8.2 -> 10 rows with the shifted last one; (6992 - 512) / 448 = 14.5 -> 16 columns
        ({}, 160),
        ({"count": (9, 14)}, 126),
        # 3680 / 384 = 9.6 -> 11; 6480 / 384 = 16.9 -> 18
        ({"stride": 384}, 198),
    ],
)
def test_tile_counts_over_europe_are_derived(how, expected):
    assert plan_tiles(FINE.shape, **how).num_tiles == expected


@pytest.mark.parametrize("how", HOWS)
def test_blend_weights_sum_to_one_everywhere(how):
    plan = plan_tiles((1392, 2000), **how)
    total = np.zeros(plan.shape)
    for tile in plan.tiles:
        weight = plan.weight(tile)
        assert (weight >= 0).all()
        total[tile.rows, tile.cols] += weight
    assert np.abs(total - 1).max() < 1e-6


@pytest.mark.parametrize("how", HOWS)
def test_split_then_stitch_returns_constants_and_ramps(how):
    shape = (1100, 1392)
    plan = plan_tiles(shape, **how)
    constant = np.full(shape, 7.5, dtype=np.float32)
    ramp = np.add.outer(np.linspace(0, 40, shape[0]), np.linspace(0, 60, shape[1])).astype(np.float32)
    for field in (constant, ramp):
        # values up to 100 in float32 (spacing 8e-6), summed over at most a few dozen weighted tiles
        assert np.abs(stitch(split(field, plan), plan) - field).max() < 1e-4


def test_ramps_lie_over_the_overlap_only():
    plan = plan_tiles(FINE.shape)
    # a tile in the middle shares 64 cells with each neighbour and owns the rest
    assert (plan.row_weights[3, 64:448] == 1).all()
    assert plan.row_weights[3, 0] < 0.01 and plan.row_weights[3, 63] > 0.99


def test_a_jump_between_tiles_is_spread_over_the_overlap():
    plan = plan_tiles((512, 960))
    tiles = np.stack([np.zeros((512, 512)), np.ones((512, 512))])
    blended = stitch(tiles, plan)[100]
    assert blended[447] == 0 and blended[512] == 1
    assert np.diff(blended).max() < 0.03 and (np.diff(blended) >= 0).all()


def test_every_cell_finds_the_tile_that_weighs_most_there():
    plan = plan_tiles(FINE.shape)
    for row, col in [(0, 0), (4191, 6991), (447, 10), (2000, 3000)]:
        tile = plan.tile_at(row, col)
        assert tile.rows.start <= row < tile.rows.stop and tile.cols.start <= col < tile.cols.stop


def test_impossible_plans_are_refused():
    with pytest.raises(ValueError, match="smaller than one tile"):
        plan_tiles((511, 2000))
    with pytest.raises(ValueError, match="cannot cover"):
        plan_tiles(FINE.shape, count=(8, 14))
    with pytest.raises(ValueError, match="stride"):
        plan_tiles(FINE.shape, stride=513)
    with pytest.raises(ValueError, match="only one"):
        plan_tiles(FINE.shape, stride=384, overlap=64)


def test_regions_lie_inside_europe():
    west, south, east, north = FINE.extent
    for region in REGIONS.values():
        assert west < region.west < region.east < east and south < region.south < region.north < north


def test_no_sample_straddles_two_splits():
    splits = Splits()
    days = np.arange(np.datetime64("2016-12-25"), np.datetime64("2023-01-10"))
    for lead in (1, 2, 3):
        by_day = {}
        for init in days:
            name = splits.split_of(init, lead)
            for used in (init - 1, init, init + lead):
                if name:
                    assert by_day.setdefault(used, name) == name
    assert splits.split_of(np.datetime64("2020-12-29"), 3) is None
    assert splits.split_of(np.datetime64("2022-01-01"), 1) is None
