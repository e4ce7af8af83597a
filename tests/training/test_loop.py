from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from cranpm.data.source import init_times, source_statistics
from cranpm.domain import domain_from_corner
from cranpm.domain.splits import Splits
from cranpm.model import CranPM
from cranpm.training.loop import train
from cranpm.training.module import Training, parameter_groups, rate_factor
from cranpm.training.pretrain import pretrain_global
from cranpm.training.recipes import tiny


class DecayingWorld:
    """Twelve days in which PM2.5 falls by a fifth each day: what tomorrow brings can be learned from today."""

    name = "test"
    domain = domain_from_corner("corner", "Corner", north=48.0, west=6.0, coarse_rows=28, coarse_cols=28)
    days = np.arange(np.datetime64("2017-01-01"), np.datetime64("2017-01-13"))

    def __init__(self):
        self._pattern = np.random.default_rng(0).uniform(10, 90, self.domain.fine.shape).astype(np.float32)
        self._coarse = (
            np.random.default_rng(1).normal(0, 1, (35, *self.domain.coarse_box.shape)).astype(np.float32)
        )
        self._coarse[4] = np.abs(self._coarse[4])
        self.land = np.ones(self.domain.fine.shape, dtype=bool)
        self.elevation = np.zeros(self.domain.fine.shape, dtype=np.float32)
        self.coarse_elevation = np.zeros(self.domain.coarse_box.shape, dtype=np.float32)

    def _left(self, day):
        return np.float32(0.8 ** int((day - self.days[0]) / np.timedelta64(1, "D")))

    def coarse(self, day):
        fields = self._coarse.copy()
        fields[30] = 40 * self._left(day)
        return fields

    def pm2p5(self, day, rows, cols):
        return self._pattern[rows, cols] * self._left(day)


@pytest.fixture(scope="module")
def world():
    return DecayingWorld()


@pytest.fixture(scope="module")
def recipe():
    return replace(
        tiny(), steps=6, token_steps=3, warmup_steps=2, days_per_step=1, tiles_per_day=1, precision="32-true"
    )


@pytest.fixture(scope="module")
def statistics(world):
    with np.errstate(all="ignore"):
        return source_statistics(world, world.days)


def test_training_runs_through_its_stages_and_moves_the_map(world, recipe, statistics, tmp_path):
    torch.manual_seed(0)
    network = CranPM(recipe.model)
    before = network.decoder.head.weight.detach().clone()
    trained = train(recipe, world, statistics, tmp_path, network=network, workers=0)
    assert not trained.training
    assert not torch.equal(trained.decoder.head.weight, before)
    assert all(torch.isfinite(p).all() for p in trained.parameters())
    assert list(tmp_path.glob("tensorboard/*/events*"))


def test_the_global_branch_learns_that_the_air_gets_cleaner(world, recipe, statistics):
    torch.manual_seed(0)
    lines = []
    days = init_times(world, "train", Splits(), (1, 2, 3))
    pretrain_global(
        CranPM(recipe.model),
        world,
        statistics,
        days,
        epochs=6,
        days_per_step=2,
        learning_rate=3e-3,
        report=lines.append,
    )
    last = float(lines[-1].split("RMSE ")[1].split("%")[0])
    assert last < -20  # per cent against persistence, which misses the whole fall


def test_every_parameter_is_optimised_once_and_priors_do_not_decay(recipe):
    module = Training(recipe)
    groups = parameter_groups(module, recipe)
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids)) == len(list(module.parameters()))
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in module.named_parameters():
        if any(part in name for part in ("beta", "raw_alpha", "norm", "table", "bias")):
            assert decays[id(parameter)] == 0.0, name
        if name.endswith(("beta", "raw_alpha", "raw_reach")):
            assert rates[id(parameter)] == recipe.learning_rate * recipe.prior_rate
        elif "global_branch" in name:
            assert rates[id(parameter)] == recipe.learning_rate * recipe.global_rate
        elif "local_branch" in name:
            assert rates[id(parameter)] == recipe.learning_rate


def test_biases_held_between_their_steps_learn_in_them(world, recipe, statistics, tmp_path):
    seen = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, module, *_):
            seen.append(module.network.bridge.layers[0].beta.detach().clone())

    torch.manual_seed(0)
    slow = replace(recipe, bias_every=4, steps=8, token_steps=9, average_decay=None)
    train(slow, world, statistics, tmp_path, workers=0, callbacks=[Watch()])
    moved = [not torch.equal(a, b) for a, b in itertools.pairwise([torch.ones(4), *seen])]
    assert moved == [False, False, False, True] * 2


def test_the_rate_warms_up_and_falls_to_its_floor(recipe):
    recipe = replace(recipe, steps=100, warmup_steps=10, learning_rate=1e-3, least_learning_rate=1e-5)
    assert rate_factor(0, recipe) == pytest.approx(0.1)
    assert rate_factor(10, recipe) == pytest.approx(1.0)
    assert rate_factor(100, recipe) == pytest.approx(0.01)
