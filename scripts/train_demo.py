"""Train the demo checkpoint on the simulated testbed: simulate days, train, save. See `evaluate_demo.py` for scores.

.venv/bin/python scripts/train_demo.py --minutes 60

Stopped (Ctrl-C, or by the machine), it goes on with ``--resume``. The same with more to choose from: ``cranpm train``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from cranpm import paths
from cranpm._progress import duration
from cranpm.domain import EUROPE
from cranpm.memory import keep_freed_memory
from cranpm.model.checkpoint import load_checkpoint, save_checkpoint
from cranpm.testbed.geography.geography import load_geography
from cranpm.testbed.source import world_folder
from cranpm.training.batches.source import DEMO_PERIODS, DEMO_PUFFS, open_world
from cranpm.training.job import run_job
from cranpm.training.recipes.recipes import refine, small
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.signals import STOPPED_EXIT_CODE, TrainingStopped


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, default=paths.data_dir() / "demo-training", help="day files, state and logs"
    )
    parser.add_argument("--out", type=Path, default=paths.assets_dir() / "checkpoints" / "demo")
    parser.add_argument(
        "--minutes", type=float, help="stop training after this long (the schedule keeps its steps)"
    )
    parser.add_argument("--steps", type=int, default=small().steps)
    parser.add_argument("--token-steps", type=int, default=small().token_steps)
    parser.add_argument("--global-epochs", type=int, default=small().global_epochs)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    parts = ("run", "run-refined")
    if not given.resume and (old := [name for name in parts if (given.work / name).exists()]):
        parser.error(
            f"{given.work} holds {' and '.join(old)} of an earlier training; add --resume, or move them away"
        )
    keep_freed_memory()
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = replace(
        small(), steps=given.steps, token_steps=given.token_steps, global_epochs=given.global_epochs
    )
    load_geography(EUROPE)  # computed once, before the first bar
    world = world_folder(given.work)
    data = open_world(world, recipe, simulate=DEMO_PERIODS, puffs=DEMO_PUFFS, progress=_report)
    data = replace(data, about={**data.about, "title": "Demo (trained on the simulated testbed)"})
    options = TrainerOptions(
        workers=given.workers, validate_every=500, validation_days=16, max_minutes=given.minutes
    )
    trained = None
    try:
        for name, stage in zip(parts, (recipe, refine()), strict=True):
            folder = given.work / name
            resume = given.resume and any(folder.glob("train_state/step-*"))
            made = run_job(stage, data, folder, options=options, start=trained, resume=resume, report=_say)
            assert made is not None
            trained = load_checkpoint(made.folder)
    except TrainingStopped as stopped:
        _say(str(stopped))
        return STOPPED_EXIT_CODE
    assert trained is not None
    save_checkpoint(given.out, trained.network, trained.statistics, trained.card, trained.meta)
    _say(f"Saved {given.out}; now score it with scripts/evaluate_demo.py")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _report(done: int, total: int, seconds_left: float) -> None:
    if done % 20 == 0 or done == total:
        _say(f"simulated {done} of {total} days, {duration(seconds_left)} left")


if __name__ == "__main__":
    sys.exit(main())
