"""Scores kept a day at a time, so that an interrupted evaluation goes on with the next day.

::

    FOLDER/DAY.json      scores of one init day; written last, so it says that the day is complete
    FOLDER/DAY.parquet   its pairs at stations, where there are stations
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm._files import replacing, write_atomically
from cranpm._json import JsonObject
from cranpm.baselines.maps import Method
from cranpm.baselines.registry import PERSISTENCE
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DaySource
from cranpm.domain import LEAD_DAYS
from cranpm.evaluation.assess import Assessment, assess
from cranpm.model.checkpoint import Checkpoint
from cranpm.verification.evaluate import Scorecard, ScoreRow

VERSION = 2
"""Changes whenever what is kept of a day changes; days kept by another version are scored anew."""


@dataclass(frozen=True, kw_only=True)
class DaySet:
    """Init days that are scored on one dataset and belong to one set of a table."""

    set: str
    name: str
    """Of the dataset: stations of another one are others, whatever they are called."""
    days: Sequence[np.datetime64]
    block_days: int


def folder_name(identity: str, checkpoint: Checkpoint, rivals: Sequence[str | Path]) -> str:
    """Names what scores of a day depend on: days and data, checkpoint, rivals."""
    digest = hashlib.sha256(f"{VERSION} {identity} {checkpoint.hash}".encode())
    for rival in sorted(map(Path, rivals)):
        files = [rival] if rival.is_file() else sorted(path for path in rival.rglob("*") if path.is_file())
        for path in files:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"{checkpoint.short_hash}-{digest.hexdigest()[:12]}"


def is_kept(folder: Path, day: np.datetime64) -> bool:
    """Whether a day is scored."""
    return (folder / f"{day}.json").exists()


def score_days_of(
    part: DaySet,
    dataset: Dataset,
    source: DaySource,
    methods: Mapping[str, Method],
    folder: Path,
    scored: Callable[[], None],
) -> None:
    """Score the days of a part that are not kept yet; ``scored`` is called after each."""
    missing = [day for day in part.days if not is_kept(folder, day)]
    if not missing:
        return
    tables = dataset.has_stations
    stations = dataset.stations() if tables else None
    observations = dataset.observations() if tables else None
    complexity = np.asarray(dataset.static["terrain_complexity"])
    for day in missing:
        started = time.monotonic()
        found = assess(
            source,
            methods,
            [day],
            LEAD_DAYS,
            stations=stations,
            observations=observations,
            complexity=complexity,
            block_days=part.block_days,
        )
        _keep(found, folder, day, part.name, time.monotonic() - started)
        scored()


def _keep(found: Assessment, folder: Path, day: np.datetime64, name: str, seconds: float) -> None:
    document: JsonObject = {
        "seconds": seconds,
        "cards": {where: card.to_dict() for where, card in found.cards.items()},
    }
    if found.pairs is not None and found.stations is not None:
        pairs = found.pairs.assign(station_id=name + "/" + found.pairs["station_id"].astype(str))
        stations = found.stations.assign(station_id=name + "/" + found.stations["station_id"].astype(str))
        with replacing(folder / f"{day}.parquet") as draft:
            pairs.merge(stations, on="station_id", how="left").to_parquet(draft)
        document |= {"station_columns": list(stations.columns), "pair_columns": list(pairs.columns)}
    write_atomically(folder / f"{day}.json", json.dumps(document))


def write_daily(parts: Sequence[DaySet], folder: Path, path: Path) -> Path:
    """Write a CSV of means and errors of maps by day, place, lead and method, what series are drawn of.

    Columns are ``set``, ``where``, ``init_day``, ``valid_day``, ``lead``, ``method``, ``mean`` and ``target_mean``
    [ug m-3], ``squared`` (mean squared error, (ug m-3)^2) and ``cells``, on the 1-km grid.
    """
    rows = []
    for part in parts:
        for day in part.days:
            cards = json.loads((folder / f"{day}.json").read_text())["cards"]
            for where, values in cards.items():
                for (method, lead, grid), (sums,) in Scorecard.from_dict(values).sums.items():
                    if grid != "1 km" or not sums.count:
                        continue
                    rows.append(
                        {
                            "set": part.set,
                            "where": where,
                            "init_day": str(day),
                            "valid_day": str(day + np.timedelta64(lead, "D")),
                            "lead": lead,
                            "method": method,
                            "mean": round(float(sums.forecast_mean), 5),
                            "target_mean": round(float(sums.reference_mean), 5),
                            "squared": round(float(sums.mse), 6),
                            "cells": int(sums.count),
                        }
                    )
    write_atomically(path, pd.DataFrame(rows).to_csv(index=False))
    return path


def rows_of(parts: Sequence[DaySet], folder: Path, ours: str) -> tuple[list[ScoreRow], float]:
    """Scores of each set, from those of its days, and the seconds that they took."""
    rows: list[ScoreRow] = []
    seconds = 0.0
    for set_name in dict.fromkeys(part.set for part in parts):
        cards: dict[str, Scorecard] = {}
        tables: list[pd.DataFrame] = []
        columns: JsonObject = {"pair_columns": []}
        for day in (day for part in parts if part.set == set_name for day in part.days):
            document = json.loads((folder / f"{day}.json").read_text())
            seconds += document["seconds"]
            for where, values in document["cards"].items():
                card = Scorecard.from_dict(values)
                if where in cards:
                    cards[where].add(card)
                else:
                    cards[where] = card
            if "pair_columns" in document:
                # a day without any pair names no method
                columns = max(columns, document, key=lambda of: len(of["pair_columns"]))
                tables.append(pd.read_parquet(folder / f"{day}.parquet"))
        pairs = stations = None
        if tables:
            joined = pd.concat(tables, ignore_index=True)
            pairs = joined[columns["pair_columns"]]
            stations = joined[columns["station_columns"]].drop_duplicates("station_id")
        found = Assessment(cards=cards, pairs=pairs, stations=stations)
        rows += [{"set": set_name, **row} for row in found.rows(PERSISTENCE, ours)]
    return rows, seconds
