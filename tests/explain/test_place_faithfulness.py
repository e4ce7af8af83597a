"""The test of one place gives the numbers of the battery there, and exactly nothing where nothing is read."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from cranpm.domain import plan_tiles
from cranpm.explain.faithfulness import FaithfulnessPlan, TileFaith, run_faithfulness
from cranpm.explain.place_answer import PlaceAnswer
from cranpm.explain.place_faithfulness import PlacePlan, ask_place
from cranpm.forecasting.engine import ForecastCancelledError
from cranpm.forecasting.service.run_folder import RunFolder
from cranpm.forecasting.service.tasks import RefusedError

TILE = plan_tiles((688, 688), tile_size=128, overlap=0).tiles[12]
PLAN = PlacePlan(hidden=(1, 3), draws=2, near=4, far=2)


def faith_of(network, day, lead=1):
    with torch.inference_mode():
        return TileFaith(network, day, TILE, network.encode_global(day.global_inputs()), lead)


@pytest.fixture(scope="module")
def faith(drawn, day):
    return faith_of(drawn, day)


@pytest.fixture(scope="module")
def answer(faith):
    return ask_place(faith, 27, PLAN)


@pytest.fixture(scope="module")
def deaf(drawn):
    """The drawn network, which attends as before and does nothing with what it reads: its bridge adds zero."""
    network = copy.deepcopy(drawn)
    with torch.no_grad():
        for layer in network.bridge.layers:
            for last in (layer.projection, layer.feed_forward.shrink):
                last.weight.zero_()
                last.bias.zero_()
    return network


def test_the_numbers_are_those_of_the_battery_at_the_same_place(drawn, statistics, source, day, faith):
    (token,) = faith.places(1)
    plan = FaithfulnessPlan(places=1, hidden=4, near=4, far=2)
    battery = run_faithfulness(drawn, statistics, source, [day.init_time], [TILE], plan)
    expected = next(place for place in battery if place.hidden_at == "bridge")
    assert expected.token == token
    found = ask_place(faith, token, PlacePlan(hidden=(4,), draws=1, near=4, far=2))
    assert found.most_attended[0].place == expected.most_attended
    assert found.nearest[0].place == expected.nearest
    assert found.elsewhere[0].place == expected.equal_mass_elsewhere
    assert (found.most_attended[0].mass, found.elsewhere[0].mass) == (expected.mass, expected.mass_elsewhere)
    assert found.shared == (expected.shared,)
    assert (found.rank_attention, found.rank_distance) == (expected.rank_correlation, expected.rank_distance)
    assert found.bridge_off == expected.bridge_off > 0


def test_place_and_tile_are_told_apart_and_draws_are_averaged(faith, answer):
    with torch.inference_mode():
        most = faith.sets_of(27, 3, np.random.default_rng(0)).most
        change = faith.change(most, "bridge")
    assert answer.counts == (1, 3)
    assert answer.most_attended[1].place == change[27] > 0
    assert answer.most_attended[1].tile == pytest.approx(change.mean(), rel=1e-6)
    drawn = answer.elsewhere[0]
    assert drawn.place == pytest.approx((drawn.low + drawn.high) / 2)  # of two draws
    assert drawn.low < drawn.high
    assert answer.most_attended[1].low == answer.most_attended[1].high == answer.most_attended[1].place
    assert answer.elsewhere[1].mass >= answer.most_attended[1].mass  # enough of it lies elsewhere here
    assert answer.forecast == faith.before[27]


@torch.inference_mode()
def test_hiding_nothing_changes_nothing(faith):
    assert faith.change([], "bridge").max() == 0
    assert faith.mass(27, []) == 0


def test_a_picture_that_the_forecast_does_not_mind_is_found_out(deaf, day):
    """Its attention is as pretty as any; hiding what it looks at changes exactly nothing."""
    faith = faith_of(deaf, day)
    assert faith.attention[27].max() > 0.03
    answer = ask_place(faith, 27, PLAN)
    effects = (*answer.most_attended, *answer.nearest, *answer.elsewhere)
    assert {(effect.place, effect.tile) for effect in effects} == {(0.0, 0.0)}
    assert answer.bridge_off == answer.bridge_off_tile == 0
    assert math.isnan(answer.rank_attention)


def test_each_lead_time_is_asked_on_its_own(drawn, day, answer):
    later = ask_place(faith_of(drawn, day, 3), 27, PLAN)
    assert (answer.lead, later.lead) == (1, 3)
    assert later.forecast != answer.forecast
    assert later.most_attended[0].place != answer.most_attended[0].place


def test_more_than_half_of_the_patches_are_never_hidden(faith):
    """16 of the 49 are real: 8 are hidden at most, so that there is something left to look at."""
    assert faith.valid.sum() == 16
    assert ask_place(faith, 27, PlacePlan(hidden=(2, 8, 9, 40), draws=1, near=1, far=0)).counts == (2, 8)


def test_whoever_asks_learns_how_far_it_is_and_may_end_it(faith):
    told = []

    def tell(done, total, left):
        told.append((done, total, left))
        if done == 3:
            raise ForecastCancelledError("Enough.")

    with pytest.raises(ForecastCancelledError):
        ask_place(faith, 27, PLAN, progress=tell)
    # at most 6 alone, 2 x 2 sets, 2 x 2 draws and one without the bridge; equal sets are hidden once
    assert [done for done, _, _ in told] == [1, 2, 3]
    assert 8 <= told[0][1] <= 15


def test_a_place_without_a_forecast_is_refused(faith):
    sea = copy.copy(faith)
    sea.before = np.where(np.arange(64) == 5, np.nan, faith.before)
    with pytest.raises(RefusedError, match="no forecast at this place .* choose a place on land"):
        ask_place(sea, 5, PLAN)


def test_an_answer_is_read_as_it_was_written(answer, tmp_path):
    answer.write(RunFolder(tmp_path))
    assert PlaceAnswer.read(RunFolder(tmp_path)) == answer
