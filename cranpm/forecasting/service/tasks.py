"""What a worker process does: run a job into its folder, answer where a place attended. Models stay loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource
from cranpm.domain import plan_tiles
from cranpm.forecasting.attention import AttentionRecorder, read_attention
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.engine import (
    ForecastCancelledError,
    ForecastMaps,
    RunObserver,
    TilesDone,
    TileSelection,
    choose_device,
    run_forecast,
)
from cranpm.forecasting.interventions import intervene, switched
from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus
from cranpm.memory import keep_freed_memory, peak_memory
from cranpm.model.checkpoint import Checkpoint, load_checkpoint

ONE_AT_A_TIME = threading.Lock()
"""One model per device at work: two jobs at once would only share the same cores, and a network that one of them has
switched for its own question."""


class RefusedError(ValueError):
    """A job that makes no sense; the message is a whole sentence for whoever asked."""


@lru_cache(maxsize=2)
def loaded_checkpoint(folder: str, content_hash: str, device: str) -> Checkpoint:
    """A checkpoint on a device, kept for the next job.

    Raises
    ------
    ValueError
        If its content is not the one that was asked for.
    """
    checkpoint = load_checkpoint(Path(folder), device=device)
    if checkpoint.hash != content_hash:
        raise ValueError(
            f"Checkpoint {Path(folder).name!r} changed since the forecast was asked for; ask again."
        )
    return checkpoint


@lru_cache(maxsize=4)
def _dataset(root: str, content_hash: str) -> Dataset:
    """An opened dataset; one that was built anew in the same place has another hash."""
    return Dataset.open(root)


@lru_cache(maxsize=1)
def _day(
    root: str, dataset_hash: str, folder: str, checkpoint_hash: str, init: str, device: str
) -> ForecastDay:
    """The inputs of the last day: what-ifs of one forecast follow each other, and reading takes as long as a tile."""
    dataset = _dataset(root, dataset_hash)
    dataset.refresh()
    statistics = loaded_checkpoint(folder, checkpoint_hash, device).require_statistics()
    return load_day(DatasetSource(dataset), init, statistics, device)


def forecast_into_folder(path: str, request_values: dict[str, Any]) -> str:
    """Run one forecast into its run folder and return its final state; see `in_turn`."""
    request = RunRequest.from_dict(request_values)
    return in_turn(path, lambda folder: _forecast(folder, request))


def in_turn(path: str, work: Callable[[RunFolder], None]) -> str:
    """Work into a job's folder, one job at a time, and return its final state; failures end up there, not lost."""
    folder = RunFolder(Path(path))
    with ONE_AT_A_TIME:
        status = folder.written_status()
        if status.finished:  # asked twice, for instance by a scheduler that lost the answer
            return status.state
        try:
            stop_if_cancelled(folder)
            work(folder)
        except ForecastCancelledError as stop:
            previous = folder.written_status()
            folder.write_status(replace(previous, state="cancelled", message=str(stop), seconds_left=None))
            return "cancelled"
        except Exception as error:  # the viewer must learn of every failure, whatever it is
            folder.remove_arrays()
            kind = "" if isinstance(error, RefusedError) else f"{type(error).__name__}: "
            folder.write_status(RunStatus(state="failed", message=f"{kind}{error}"))
            return "failed"
    return "done"


def stop_if_cancelled(folder: RunFolder) -> None:
    """End a job whose asker has gone.

    Raises
    ------
    ForecastCancelledError
        If somebody asked to stop.
    """
    if folder.cancel_asked():
        raise ForecastCancelledError("Cancelled before it began.")


def inputs_of(folder: RunFolder, request: RunRequest, device: str) -> tuple[Checkpoint, ForecastDay]:
    """Checkpoint and day of a request, on a device and changed as it asks; may be kept from the job before."""
    checkpoint = loaded_checkpoint(request.checkpoint, request.checkpoint_hash, device)
    stop_if_cancelled(folder)
    day = _day(
        request.dataset, request.dataset_hash, request.checkpoint, request.checkpoint_hash, request.init_time, device
    )  # fmt: skip
    stop_if_cancelled(folder)
    return checkpoint, intervene(day, request.interventions, checkpoint.require_statistics())


def _forecast(folder: RunFolder, request: RunRequest) -> None:
    keep_freed_memory()
    device = choose_device(request.device)
    folder.write_status(RunStatus(state="running", device=str(device), message="Loading model and inputs"))
    checkpoint, day = inputs_of(folder, request, str(device))
    plan = plan_tiles(day.domain.fine.shape)
    maps = {lead: folder.create_map(lead, plan.shape) for lead in request.leads}
    recorder = AttentionRecorder(folder.path, plan, day)
    status = _StatusWriter(folder, day)
    with switched(checkpoint.network, request.interventions) as network:
        result = run_forecast(
            network,
            day,
            request.leads,
            tiles=TileSelection(plan=plan, only=request.tiles, first=request.first),
            precision=request.precision,
            observer=RunObserver(maps=maps, progress=status.tell, cancelled=folder.cancel_asked),
            recorder=recorder,
        )
    recorder.close()
    for values in maps.values():
        values.flush()
    status.finish(result)


class _StatusWriter:
    """Writes into a run folder how far the run is, beside what is known of its inputs."""

    def __init__(self, folder: RunFolder, day: ForecastDay) -> None:
        self._folder = folder
        self._done: list[int] = []
        self._read = RunStatus(
            state="running",
            device=str(day.device),
            unusual_inputs=tuple(one.to_dict() for one in day.unusual),
            missing_land=day.missing_land,
            missing_coarse=day.missing_coarse,
        )

    def tell(self, progress: TilesDone) -> None:
        self._done.extend(tile.index for tile in progress.tiles)
        self._folder.write_status(
            replace(
                self._read,
                done_tiles=progress.done_tiles,
                total_tiles=progress.total_tiles,
                seconds=progress.seconds,
                seconds_left=progress.seconds_left,
                done_list=tuple(self._done),
            )
        )

    def finish(self, result: ForecastMaps) -> None:
        self._folder.write_status(
            replace(
                self._read,
                state="done",
                done_tiles=result.num_tiles,
                total_tiles=result.num_tiles,
                seconds=result.seconds,
                seconds_left=0.0,
                peak_memory=peak_memory(),
                device=result.device,
                precision=result.precision,
                done_list=tuple(self._done),
                negative_cells={str(lead): count for lead, count in result.negative.items()},
            )
        )


def attention_of_run(
    folder: str, request_values: dict[str, Any], lead: int, lat: float, lon: float
) -> dict[str, Any]:
    """Where a place attended in a finished run; see `cranpm.forecasting.attention.read_attention`."""
    request = RunRequest.from_dict(request_values)
    domain = _dataset(request.dataset, request.dataset_hash).domain
    with torch.inference_mode():
        return read_attention(Path(folder), lead, lat, lon, domain)


def warm_up(checkpoint: str, content_hash: str, device: str = "auto") -> str:
    """Load a checkpoint ahead of the first forecast; returns the device's name."""
    chosen = choose_device(device)
    loaded_checkpoint(checkpoint, content_hash, str(chosen))
    return str(chosen)
