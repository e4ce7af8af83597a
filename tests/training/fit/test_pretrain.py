"""The global branch alone: what it learns, which fields of the recipe act, what is left out and told."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.model import CranPM
from cranpm.training.batches.source import TrainingData, training_days
from cranpm.training.fit.health import NonFiniteError
from cranpm.training.fit.pretrain import _groups, pretrain_global
from cranpm.training.job import run_job
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.state import TrainStateError, TrainStates

LAST = np.datetime64("2017-01-12")
"""Three days after the last init day, and no other's input or target."""


@pytest.fixture(scope="module")
def taught(quick):
    """Four steps: two epochs of eight days; gradients are clipped, biases learn in every second step."""
    return replace(quick, global_epochs=2, gradient_clip=1e-3, bias_update_interval=2)


def pretrain(recipe, data, folder, *, first_weights=0, **of_session):
    """The weights after the stage."""
    torch.manual_seed(first_weights)
    network = CranPM(recipe.model)
    session = Session(out=folder, report=lambda line: None, **of_session)
    pretrain_global(network, recipe, data, TrainerOptions(save_every=1), session)
    return network.state_dict()


def differ(one, other):
    return any(not torch.equal(weight, other[name]) for name, weight in one.items())


def test_the_global_branch_learns_that_the_air_gets_cleaner(data, recipe, tmp_path):
    lines = []
    torch.manual_seed(0)
    taught = replace(recipe, global_epochs=12, global_learning_rate=3e-3, bias_update_interval=1)
    session = Session(out=tmp_path, report=lines.append)
    pretrain_global(CranPM(recipe.model), taught, data, TrainerOptions(), session)
    last = float(lines[-1].split("RMSE ")[1].split("%")[0])
    assert last < -20  # per cent against persistence, which misses the whole fall


class WithTerrainAndPuffs:
    """A source with mountains, which priors act on, that tells what puffs of each day would do."""

    def __init__(self, world):
        self._world = world
        rng = np.random.default_rng(2)
        self.coarse_elevation = rng.uniform(0, 3000, world.coarse_elevation.shape).astype(np.float32)

    def __getattr__(self, name):
        return getattr(self._world, name)

    def puff_response(self, day):
        return np.full((4, *self._world.domain.coarse_box.shape), 20.0, np.float32)


@pytest.fixture(scope="module")
def puff_data(make_world, statistics):
    return TrainingData(source=WithTerrainAndPuffs(make_world()), statistics=statistics)


@pytest.fixture(scope="module")
def plain_weights(taught, puff_data, tmp_path_factory):
    return pretrain(taught, puff_data, tmp_path_factory.mktemp("plain"))


def test_the_same_recipe_gives_the_same_weights(taught, puff_data, plain_weights, tmp_path):
    assert not differ(plain_weights, pretrain(taught, puff_data, tmp_path))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 2),
        ("weight_decay", 0.5),
        ("gradient_clip", 0.0),
        ("prior_lr_mult", 2.0),
        ("bias_update_interval", 1),
        ("global_epochs", 1),
        ("global_learning_rate", 1e-3),
        ("global_days_per_step", 2),
        ("leads", (1,)),
        ("puff_share", 0.9),
        ("precision", "bf16-mixed"),
    ],
)
def test_each_field_that_speaks_of_it_acts(field, value, taught, puff_data, plain_weights, tmp_path):
    assert getattr(taught, field) != value
    assert differ(plain_weights, pretrain(replace(taught, **{field: value}), puff_data, tmp_path))


def test_the_split_decides_which_days_are_seen(taught, make_world, statistics, tmp_path):
    world = make_world()
    shorter = replace(taught, splits=replace(taught.splits, train=("2017-01-01", "2017-01-06")))
    pretrain(shorter, TrainingData(source=world, statistics=statistics), tmp_path)
    assert max(world.opened) == np.datetime64("2017-01-06")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 60),
        ("learning_rate", 1e-3),
        ("min_lr", 1e-4),
        ("global_lr_mult", 0.1),
        ("days_per_step", 3),
        ("tile_size", 256),
        ("station_weight", 0.3),
        ("max_skipped_steps", 1),
    ],
)
def test_fields_of_the_tile_stage_change_nothing_here(
    field, value, taught, puff_data, plain_weights, tmp_path
):
    assert getattr(taught, field) != value
    assert not differ(plain_weights, pretrain(replace(taught, **{field: value}), puff_data, tmp_path))


def test_weight_decay_pulls_weights_towards_zero(taught, data, tmp_path):
    # no gradient step to speak of: AdamW then multiplies each kernel by 1 - rate x decay a step
    slow = replace(taught, global_learning_rate=1e-6, weight_decay=1e5, puff_share=0.0)
    torch.manual_seed(0)
    before = CranPM(slow.model).global_branch.state_dict()
    after = pretrain(slow, data, tmp_path)
    name = next(n for n in before if n.endswith("weight") and before[n].ndim == 2 and before[n].any())
    ratio = float(after[f"global_branch.{name}"].norm() / before[name].norm())
    free = pretrain(replace(slow, weight_decay=0.0), data, tmp_path)
    # OneCycle over four steps, warm-up a tenth of them: rates are at most 1e-6, so decay at most 0.1 a step
    assert 0.6 < ratio < 0.95
    assert float(free[f"global_branch.{name}"].norm() / before[name].norm()) == pytest.approx(1, abs=1e-3)


@pytest.fixture
def overflowing(make_world, statistics):
    """Coarse PM2.5 of the last valid day is absurd, though finite: the loss overflows with the last init day."""
    world = make_world()
    plain = world.coarse

    def coarse(day):
        fields = plain(day)
        return fields * np.float32(1e25) if np.datetime64(day, "D") == LAST else fields

    world.coarse = coarse
    return TrainingData(source=world, statistics=statistics)


def test_a_step_whose_loss_overflows_moves_nothing_is_counted_and_named(taught, overflowing, tmp_path):
    all_at_once = replace(taught, global_days_per_step=8)  # two steps, each with the last init day
    states = TrainStates(tmp_path / "train_state", {})
    torch.manual_seed(0)
    before = CranPM(taught.model).state_dict()
    message = "Step 2 of pretraining left out, 2 in a row .at most 5., loss inf: init days .*2017-01-09"
    with pytest.warns(UserWarning, match=message):
        after = pretrain(all_at_once, overflowing, tmp_path, states=states)
    assert not differ(before, after)
    assert states.newest().document["skipped"] == 2


def test_steps_without_that_day_go_on_learning(taught, overflowing, tmp_path):
    states = TrainStates(tmp_path / "train_state", {})
    with pytest.warns(UserWarning, match="left out, 1 in a row") as told:
        after = pretrain(taught, overflowing, tmp_path, states=states)
    torch.manual_seed(0)
    assert differ(CranPM(taught.model).state_dict(), after)
    assert all(torch.isfinite(weight).all() for weight in after.values())
    assert sum("left out" in str(warning.message) for warning in told) == 2  # once an epoch
    assert states.newest().document["skipped"] == 2


def test_one_more_than_the_recipe_allows_ends_the_run(taught, overflowing, tmp_path):
    strict = replace(taught, global_days_per_step=8, max_skipped_steps=1)
    message = r"2 steps in a row of pretraining .*at most 1 .*last, step 2, loss inf: init days .*2017-01-09"
    with pytest.warns(UserWarning, match="left out"), pytest.raises(NonFiniteError, match=message):
        pretrain(strict, overflowing, tmp_path)


def test_days_that_cannot_be_read_are_left_out_by_name(taught, make_world, statistics, tmp_path):
    world = make_world()
    plain = world.coarse

    def coarse(day):
        fields = plain(day)
        if np.datetime64(day, "D") == np.datetime64("2017-01-01"):  # the day before the first init day
            fields[30, 0, 0] = np.inf
        return fields

    world.coarse = coarse
    data = TrainingData(source=world, statistics=statistics)
    states = TrainStates(tmp_path / "train_state", {})
    message = "of pretraining left out, .*init day 2017-01-02: coarse fields of 2017-01-01 holds 1 infinite"
    with pytest.warns(UserWarning, match=message):
        pretrain(taught, data, tmp_path, states=states)
    assert states.newest().document["skipped"] == 2  # once an epoch


def test_what_pretraining_left_out_is_told_with_the_checkpoint(quick, overflowing, tmp_path):
    recipe = replace(quick, global_epochs=1, steps=1, coarse_weight=0.0)
    options = TrainerOptions(workers=0, bar=False)
    data = replace(overflowing, about={"simulated": True})
    with pytest.warns(UserWarning, match="of pretraining left out"):
        made = run_job(recipe, data, tmp_path / "run", options=options, report=lambda line: None)
    assert made.meta["training"]["skipped_steps"] == 1
    assert "1 of 1 steps, 1 steps left out" in (made.folder / "card.md").read_text()


@pytest.mark.parametrize("size", [1, 3, 4, 5, 8, 9])
def test_an_epoch_shows_every_day_once(size, data, taught):
    days = training_days(data.source, taught)
    recipe = replace(taught, global_days_per_step=size)
    for epoch in range(3):
        groups = _groups(days, recipe, epoch)
        assert sorted(day for group in groups for day in group) == days
        assert {len(group) for group in groups[:-1]} <= {size}
    assert _groups(days, recipe, 0) != _groups(days, recipe, 1)


def test_a_state_of_the_version_before_is_refused(taught, data, tmp_path):
    states = TrainStates(tmp_path / "train_state", {})
    pretrain(taught, data, tmp_path, states=states)
    old = states.newest().load()
    del old["health"]
    saved = states.save(old, 4, "global")
    with pytest.raises(TrainStateError, match="begun by an earlier version .*Begin anew in another folder"):
        pretrain(taught, data, tmp_path, states=states, saved=saved)


def test_a_network_without_a_global_branch_has_nothing_to_learn(taught, data, tmp_path):
    model = replace(
        taught.model, fusion="none", bridge_reach=False, local_position="tile", height_damping=False,
        transport=False, coarse_forecast=False, coarse_predictors=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match="Nothing to pretrain: this network has no global branch"):
        pretrain(replace(taught, model=model), data, tmp_path)


def test_nothing_is_told_where_nothing_is_wrong(taught, data, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pretrain(taught, data, tmp_path)
