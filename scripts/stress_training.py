"""Kill a tiny training run again and again, also inside its writes, and see whether anything is ever lost.

After each kill -9 (Linux and macOS only): the newest state must load, and at most one save interval may be lost.

OMP_NUM_THREADS=1 .venv/bin/python scripts/stress_training.py --kills 200
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cranpm import _files
from cranpm.data.store.source import source_statistics
from cranpm.domain import domain_from_corner
from cranpm.training.batches.source import TrainingData
from cranpm.training.job import run_job
from cranpm.training.recipes.debug import smallest
from cranpm.training.recipes.recipes import Recipe, tiny
from cranpm.training.state.lock import lock_run
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.state import TrainStates

SAVE_EVERY = 2

SLOW_WRITE = 0.05
"""What each write is drawn out by, so that kills fall inside it [s]."""


class SmallWorld:
    """Twelve days of a steady pattern; a step on it takes hundredths of a second."""

    name = "stress"
    domain = domain_from_corner("corner", "Corner", north=48.0, west=6.0, coarse_rows=28, coarse_cols=28)
    days = np.arange(np.datetime64("2017-01-01"), np.datetime64("2017-01-13"))

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._pattern = rng.uniform(10, 90, self.domain.fine.shape).astype(np.float32)
        self._coarse = np.abs(rng.normal(0, 1, (35, *self.domain.coarse_box.shape))).astype(np.float32)
        self.land = np.ones(self.domain.fine.shape, dtype=bool)
        self.elevation = np.zeros(self.domain.fine.shape, dtype=np.float32)
        self.coarse_elevation = np.zeros(self.domain.coarse_box.shape, dtype=np.float32)

    def coarse(self, day: np.datetime64) -> np.ndarray:
        return self._coarse

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        return self._pattern[rows, cols] * np.float32(0.9 ** (day.astype(int) % 12))


def small_recipe() -> Recipe:
    """A network of a few thousand weights, with dropout, averages and pretraining."""
    return replace(
        smallest(tiny(), input_dropout=0.1),
        steps=1_000_000,
        token_steps=4,
        global_epochs=1,
        average_decay=0.9,
    )


@dataclass
class Report:
    """Outcome of an attack; steps count both stages."""

    kills: int = 0
    unloadable: int = 0
    most_lost: int = 0
    half_written: int = 0
    """Kills that hit inside a write (a temporary folder was left)."""
    steps: int = 0
    seconds: float = 0.0


def attack(kills: int, folder: Path, *, seed: int = 0, longest: float = 1.5) -> Report:
    """Start, kill -9 after a random while, look, resume; as often as asked.

    Parameters
    ----------
    longest : float
        Kills come up to this long after the first step [s].
    """
    draw, report, begun = random.Random(seed), Report(), time.monotonic()
    world, recipe = SmallWorld(), small_recipe()
    with np.errstate(all="ignore"):
        statistics = source_statistics(world, world.days)
    data = TrainingData(
        source=world, statistics=statistics, fingerprint={"days": 12}, about={"simulated": True}
    )
    steps = folder / "steps"
    context = multiprocessing.get_context("fork")
    while report.kills < kills:
        steps.unlink(missing_ok=True)
        states = TrainStates(folder / "run" / "train_state", {})
        child = context.Process(
            target=_train, args=(recipe, data, folder / "run", states.newest() is not None, steps)
        )
        child.start()
        _wait_for(steps, child)
        time.sleep(draw.uniform(0, longest))
        os.kill(child.pid, signal.SIGKILL)  # type: ignore[arg-type]
        child.join()
        report.kills += 1
        report.half_written += bool(list(states.folder.glob(".step-*.partial")))
        stage, done = steps.read_text().split()[-2:] if steps.exists() else ("global", "0")
        report.steps = int(done)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                saved = states.newest()
            if saved is not None:
                saved.load()
            kept = saved.step if saved is not None and saved.stage == stage else 0
            report.most_lost = max(report.most_lost, int(done) - kept)
        except Exception as error:
            report.unloadable += 1
            print(f"kill {report.kills}: {error}", flush=True)
    report.seconds = round(time.monotonic() - begun, 1)
    return report


def _train(recipe: Recipe, data: TrainingData, out: Path, resume: bool, steps: Path) -> None:
    """The victim: says in a file which step it has done."""
    os.setsid()
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    torch.set_num_threads(1)
    sync = _files._sync_file

    def slow(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        time.sleep(SLOW_WRITE)
        path.write_bytes(content)
        sync(path)

    _files._sync_file = slow
    from cranpm.training.fit.callbacks import StateSaver
    from cranpm.training.fit.pretrain_state import PretrainState

    _tell(PretrainState, "learn", steps, lambda stage, *_: ("global", stage.step))
    _tell(StateSaver, "on_train_batch_start", steps, lambda _, trainer, *__: ("tiles", trainer.global_step))
    run_job(recipe, data, out, options=TrainerOptions(workers=0, save_every=SAVE_EVERY), resume=resume)


def _tell(owner: type, method: str, steps: Path, facts) -> None:
    """Note the step whenever a method has run."""
    plain = getattr(owner, method)

    def told(self, *arguments, **named):
        plain(self, *arguments, **named)
        with steps.open("a") as file:
            file.write("{} {}\n".format(*facts(self, *arguments)))

    setattr(owner, method, told)


def _wait_for(path: Path, child) -> None:
    while not path.exists():
        if not child.is_alive():
            raise RuntimeError(f"The run ended by itself with exit code {child.exitcode}.")
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = attack(given.kills, Path(folder), seed=given.seed)
        with lock_run(Path(folder) / "run"):  # nobody is left behind
            pass
    print(json.dumps(asdict(report) | {"save_every": SAVE_EVERY}))
    if report.unloadable or report.most_lost > SAVE_EVERY:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
