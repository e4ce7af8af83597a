"""Scores of a dataset's days on the workers of a Dask scheduler: what one process does in turn, a day at a time each.

A worker fits the rivals once, for all days that it gets, and keeps the scores of each day in the shared folder
(`cranpm.evaluation.kept_days`), so that the same call goes on after whatever stopped it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from cranpm._progress import Clock, StageProgress
from cranpm.baselines.maps import Method
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource
from cranpm.domain.days import as_day
from cranpm.evaluation.beside_rivals import EvaluationData, days_missing, make_methods
from cranpm.evaluation.kept_days import DaySet, is_kept, score_days_of
from cranpm.forecasting.engine import choose_device
from cranpm.forecasting.service import tasks
from cranpm.forecasting.service.cluster import connect, disconnect
from cranpm.forecasting.service.day_tasks import leaving_a_lost_device
from cranpm.forecasting.service.each_day import RETRIES, count_workers, each_day
from cranpm.memory import peak_memory


class DaysNotScoredError(RuntimeError):
    """Some days have no scores yet; those that have are kept."""


@dataclass(frozen=True, kw_only=True)
class WorkersOf:
    """Who does the days: a scheduler by its address, or so many processes of this machine."""

    scheduler: str | None = None
    processes: int = 1

    @property
    def others(self) -> bool:
        """Whether it is anybody but the calling process."""
        return self.scheduler is not None or self.processes > 1


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """What the days of one evaluation share; paths are those of all machines, days are as text."""

    dataset: str
    checkpoint: str
    checkpoint_hash: str
    rivals: tuple[str, ...]
    training_days: tuple[str, ...]
    part: DaySet
    folder: str
    device: str

    # a set of days holds a list, so the folder stands for all: its name is made of what scores depend on
    def __hash__(self) -> int:
        return hash((self.folder, self.device))


def score_day(job: ScoringJob, day: str) -> int:
    """Score one day into the folder, unless it is there; returns the most memory that this process has held [bytes]."""
    init = as_day(day)
    with tasks.ONE_AT_A_TIME, leaving_a_lost_device():
        if not is_kept(Path(job.folder), init):
            dataset, source, methods = _methods(job)
            one = DaySet(set=job.part.set, name=job.part.name, days=[init], block_days=job.part.block_days)
            score_days_of(one, dataset, source, methods, Path(job.folder), lambda: None)
    return peak_memory()


@lru_cache(maxsize=1)
def _methods(job: ScoringJob) -> tuple[Dataset, DatasetSource, dict[str, Method]]:
    dataset = Dataset.open(job.dataset)
    source = DatasetSource(dataset)
    data = EvaluationData(
        datasets={job.part.name: dataset},
        forecasts=dataset,
        source=source,
        training_days=[as_day(day) for day in job.training_days],
    )
    checkpoint = tasks.loaded_checkpoint(job.checkpoint, job.checkpoint_hash, str(choose_device(job.device)))
    methods = make_methods([job.part], data, checkpoint, job.rivals, Path(job.folder), lambda *_: None)
    return dataset, source, methods


def score_on_workers(job: ScoringJob, workers: WorkersOf, progress: StageProgress | None) -> int:
    """Score the days that are not kept yet.

    Returns
    -------
    int
        The most memory that a worker has held [bytes].

    Raises
    ------
    DaysNotScoredError
        If some could not be scored; the message names them and says why.
    WorkersGoneError
        If the scheduler goes, or has no worker.
    OSError
        If no scheduler answers.
    """
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [day for day in job.part.days if not is_kept(folder, day)]
    report, failed, peak = progress or (lambda *_: None), {}, 0
    client = connect(workers.scheduler, workers=workers.processes, retries=RETRIES)
    try:
        clock = Clock(len(missing))
        for outcome in each_day(client, score_day, (job,), missing):
            clock.tick()
            if outcome.error is not None:
                failed[outcome.day] = outcome.error
            peak = max(peak, outcome.value or 0)
            told = f"forecasting and scoring on {count_workers(client)} worker(s)"
            report(told, clock.done, clock.total, clock.seconds_left)
    finally:
        disconnect(client)
    if failed:
        raise DaysNotScoredError(_told(failed, days_missing([job.part], folder)))
    return peak


def _told(failed: dict[np.datetime64, BaseException], missing: int) -> str:
    named: Sequence[str] = [f"{day} ({error})" for day, error in sorted(failed.items())[:3]]
    return (
        f"{missing} day(s) have no scores: {'; '.join(named)}{'; ...' if len(failed) > 3 else ''}. What is scored is "
        "kept, and the same command goes on with the rest."
    )
