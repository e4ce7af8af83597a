from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain.resampling import bootstrap_indices, central_interval, consecutive_runs


def test_days_drawn_together_follow_each_other_and_wrap_around():
    days = bootstrap_indices(10, 500, np.random.default_rng(0), block=4)
    assert days.shape == (500, 10)
    steps = np.diff(days, axis=1) % 10
    assert (steps[:, [0, 1, 2, 4, 5, 6, 8]] == 1).all(), "blocks of 4, 4 and the first 2 of a third"
    # every day is drawn alike: 500 of 5000, standard deviation below sqrt(4 * 1500 * 0.1 * 0.9 * 4) = 46
    assert np.bincount(days.ravel(), minlength=10) == pytest.approx(np.full(10, 500), abs=4 * 46)


def test_a_seed_gives_the_same_days_again():
    first, again = (bootstrap_indices(7, 20, np.random.default_rng(5)) for _ in range(2))
    assert (first == again).all()


def test_the_interval_leaves_out_redraws_without_a_statistic():
    # 0, 1, ..., 100: 2.5 and 97.5 are where 2.5 % lie below and above
    low, high = central_interval([*range(101), np.nan])
    assert (low, high) == pytest.approx((2.5, 97.5))
    assert np.isnan(central_interval([np.nan, np.nan])).all()


def test_few_of_many_days_still_hold_pairs_of_every_lead():
    """Sixty days spread singly over four years lie 24 days apart, and nothing could be fitted."""
    days = np.arange("2017-01-01", "2021-01-01", dtype="datetime64[D]")
    chosen = consecutive_runs(days, 60, leads=(1, 2, 3))
    assert len(chosen) == 60
    assert chosen == sorted(set(chosen))
    held = set(chosen)
    for lead in (1, 2, 3):
        pairs = [day for day in chosen if day + np.timedelta64(lead, "D") in held]
        assert len(pairs) == (4 - lead) * 15  # fifteen runs of four days
    assert {int(str(day)[:4]) for day in chosen} == {2017, 2018, 2019, 2020}


def test_where_there_are_few_days_all_are_taken():
    winter = np.arange("2019-01-01", "2019-01-21", dtype="datetime64[D]")
    assert consecutive_runs(winter, 60, leads=(1,)) == list(winter)
    assert consecutive_runs(winter, 0, leads=(1,)) == []
