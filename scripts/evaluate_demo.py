"""Score a checkpoint on held-out testbed days against the baselines; write the table and the checkpoint's card.

Without options 48 init days of 2022, four a month: hours on two cores. With ``--quick`` 6 init days of 2021
through the seasons: some minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from cranpm import paths
from cranpm._files import check_output, write_atomically
from cranpm._progress import duration
from cranpm.baselines.damped import fit_damped
from cranpm.baselines.learned.checkpoint import load_rival
from cranpm.baselines.learned.forms import learned_rows
from cranpm.baselines.least_squares import LeastSquares, fit_least_squares
from cranpm.baselines.nodes import DayMaps
from cranpm.baselines.persistence import USUAL_BLUR, blurred_persistence, persistence
from cranpm.domain import EUROPE, LEAD_DAYS
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import choose_device, run_forecast
from cranpm.memory import keep_freed_memory
from cranpm.model.checkpoint import load_checkpoint, replace_card
from cranpm.testbed.geography.geography import load_geography
from cranpm.testbed.simulation.world import SPIN_UP_DAYS, WORLD_VERSION
from cranpm.testbed.source import WorldSource, simulate_days, world_folder
from cranpm.verification.evaluate import Scorecard, days_of_each_month, evaluate

QUICK_DAYS = [
    np.datetime64(day)
    for day in ("2021-01-12", "2021-01-22", "2021-04-17", "2021-07-17", "2021-10-12", "2021-10-22")
]
"""Held out like 2022: 2021 is never trained on, and nothing was chosen by its scores."""
ONE_DAY = np.timedelta64(1, "D")
EVERYWHERE = slice(None), slice(None)
DAMPED = "damped-2017-2019.pickle"
LEAST_SQUARES = "least-squares-2017-2019.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=paths.data_dir() / "demo-training")
    parser.add_argument("--checkpoint", type=Path, default=paths.assets_dir() / "checkpoints" / "demo")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--quick", action="store_true", help="6 init days of 2021 and fewer baselines")
    parser.add_argument(
        "--few-baselines", action="store_true", help="persistence and damped persistence only"
    )
    parser.add_argument(
        "--every", type=int, default=1, help="of the 48 init days take every so-many-th (2: two a month)"
    )
    parser.add_argument("--prepare", action="store_true", help="only simulate days and fit the baseline")
    parser.add_argument(
        "--rival",
        type=Path,
        action="append",
        default=[],
        help="checkpoint of a learned rival; may be given again",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    scores = arguments.out / "demo_skill.json"
    for file in (scores, scores.with_suffix(".md")):
        check_output(file, overwrite=True)
    geography = load_geography(EUROPE)
    days = world_folder(arguments.work)
    init_days = QUICK_DAYS if arguments.quick else days_of_each_month(2022)[:: arguments.every]
    few = arguments.quick or arguments.few_baselines
    simulate_days(geography, days, _test_periods(init_days), progress=_report)
    source = WorldSource(geography, days)
    _fit_damped(source, days / DAMPED)
    _fit_least_squares(source, days / LEAST_SQUARES)
    if arguments.prepare:
        return
    checkpoint = load_checkpoint(arguments.checkpoint)
    card = _score(arguments, days, init_days, few)
    rows = card.table("damped persistence")
    facts = {
        "what": "testbed (simulated): pooled over land cells; reference: GHAP-like product of the testbed",
        "world": WORLD_VERSION,
        "checkpoint": checkpoint.hash,
        "machine": f"{arguments.processes} processes on {os.cpu_count()} CPU cores, {platform.machine()}",
        "damped_persistence_days": sum(pickle.loads((days / DAMPED).read_bytes()).climatology.days),
        "init_days": [str(day) for day in init_days],
        "rows": rows,
    }
    write_atomically(scores, json.dumps(facts, indent=1) + "\n")
    table = _markdown(rows, init_days)
    write_atomically(scores.with_suffix(".md"), table)
    _write_card(arguments.checkpoint, checkpoint, table)
    print(table)


def _score(arguments: argparse.Namespace, days: Path, init_days: list[np.datetime64], few: bool) -> Scorecard:
    """Days shared out to processes in runs, so that their order stays."""
    if arguments.processes == 1:
        return _score_days(arguments.checkpoint, days, init_days, few, arguments.rival)
    parts = np.array_split(init_days, 4 * arguments.processes)
    card = Scorecard()
    started = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        jobs = [
            pool.submit(_score_days, arguments.checkpoint, days, list(part), few, arguments.rival, 1)
            for part in parts
            if len(part)
        ]
        for job in jobs:
            card.add(job.result())
            seconds = time.perf_counter() - started
            left = seconds / len(card.days) * (len(init_days) - len(card.days))
            print(f"scored {len(card.days)} of {len(init_days)} days, {left / 60:.0f} min left", flush=True)
    return card


def _score_days(
    folder: Path,
    days: Path,
    init_days: list[np.datetime64],
    few: bool,
    rivals: list[Path],
    threads: int | None = None,
) -> Scorecard:
    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    device = choose_device("auto")
    checkpoint = load_checkpoint(folder, device)
    source = WorldSource(load_geography(EUROPE), days)
    damped = pickle.loads((days / DAMPED).read_bytes())
    least_squares = LeastSquares.load(days / LEAST_SQUARES)
    maps = DayMaps(source, kept=5)
    product = maps.pm2p5

    def ours(init: np.datetime64) -> dict[int, np.ndarray]:
        return run_forecast(checkpoint.network, load_day(source, init, checkpoint.statistics, device)).fields

    methods = {
        "persistence": lambda init: dict.fromkeys(LEAD_DAYS, persistence(product(init))),
        "blurred persistence": lambda init: dict.fromkeys(
            LEAD_DAYS, blurred_persistence(product(init), USUAL_BLUR)
        ),
        "climatology": lambda init: {n: _usual(damped, init + n * ONE_DAY) for n in LEAD_DAYS},
        "damped persistence": lambda init: {n: damped.forecast(product(init), init, n) for n in LEAD_DAYS},
        "least squares": lambda init: least_squares.forecast(maps, init),
        **{
            name: row
            for rival in rivals
            for name, row in learned_rows(load_rival(rival), maps, LEAD_DAYS, []).items()
        },
        "CRAN-PM demo": ours,
    }
    if few:
        methods = {name: methods[name] for name in ("persistence", "damped persistence", "CRAN-PM demo")}
    return evaluate(
        init_days, methods, lambda init: {n: product(init + n * ONE_DAY) for n in LEAD_DAYS}, source.land
    )


def _test_periods(init_days: list[np.datetime64]) -> list[tuple[str, int]]:
    """Days from t-1 to the last target; windows that lie close are run through, which is cheaper than a new spin-up."""
    periods: list[list[np.datetime64]] = []
    for day in init_days:
        first, last = day - ONE_DAY, day + max(LEAD_DAYS) * ONE_DAY
        if periods and first - periods[-1][1] <= SPIN_UP_DAYS * ONE_DAY:
            periods[-1][1] = last
        else:
            periods.append([first, last])
    return [(str(first), 1 + int((last - first) / ONE_DAY)) for first, last in periods]


def _fit_damped(source: WorldSource, path: Path) -> None:
    """Fitted on four training days in a row out of every twenty, read at full size."""
    if path.exists():
        return
    train = [day for day in source.days if day < np.datetime64("2021-01-01")]
    chosen = [day for index, day in enumerate(train) if index % 20 < 4]
    print(f"fitting damped persistence on {len(chosen)} training days", flush=True)
    damped = fit_damped(lambda day: source.pm2p5(day, *EVERYWHERE), chosen)
    write_atomically(path, pickle.dumps(damped))


def _fit_least_squares(source: WorldSource, path: Path) -> None:
    """Fitted on the same training days."""
    if path.exists():
        return
    held = set(source.days.tolist())
    train = [day for day in source.days if day < np.datetime64("2021-01-01")]
    chosen = [day for i, day in enumerate(train) if i % 20 < 4 and (day - ONE_DAY).astype(object) in held]
    print(f"fitting least squares on {len(chosen)} training days", flush=True)
    fit_least_squares(source, chosen).save(path)


def _usual(damped, day: np.datetime64) -> np.ndarray:
    return np.maximum(damped.climatology.on(day), 0).astype(np.float32)


def _markdown(rows: list[dict], days: list[np.datetime64]) -> str:
    lines = [
        "# Skill of the demo checkpoint on the simulated testbed",
        "",
        f"{len(days)} held-out init days ({days[0]} to {days[-1]}), land. Reference: the testbed's GHAP-like product.",
        "RMSE in ug m-3,",
        "pooled over cells and days; skill = 1 - RMSE / RMSE of damped persistence, with a 95 % interval (bootstrap",
        "over blocks of three init days). Made by `scripts/evaluate_demo.py`.",
        "**Simulated: not comparable with scores on real data.**",
        "",
        "| method | grid | " + " | ".join(f"T+{n} RMSE | T+{n} skill" for n in LEAD_DAYS) + " |",
        "|---|---|" + "---|---|" * len(LEAD_DAYS),
    ]
    for grid in ("1 km", "25 km"):
        for method in dict.fromkeys(row["method"] for row in rows):
            cells = []
            for lead in LEAD_DAYS:
                (row,) = (r for r in rows if (r["method"], r["grid"], r["lead"]) == (method, grid, lead))
                low, high = 100 * row["skill_low"], 100 * row["skill_high"]
                cells.append(f"{row['rmse']:.2f} | {100 * row['skill']:+.1f} % [{low:+.1f}, {high:+.1f}]")
            lines.append(f"| {method} | {grid} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _write_card(folder: Path, checkpoint, table: str) -> None:
    facts = checkpoint.card.split("## ")[0]
    replace_card(folder, facts + table.replace("# Skill", "## Skill", 1))


def _report(done: int, total: int, seconds_left: float) -> None:
    if done % 5 == 0 or done == total:
        print(f"simulated days: {done} of {total}, {duration(seconds_left)} left", flush=True)


if __name__ == "__main__":
    main()
