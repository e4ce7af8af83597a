"""Signs and shapes of the physics: elevation bias, wind bias, wind scan."""

from __future__ import annotations

import doctest
import math

import pytest
import torch

from cranpm.model.layers import bias, trace, windscan
from cranpm.model.layers.bias import (
    elevation_bias,
    expand_relative_bias,
    relative_bucket,
    relative_bucket_table,
    wind_bias,
    wind_direction_cosine,
)
from cranpm.model.layers.windscan import WindScan, nearest_sector, upwind_orders, wind_shuffle, wind_unshuffle


@pytest.mark.parametrize("module", [bias, windscan, trace])
def test_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


def test_a_key_a_thousand_metres_up_costs_alpha_and_one_below_costs_nothing():
    penalty = elevation_bias(torch.tensor([[0.0, 1000.0]]), alpha=2.0, elevation_scale=1000.0)[0]
    assert penalty[0, 1] == -2.0  # query in the valley, key on the ridge: -2 * 1000 / 1000
    assert penalty[1, 0] == 0.0
    assert elevation_bias(torch.tensor([[0.0, 1000.0]]), alpha=2.0, elevation_scale=500.0)[0, 0, 1] == -4.0


def test_flat_ground_has_no_penalty_and_the_highest_wall_costs_ten():
    assert not elevation_bias(torch.full((1, 4), 300.0), 2.0, 1000.0).any()
    assert elevation_bias(torch.tensor([[0.0, 8000.0]]), 2.0, 1000.0)[0, 0, 1] == -10.0  # not -16


def test_the_katabatic_reading_penalises_lower_ground_instead():
    penalty = elevation_bias(torch.tensor([[0.0, 1000.0]]), 2.0, 1000.0, sign=-1)[0]
    assert penalty[0, 1] == 0.0
    assert penalty[1, 0] == -2.0


def test_elevation_bias_equals_the_formula_as_printed():
    elevation = torch.rand(2, 9) * 3000
    climb = (elevation[:, None, :] - elevation[:, :, None]) / 500.0  # (E_j - E_i) / E0
    printed = (-1.7 * climb.relu()).clamp(-10.0, 0.0)
    torch.testing.assert_close(elevation_bias(elevation, 1.7, 500.0), printed)


def cosine(east, north, key_east, key_north, latitude=50.0):
    """gamma for one query at 10 E, a wind, and one key so many degrees away."""
    return wind_direction_cosine(
        torch.tensor([[latitude]]),
        torch.tensor([[10.0]]),
        torch.tensor([[[east], [north]]]),
        torch.tensor([latitude + key_north]),
        torch.tensor([10.0 + key_east]),
    ).item()


@pytest.mark.parametrize(("east", "north"), [(5.0, 0.0), (-5.0, 0.0), (0.0, 5.0), (0.0, -5.0)])
def test_a_key_upwind_gains_one_and_a_key_downwind_loses_one(east, north):
    # where the wind comes from is against its direction
    assert cosine(east, north, -east, -north) == pytest.approx(1.0, abs=1e-6)
    assert cosine(east, north, east, north) == pytest.approx(-1.0, abs=1e-6)
    assert cosine(east, north, north, east) == pytest.approx(0.0, abs=1e-6)


def test_turning_the_wind_round_turns_the_bias_round():
    assert cosine(3.0, 1.0, -2.0, 0.5) == pytest.approx(-cosine(-3.0, -1.0, -2.0, 0.5))


def test_calm_and_the_query_itself_gain_nothing():
    assert cosine(0.0, 0.0, -5.0, 0.0) == 0.0
    assert cosine(0.05, 0.05, -5.0, 0.0) == 0.0  # 0.07 m/s is below the 0.1 m/s that counts as wind
    assert cosine(5.0, 0.0, 0.0, 0.0) == 0.0


def test_angles_are_local_a_degree_of_longitude_shrinks_with_latitude():
    # at 60 N cos = 0.5: a key 2 degrees west and 1 south lies exactly south-west, upwind of a wind towards north-east
    assert cosine(3.0, 3.0, -2.0, -1.0, latitude=60.0) == pytest.approx(1.0, abs=1e-6)
    # at the equator the same offset is 26.6 degrees off west, 18.4 off south-west
    assert cosine(3.0, 3.0, -2.0, -1.0, latitude=0.0) == pytest.approx(
        math.cos(math.radians(18.43)), abs=1e-4
    )


def test_gamma_is_shared_by_heads_and_beta_is_their_own():
    gamma = torch.tensor([[[1.0, -0.5]]])
    assert wind_bias(gamma, torch.tensor([1.0, 3.0]))[0, :, 0].tolist() == [[1.0, -0.5], [3.0, -1.5]]


@pytest.mark.parametrize(
    ("east", "north", "first", "last"),
    [
        (5.0, 0.0, (0, 0), (6, 6)),  # towards east: western column first, and within it from the north
        (-5.0, 0.0, (0, 6), (6, 0)),
        (0.0, 5.0, (6, 0), (0, 6)),  # towards north: southern row first, rows being north-up
        (0.0, -5.0, (0, 0), (6, 6)),
        (4.0, 4.0, (6, 0), (0, 6)),  # towards north-east: south-west corner first
    ],
)
def test_a_group_is_read_from_its_upwind_side(east, north, first, last):
    scan = WindScan(7, "wind")(torch.tensor([[[east], [north]]]))
    order = scan.order[0, 0].tolist()
    assert (divmod(order[0], 7), divmod(order[-1], 7)) == (first, last)


def test_ties_keep_row_major_order():
    assert upwind_orders(7)[12].tolist() == list(
        range(49)
    )  # towards south: rows from the north, each west to east
    assert upwind_orders(7)[0, :7].tolist() == [
        0,
        7,
        14,
        21,
        28,
        35,
        42,
    ]  # towards east: western column downwards


def test_the_sector_is_the_nearest_one():
    # sector centres lie 22.5 degrees apart: 11 degrees off belongs to the old one, 12 to the next
    for degrees, sector in [
        (0, 0),
        (11, 0),
        (12, 1),
        (-11, 0),
        (-12, 15),
        (180, 8),
        (-179, 8),
        (90, 4),
        (270, 12),
    ]:
        angle = math.radians(degrees)
        wind = torch.tensor([[[math.cos(angle)], [math.sin(angle)]]])
        assert nearest_sector(wind).item() == sector, degrees


@pytest.mark.parametrize("scan", ["wind", "raster", "random"])
def test_unshuffle_undoes_shuffle(scan):
    groups = torch.randn(2, 6, 49, 5)
    order = WindScan(7, scan)(torch.randn(2, 2, 6))
    assert torch.equal(wind_unshuffle(wind_shuffle(groups, order), order), groups)
    if scan == "raster":
        assert torch.equal(wind_shuffle(groups, order), groups)


def test_near_offsets_have_a_bucket_each_and_far_ones_share():
    # 32 buckets: 16 a side, 8 of them single; log spacing from 8 to 128, so 8*16**(k/8) are the edges
    offsets = torch.tensor([0, 1, 7, 8, 11, 12, 127, 500, -1, -7, -8, -500])
    assert relative_bucket(offsets).tolist() == [0, 17, 23, 24, 24, 25, 31, 31, 1, 7, 8, 15]


def test_offsets_are_spread_as_an_index_would():
    rows, columns, heads = 3, 4, 2
    table = torch.randn(heads, 2 * rows - 1, 2 * columns - 1)
    row, column = torch.arange(rows * columns) // columns, torch.arange(rows * columns) % columns
    dr, dc = row[None, :] - row[:, None], column[None, :] - column[:, None]  # key minus query
    assert torch.equal(expand_relative_bias(table, rows, columns), table[:, dr + rows - 1, dc + columns - 1])
    assert relative_bucket_table(rows, columns)[rows - 1, columns - 1] == 0  # no offset, first bucket of both
