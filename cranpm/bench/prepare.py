"""Days a minute from downloads to a dataset, by number of workers, and the memory of all processes together.

Downloads are made in the providers' layouts (values invented; satellite maps with noise in every cell, since smooth
ones would compress too well) and fetched from a stand-in on this machine. The first day and the terrain, made once a
dataset, are not counted.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from cranpm.bench.ceilings import COPY, Ceilings
from cranpm.bench.figures import Bound, Figure, Label
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Turns, time_in_turns
from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.prepare import prepare_dataset
from cranpm.domain import DAY_CHANNELS, DOMAINS, Domain

FIRST = np.datetime64("2022-01-02")
"""Outside the training years: no statistics are computed, only days prepared."""

ROUGHNESS = 0.8
"""Noise in every cell of the satellite maps [ug m-3]."""

QUICK_DOMAIN, QUICK_DAYS = DOMAINS["alps"], 3


def measure_prepare(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """A figure of every number of workers, on the same downloads.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        Seconds between two days once workers run, compared with copying what a day holds once, and with one process.
    """
    domain, days, workers = settings.domain, settings.days, settings.workers
    if settings.quick:
        domain = min(domain, QUICK_DOMAIN, key=lambda d: d.fine.rows * d.fine.cols)
        days, workers = min(days, QUICK_DAYS), (0,)
    copies = time_in_turns(ceilings.forms(COPY), torch.device("cpu"), seconds=0.3)
    with tempfile.TemporaryDirectory(prefix="cranpm-bench-") as folder:
        work = Path(folder)
        _fetch(domain, days, work / "raw")
        recipe = DatasetRecipe(raw=work / "raw", domain=domain)
        prepare_dataset(recipe, str(FIRST), str(FIRST), work / "base", workers=0)
        runs = {number: _prepare(recipe, work, number, days) for number in workers}
    rounds = min(len(run.intervals) for run in runs.values())
    turns = Turns({}, {}, all_cpu=False)
    for number, run in runs.items():
        turns.wall[_workers(number)] = run.intervals[:rounds]
        # a day's share of the whole run: days overlap, and children have clocks of their own
        turns.cpu[_workers(number)] = np.full(rounds, run.cpu / days)
    copy = ceilings.of[COPY]
    turns.wall[copy.form] = np.full(rounds, np.median(copies.wall[copy.form]))
    size = _bytes_of_day(domain)
    return [
        Figure.of(
            turns,
            _workers(number),
            Label("prepare", "day", f"{domain.name}, {_workers(number)}"),
            bound=Bound(2.0 * size, copy),
            instead={_workers(other): 1.0 for other in workers[:1] if other != number},
            detail={
                "days": days,
                "workers": number,
                "days_per_minute": 60 / float(np.mean(run.intervals)),
                "seconds_in_all": run.seconds,
                "peak_gb": run.peak / 1e9,
                "megabytes_on_disk_per_day": run.stored / days / 1e6,
            },
        )
        for number, run in runs.items()
    ]


def _workers(number: int) -> str:
    return {0: "this process alone", 1: "1 worker"}.get(number, f"{number} workers")


def _bytes_of_day(domain: Domain) -> int:
    """What a day holds: the fine map as it is stored, the coarse fields as float32."""
    box = domain.coarse_box
    return 2 * domain.fine.rows * domain.fine.cols + 4 * len(DAY_CHANNELS) * box.rows * box.cols


def _fetch(domain: Domain, days: int, raw: Path) -> None:
    manifest, last = load_manifest(), FIRST + days
    with MockProviders(domain, str(FIRST), str(last), queue=0, roughness=ROUGHNESS) as server:
        server.make_maps()
        for name in NEEDED:
            (source,) = choose_sources(manifest, name)
            plan = make_plan(source, FIRST, last, domain=domain, root=raw, estimate=False)
            fetch(plan, patience=0.01)


class _Run:
    """Days of one number of workers, timed as they arrive."""

    def __init__(self, arrived: list[float], seconds: float, cpu: float, peak: int, stored: int) -> None:
        # the first day's wait is the start of the workers; from then on it is steady
        self.intervals = np.diff(arrived)
        self.seconds, self.cpu, self.peak, self.stored = seconds, cpu, peak, stored


def _prepare(recipe: DatasetRecipe, work: Path, number: int, days: int) -> _Run:
    out = work / f"workers-{number}"
    shutil.copytree(work / "base", out)
    before, arrived = _bytes(out), list[float]()
    with _PeakMemory() as memory:
        began, cpu = time.perf_counter(), time.process_time()
        prepare_dataset(
            recipe,
            str(FIRST + 1),
            str(FIRST + days),
            out,
            workers=number,
            progress=lambda *_: arrived.append(time.perf_counter() - began),
        )
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    run = _Run(arrived, seconds, cpu, memory.peak, _bytes(out) - before)
    shutil.rmtree(out)
    return run


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class _PeakMemory:
    """Most memory that this process and its children held together [bytes], looked at ten times a second."""

    def __enter__(self) -> _PeakMemory:
        self.peak, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.1):
            held = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    held += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, held)
