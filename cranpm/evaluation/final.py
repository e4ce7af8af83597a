"""A checkpoint under a protocol: worlds are simulated, rivals are scored beside it day by day, the look is logged.

::

    WORK/DOMAIN/WORLD/            datasets of the final worlds, and of the training days that rivals are fitted on
    WORK/scores/KEY/DAY.json      scores of one init day: what an interrupted run goes on from
    WORK/scores/KEY/DAY.parquet   its pairs at stations
    OUT/PROTOCOL-CHECKPOINT-HASH.csv .json .md .tex
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cranpm._files import replacing, write_atomically
from cranpm._progress import Clock, StageProgress
from cranpm.baselines.maps import Method
from cranpm.baselines.registry import PERSISTENCE, Setting, all_rivals, days_read_by_fits
from cranpm.data.store.dataset import Dataset
from cranpm.domain import LEAD_DAYS
from cranpm.evaluation.assess import ALL_LAND, Assessment, assess, checkpoint_forecaster
from cranpm.evaluation.looks import append_looks, count_looks
from cranpm.evaluation.protocol import (
    FinalWorld,
    JoinedDays,
    Protocol,
    build_worlds,
    fit_runs,
    refuse_seen_days,
)
from cranpm.evaluation.tables import write_tables
from cranpm.forecasting.engine import choose_device
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.training.report.card import revision
from cranpm.verification.evaluate import Scorecard

SCORES = 1
"""Changes whenever what is kept of a day changes; days kept by another version are scored anew."""


@dataclass(frozen=True, kw_only=True)
class FinalScores:
    """What a look has found.

    ``results`` holds ``about`` and ``rows``; ``files`` are the tables; ``looks`` the lines that were added to the log.
    """

    results: dict[str, Any]
    files: list[Path]
    looks: list[dict[str, Any]]


def evaluate_protocol(
    protocol: Protocol,
    checkpoint: str | Path | Checkpoint,
    *,
    work: Path,
    out: Path,
    log: Path,
    rivals: Sequence[str | Path] = (),
    device: str = "auto",
    cache_dir: Path | None = None,
    progress: StageProgress | None = None,
) -> FinalScores:
    """Score a checkpoint on the days of a protocol, beside every rival, and log it.

    Interrupted, the same call goes on with the next day. Maps are held for one lead of one day at a time.

    Parameters
    ----------
    work : Path
        Where worlds and scores of days are kept.
    out : Path
        Folder of the tables.
    log : Path
        Log of looks; lines are appended when all days are scored.
    rivals : sequence of path
        Checkpoints of learned rivals, and a file of least-squares coefficients.

    Raises
    ------
    ProtocolError
        If the checkpoint was trained on some of the days, or does not say on which it was.
    LooksError
        If the log is something else.
    """
    chosen = choose_device(device)
    loaded = load_checkpoint(checkpoint, device=chosen)
    name = loaded.folder.resolve().name
    refuse_seen_days(protocol, loaded.meta, name)
    earlier = count_looks(log, protocol.name)
    report = progress or (lambda *_: None)
    kept = work / "scores" / _key(protocol, loaded, rivals)
    kept.mkdir(parents=True, exist_ok=True)
    ours = f"CRAN-PM {name}"
    missing = [day for world in protocol.worlds for day in world.days if not _kept(kept, day)]
    if missing:
        worlds, training = build_worlds(protocol, work, cache_dir=cache_dir, progress=progress)
        source = JoinedDays([training, *worlds.values()])
        runs = fit_runs(protocol)
        stage = partial(report, "fitting rivals on training days")
        fits = Clock(days_read_by_fits(runs, rivals), stage)

        setting = Setting(
            dataset=source,
            source=source,
            init_days=[day for world in protocol.worlds for day in world.days],
            leads=LEAD_DAYS,
            training_days=runs,
            trained=[Path(path) for path in rivals],
            device=chosen,
            fitted=fits.tick,
        )
        methods, left_out = all_rivals(setting)
        methods[ours] = checkpoint_forecaster(loaded, source, LEAD_DAYS, chosen)
        facts = {"left_out": left_out, "notes": list(setting.notes), "source": source.name}
        write_atomically(kept / "facts.json", json.dumps(facts))
        _score_missing(protocol, source, worlds, methods, missing, kept, report)
    facts = json.loads((kept / "facts.json").read_text())
    rows, seconds = _rows(protocol, kept, ours)
    about = {
        **_about(protocol, loaded, name, facts),
        "hours": seconds / 3600,
        "looks": earlier + 1,
        "log": log.name,
    }
    stem = f"{protocol.name}-{name}-{loaded.short_hash[:8]}"
    results = {"about": about, "rows": rows}
    files = write_tables(out, stem, results)
    looks: list[dict[str, Any]] = [_look(about, protocol, set_name, rows, ours) for set_name in protocol.sets]
    append_looks(log, looks)
    return FinalScores(results=results, files=files, looks=looks)


def _key(protocol: Protocol, checkpoint: Checkpoint, rivals: Sequence[str | Path]) -> str:
    """Names what scores of a day depend on: days, checkpoint, rivals."""
    digest = hashlib.sha256(f"{SCORES} {protocol.identity} {checkpoint.hash}".encode())
    for rival in sorted(map(Path, rivals)):
        files = [rival] if rival.is_file() else sorted(path for path in rival.rglob("*") if path.is_file())
        for path in files:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"{checkpoint.short_hash}-{digest.hexdigest()[:12]}"


def _kept(folder: Path, day: np.datetime64) -> bool:
    return all((folder / f"{day}{suffix}").exists() for suffix in (".parquet", ".json"))


def _score_missing(
    protocol: Protocol,
    source: JoinedDays,
    worlds: Mapping[str, Dataset],
    methods: Mapping[str, Method],
    missing: Sequence[np.datetime64],
    folder: Path,
    report: StageProgress,
) -> None:
    wanted = set(missing)
    clock = Clock(len(missing), partial(report, "forecasting and scoring"))
    for world in protocol.worlds:
        dataset = worlds[world.name]
        stations, observations = dataset.stations(), dataset.observations()
        complexity = np.asarray(dataset.static["terrain_complexity"])
        for day in world.days:
            if day not in wanted:
                continue
            started = time.monotonic()
            found = assess(
                source,
                methods,
                [day],
                LEAD_DAYS,
                stations=stations,
                observations=observations,
                complexity=complexity,
                block_days=world.init_days,
            )
            _keep(found, folder, day, world, time.monotonic() - started)
            clock.tick()


def _keep(found: Assessment, folder: Path, day: np.datetime64, world: FinalWorld, seconds: float) -> None:
    """Write a day's scores; the JSON comes last and says that the day is complete."""
    assert found.pairs is not None and found.stations is not None
    # stations of another seed are others, whatever they are called
    pairs = found.pairs.assign(station_id=world.name + "/" + found.pairs["station_id"].astype(str))
    stations = found.stations.assign(station_id=world.name + "/" + found.stations["station_id"].astype(str))
    with replacing(folder / f"{day}.parquet") as draft:
        pairs.merge(stations, on="station_id", how="left").to_parquet(draft)
    document = {
        "seconds": seconds,
        "cards": {where: card.to_dict() for where, card in found.cards.items()},
        "station_columns": list(stations.columns),
        "pair_columns": list(pairs.columns),
    }
    write_atomically(folder / f"{day}.json", json.dumps(document))


def _rows(protocol: Protocol, folder: Path, ours: str) -> tuple[list[dict[str, Any]], float]:
    """Scores of each set, from those of its days, and the seconds they took."""
    rows: list[dict[str, Any]] = []
    seconds = 0.0
    for set_name, worlds in protocol.sets.items():
        cards: dict[str, Scorecard] = {}
        tables = []
        for day in (day for world in worlds for day in world.days):
            document = json.loads((folder / f"{day}.json").read_text())
            seconds += document["seconds"]
            for where, values in document["cards"].items():
                card = Scorecard.from_dict(values)
                if where in cards:
                    cards[where].add(card)
                else:
                    cards[where] = card
            tables.append(pd.read_parquet(folder / f"{day}.parquet"))
        joined = pd.concat(tables, ignore_index=True)
        stations = joined[document["station_columns"]].drop_duplicates("station_id")
        found = Assessment(cards=cards, pairs=joined[document["pair_columns"]], stations=stations)
        rows += [
            {"set": set_name, **row, **_against_ours(found, row, ours)} for row in found.rows(PERSISTENCE)
        ]
    return rows, seconds


def _against_ours(found: Assessment, row: Mapping[str, Any], ours: str) -> dict[str, float]:
    """By how much our RMSE is below that of the row's method on the same maps, with its interval."""
    if row["reference"] != "product" or row["method"] == ours:
        return {}
    interval = found.cards[row["where"]].skill(ours, row["method"], row["lead"], row["grid"])
    return {"less": interval.estimate, "less_low": interval.low, "less_high": interval.high}


def _about(protocol: Protocol, checkpoint: Checkpoint, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    sets = {}
    for set_name, worlds in protocol.sets.items():
        days = sorted(day for world in worlds for day in world.days)
        sets[set_name] = {
            "worlds": [{"world": world.world, "seed": world.seed} for world in worlds],
            "init_days": len(days),
            "first": str(days[0]),
            "last": str(days[-1]),
        }
    return {
        "protocol": protocol.to_dict() | {"hash": protocol.identity},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "revision": revision(),
        "checkpoint": {"name": name, "hash": checkpoint.hash, "title": checkpoint.title},
        "source": facts["source"],
        "simulated": True,
        "sets": sets,
        "block_days": protocol.worlds[0].init_days,
        "left_out": facts["left_out"],
        "notes": facts["notes"],
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
    }


def _look(
    about: Mapping[str, Any], protocol: Protocol, set_name: str, rows: list[dict[str, Any]], ours: str
) -> dict[str, Any]:
    """A line of the log."""
    line: dict[str, Any] = {
        "date": about["date"],
        "revision": about["revision"],
        "checkpoint": about["checkpoint"]["name"],
        "checkpoint_hash": about["checkpoint"]["hash"],
        "protocol": protocol.name,
        "set": set_name,
        "init_days": about["sets"][set_name]["init_days"],
    }
    whole = set_name, "product", ALL_LAND, "1 km"
    maps = [row for row in rows if tuple(row[key] for key in ("set", "reference", "where", "grid")) == whole]
    for lead in LEAD_DAYS:
        of = {row["method"]: row for row in maps if row["lead"] == lead}
        best = min((row for method, row in of.items() if method != ours), key=lambda row: row["rmse"])
        line |= {
            f"rmse_t{lead}": _digits(of[ours]["rmse"]),
            f"persistence_rmse_t{lead}": _digits(of[PERSISTENCE]["rmse"]),
            f"best_rival_t{lead}": best["method"],
            f"best_rival_rmse_t{lead}": _digits(best["rmse"]),
            **{f"{key}_t{lead}": _digits(best[key]) for key in ("less", "less_low", "less_high")},
        }
    return line


def _digits(value: float) -> str:
    return f"{value:.4f}"
