"""Numbers that are not finite, disks that refuse."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from cranpm.model import CranPM
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.health import NonFiniteError, refuse_non_finite
from cranpm.training.fit.loop import train
from cranpm.training.job import export
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.state import TrainStateError, TrainStates

INIT_DAYS = np.arange(np.datetime64("2017-01-02"), np.datetime64("2017-01-10"))
"""Of the twelve days: t-1 and t+3 are there too."""


class Watch(Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        self.weights = []

    def on_train_batch_end(self, trainer, module, *_):
        self.weights.append(torch.cat([p.detach().flatten().clone() for p in module.network.parameters()]))

    @property
    def moved(self):
        return [not torch.equal(a, b) for a, b in itertools.pairwise(self.weights)]


def fit(world, statistics, recipe, folder, *, states=None):
    watch = Watch()
    options = TrainerOptions(workers=0, save_every=1)
    session = Session(out=folder, states=states, callbacks=[watch])
    train(recipe, TrainingData(source=world, statistics=statistics), options, session)
    return watch


def test_a_step_whose_loss_overflows_moves_nothing_and_is_named(make_world, statistics, quick, tmp_path):
    world = make_world()
    # one init day's valid days are absurd; finite, so that only the loss can tell
    plain = world.pm2p5
    first = np.random.default_rng([quick.seed, 0]).permutation(len(INIT_DAYS))[2]  # the third draw
    bad = INIT_DAYS[first]
    steps = []

    def pm2p5(day, rows, cols):
        steps.append(day)
        # sampler order: today, yesterday, target for each tile; the third tile is steps 7..9
        return plain(day, rows, cols) * np.float32(1e30 if len(steps) == 9 else 1)

    world.pm2p5 = pm2p5
    with pytest.warns(UserWarning, match=f"Step 3 left out, 1 in a row .at most 5.*init day {bad} lead"):
        watch = fit(world, statistics, replace(quick, average_decay=None), tmp_path)
    assert watch.moved == [True, False, True, True, True]  # step 2, 3, 4, ...
    assert torch.isfinite(watch.weights[-1]).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_data_are_left_out_by_name(make_world, statistics, quick, tmp_path, value):
    world = make_world()
    world.broken = {np.datetime64("2017-01-04"): value}
    with pytest.warns(UserWarning, match="PM2.5 of 2017-01-04 holds 256 infinite value"):
        fit(world, statistics, replace(quick, max_skipped_steps=8), tmp_path)  # (128 / 8)^2 cells


def test_too_many_in_a_row_end_the_run_and_name_the_sample(make_world, statistics, quick, tmp_path):
    world = make_world()
    world.broken = dict.fromkeys(world.days, 1e30)
    states = TrainStates(tmp_path / "train_state", {})
    message = r"3 steps in a row .*at most 2.*init day 2017-01-\d\d lead \d tile at row \d+"
    with pytest.warns(UserWarning, match="left out"), pytest.raises(NonFiniteError, match=message):
        fit(world, statistics, replace(quick, max_skipped_steps=2), tmp_path, states=states)


def test_days_without_a_single_usable_sample_are_an_error(make_world, statistics, quick, tmp_path):
    world = make_world()
    world.broken = dict.fromkeys(world.days, np.inf)
    with pytest.raises(ValueError, match="20 steps in a row cannot be used; the first: init day"):
        fit(world, statistics, quick, tmp_path)


def test_gaps_are_no_faults(make_world, statistics, quick, tmp_path):
    world = make_world(land_east=False)
    watch = fit(world, statistics, replace(quick, steps=3, average_decay=None), tmp_path)
    assert watch.moved == [True, True]


def test_weights_that_are_not_finite_are_never_saved(tmp_path, world, statistics, quick):
    network = CranPM(quick.model)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(NonFiniteError, match="Step 7 is not saved: .* not finite"):
        refuse_non_finite(network.state_dict().items(), "Step 7")
    states = TrainStates(tmp_path / "train_state", {"recipe": quick.to_dict()})
    states.save({"state_dict": {f"network.{k}": v for k, v in network.state_dict().items()}}, 7)
    data = TrainingData(source=world, statistics=statistics, fingerprint={}, about={"simulated": True})
    with pytest.raises(NonFiniteError, match="checkpoint of step 7"):
        export(quick, data, states, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


class FailingDisk:
    """Lets the first few calls that change the disk pass, then refuses one."""

    def __init__(self, monkeypatch, number, error):
        self.left, self.error = number, error
        for owner, name in ((os, "replace"), (os, "fsync"), (Path, "mkdir"), (Path, "open")):
            monkeypatch.setattr(owner, name, self._guard(getattr(owner, name), owner is Path))

    def _guard(self, plain, is_method):
        def guarded(*arguments, **named):
            reads = named.get("encoding") or (len(arguments) > 1 and arguments[1] in ("r", "rb"))
            if not reads:
                self.left -= 1
                if self.left == -1:
                    raise OSError(self.error, os.strerror(self.error))
            return plain(*arguments, **named)

        return guarded


CALLS = 12
"""Of one save: two folders made, two files opened to write, opened again and synced, folder synced, two renames (the
refused call before may have left this very step), parent synced."""


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_refuses_a_state_is_loud_and_leaves_the_last_one(tmp_path, error):
    states = TrainStates(tmp_path / "train_state", {})
    states.save({"weights": torch.ones(8)}, 1)
    for number in itertools.count():
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, number, error)
            refused = pytest.raises(TrainStateError, match=f"{os.strerror(error)}.*stands")
            with refused if number < CALLS else contextlib.nullcontext():
                states.save({"weights": torch.full((8,), 2.0)}, 2)
            if disk.left >= 0:
                break  # all calls were let through
        assert states.newest().step in (1, 2)
        states.newest().load()
    assert number == CALLS
    assert states.newest().step == 2


def test_a_disk_that_is_full_ends_training_and_the_last_state_stands(
    make_world, statistics, quick, tmp_path, monkeypatch
):
    states = TrainStates(tmp_path / "train_state", {})

    class FullAfterTwo(Callback):
        def on_train_batch_start(self, trainer, *_):
            if trainer.global_step == 2:
                FailingDisk(monkeypatch, 3, errno.ENOSPC)

    data = TrainingData(source=make_world(), statistics=statistics)
    options = TrainerOptions(workers=0, save_every=2)
    session = Session(out=tmp_path, states=states, callbacks=[FullAfterTwo()])
    with pytest.raises((TrainStateError, OSError), match="No space left"):
        train(quick, data, options, session)
    monkeypatch.undo()
    assert states.newest().step == 2
