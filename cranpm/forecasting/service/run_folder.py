"""A forecast run as a folder: what was asked, how far it is, the maps as they fill, what the network attended to.

The folder is the whole interface between the process that computes and the processes that show: maps are ``.npy``
files that both sides map into memory, state is one small JSON file that is replaced atomically.

    request.json      what was asked (dataset, checkpoint, init, leads, interventions)
    progress.json     state, tiles done, seconds left, device, message
    forecast_T1.npy   (H, W) float32 ug m-3, NaN where no tile has been or no support is
    attention_*        recorded tensors of the bridge, see `cranpm.forecasting.attention`
    cancel            exists when somebody asked to stop
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

State = Literal["queued", "running", "done", "failed", "cancelled"]

FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")

STALE_SECONDS = 120.0
"""A running state that has not been renewed for this long belongs to a process that died."""

RUN_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a run computes; equal requests have equal ids and share one folder.

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

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name the run."""
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
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunRequest:
        values = dict(values)
        values["leads"] = tuple(values["leads"])
        values["interventions"] = tuple((str(n), float(v)) for n, v in values.get("interventions", ()))
        values["tiles"] = None if values.get("tiles") is None else tuple(values["tiles"])
        values["first"] = tuple(values.get("first", ()))
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How far a run is. ``done_list`` holds the tile numbers blended so far, in order."""

    state: State = "queued"
    done_tiles: int = 0
    total_tiles: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    device: str = ""
    message: str = ""
    done_list: tuple[int, ...] = ()
    negative_cells: dict[str, int] | None = None
    machine: str = ""
    pid: int = 0
    updated: float = 0.0

    @property
    def finished(self) -> bool:
        return self.state in FINISHED


def _has_died(status: RunStatus) -> bool:
    """Whether nobody computes a running run any more: at once for processes of this machine, else by its silence."""
    if status.machine == platform.node() and status.pid and not psutil.pid_exists(status.pid):
        return True
    return time.time() - status.updated > STALE_SECONDS


class RunFolder:
    """Read and write one run."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def for_request(cls, root: Path, request: RunRequest) -> RunFolder:
        return cls(Path(root) / request.id)

    def create(self, request: RunRequest) -> None:
        """Start afresh: empty the folder and write the request."""
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        _replace_json(self.path / "request.json", request.to_dict())
        self.write_status(RunStatus())

    def request(self) -> RunRequest:
        return RunRequest.from_dict(json.loads((self.path / "request.json").read_text()))

    def write_status(self, status: RunStatus) -> None:
        values = asdict(status) | {"machine": platform.node(), "pid": os.getpid(), "updated": time.time()}
        _replace_json(self.path / "progress.json", values)

    def status(self) -> RunStatus | None:
        """The latest state; None for a folder without one. A silent worker is reported as failed."""
        try:
            values = json.loads((self.path / "progress.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        known = {field.name for field in fields(RunStatus)}  # a newer version may have written more
        status = RunStatus(
            **{k: v for k, v in values.items() if k in known} | {"done_list": tuple(values["done_list"])}
        )
        if status.state == "running" and _has_died(status):
            return RunStatus(
                state="failed", message="The process that ran this forecast stopped without a word."
            )
        return status

    def map_path(self, lead: int) -> Path:
        return self.path / f"forecast_T{lead}.npy"

    def create_map(self, lead: int, shape: tuple[int, int]) -> np.ndarray:
        """A memory-mapped map of NaN to fill; it has its name only when every cell is NaN (a new file reads as 0)."""
        path = self.map_path(lead)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        values = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        values.fill(np.nan)
        os.replace(temporary, path)
        return values

    def field(self, lead: int) -> np.ndarray:
        """The map of one lead time, memory-mapped and read-only.

        Raises
        ------
        FileNotFoundError
            If the run has not started on it.
        """
        return np.load(self.map_path(lead), mmap_mode="r")

    def ask_to_cancel(self) -> None:
        (self.path / "cancel").touch()

    def cancel_asked(self) -> bool:
        return (self.path / "cancel").exists()

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def prune_runs(root: Path, keep: int) -> None:
    """Remove all but the ``keep`` most recently used finished runs."""
    if not root.exists():
        return
    finished = []
    for path in root.iterdir():
        status = RunFolder(path).status() if path.is_dir() else None
        if status is not None and status.finished:
            finished.append((status.updated, path))
    for _, path in sorted(finished, reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def _replace_json(path: Path, values: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(values))
    os.replace(temporary, path)
