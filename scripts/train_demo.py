"""Train the demo checkpoint on the simulated testbed: simulate days, train, save. See `evaluate_demo.py` for scores.

.venv/bin/python scripts/train_demo.py --minutes 60
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import torch

from cranpm import __version__, paths
from cranpm.allocator import keep_freed_memory
from cranpm.data.source import init_times, source_statistics
from cranpm.domain import EUROPE, Statistics
from cranpm.model import CranPM
from cranpm.model.checkpoint import save_checkpoint
from cranpm.testbed.geography import load_geography
from cranpm.testbed.source import WorldSource, simulate_days
from cranpm.testbed.world import DEFAULT_SEED, WORLD_VERSION
from cranpm.training.heads import CoarseHead
from cranpm.training.loop import train
from cranpm.training.pretrain import pretrain_global
from cranpm.training.recipes import Recipe, small

TRAIN_PERIODS = (("2017-01-01", 730),)
VALIDATION_PERIODS = (("2021-01-10", 20), ("2021-04-10", 20), ("2021-07-10", 20), ("2021-10-10", 20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=paths.data_dir() / "demo-training", help="day files and logs"
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
    arguments = parser.parse_args()
    keep_freed_memory()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    geography = load_geography(EUROPE)
    days = arguments.work / f"world-{WORLD_VERSION}-{DEFAULT_SEED}"
    started = time.time()
    simulate_days(geography, days, (*TRAIN_PERIODS, *VALIDATION_PERIODS), progress=_report)
    source = WorldSource(geography, days)
    recipe = replace(
        small(),
        steps=arguments.steps,
        token_steps=arguments.token_steps,
        global_epochs=arguments.global_epochs,
    )
    statistics = _statistics(source, recipe, days / "statistics-2017-2018.json")
    simulated, started = time.time() - started, time.time()
    torch.manual_seed(recipe.seed)
    network, head, pretrained = _pretrained(recipe, source, statistics, arguments.work / "pretrained.pt")
    started = time.time()
    network = train(
        recipe,
        source,
        statistics,
        arguments.work / "logs",
        network=network,
        coarse_head=head,
        validate_every=500,
        validation_days=16,
        workers=arguments.workers,
        max_seconds=None if arguments.minutes is None else 60 * arguments.minutes,
    )
    meta = {
        "title": "Demo (trained on the simulated testbed)",
        "source": "testbed (simulated)",
        "simulated": True,
        "world": {"version": WORLD_VERSION, "seed": DEFAULT_SEED, "geography": geography.hash},
        "training": {
            "period": statistics.period,
            "init_days": len(init_times(source, "train", recipe.splits, recipe.leads)),
            "global_branch_minutes": round(pretrained, 1),
            "minutes": round((time.time() - started) / 60, 1),
            "simulation_minutes": round(simulated / 60, 1),
            "machine": f"{torch.get_num_threads()} CPU threads, {platform.machine()}",
            "recipe": recipe.to_dict(),
        },
        "code": {"version": __version__, "revision": _revision()},
    }
    meta["training"]["recipe"].pop("model")
    save_checkpoint(arguments.out, network, statistics, "", meta)
    print(f"Saved {arguments.out}; now score it with scripts/evaluate_demo.py")


def _pretrained(
    recipe: Recipe, source: WorldSource, statistics: Statistics, kept: Path
) -> tuple[CranPM, CoarseHead, float]:
    """The network after the lesson of its global branch, and its minutes; a lesson given before is read from disk."""
    network = CranPM(recipe.model)
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        head = CoarseHead(recipe.model.local_width, recipe.model.global_patch, len(recipe.leads))
        network.load_state_dict(state["network"])
        head.load_state_dict(state["head"])
        print(f"Goes on from {kept} (delete it to begin anew).")
        return network, head, state["minutes"]
    started = time.time()
    head = pretrain_global(
        network,
        source,
        statistics,
        init_times(source, "train", recipe.splits, recipe.leads),
        validation_days=init_times(source, "validation", recipe.splits, recipe.leads)[::6],
        epochs=recipe.global_epochs,
        days_per_step=4,
        bias_every=recipe.bias_every,
        autocast=recipe.precision == "bf16-mixed",
        report=lambda line: print(line, flush=True),
    )
    minutes = (time.time() - started) / 60
    torch.save({"network": network.state_dict(), "head": head.state_dict(), "minutes": minutes}, kept)
    return network, head, minutes


def _statistics(source: WorldSource, recipe: Recipe, path: Path) -> Statistics:
    if path.exists():
        return Statistics.from_dict(json.loads(path.read_text()))
    days = init_times(source, "train", recipe.splits, recipe.leads)
    statistics = source_statistics(source, days)
    path.write_text(json.dumps(statistics.to_dict()))
    return statistics


def _revision() -> str:
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or "unknown"


def _report(done: int, total: int) -> None:
    if done % 20 == 0 or done == total:
        print(f"simulated {done} of {total} days", flush=True)


if __name__ == "__main__":
    main()
