"""A checkpoint under a protocol: worlds are simulated, rivals are scored beside it day by day, the look is logged.

::

    WORK/DOMAIN/WORLD/            datasets of the final worlds, and of the training days that rivals are fitted on
    WORK/scores/KEY/              scores of each init day (`cranpm.evaluation.kept_days`)
    OUT/PROTOCOL-CHECKPOINT-HASH.csv .json .md .tex
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cranpm._json import JsonObject
from cranpm._progress import StageProgress
from cranpm.baselines.registry import PERSISTENCE
from cranpm.domain import LEAD_DAYS
from cranpm.evaluation.admission import refuse_unfit
from cranpm.evaluation.assess import ALL_LAND
from cranpm.evaluation.beside_rivals import (
    Evaluation,
    EvaluationData,
    days_missing,
    file_stem,
    gather,
    our_name,
    score_missing,
    span_of,
)
from cranpm.evaluation.kept_days import DaySet, folder_name
from cranpm.evaluation.looks import append_looks, count_looks
from cranpm.evaluation.protocol import JoinedDays, Protocol, build_worlds, fit_runs
from cranpm.evaluation.tables import write_tables
from cranpm.forecasting.engine import choose_device
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.verification.evaluate import ScoreRow


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
) -> Evaluation:
    """Score a checkpoint on the days of a protocol, beside every rival, and log it.

    Interrupted, the same call goes on with the next day. Maps are held for one lead of one day at a time.

    Parameters
    ----------
    work : Path
        Where worlds and scores of days are kept.
    out : Path
        Folder of the tables.
    log : Path
        Log of looks; lines are appended when all days are scored, if looks at the protocol count.
    rivals : sequence of path
        Checkpoints of learned rivals, and a file of least-squares coefficients.

    Raises
    ------
    ProtocolError
        If the checkpoint or a rival was trained on some of the days, does not say on which it was, or is half-trained.
    LooksError
        If the log is something else.
    """
    loaded = load_checkpoint(checkpoint, device=choose_device(device))
    refuse_unfit(protocol.needed_days, f"protocol {protocol.name!r}", loaded, rivals)
    earlier = count_looks(log, protocol.name) if protocol.logged else 0
    parts = [
        DaySet(set=set_name, name=world.name, days=world.days, block_days=world.init_days)
        for set_name, worlds in protocol.sets.items()
        for world in worlds
    ]
    kept = work / "scores" / folder_name(protocol.identity, loaded, rivals)
    if days_missing(parts, kept):
        worlds, training = build_worlds(protocol, work, cache_dir=cache_dir, progress=progress)
        source = JoinedDays([training, *worlds.values()])
        data = EvaluationData(
            datasets=worlds, forecasts=source, source=source, training_days=fit_runs(protocol)
        )
        score_missing(parts, data, loaded, rivals, kept, progress)
    about, rows = gather(parts, kept, loaded)
    sets = {
        set_name: {
            "worlds": [{"world": world.world, "seed": world.seed} for world in worlds],
            **span_of([day for world in worlds for day in world.days]),
        }
        for set_name, worlds in protocol.sets.items()
    }
    about |= {
        "protocol": protocol.to_dict() | {"hash": protocol.identity},
        "simulated": True,
        "sets": sets,
        "looks": earlier + 1 if protocol.logged else None,
        "log": log.name if protocol.logged else None,
    }
    results = {"about": about, "rows": rows}
    files = write_tables(out, f"{protocol.name}-{file_stem(loaded)}", results)
    if not protocol.logged:
        return Evaluation(results=results, files=files, looks=[])
    looks = [_look(about, protocol, set_name, rows, our_name(loaded)) for set_name in protocol.sets]
    append_looks(log, looks)
    return Evaluation(results=results, files=files, looks=looks)


def _look(
    about: JsonObject, protocol: Protocol, set_name: str, rows: list[ScoreRow], ours: str
) -> JsonObject:
    """A line of the log."""
    line: JsonObject = {
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
