"""Relief of terrains so simple that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain import domain_from_corner
from cranpm.testbed.geography import relief, terrain, towns
from cranpm.testbed.geography.pack import upsample

STEP = 0.01
LAT = 46 - STEP * (np.arange(400) + 0.5)


def test_a_plain_is_not_complex():
    plain = np.full((400, 400), 750.0, np.float32)
    np.testing.assert_allclose(relief.terrain_complexity(plain, LAT, STEP), 0, atol=0.1)


@pytest.mark.parametrize("axis", [0, 1])
def test_complexity_of_a_slope_is_half_its_rise_over_the_radius(axis):
    """The s.d. of x over a disc of radius R is R / 2: a slope of 10 m/km gives 10 * 25 / 2 = 125 m, whichever way."""
    north_km = -111.195 * (LAT - LAT[0])[:, None] * np.ones((1, 400))
    east_km = 111.195 * STEP * np.arange(400)[None, :] * np.cos(np.radians(LAT))[:, None]
    slope = 10 * (north_km if axis == 0 else east_km - east_km[:, 200:201])
    inner = relief.terrain_complexity(slope.astype(np.float32), LAT, STEP)[30:70, 30:70]
    np.testing.assert_allclose(inner, 125, rtol=0.04)


def test_a_bowl_is_enclosed_and_a_lone_peak_is_not():
    y, x = np.mgrid[-200:200, -200:200] * STEP * 111.195
    x = x * np.cos(np.radians(44))
    distance = np.hypot(x, y)
    bowl = np.where(distance > 25, 1500.0, 0.0).astype(np.float32)
    peak = np.where(distance < 8, 1500.0, 0.0).astype(np.float32)
    assert relief.barrier_height(bowl, LAT, STEP)[50, 50] == pytest.approx(1500, rel=0.01)
    # 30 km west of the peak only one or two of sixteen directions meet it
    aside = relief.barrier_height(peak, LAT, STEP)[
        50, 50 - round(30 / (4 * STEP * 111.195 * np.cos(np.radians(44))))
    ]
    assert aside < 300


def test_air_crosses_a_wall_at_its_gap():
    """A wall of 1,000 m with a gap of 7 cells at 400 m, on ground at 100 m, the valley floor."""
    ground = np.full((175, 175), 100.0, np.float32)
    ground[:, 84:92] = 1000
    ground[84:91, 84:92] = 400
    floor = relief.valley_floor(ground, 7, 7)
    np.testing.assert_allclose(floor, 100)
    east, north = relief.barriers(ground, floor)
    # the wall stands between the nodes at columns 75 and 100, the gap within the box of the node row 87.5 / 25 = 3.5
    assert east[1, 3] == pytest.approx(900)
    assert min(east[3, 3], east[4, 3]) == pytest.approx(300)
    assert east[1, 1] == 0
    assert north.max() == 0


def test_a_gorge_one_cell_wide_lets_little_air_through():
    ground = np.full((175, 175), 0.0, np.float32)
    ground[:, 80:95] = 900
    ground[87, 80:95] = 0
    east, _ = relief.barriers(ground, relief.valley_floor(ground, 7, 7))
    assert east[3:5, 3].min() >= 600 - 1  # the mean of 900, 0, 900


def test_north_and_east_faces_are_the_same_thing_turned():
    rng = np.random.default_rng(1)
    ground = (500 * rng.random((150, 150))).astype(np.float32)
    passes_south = relief.pass_heights(np.ascontiguousarray(ground.T), 6, 6)[:, :-1].T
    floor = np.zeros((6, 6), np.float32)
    _, north = relief.barriers(ground, floor)
    np.testing.assert_array_equal(north[1:], passes_south)


def test_upsampling_keeps_slopes_and_windows():
    rows, cols = np.mgrid[-1:9, -1:12].astype(np.float32)
    plane = 3 * rows + 5 * cols  # at block centres, margins included
    fine = upsample(plane)
    at_row, at_col = (np.arange(32) + 0.5) / 4 - 0.5, (np.arange(44) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(fine, 3 * at_row[:, None] + 5 * at_col[None, :], atol=1e-4)
    np.testing.assert_array_equal(upsample(plane[2:7, 3:9]), fine[8:20, 12:28])


def test_people_of_a_town_stay_on_land_and_are_all_counted():
    grid = domain_from_corner("box", "Box", north=46.0, west=8.0, coarse_rows=8, coarse_cols=8).fine
    is_land = np.zeros(grid.shape, bool)
    is_land[:, :96] = True  # land west of 8.96 E
    town = towns.Towns(
        name=np.array(["Coast", "Suburb"]),
        lat=np.array([45.0, 45.0]),
        lon=np.array([8.95, 8.9]),
        population=np.array([300_000, 9_000]),
        country=np.array(["IT", "IT"]),
        is_district=np.array([False, True]),
    )
    people = towns.town_population(grid, town, is_land)
    assert people.sum() == pytest.approx(300_000, rel=1e-4)
    assert people[:, 96:].sum() == 0


def test_area_means_count_part_cells():
    """Nodes at 0.25 degrees see 12.5 cells each side: the mean of a ramp is its value at the node."""
    domain = domain_from_corner("box", "Box", north=46.0, west=8.0, coarse_rows=8, coarse_cols=8)
    ramp = np.broadcast_to(domain.fine.lon, domain.fine.shape).astype(np.float32)
    means = terrain.node_means(ramp, domain.fine, domain.coarse_box)
    np.testing.assert_allclose(means[:, 1:7], np.broadcast_to(domain.coarse_box.lon[1:7], (9, 6)), atol=1e-4)
    # the first node has half a cell inside: its mean lies at a quarter of the step
    np.testing.assert_allclose(means[:, 0], 8.0625, atol=1e-3)
