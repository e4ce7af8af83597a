"""Puffs in training: inputs and targets change by what the simulator says, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.data.sampler import TileSampler
from cranpm.data.store.source import source_statistics
from cranpm.domain import COARSE_CHANNELS, PM_SCALE, channel_index
from cranpm.training.batches import puffs
from cranpm.training.batches.batches import CoarseChange, make_batch
from cranpm.training.batches.puffs import COMPANIONS, STRENGTHS, Puffs
from cranpm.training.recipes.recipes import tiny

LEADS = (1, 2, 3)
SIZE = 128


@pytest.fixture(scope="module")
def world(make_world):
    """A source that can tell where 10 ug m-3 at one node go: one node east a day, whole."""
    made = make_world()
    response = np.zeros((4, *made.domain.coarse_box.shape), np.float32)
    for later in range(4):
        response[later, 10, 10 + later] = 10.0
    made.puff_response = lambda day: response
    return made


@pytest.fixture(scope="module")
def batches(world):
    """The same draws with and without puffs, all of it at full strength."""
    statistics = source_statistics(world, world.days)
    sampler = TileSampler(
        world.days[1:9], world.land, world.domain.fine,
        tile_size=SIZE, tiles_per_day=12, hotspot_ratio=0.0, seed=3,
    )  # fmt: skip
    groups = tuple(sampler.group(0, index) for index in range(4))
    change = CoarseChange(world, LEADS)
    plain = make_batch(world, groups, statistics, change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(puffs, "STRENGTHS", (1.0, 1.0))
        puffed = make_batch(world, groups, statistics, change, puffs=Puffs(world, 1.0, seed=5))
    return plain, puffed, statistics


def test_inputs_of_day_t_hold_the_puffs_and_day_before_does_not(batches):
    plain, puffed, statistics = batches
    added = puffed.global_inputs.fields - plain.global_inputs.fields
    pm2p5 = channel_index("pm2p5@t", COARSE_CHANNELS)
    assert added[:, pm2p5, 10, 10].numpy() == pytest.approx(10 / statistics.std["pm2p5"], rel=1e-4)
    others = [i for i in range(70) if COARSE_CHANNELS[i].name not in ("pm2p5@t", "pm10@t", "co@t")]
    assert not added[:, others].any()
    pm10 = added[:, channel_index("pm10@t", COARSE_CHANNELS), 10, 10].numpy() * statistics.std["pm10"]
    expected = {0.0, 10 * COMPANIONS["pm10"]}
    assert {min(expected, key=lambda e: abs(e - value)) for value in pm10} == expected  # half of the days
    assert torch.equal(plain.local_inputs.fields[:, 4], puffed.local_inputs.fields[:, 4])


def test_targets_hold_what_the_puffs_became(batches):
    plain, puffed, _ = batches
    checked = 0
    draws = [tile for group in plain.groups for tile in group.tiles]
    for k, tile in enumerate(draws):
        for field, later in (("today", 0), ("target", tile.lead)):
            more = (getattr(puffed, field)[k] - getattr(plain, field)[k]).numpy()
            # node (10, 10 + later) lies at fine cells 249.5, 24.5 + 25 * ...: between two cells, 1 - 0.5/25 of it
            row, col = 250 - tile.row, 25 * (10 + later) - tile.col
            if 0 < row < SIZE and 0 < col < SIZE:
                assert more[row, col] == pytest.approx(10 * (1 - 0.5 / 25) ** 2, abs=0.01)
                checked += 1
            far = np.abs(np.arange(SIZE) + tile.row - 250) > 26
            assert np.abs(more[far]).max(initial=0.0) == pytest.approx(0, abs=1e-4)
    assert checked > 3


def test_the_coarse_change_is_that_of_the_puffs_too(batches):
    plain, puffed, _ = batches
    change = (puffed.coarse_change - plain.coarse_change) * PM_SCALE
    for lead in LEADS:
        assert change[:, lead - 1, 10, 10].numpy() == pytest.approx(-10, abs=1e-3)
        assert change[:, lead - 1, 10, 10 + lead].numpy() == pytest.approx(10, abs=1e-3)


def test_the_draw_is_named_by_seed_epoch_and_day(world):
    share = Puffs(world, 0.3, seed=1)
    drawn = [[share.draw(epoch, day) is not None for day in world.days] for epoch in range(40)]
    again = [
        [Puffs(world, 0.3, seed=1).draw(epoch, day) is not None for day in world.days] for epoch in range(40)
    ]
    assert drawn == again
    assert drawn[0] != drawn[1]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.06)  # 480 draws: s.d. 0.02


def test_a_day_has_another_amount_in_each_epoch_the_same_on_its_whole_way(world):
    share = Puffs(world, 1.0, seed=1)
    day = world.days[1]
    known = world.puff_response(day)
    factors = []
    for epoch in range(200):
        response = share.draw(epoch, day).response
        factors.append(response[0, 10, 10] / known[0, 10, 10])
        assert response == pytest.approx(factors[-1] * known)
    assert STRENGTHS[0] <= min(factors) < 0.4
    assert 1.35 < max(factors) <= STRENGTHS[1]


def test_a_source_that_cannot_tell_trains_without(make_world):
    assert Puffs.of(replace(tiny(), puff_share=0.5), make_world()) is None


def test_a_recipe_without_puffs_has_none(world):
    assert Puffs.of(replace(tiny(), puff_share=0.0), world) is None
    with pytest.raises(ValueError, match="puff_share"):
        replace(tiny(), puff_share=1.5)
