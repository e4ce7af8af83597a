"""A checkpoint beside every rival on sets of days: the work that a protocol and a dataset share."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm._progress import Clock, StageProgress
from cranpm.baselines.cams import CoarseForecasts
from cranpm.baselines.maps import Method
from cranpm.baselines.registry import Setting, all_rivals, days_read_by_fits
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DaySource
from cranpm.domain import LEAD_DAYS
from cranpm.evaluation.assess import checkpoint_forecaster
from cranpm.evaluation.kept_days import DaySet, is_kept, rows_of, score_days_of, write_daily
from cranpm.model.checkpoint import Checkpoint
from cranpm.training.report.card import revision
from cranpm.verification.evaluate import ScoreRow


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was found.

    ``results`` holds ``about`` and ``rows``; ``files`` are the tables; ``looks`` the lines that were added to the log.
    """

    results: JsonObject
    files: list[Path]
    looks: list[JsonObject]


def our_name(checkpoint: Checkpoint) -> str:
    """A checkpoint as a method of a table."""
    return f"CRAN-PM {checkpoint.folder.resolve().name}"


def file_stem(checkpoint: Checkpoint) -> str:
    """A checkpoint as part of a file's name."""
    return f"{checkpoint.folder.resolve().name}-{checkpoint.short_hash[:8]}"


def span_of(days: Sequence[np.datetime64]) -> dict[str, int | str]:
    """Number of init days, the first and the last."""
    return {"init_days": len(days), "first": str(min(days)), "last": str(max(days))}


def days_missing(parts: Sequence[DaySet], folder: Path) -> int:
    """Days that are not scored yet."""
    return sum(not is_kept(folder, day) for part in parts for day in part.days)


@dataclass(frozen=True, kw_only=True)
class EvaluationData:
    """What forecasts are made from, and what they are held against."""

    datasets: Mapping[str, Dataset]
    """Of each set of days, by its name."""
    forecasts: CoarseForecasts
    """CAMS of all days."""
    source: DaySource
    """All days, those that rivals are fitted on included."""
    training_days: Sequence[np.datetime64]


def score_missing(
    parts: Sequence[DaySet],
    data: EvaluationData,
    checkpoint: Checkpoint,
    rivals: Sequence[str | Path],
    folder: Path,
    progress: StageProgress | None,
) -> None:
    """Fit what is fitted, and score the days that are not kept yet."""
    report = progress or (lambda *_: None)
    folder.mkdir(parents=True, exist_ok=True)
    methods = make_methods(parts, data, checkpoint, rivals, folder, report)
    clock = Clock(days_missing(parts, folder), partial(report, "forecasting and scoring"))
    for part in parts:
        score_days_of(part, data.datasets[part.name], data.source, methods, folder, clock.tick)


def make_methods(
    parts: Sequence[DaySet],
    data: EvaluationData,
    checkpoint: Checkpoint,
    rivals: Sequence[str | Path],
    folder: Path,
    report: StageProgress,
) -> dict[str, Method]:
    """Every rival that the data allow, and the checkpoint; what the tables say of them is kept in ``facts.json``."""
    device = next(checkpoint.network.parameters()).device
    stage = partial(report, "fitting rivals on training days")
    setting = Setting(
        dataset=data.forecasts,
        source=data.source,
        init_days=[day for part in parts for day in part.days],
        leads=LEAD_DAYS,
        training_days=data.training_days,
        trained=[Path(path) for path in rivals],
        device=device,
        fitted=Clock(days_read_by_fits(data.training_days, rivals), stage).tick,
    )
    methods, left_out = all_rivals(setting)
    methods[our_name(checkpoint)] = checkpoint_forecaster(checkpoint, data.source, LEAD_DAYS, device)
    facts = {"left_out": left_out, "notes": list(setting.notes), "source": data.source.name}
    write_atomically(folder / "facts.json", json.dumps(facts))
    return methods


def gather(
    parts: Sequence[DaySet], folder: Path, checkpoint: Checkpoint
) -> tuple[JsonObject, list[ScoreRow]]:
    """What all tables say of themselves, and the rows, from what is kept of the days."""
    facts = json.loads((folder / "facts.json").read_text())
    rows, seconds = rows_of(parts, folder, our_name(checkpoint))
    write_daily(parts, folder, folder / "daily.csv")
    training = checkpoint.meta.get("training") or {}
    about = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "revision": revision(),
        "checkpoint": {
            "name": checkpoint.folder.resolve().name,
            "hash": checkpoint.hash,
            "title": checkpoint.title,
            "trained_on": training.get("period"),
            "seed": (training.get("recipe") or {}).get("seed"),
            "minutes": training.get("minutes"),
            "machine": training.get("machine"),
        },
        **facts,
        "block_days": parts[0].block_days,
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "hours": seconds / 3600,
    }
    return about, rows
