from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.explain.places import choose_places, gaussian, wind_over
from cranpm.explain.puff import Puff, PuffPlan, add_puff, displacement, puff_responses, run_puffs, summarise
from cranpm.verification.bootstrap import bootstrap_by_day

PLACE = (46.9, 11.2)
PUFF = Puff(lat=PLACE[0], lon=PLACE[1], radius=30.0)
SMALL = {"tile_size": 224, "leads": (1,)}
"""3 x 3 tiles of 224 cells hold the way of a day on either side."""


def test_a_puff_enters_fine_and_coarse_alike_and_leaves_yesterday_alone(day, statistics):
    before = day.pm2p5.clone(), day.coarse.fields.clone()
    puffed = add_puff(day, replace(PUFF, amount=20.0, radius=50.0), statistics)
    assert torch.equal(day.pm2p5, before[0]) and torch.equal(day.coarse.fields, before[1])
    assert float((puffed.pm2p5 - day.pm2p5).max()) == pytest.approx(20.0, abs=0.01)
    changed = (puffed.coarse.fields - day.coarse.fields).abs().amax((1, 2)).nonzero().flatten()
    assert changed.tolist() == [30]  # CAMS PM2.5 of day t, after 30 ERA5 channels
    added = (puffed.coarse.fields - day.coarse.fields)[30] * statistics.std["pm2p5"]
    row, col = day.domain.coarse.index_of(*PLACE)
    fine_row, fine_col = day.domain.fine.index_of(day.domain.coarse.lat[row], day.domain.coarse.lon[col])
    fine = (puffed.pm2p5 - day.pm2p5)[fine_row, fine_col]
    assert float(added[row, col]) == pytest.approx(float(fine), rel=0.02)
    assert puffed.pm2p5_before is day.pm2p5_before


def test_a_shifted_bump_is_found_where_it_went():
    lat, lon = np.linspace(48, 44, 401), np.linspace(8, 14, 601)
    puff = gaussian(lat, lon, 46.0, 11.0, 30.0)
    # 100 km east is 100 / (111.2 cos 46) = 1.2946 degrees; 50 km north 0.4496 degrees
    shifted = gaussian(lat, lon, 46.0 + 50 / 111.2, 11.0 + 100 / (111.2 * np.cos(np.deg2rad(46))), 30.0)
    assert displacement(shifted, puff, lat, lon) == pytest.approx([100, 50], abs=2)
    assert displacement(puff, puff, lat, lon) == pytest.approx([0, 0], abs=1)
    # half of the response off the coast: the sea has no value, and the puff is looked at on the same cells
    coast = np.where(lon[None] < 11.0, np.nan, puff)
    assert displacement(coast, puff, lat, lon) == pytest.approx([0, 0], abs=2)
    assert np.isnan(displacement(-puff, puff, lat, lon)).all(), "nothing positive, nothing to measure"


def test_where_air_carries_a_puff_the_response_moves_downwind_by_wind_times_lead(advection, day, statistics):
    (found,) = puff_responses(advection, day, statistics, PUFF, **SMALL, keep=True)
    # the rule takes the coarse puff from here and sets it down downwind; of the fine one in x_t a rest remains
    assert found.cosine > 0.95
    assert found.path == pytest.approx(np.hypot(2.0, 1.2) * 86.4)
    assert 0.6 < found.along / found.path < 1.1
    assert found.response.shape == (672, 672)


def test_under_a_reversed_wind_it_moves_the_other_way(advection, day, statistics):
    for under in ("wind flip, both", "wind flip, priors"):
        (found,) = puff_responses(advection, day, statistics, PUFF, under=under, **SMALL)
        assert found.cosine < -0.95


def test_a_wind_that_is_not_known_is_named(still, day, statistics):
    with pytest.raises(ValueError, match="under 'as it was', 'wind flip, both', .*; got 'storm'"):
        puff_responses(still, day, statistics, PUFF, under="storm", **SMALL)


def test_persistence_moves_nothing(still, day, statistics):
    (found,) = puff_responses(still, day, statistics, PUFF, **SMALL)
    assert np.linalg.norm(found.moved) < 1.0
    assert found.peak == pytest.approx(30.0, abs=0.1)


def test_places_are_inland_windy_apart_and_the_same_every_time(day, source):
    land = source.land.copy()
    places = choose_places(day, land, 3, seed=1, margin=2.0)
    assert places == choose_places(day, land, 3, seed=1, margin=2.0)
    assert len(places) >= 1
    assert wind_over(day, *PLACE, 50.0) == pytest.approx([2.0, -1.2], abs=1e-4)
    land[:] = False
    assert choose_places(day, land, 3, seed=1, margin=2.0) == []


def test_the_summary_says_the_direction_with_an_interval(advection, statistics, source):
    plan = PuffPlan(places=1, winds=("as it was", "wind flip, priors"), tile_size=224, margin=2.5)
    found = run_puffs(advection, statistics, source, source.days[2:6], plan)
    rows = {row["wind"]: row for row in summarise(found)}
    assert rows["as it was"]["cosine_low"] > 0.5
    assert rows["wind flip, priors"]["cosine_high"] < 0
    assert rows["as it was"]["days"] == len({r.init_time for r in found})


def test_places_of_one_day_are_no_independent_samples():
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange("2021-01-01", "2021-01-11", dtype="datetime64[D]"), 50)
    shared = np.repeat(rng.normal(0, 1, 10), 50)
    by_day = bootstrap_by_day(np.mean, shared, days=days)
    # s.d. of a mean of ten: about 0.32, so a width of about 1.2; five hundred samples would give 0.17
    assert 0.6 < by_day.high - by_day.low < 2.0
    assert by_day.days == 10
