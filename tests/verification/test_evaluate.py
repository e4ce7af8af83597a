from __future__ import annotations

import numpy as np
import pytest

from cranpm.verification.evaluate import Scorecard, block_means, days_of_each_month, evaluate

SHAPE = (100, 75)


@pytest.fixture(scope="module")
def card():
    rng = np.random.default_rng(0)
    land = np.ones(SHAPE, dtype=bool)
    land[:, :10] = False
    truth = {day: rng.uniform(5, 30, SHAPE).astype(np.float32) for day in days_of_each_month(2022, (1, 15))}

    def targets(init):
        field = truth[init].copy()
        field[0, 20] = np.nan
        return {1: field}

    def off_by(error):
        return lambda init: {1: truth[init] + error}

    def with_gap(init):
        field = truth[init] + 1
        field[50, 50] = np.nan
        return {1: field}

    return evaluate(list(truth), {"two": off_by(2), "one": with_gap}, targets, land)


def test_every_method_is_scored_on_the_same_land_cells(card):
    # 24 days x (100 x 65 land cells - 1 without target - 1 that one method lacks)
    rows = {(r["method"], r["grid"]): r for r in card.table("two")}
    assert rows["two", "1 km"]["pairs"] == rows["one", "1 km"]["pairs"] == 24 * (6500 - 2)
    assert rows["two", "1 km"]["rmse"] == pytest.approx(2, abs=1e-5)
    assert rows["one", "1 km"]["bias"] == pytest.approx(1, abs=1e-5)


def test_skill_is_paired_by_day_and_has_an_interval(card):
    interval = card.skill("one", "two", 1, "1 km")
    # errors of 1 against 2 on every day: the ratio is 1/2 whatever days are drawn
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-5)


def test_coarse_means_keep_blocks_that_are_mostly_land():
    mask = np.ones((50, 50), dtype=bool)
    mask[:25, :13] = False  # the first block keeps 12 of 25 columns: less than half
    values = np.add.outer(np.zeros(50), np.arange(50.0))
    # the other blocks have means 37, 12 and 37
    assert block_means(values, mask).tolist() == [37.0, 12.0, 37.0]


def test_area_weights_and_ssim_reach_the_table():
    """An error of 1 in the north, where cells weigh 1, and of 3 in the south, where they weigh 3."""
    truth = np.random.default_rng(1).uniform(5, 30, SHAPE).astype(np.float32)
    error = np.where(np.arange(SHAPE[0]) < 50, 1.0, 3.0)[:, None].astype(np.float32)
    weights = np.where(np.arange(SHAPE[0]) < 50, 1.0, 3.0)
    card = Scorecard(row_weights=weights, similar=True)
    for day in days_of_each_month(2022, (1,)):
        one_day = Scorecard(row_weights=weights, similar=True)
        maps = {"ours": {1: truth + error}, "same": {1: truth}}
        one_day.add_day(day, maps, {1: truth}, np.ones(SHAPE, bool))
        card.add(one_day)
    rows = {(r["method"], r["grid"]): r for r in card.table("same")}
    ours = rows["ours", "1 km"]
    assert ours["rmse"] == pytest.approx(np.sqrt(5), rel=1e-5)  # (1 + 9) / 2
    assert ours["area_rmse"] == pytest.approx(np.sqrt(7), rel=1e-5)  # (1 * 1 + 3 * 9) / 4
    assert ours["area_bias"] == pytest.approx(2.5, rel=1e-5)  # (1 * 1 + 3 * 3) / 4
    assert rows["same", "1 km"]["ssim_100"] == pytest.approx(1, abs=1e-5)
    assert rows["same", "25 km"]["ssim_20"] == pytest.approx(1, abs=1e-5)
    assert ours["ssim_20"] < ours["ssim_100"] < 1
    assert "area_rmse" not in rows["ours", "25 km"]
