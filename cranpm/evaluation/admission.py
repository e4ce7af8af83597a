"""Who may be scored on which days: what has seen them, or has not learned to its end, is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cranpm._json import JsonObject
from cranpm.baselines.learned.checkpoint import load_rival
from cranpm.baselines.least_squares import LeastSquares
from cranpm.model.checkpoint import Checkpoint


class ProtocolError(ValueError):
    """A checkpoint that may not be scored on these days; the message says why."""


def refuse_unfit(
    days: Sequence[np.datetime64], what: str, checkpoint: Checkpoint, rivals: Sequence[str | Path]
) -> None:
    """Refuse a checkpoint, or a rival beside it, that has seen some of the days or is half-trained.

    Parameters
    ----------
    days : sequence of datetime64
        All that are read, valid days and the days before included.
    what : str
        Whose days they are, in words.
    checkpoint : Checkpoint
    rivals : sequence of path
        Checkpoints of learned rivals, and files of least-squares coefficients.

    Raises
    ------
    ProtocolError
        By name, with counts.
    CheckpointError, LeastSquaresError
        If a rival is none.
    """
    name = checkpoint.folder.resolve().name
    refuse_half_trained(checkpoint.meta, f"Checkpoint {name!r}")
    refuse_seen_days(days, what, checkpoint.meta, f"checkpoint {name!r}")
    for path in map(Path, rivals):
        if path.suffix == ".json":
            meta: JsonObject = {"training": LeastSquares.load(path).training}
        else:
            rival = load_rival(path)
            meta = rival.meta
            refuse_half_trained(meta, f"Rival {str(path)!r}", finished=rival.finished)
        refuse_seen_days(days, what, meta, f"rival {str(path)!r}")


def refuse_half_trained(meta: JsonObject, name: str, *, finished: bool | None = None) -> None:
    """Refuse what stopped before its steps were done, by what its card says.

    Parameters
    ----------
    meta : mapping
        Of the checkpoint.
    name : str
        What it is called in the message.
    finished : bool, optional
        Whether training ended as it should, with steps left or not; by default if no step is left.

    Raises
    ------
    ProtocolError
        With the steps that were taken, and how to go on.
    """
    training = meta.get("training") or {}
    wanted = (training.get("recipe") or {}).get("steps")
    done = training.get("steps")
    if finished is None:
        finished = wanted is None or done is None or int(done) >= int(wanted)
    if not finished:
        raise ProtocolError(
            f"{name} is half-trained: {done} of {wanted} steps. Go on with 'cranpm train --out RUN --resume' and the "
            "data of before, or score another one."
        )


def refuse_seen_days(days: Sequence[np.datetime64], what: str, meta: JsonObject, name: str) -> None:
    """Refuse what was trained, or chosen, on some of the days, by what its card says.

    Parameters
    ----------
    days : sequence of datetime64
    what : str
        Whose days they are, in words.
    meta : mapping
        Of the checkpoint (`cranpm.model.checkpoint.CheckpointInfo.meta`).
    name : str
        What it is called in the message.

    Raises
    ------
    ProtocolError
        With the number of days; also where the card says nothing of a period.
    """
    training = meta.get("training") or {}
    period = str(training.get("period", ""))
    if not period.count("..") == 1:
        raise ProtocolError(
            f"{name[:1].upper()}{name[1:]} does not say on which days it was trained (training.period), so that it "
            f"cannot be known to be new to those of {what}. Train it with 'cranpm train', which writes it down."
        )
    seen = {"training": period.split("..")}
    splits = (training.get("recipe") or {}).get("splits") or {}
    if splits.get("validation"):
        seen["validation"] = list(splits["validation"])
    for use, (first, last) in seen.items():
        known = [day for day in days if np.datetime64(first) <= day <= np.datetime64(last)]
        if known:
            raise ProtocolError(
                f"{len(known)} of the {len(days)} days of {what} ({known[0]} to {known[-1]}) lie in the {use} period "
                f"of {name}, {first} to {last}. What a network has seen says nothing of its skill; score another "
                "one, or other days."
            )
