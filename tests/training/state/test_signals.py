"""Stops and kills, one trainer a folder."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm import _files
from cranpm.training.batches.source import TrainingData
from cranpm.training.command import TrainCommand
from cranpm.training.fit.module import Training
from cranpm.training.state import signals
from cranpm.training.state.lock import lock_run
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.signals import STOPPED_EXIT_CODE, StopRequest, TrainingStopped
from cranpm.training.state.state import TrainStates

FORK = multiprocessing.get_context("fork")


def start(folder, world, statistics, recipe, prepare=lambda: None, resume=False):
    """A run without end, in a process of its own that says when it is under way."""

    class Command(TrainCommand):
        def resolve_recipe(self):
            return recipe

        def open_data(self, recipe, progress=None):
            return TrainingData(
                source=world, statistics=statistics, fingerprint={}, about={"simulated": True}
            )

    def child():
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 1)
        prepare()
        options = TrainerOptions(workers=0, save_every=3, validate_every=4)
        os._exit(Command(out=folder, options=options, resume=resume).run((folder.parent / "said").write_text))

    process = FORK.Process(target=child)
    process.start()
    return process


def wait_for(path, process, seconds=60):
    begun = time.monotonic()
    while not path.exists():
        assert process.is_alive() and time.monotonic() - begun < seconds
        time.sleep(0.02)


def stopped(process, number):
    os.kill(process.pid, number)
    begun = time.monotonic()
    process.join(40)
    assert process.exitcode == STOPPED_EXIT_CODE
    assert time.monotonic() - begun < 30


def newest(folder):
    state = TrainStates(folder / "train_state", {}).newest()
    assert state is not None and not list((folder / "train_state").glob(".*"))
    state.load()
    return state


def marker(path, plain, seconds):
    """A function that leaves a mark, then takes its time."""

    def slow(*arguments):
        path.touch()
        time.sleep(seconds)
        return plain(*arguments)

    return slow


def test_sigterm_in_a_step_saves_that_step(tmp_path, make_world, statistics, quick):
    process = start(
        tmp_path / "run", make_world(), statistics, replace(quick, steps=100_000, global_epochs=0)
    )
    folder = tmp_path / "run"
    wait_for(folder / "train_state" / "step-100000003", process)
    time.sleep(0.3)
    stopped(process, signal.SIGTERM)
    step = newest(folder).step
    assert step >= 3
    assert f"As asked. Stopped at step {step}; its state is in" in (tmp_path / "said").read_text()


def test_sigint_while_validating_keeps_the_step_before_it(tmp_path, make_world, statistics, quick):
    world = make_world(validation=True)
    plain, mark = world.pm2p5, tmp_path / "validating"

    def slow(day, rows, cols):
        if day > np.datetime64("2020-01-01"):
            mark.touch()
            time.sleep(0.02)
        return plain(day, rows, cols)

    world.pm2p5 = slow
    process = start(tmp_path, world, statistics, replace(quick, steps=100_000, global_epochs=0))
    wait_for(mark, process)
    stopped(process, signal.SIGINT)
    assert newest(tmp_path).step == 4  # validation comes every four steps


def test_sigterm_inside_a_write_lets_it_end(tmp_path, make_world, statistics, quick):
    mark = tmp_path / "writing"

    def prepare():
        _files._sync_file = marker(mark, _files._sync_file, 0.4)

    recipe = replace(quick, steps=100_000, global_epochs=0)
    process = start(tmp_path, make_world(), statistics, recipe, prepare)
    wait_for(mark, process)
    stopped(process, signal.SIGTERM)
    assert newest(tmp_path).step == 3


def test_sigterm_in_pretraining_saves_it(tmp_path, make_world, statistics, quick):
    process = start(tmp_path, make_world(), statistics, replace(quick, global_epochs=100_000))
    wait_for(tmp_path / "train_state", process)
    stopped(process, signal.SIGTERM)
    assert newest(tmp_path).stage == "global"


def test_a_step_without_end_does_not_outlast_patience(tmp_path):
    def child():
        signals.LAST_WAIT = 0.2
        with StopRequest(patience=0.2):
            (tmp_path / "ready").touch()
            while True:
                time.sleep(0.01)

    process = FORK.Process(target=child)
    process.start()
    wait_for(tmp_path / "ready", process)
    stopped(process, signal.SIGTERM)


def test_a_step_that_takes_too_long_is_broken_off_and_the_state_before_it_saved(
    tmp_path, make_world, statistics, quick, monkeypatch
):
    recipe, mark = replace(quick, steps=4, global_epochs=0), tmp_path / "stuck"
    plain = Training.losses

    def stuck(module, batch):
        terms = plain(module, batch)  # dropout has drawn
        if module.global_step == 2:
            mark.touch()
            for _ in range(600):
                time.sleep(0.05)
        return terms

    def prepare():
        monkeypatch.setattr(signals, "PATIENCE", 0.2)
        monkeypatch.setattr(Training, "losses", stuck)

    process = start(tmp_path / "run", make_world(), statistics, recipe, prepare)
    wait_for(mark, process)
    stopped(process, signal.SIGTERM)
    assert newest(tmp_path / "run").step == 2  # not one of every three
    resumed = start(tmp_path / "run", make_world(), statistics, recipe, resume=True)
    straight = start(tmp_path / "straight", make_world(), statistics, recipe)
    for process in (resumed, straight):
        process.join(60)
        assert process.exitcode == 0
    one, two = (newest(tmp_path / name).load()["state_dict"] for name in ("run", "straight"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_second_signal_stops_at_once_and_handlers_return():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop, stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked == signal.SIGINT
        with pytest.raises(TrainingStopped, match="at once by a second signal"):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_kills_at_random_lose_at_most_one_save_interval(load_file, tmp_path):
    stress = load_file("scripts/stress_training.py")
    report = stress.attack(4, tmp_path, seed=1, longest=0.5)
    assert report.kills == 4 and report.unloadable == 0
    assert report.most_lost <= stress.SAVE_EVERY


def test_the_second_trainer_of_a_folder_is_refused(tmp_path):
    with lock_run(tmp_path), pytest.raises(RuntimeError, match="Another trainer is at work in .*process"):
        lock_run(tmp_path)
    with lock_run(tmp_path):
        pass


def test_a_reading_process_does_not_keep_the_folder_of_a_killed_trainer(tmp_path):
    def read():
        (tmp_path / "reading").touch()
        time.sleep(60)

    with lock_run(tmp_path):
        worker = FORK.Process(target=read)
        worker.start()
        wait_for(tmp_path / "reading", worker)
    try:
        with lock_run(tmp_path):  # the trainer is gone, its worker is not
            pass
    finally:
        worker.kill()
        worker.join()
