"""Two processes learn what one does with the same global batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.loop import train
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
