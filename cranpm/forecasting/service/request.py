"""What a forecast run is asked for, and the number that equal questions share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from cranpm.domain import LEAD_DAYS
from cranpm.domain.days import Day, as_day
from cranpm.forecasting.intervention_names import parse_steps

RUN_VERSION = 1


class Request(Protocol):
    """What a job is asked for."""

    @property
    def id(self) -> str:
        """Equal for questions with the same answer; begins the name of the job's folder."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a run computes.

    ``dataset_hash`` and ``checkpoint_hash`` identify content, the two paths say where it lies.
    ``interventions`` are (name, value) pairs understood by `cranpm.forecasting.intervention_names`.
    """

    dataset: str
    dataset_hash: str
    checkpoint: str
    checkpoint_hash: str
    init_time: str
    leads: tuple[int, ...]
    interventions: tuple[tuple[str, float], ...] = ()
    tiles: tuple[int, ...] | None = None
    first: tuple[int, ...] = ()
    device: str = "auto"
    precision: str = "auto"

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits; equal for questions with the same answer, wherever and in whichever order."""
        identity = [
            RUN_VERSION,
            self.dataset_hash,
            self.checkpoint_hash,
            self.init_time,
            self.leads,
            self.interventions,
            self.tiles,
        ]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunRequest:
        """Inverse of `to_dict`."""
        values = dict(values)
        values["leads"] = tuple(values["leads"])
        values["interventions"] = tuple((str(n), float(v)) for n, v in values.get("interventions", ()))
        values["tiles"] = None if values.get("tiles") is None else tuple(values["tiles"])
        values["first"] = tuple(values.get("first", ()))
        return cls(**values)


def make_request(
    dataset_root: Path | str,
    checkpoint_folder: Path | str,
    init_time: Day,
    leads: Sequence[int] = LEAD_DAYS,
    *,
    first: Sequence[int] = (),
    tiles: Sequence[int] | None = None,
    interventions: Sequence[tuple[str, float]] = (),
    device: str = "auto",
) -> RunRequest:
    """A request for a dataset and a checkpoint that lie here.

    Parameters
    ----------
    dataset_root, checkpoint_folder : path
    init_time : datetime64 or str
        Day t (UTC).
    leads : sequence of int
        Lead times [days].
    first : sequence of int
        Tiles to forecast before the others.
    tiles : sequence of int, optional
        Only these tiles.
    interventions : sequence of (str, float)
        As `cranpm.forecasting.intervention_names` has them; none for a forecast.
    device : str

    Raises
    ------
    OSError, ValueError
        If there is no such dataset or checkpoint, or an intervention is unknown.
    """
    dataset, checkpoint = str(Path(dataset_root).resolve()), str(Path(checkpoint_folder).resolve())
    parse_steps(interventions)  # refused here, not in the worker
    return RunRequest(
        dataset=dataset,
        dataset_hash=_dataset_hash(dataset),
        checkpoint=checkpoint,
        checkpoint_hash=checkpoint_hash(checkpoint),
        init_time=str(as_day(init_time)),
        leads=tuple(sorted(int(lead) for lead in leads)),
        first=tuple(int(i) for i in first),
        tiles=None if tiles is None else tuple(int(i) for i in tiles),
        interventions=tuple((str(name), float(value)) for name, value in interventions),
        device=device,
    )


def _dataset_hash(root: str) -> str:
    return dataset_identity(json.loads((Path(root) / "dataset.json").read_text(encoding="utf-8")))


def dataset_identity(meta: Mapping[str, Any]) -> str:
    """What tells the content of a dataset from that of others, from its ``dataset.json``."""
    return f"{meta.get('name')}-{meta.get('version')}-{meta.get('hash')}"


def checkpoint_hash(folder: Path | str) -> str:
    """The hash that a checkpoint's config gives its weights."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    if "hash" not in config:
        raise ValueError(
            f"The config of checkpoint {Path(folder).name!r} has no hash; copy or train it again."
        )
    return config["hash"]
