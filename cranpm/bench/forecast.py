"""A forecast from stored days to a stored map, as a time line: read, decode, check, compute, blend, encode, write."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cranpm.bench.ceilings import Ceilings
from cranpm.bench.figures import Bound, Figure, Label, PartUnavailableError
from cranpm.bench.model import USERS_STRIDE
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import Turns, time_in_turns
from cranpm.data.datasets import open_dataset
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.encoding import decode_pm2p5
from cranpm.data.store.source import DatasetSource
from cranpm.domain import Tile, plan_tiles
from cranpm.domain.tiling import TILE_SIZE
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.engine import TileSelection, run_forecast
from cranpm.forecasting.one_day import origin_of
from cranpm.forecasting.output import forecast_dataset, write_forecast
from cranpm.model import CranPM, GlobalInputs, LocalInputs, count_flops
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.registry import NotFoundError
from cranpm.training.state.throughput import synchronize

STAGES = {
    "read": "stored days to stored values",
    "decode": "stored values to concentrations",
    "check": "ranges, gaps, normalised channels",
    "inputs": "inputs of the tiles",
    "compute": "the network",
    "blend": "tiles to a map",
    "encode": "a CF store in memory",
    "write": "the store to disk",
}
"""What a forecast does, in its order."""

QUICK_TILES = 8
_MEMORY = Path("/dev/shm")


class _Line:
    """Seconds of each stage of one run; a stage inside another is taken from that one."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._open: list[list[float]] = []
        self.wall: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.cpu: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        synchronize(self._device)
        self._open.append([0.0, 0.0])
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            synchronize(self._device)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            inner_wall, inner_cpu = self._open.pop()
            self.wall[name] += wall - inner_wall
            self.cpu[name] += cpu - inner_cpu
            if self._open:
                self._open[-1][0] += wall
                self._open[-1][1] += cpu


class _TimedSource(DatasetSource):
    """A dataset that says how long it read and decoded."""

    def __init__(self, dataset: Dataset, line: _Line) -> None:
        with line.stage("read"):
            super().__init__(dataset)
        self._line = line

    def coarse(self, day: np.datetime64) -> np.ndarray:
        with self._line.stage("read"):
            return super().coarse(day)

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        with self._line.stage("read"):
            raw = self._dataset.pm2p5_raw(day, rows, cols)
        with self._line.stage("decode"):
            return decode_pm2p5(raw)


@dataclass(frozen=True, kw_only=True)
class _TimedDay(ForecastDay):
    """A day that says how long it made inputs."""

    line: _Line

    def global_inputs(self) -> GlobalInputs:
        with self.line.stage("inputs"):
            return super().global_inputs()

    def local_inputs(self, tiles: list[Tile], lead: int = 1) -> LocalInputs:
        with self.line.stage("inputs"):
            return super().local_inputs(tiles, lead)


class _TimedNetwork:
    """A network that says how long it computed."""

    def __init__(self, network: CranPM, line: _Line) -> None:
        self._network, self._line = network, line
        self.config = network.config

    def encode_global(self, *given: Any, **named: Any) -> Any:
        with self._line.stage("compute"):
            return self._network.encode_global(*given, **named)

    def forecast_delta(self, *given: Any, **named: Any) -> Any:
        with self._line.stage("compute"):
            return self._network.forecast_delta(*given, **named)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One forecast to be made again and again."""

    settings: BenchSettings
    checkpoint: Checkpoint
    dataset: Dataset
    init: np.datetime64
    tiles: list[int] | None
    out: Path

    def line(self) -> tuple[_Line, int]:
        """One run and its number of tiles."""
        device = self.settings.device
        line = _Line(device)
        source = _TimedSource(self.dataset, line)
        with line.stage("check"):
            day = load_day(source, self.init, self.checkpoint.require_statistics(), device)
        timed = _TimedDay(line=line, **{f.name: getattr(day, f.name) for f in fields(day)})
        network: Any = _TimedNetwork(self.checkpoint.network, line)
        plan = plan_tiles(source.domain.fine.shape, self.settings.tile_size)
        with line.stage("blend"):  # what is left of the engine's time
            result = run_forecast(
                network,
                timed,
                self.settings.leads,
                tiles=TileSelection(plan=plan, only=self.tiles),
                precision="auto",
            )
        self._store(line, source, result.fields)
        return line, result.num_tiles

    def _store(self, line: _Line, source: DatasetSource, maps: dict[int, np.ndarray]) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else self.out.parent) as memory:
            with line.stage("encode"):
                labelled = forecast_dataset(
                    maps,
                    init_time=self.init,
                    grid=source.domain.fine,
                    origin=origin_of(source, self.checkpoint),
                )
                stored = write_forecast(labelled, Path(memory) / "map.zarr")
            with line.stage("write"):
                shutil.copytree(stored, self.out)


def measure_forecast(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """The time line of a forecast of the newest day of a dataset by a checkpoint.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        All stages together, beside the un-cached form of batch 1; and each stage.

    Raises
    ------
    PartUnavailableError
        If there is no dataset or checkpoint of that name, or no two days in a row.
    """
    try:
        checkpoint = load_checkpoint(settings.checkpoint, device=settings.device)
        dataset = open_dataset(settings.data)
    except NotFoundError as error:
        raise PartUnavailableError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="cranpm-bench-") as folder:
        job = _Job(
            settings=settings,
            checkpoint=checkpoint,
            dataset=dataset,
            init=_newest_init(dataset.days),
            tiles=_quick_tiles(dataset, settings) if settings.quick else None,
            out=Path(folder) / "map.zarr",
        )
        return _measure(job, ceilings)


def _newest_init(days: np.ndarray) -> np.datetime64:
    held = set(days.tolist())
    for day in sorted(days, reverse=True):
        if (day - np.timedelta64(1, "D")).astype(object) in held:
            return day
    raise PartUnavailableError("A forecast needs two days in a row, which the dataset does not hold.")


def _quick_tiles(dataset: Dataset, settings: BenchSettings) -> list[int]:
    """Tiles with land, from the middle of the map."""
    land = np.asarray(dataset.static["land"]).astype(bool)
    plan = plan_tiles(land.shape, settings.tile_size)
    on_land = [tile.index for tile in plan.tiles if land[tile.rows, tile.cols].mean() > 0.5]
    first = max(0, (len(on_land) - QUICK_TILES) // 2)
    return on_land[first : first + QUICK_TILES] or [0]


def _measure(job: _Job, ceilings: Ceilings) -> list[Figure]:
    settings, network = job.settings, job.checkpoint.network
    lines: list[tuple[_Line, int]] = []
    day = load_day(job.dataset, job.init, job.checkpoint.require_statistics(), settings.device)
    plan = plan_tiles(day.domain.fine.shape, settings.tile_size)
    theirs = plan_tiles(
        day.domain.fine.shape, settings.tile_size, stride=USERS_STRIDE * settings.tile_size // TILE_SIZE
    ).num_tiles
    one = max(plan.tiles, key=lambda tile: int(day.pm2p5[tile.rows, tile.cols].isfinite().sum()))

    @torch.inference_mode()
    def uncached() -> object:
        return network(day.global_inputs(), day.local_inputs([one]))

    best = ceilings.of[ceilings.best]
    forms = {"all": lambda: lines.append(job.line()), "un-cached": uncached, **ceilings.forms(best.name)}
    if not settings.quick:
        job.line()  # caches of the file system, kernels that are chosen
    turns = time_in_turns(
        forms, settings.device, seconds=settings.seconds, least=1 if settings.quick else 3, warm_up=False
    )
    timed = _with_stages(turns, [line for line, _ in lines])
    tiles, leads = lines[0][1], len(settings.leads)
    instead = f"{theirs} un-cached tiles, batch 1, float32" if job.tiles is None else f"{tiles} un-cached"
    timed.combine(instead, {"un-cached": leads * (theirs if job.tiles is None else tiles)})
    flops = count_flops(network.config, settings.tile_size, day.domain.coarse.shape)
    work = flops["global"] + flops["bridge_keys_values"] + tiles * leads * flops["per_tile"]
    bound = Bound(work, best)
    what = f"{leads} lead(s), {tiles} tiles of {plan.num_tiles}, store to store"
    detail = {
        "checkpoint": job.checkpoint.folder.name,
        "dataset": job.dataset.name,
        "tiles": tiles,
        "leads": leads,
        "flop": work,
        "megabytes": sum(f.stat().st_size for f in job.out.rglob("*") if f.is_file()) / 1e6,
    }
    label = Label("forecast", "map" if leads == 1 else f"{leads} maps", what)
    whole = Figure.of(timed, "all", label, bound=bound, instead={instead: 1.0}, detail=detail)
    return [whole, *(_stage(timed, name, bound if name == "compute" else None) for name in STAGES)]


def _with_stages(turns: Turns, lines: list[_Line]) -> Turns:
    """The turns with a form for each stage.

    A run's own seconds become the sum of its stages: what comes between them is the bench's.
    """
    walls = {name: np.array([line.wall[name] for line in lines]) for name in STAGES}
    cpus = {name: np.array([line.cpu[name] for line in lines]) for name in STAGES}
    timed = Turns({**turns.wall, **walls}, {**turns.cpu, **cpus}, all_cpu=turns.all_cpu)
    timed.combine("all", dict.fromkeys(STAGES, 1.0))
    return timed


def _stage(timed: Turns, name: str, bound: Bound | None) -> Figure:
    share = float(np.median(timed.wall[name] / timed.wall["all"]))
    label = Label("forecast", "run", f"- {name}: {STAGES[name]}")
    return Figure.of(timed, name, label, bound=bound, detail={"share_of_run": share})
