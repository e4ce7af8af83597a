"""A checkpoint on days of a dataset, simulated or real, in the same tables as on final days; no look is logged.

::

    WORK/scores/KEY/              scores of each init day (`cranpm.evaluation.kept_days`)
    OUT/development-DATASET-CHECKPOINT-HASH.csv .json .md .tex
    OUT/development-DATASET-CHECKPOINT-HASH-daily.csv      of each day, for figures
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cranpm._progress import StageProgress
from cranpm.data.datasets import DataLike, open_dataset
from cranpm.data.store.source import DatasetSource, init_times, startable_between
from cranpm.domain import LEAD_DAYS, Splits
from cranpm.domain.days import Day, as_day
from cranpm.domain.resampling import consecutive_runs, subsample_evenly
from cranpm.evaluation.admission import ProtocolError, refuse_unfit
from cranpm.evaluation.assess import ONE_DAY
from cranpm.evaluation.beside_rivals import (
    Evaluation,
    EvaluationData,
    days_missing,
    file_stem,
    gather,
    score_missing,
    span_of,
)
from cranpm.evaluation.kept_days import DaySet, folder_name, write_daily
from cranpm.evaluation.on_workers import ScoringJob, WorkersOf, score_on_workers
from cranpm.evaluation.protocol import MIN_DAYS
from cranpm.evaluation.tables import write_tables
from cranpm.forecasting.engine import choose_device
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.verification.evaluate import BLOCK_DAYS

DEVELOPMENT = "development"
"""The set of days of a dataset: anything may be chosen on them, so nothing of them is quoted as skill."""


def evaluate_dataset(
    checkpoint: str | Path | Checkpoint,
    data: DataLike,
    *,
    work: Path,
    out: Path,
    start: Day | None = None,
    end: Day | None = None,
    days: int = 48,
    fit_days: int = 72,
    rivals: Sequence[str | Path] = (),
    device: str = "auto",
    workers: WorkersOf | None = None,
    progress: StageProgress | None = None,
) -> Evaluation:
    """Score a checkpoint on days of a dataset, simulated or real, beside every rival: the same tables, and no look.

    Interrupted, the same call goes on with the next day.

    Parameters
    ----------
    data : str, path or Dataset
        As `cranpm.open_dataset` takes it.
    work, out : Path
        Where scores of days are kept; folder of the tables.
    start, end : str or datetime64, optional
        First and last init day; by default all that are held.
    days : int
        At most so many init days, spread evenly.
    fit_days : int
        At most so many days of the training split (2017 to 2020) to fit climatology, damped persistence and least
        squares on, as far as the dataset holds them.
    rivals : sequence of path
        Checkpoints of learned rivals, and a file of least-squares coefficients.
    workers : WorkersOf, optional
        Who scores the days; by default this process.

    Raises
    ------
    DaysNotScoredError
        If workers could not score some days; the others are kept.
    ProtocolError
        If the checkpoint or a rival has seen some of the days or is half-trained; if there are fewer than two days.
    LookupError
        For a checkpoint or dataset that is not there, or where no init day lies between the dates.
    """
    loaded = load_checkpoint(checkpoint, device=choose_device(device))
    dataset = open_dataset(data)
    source = DatasetSource(dataset)
    first, last = (None if day is None else as_day(day) for day in (start, end))
    chosen = subsample_evenly(startable_between(source.days, first, last), days)
    what = f"dataset {dataset.name!r}"
    if len(chosen) < MIN_DAYS:
        raise ProtocolError(
            f"{len(chosen)} init day of {what} was chosen ({chosen[0]}); intervals redraw days and need {MIN_DAYS} at "
            "least. Choose more days, or use 'cranpm score' for a look at one."
        )
    held = set(source.days.tolist())
    reach = range(-1, max(LEAD_DAYS) + 1)
    read = sorted({day + k * ONE_DAY for day in chosen for k in reach})
    read = [day for day in read if day.astype(object) in held]
    refuse_unfit(read, what, loaded, rivals)
    runs = consecutive_runs(init_times(source, "train", Splits(), LEAD_DAYS), fit_days, LEAD_DAYS)
    parts = [DaySet(set=DEVELOPMENT, name=dataset.name, days=chosen, block_days=BLOCK_DAYS)]
    # days that come to the data later make other scores: of valid days that were not held, and of fits
    identity = [
        *(dataset.name, dataset.source, dataset.meta.get("hash")),
        *([str(day) for day in each] for each in (chosen, read, runs)),
    ]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    kept = work / "scores" / folder_name(key, loaded, rivals)
    if not days_missing(parts, kept):
        pass
    elif workers is not None and workers.others:
        job = ScoringJob(
            dataset=dataset.root if "://" in dataset.root else str(Path(dataset.root).resolve()),
            checkpoint=str(loaded.folder.resolve()),
            checkpoint_hash=loaded.hash,
            rivals=tuple(str(Path(rival).resolve()) for rival in rivals),
            training_days=tuple(map(str, runs)),
            part=parts[0],
            folder=str(kept.resolve()),
            device=device,
        )
        score_on_workers(job, workers, progress)
    else:
        read_from = EvaluationData(
            datasets={dataset.name: dataset}, forecasts=dataset, source=source, training_days=runs
        )
        score_missing(parts, read_from, loaded, rivals, kept, progress)
    about, rows = gather(parts, kept, loaded)
    if not rows:
        raise ProtocolError(
            f"No pair of a forecast and a reference in {len(chosen)} init days of {what}: no valid day up to T+"
            f"{max(LEAD_DAYS)} holds PM2.5 or observations. Choose earlier days, or prepare later ones."
        )
    about |= {
        "dataset": dataset.name,
        "simulated": dataset.simulated,
        "sets": {DEVELOPMENT: {"dataset": dataset.name, **span_of(chosen)}},
        "looks": None,
    }
    results = {"about": about, "rows": rows}
    stem = f"{DEVELOPMENT}-{dataset.name}-{file_stem(loaded)}"
    tables = write_tables(out, stem, results)
    files = [write_daily(parts, kept, out / f"{stem}-daily.csv"), *tables]
    return Evaluation(results=results, files=files, looks=[])
