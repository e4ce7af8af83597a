"""A run that was stopped and resumed is the run that was not, bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from cranpm.model import CranPM
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit import callbacks, pretrain
from cranpm.training.fit.loop import train
from cranpm.training.fit.pretrain import pretrain_global
from cranpm.training.job import run_job
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.signals import StopRequest, TrainingStopped
from cranpm.training.state.state import TrainStateError, TrainStates


def states_of(folder, recipe, **other):
    return TrainStates(folder / "train_state", {"recipe": recipe.to_dict(), "data": {"days": 12}} | other)


def run(world, statistics, recipe, folder, *, validate_every=1000, **of_session):
    states = states_of(folder, recipe)
    options = TrainerOptions(workers=0, save_every=3, validate_every=validate_every)
    data = TrainingData(source=world, statistics=statistics)
    train(recipe, data, options, Session(out=folder, states=states, **of_session))
    return states.newest()


class StopAfter(Callback):
    """Breaks a run off in the step after the given one, whose state has been saved."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise ConnectionAbortedError("broken off by the test")


@pytest.fixture(scope="module")
def straight(make_world, statistics, quick, tmp_path_factory):
    """Six steps in one go: six of the epoch's eight day groups."""
    return run(make_world(), statistics, quick, tmp_path_factory.mktemp("straight"))


@pytest.fixture
def broken_off(make_world, statistics, quick, tmp_path):
    """The state after three of the six steps."""
    with pytest.raises(ConnectionAbortedError):
        run(make_world(), statistics, quick, tmp_path, callbacks=[StopAfter(3)])
    saved = states_of(tmp_path, quick).newest()
    assert saved.step == 3
    return saved


def differences(a, b, path=""):
    """Paths of all values in which two states differ, other than by time."""
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [path]
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        return [d for key in a for d in differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{path}.{i}")]
    return [] if a == b else [path]


def test_a_resumed_run_ends_in_the_very_state_of_one_that_never_stopped(
    world, statistics, quick, tmp_path, straight, broken_off
):
    resumed = run(world, statistics, quick, tmp_path, saved=broken_off)
    one, two = straight.load(), resumed.load()
    assert straight.step == resumed.step == 6
    assert set(one) >= {"state_dict", "current_model_state", "optimizer_states", "lr_schedulers", "random"}
    for part in (
        "state_dict",
        "current_model_state",
        "averaging_state",
        "optimizer_states",
        "lr_schedulers",
        "random",
    ):
        assert differences(one[part], two[part], part) == []
    assert one["global_step"] == two["global_step"] == 6


def test_without_the_random_streams_it_would_not(
    world, statistics, quick, tmp_path, straight, broken_off, monkeypatch
):
    monkeypatch.setattr(callbacks, "restore_random_state", lambda state: None)
    resumed = run(world, statistics, quick, tmp_path, saved=broken_off)
    assert differences(straight.load()["optimizer_states"], resumed.load()["optimizer_states"])


def test_validating_on_the_way_changes_nothing_that_is_learned(
    make_world, statistics, quick, tmp_path, straight
):
    validated = run(make_world(validation=True), statistics, quick, tmp_path, validate_every=2)
    one, two = straight.load(), validated.load()
    for part in ("current_model_state", "state_dict", "optimizer_states", "random"):
        assert differences(one[part], two[part], part) == []
    assert "skill" in TrainStates(validated.folder.parent, {}).scores(6)


def test_the_two_last_states_are_kept_and_nothing_half_written(straight):
    names = sorted(p.name for p in straight.folder.parent.iterdir())
    assert names == ["step-100000003", "step-100000006"]


def test_a_state_of_another_recipe_or_network_is_refused(tmp_path, quick, straight):
    wider = replace(quick, learning_rate=2e-3, model=replace(quick.model, local_width=32))
    states = TrainStates(straight.folder.parent, {"recipe": wider.to_dict(), "data": {"days": 12}})
    message = r"another recipe: learning_rate was 0.01, is 0.002, model.local_width was 16, is 32.*begin anew"
    with pytest.raises(TrainStateError, match=message):
        states.refuse_other_run(states.newest())


def test_a_state_of_other_data_is_refused(straight, quick):
    states = TrainStates(straight.folder.parent, {"recipe": quick.to_dict(), "data": {"days": 13}})
    with pytest.raises(TrainStateError, match="another data set: days was 12, is 13"):
        states.refuse_other_run(states.newest())


def pretrain_stage(world, statistics, recipe, folder, *, report=lambda line: None, **of_session):
    torch.manual_seed(0)
    states = states_of(folder, recipe)
    taught = replace(recipe, global_epochs=6, bias_update_interval=2)
    data = TrainingData(source=world, statistics=statistics)
    session = Session(out=folder, states=states, report=report, **of_session)
    pretrain_global(CranPM(recipe.model), taught, data, TrainerOptions(save_every=3), session)
    return states.newest()


def test_pretraining_resumes_exactly_too(make_world, statistics, quick, tmp_path):
    straight = pretrain_stage(make_world(), statistics, quick, tmp_path / "straight")
    world, stop = make_world(), StopRequest()
    plain, passes = world.coarse, []

    def coarse(day):
        if passes:  # in the middle of the second pass
            stop.ask()
        return plain(day)

    world.coarse = coarse
    with pytest.raises(TrainingStopped, match="of the global branch. Go on with --resume"):
        pretrain_stage(world, statistics, quick, tmp_path / "two", stop=stop, report=passes.append)
    saved = states_of(tmp_path / "two", quick).newest()
    assert saved.stage == "global" and 0 < saved.step < straight.step == 12 and saved.step % 2
    resumed = pretrain_stage(make_world(), statistics, quick, tmp_path / "two", saved=saved)
    assert differences(straight.load(), resumed.load()) == []


def small_state(tmp_path, steps=(1, 2)):
    states = TrainStates(tmp_path / "train_state", {"recipe": {"a": 1}})
    for step in steps:
        states.save({"weights": torch.full((64,), float(step))}, step)
    return states


def test_a_state_of_a_newer_format_is_refused(tmp_path):
    states = small_state(tmp_path)
    path = states.newest().folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))  # before its seal is looked at
    with pytest.raises(TrainStateError, match="state format 2; this cranpm reads up to 1. Update"):
        states.newest()


@pytest.mark.parametrize("name", ["state.pt", "state.json"])
def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, name):
    states = small_state(tmp_path)
    path = states.newest().folder / name
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]):
        path.write_bytes(damage)
        with pytest.warns(UserWarning, match="left out"):
            assert states.newest().step == 1


def test_no_whole_state_is_an_error_and_not_a_new_beginning(tmp_path):
    states = small_state(tmp_path)
    for path in states.folder.glob("*/state.pt"):
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(TrainStateError, match="None of the 2 states"),
    ):
        states.newest()


def test_the_time_of_pretraining_and_of_earlier_starts_is_counted(
    make_world, statistics, quick, tmp_path, monkeypatch
):
    ticks = iter(range(0, 10**9, 600))
    monkeypatch.setattr(pretrain, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    recipe = replace(quick, global_epochs=1, steps=2)
    data = TrainingData(
        source=make_world(), statistics=statistics, fingerprint={"days": 12}, about={"simulated": True}
    )
    made = run_job(recipe, data, tmp_path / "run", options=TrainerOptions(workers=0))
    minutes = made.meta["training"]["minutes"]
    assert minutes >= 10
    states = states_of(tmp_path / "again", recipe)
    run(make_world(), statistics, replace(recipe, steps=1), tmp_path / "again", seconds_before=1200.0)
    assert states.newest().document["seconds"] >= 1200
