"""How many days a minute `cranpm data prepare` makes, and how much memory it takes, with one and with two workers.

Downloads of N days are made in the providers' layouts (values invented; satellite maps with noise in every cell, since
smooth ones would compress too well) and fetched from a stand-in on this machine; then each number of workers prepares
them. The terrain, made once a dataset, is timed apart.

.venv/bin/python scripts/bench_prepare.py --days 8 --workers 1 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from cranpm._files import check_output, write_atomically
from cranpm.data.build_day import DatasetRecipe
from cranpm.data.download.fetch import NEEDED, choose_sources, fetch, make_plan
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.prepare import prepare_dataset
from cranpm.domain import DOMAINS, Domain

FIRST = np.datetime64("2022-01-02")
"""Outside the training years: no statistics are computed, only days prepared."""

ROUGHNESS = 0.8
"""Noise in every cell of the satellite maps [ug m-3]."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="0: no cluster")
    parser.add_argument("--domain", choices=sorted(DOMAINS), default="europe")
    parser.add_argument("--work", type=Path, help="where files go, and stay; default: a temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    if arguments.json:
        check_output(arguments.json, overwrite=True)
    with tempfile.TemporaryDirectory(prefix="cranpm-bench-") as temporary:
        figures = measure(
            DOMAINS[arguments.domain], arguments.days, arguments.workers, arguments.work or Path(temporary)
        )
    print(
        f"{figures['machine']}; {figures['domain']}, {figures['days']} days; load before: {figures['load']}"
    )
    print(f"terrain and first day: {figures['first_day_s']:.0f} s")
    print("workers | days a minute | seconds in all | peak memory [GB] | MB a day on disk")
    for row in figures["rows"]:
        print(
            f"{row['workers']:7d} | {row['days_per_minute']:13.1f} | {row['seconds']:14.1f} | "
            f"{row['peak_gb']:16.2f} | {row['mb_per_day']:.1f}"
        )
    if arguments.json:
        write_atomically(arguments.json, json.dumps(figures, indent=1) + "\n")


def measure(domain: Domain, days: int, workers: list[int], work: Path) -> dict:
    """Figures of every number of workers, on the same downloads."""
    raw, base = work / "raw", work / "base"
    _fetch(domain, days, raw)
    recipe, last = DatasetRecipe(raw=raw, domain=domain), FIRST + days
    load, began = f"{psutil.getloadavg()[0]:.1f}", time.perf_counter()
    prepare_dataset(recipe, str(FIRST), str(FIRST), base, workers=0)
    first_day = time.perf_counter() - began
    rows = []
    for number in workers:
        out = work / f"workers-{number}"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(base, out)
        rows.append(_timed(recipe, str(FIRST + 1), str(last), out, number, days))
    return {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "domain": domain.name,
        "days": days,
        "load": load,
        "first_day_s": first_day,
        "rows": rows,
    }


def _fetch(domain: Domain, days: int, raw: Path) -> None:
    manifest, last = load_manifest(), FIRST + days
    with MockProviders(domain, str(FIRST), str(last), queue=0, roughness=ROUGHNESS) as server:
        server.make_maps()
        for name in NEEDED:
            (source,) = choose_sources(manifest, name)
            plan = make_plan(source, FIRST, last, domain=domain, root=raw, estimate=False)
            fetch(plan, patience=0.01)
            print(f"made and fetched {name}", flush=True)


def _timed(recipe: DatasetRecipe, start: str, end: str, out: Path, workers: int, days: int) -> dict:
    before = _bytes(out)
    arrived: list[float] = []
    with _PeakMemory() as memory:
        began = time.perf_counter()
        prepare_dataset(
            recipe,
            start,
            end,
            out,
            workers=workers,
            progress=lambda *_: arrived.append(time.perf_counter() - began),
        )
        seconds = time.perf_counter() - began
    # the first day's wait is the start of the workers; from then on it is steady
    steady = 60 * (len(arrived) - 1) / (arrived[-1] - arrived[0])
    return {
        "workers": workers,
        "days_per_minute": steady,
        "seconds": seconds,
        "peak_gb": memory.peak / 1e9,
        "mb_per_day": (_bytes(out) - before) / days / 1e6,
    }


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


if __name__ == "__main__":
    main()
