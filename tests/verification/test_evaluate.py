from __future__ import annotations

import numpy as np
import pytest

from cranpm.verification.evaluate import block_means, days_of_each_month, evaluate

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
