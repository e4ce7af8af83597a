"""What does not depend on the number of processes: what is learned from a global batch, the epoch, the validation."""

from __future__ import annotations

import contextlib
import copy
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.model import CranPM
from cranpm.training.batches.batches import BadSampleError
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.validation import validation_batches
from cranpm.training.fit.loop import batch_loader, train, training_batches
from cranpm.training.fit.module import Training
from cranpm.training.report.curve import read_curves
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.state import TrainStates


def learned(world, statistics, recipe, folder, **settings):
    states = TrainStates(folder / "train_state", {})
    data = TrainingData(source=world, statistics=statistics)
    options = TrainerOptions(workers=0, save_every=1000, **settings)
    train(recipe, data, options, Session(out=folder, states=states))
    return states.newest().load()["state_dict"], dict(read_curves(folder)["train/loss"])


def test_two_processes_equal_one_with_the_same_global_batch(make_world, statistics, quick, tmp_path):
    # without dropout, which each process draws for itself; half of the land is missing, so that the shares of land
    # and of stations differ between processes; decoder and biases are left out of some steps
    still = replace(quick.model, input_dropout=0.0, drop_path=0.0)
    recipe = replace(
        quick,
        model=still,
        steps=4,
        token_steps=1,
        bias_update_interval=2,
        station_weight=0.5,
        average_decay=None,
    )
    world = make_world(land_east=False).with_stations()
    one, losses = learned(world, statistics, replace(recipe, days_per_step=2), tmp_path / "one")
    settings = {"devices": 2, "launcher": "fork"}
    two, shared = learned(world, statistics, replace(recipe, days_per_step=1), tmp_path / "two", **settings)
    assert len(losses) == 4
    for step, loss in losses.items():
        # float32 sums in another order: 1e-6 a step, a little more after Adam's division by small momenta
        assert shared[step] == pytest.approx(loss, rel=1e-4)
    for name, weight in one.items():
        assert (two[name] - weight).abs().max() < 2e-2 * recipe.learning_rate * recipe.steps, name


@pytest.fixture(scope="module")
def validated(make_world, statistics, quick, tmp_path_factory):
    """Scores of the same weights on the same validation days, by the number of processes."""
    recipe = replace(quick, steps=1, average_decay=None, station_weight=0.5, learning_rate=1e-30, min_lr=0.0)
    torch.manual_seed(0)
    network = CranPM(recipe.model)
    torch.nn.init.normal_(network.decoder.head.weight, std=0.05)  # one that says something
    before = {name: weight.clone() for name, weight in network.state_dict().items()}

    def scores(processes, days, broken=None):
        world = make_world(validation=days + 4).with_stations(2000)  # t-1 and t+3 of each
        plain = world.coarse
        world.coarse = lambda day: plain(day) * np.float32(np.inf if str(day) == broken else 1)
        folder = tmp_path_factory.mktemp("run")
        states = TrainStates(folder / "train_state", {})
        options = TrainerOptions(workers=0, bar=False, validate_every=1, devices=processes, launcher="fork")
        data = TrainingData(source=world, statistics=statistics)
        train(recipe, data, options, Session(out=folder, states=states), network=copy.deepcopy(network))
        saved = states.newest().load()["state_dict"]
        assert all((saved[f"network.{name}"] - weight).abs().max() < 1e-25 for name, weight in before.items())
        return states.scores(1)

    return functools.cache(scores)


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("days", [5, 2], ids=["five days", "fewer days than three processes"])
def test_the_validation_score_is_that_of_one_process(validated, processes, days):
    one, many = validated(1, days), validated(processes, days)
    assert one["days"] == days
    assert one["rmse"] != pytest.approx(one["rmse_persistence"], rel=1e-3)
    assert {"skill_low", "rmse_station", "rmse_station_held_out"} <= one.keys()
    assert many == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_day_that_cannot_be_used_is_left_out_of_the_score_whoever_reads_it(validated, processes):
    last = "2021-01-06"  # of five init days, and no other one's today or day before
    told = pytest.warns(
        UserWarning, match=f"Validation day {last} is left out: init day {last}: coarse fields"
    )
    with told if processes == 1 else contextlib.nullcontext():  # several are forked, and warn on their own
        found = validated(processes, 5, last)
    assert found["days"] == 4
    assert found == pytest.approx(validated(1, 5, last), rel=1e-6)
    assert found["rmse"] != pytest.approx(validated(1, 5)["rmse"], rel=1e-6)


def test_no_usable_validation_day_is_an_error(make_world, statistics, quick):
    world = make_world(validation=True)
    world.broken = dict.fromkeys(world.days[12:], np.inf)
    batches = validation_batches(quick, TrainingData(source=world, statistics=statistics), days=2)
    with (
        pytest.warns(UserWarning, match="Validation day 2021-01-02 is left out"),
        pytest.raises(BadSampleError, match="None of the 2 validation days can be used"),
    ):
        next(iter(batches))


def test_days_without_a_product_count_nowhere(make_world, statistics, quick):
    world = make_world(validation=True)
    world.broken = {np.datetime64("2021-01-03"): np.nan}
    plain = world.pm2p5

    def pm2p5(day, rows, cols):  # all of the second init day is missing
        return plain(day, rows, cols) * np.float32(np.nan if day == np.datetime64("2021-01-03") else 1)

    world.pm2p5 = pm2p5
    data = TrainingData(source=world, statistics=statistics)
    batches = list(validation_batches(quick, data, days=2))
    assert len(batches) == 2 and not batches[1].mask.any()
    module = Training(quick).eval()
    module.on_validation_epoch_start()
    for number, batch in enumerate(batches):
        module.validation_step(batch, number)
    assert list(module._validated) == [0]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("days_per_step", [1, 2, 3])
def test_an_epoch_holds_every_day_once_whatever_the_processes(size, days_per_step, data, quick):
    recipe = replace(quick, days_per_step=days_per_step)
    length, epochs = 8, 3  # 2017-01-02 .. 09
    seen = []
    for step in range(-(-length * epochs // (days_per_step * size))):
        shares = []
        for rank in range(size):
            batches = training_batches(recipe, data)
            batches.share = (rank, size)
            shares.append(batches.groups(step))
        seen += [(group.epoch, group.index) for together in zip(*shares) for group in together]
    # one sequence without gap or repeat, cut into steps and dealt out
    assert seen[: length * epochs] == [(epoch, index) for epoch in range(epochs) for index in range(length)]
    sampler = training_batches(recipe, data).sampler
    for epoch in range(epochs):
        drawn = [sampler.group(epoch, index).init_time for index in range(length)]
        assert sorted(drawn) == sorted(sampler.init_times)


def test_readers_of_one_process_keep_the_order_of_steps(data, quick):
    batches = training_batches(quick, data)
    loader = batch_loader(batches, 2, batches.sampler.seed, prefetch=4)
    read = [batch.groups for batch, _ in zip(loader, range(5))]
    assert read == [batches.groups(step) for step in range(5)]
