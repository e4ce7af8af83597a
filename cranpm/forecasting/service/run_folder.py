"""A forecast run as a folder: what was asked, how far it is, the maps as they fill, what the network attended to.

The folder is the whole interface between the process that computes and the processes that show: maps are ``.npy``
files that one side fills and the other reads (`cranpm.forecasting.array_file`), state is one small JSON file that is
replaced atomically. Every run has a folder of its own, also the second one of the same question: nobody takes the maps
of one for those of the other.

    request.json      what was asked (dataset, checkpoint, init, leads, interventions)
    expected.json     what it was expected to cost; not there where nothing was known
    progress.json     state, tiles done, seconds left, device, message
    forecast_T1.npy   (H, W) float32 ug m-3, NaN where no tile has been or no support is
    attention_*        recorded tensors of the bridge, see `cranpm.forecasting.attention`
    cancel            exists when somebody asked to stop
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from cranpm._files import remove, write_atomically
from cranpm.forecasting.array_file import ArrayFile, ArrayFileError, create_array_file
from cranpm.forecasting.service.request import Request, RunRequest

State = Literal["queued", "running", "done", "failed", "cancelled", "gone"]

FINISHED: tuple[State, ...] = ("done", "failed", "cancelled", "gone")

STALE_SECONDS = 120.0
"""A running state that has not been renewed for this long belongs to a process that died."""


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """What a forecast took: seconds of its tiles, and the most memory that its process has held by then [bytes]."""

    seconds: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How far a run is. ``done_list`` holds the tile numbers blended so far, in order.

    ``seconds`` are those of the tiles, without loading; ``peak_memory`` is the most that the process has held since it
    began [bytes], None where it was not recorded.
    ``unusual_inputs`` are `cranpm.data.input_ranges.UnusualInput` as dicts; ``missing_land`` and ``missing_coarse`` are
    shares without a value, see `cranpm.forecasting.day.ForecastDay`. All three are known once the inputs are read; the
    shares are None before.
    ``state`` is "gone" where the run's folder is not there (any more).
    """

    state: State = "queued"
    done_tiles: int = 0
    total_tiles: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    device: str = ""
    precision: str = ""
    message: str = ""
    done_list: tuple[int, ...] = ()
    negative_cells: dict[str, int] | None = None
    unusual_inputs: tuple[dict[str, Any], ...] = ()
    missing_land: float | None = None
    missing_coarse: float | None = None
    peak_memory: int | None = None
    machine: str = ""
    pid: int = 0
    updated: float = 0.0

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.state in FINISHED

    @property
    def cost(self) -> RunCost | None:
        """What it took; None unless it is done, or where its memory was not recorded."""
        if self.state != "done" or self.peak_memory is None:
            return None
        return RunCost(seconds=self.seconds, memory=self.peak_memory)


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
    def new(cls, root: Path, request: Request, expected: RunCost | None = None) -> RunFolder:
        """A folder for a run that begins now; ``expected`` is kept beside what it will take."""
        folder = cls(Path(root) / f"{request.id}-{os.urandom(4).hex()}")
        folder.path.mkdir(parents=True)
        _write_json(folder.path / "request.json", request.to_dict())
        if expected is not None:
            _write_json(folder.path / "expected.json", asdict(expected))
        folder.write_status(RunStatus())
        return folder

    @classmethod
    def of_request(cls, root: Path, request: Request) -> list[RunFolder]:
        """All runs of a question, the one used last first."""
        found = [cls(path) for path in Path(root).glob(f"{request.id}*") if path.is_dir()]
        return sorted(found, key=lambda folder: folder.used, reverse=True)

    @property
    def used(self) -> float:
        """When the run was last written or found [s since 1970]."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def request(self) -> RunRequest:
        """What was asked.

        Raises
        ------
        OSError, ValueError, KeyError, TypeError
            If the folder is gone, or holds none that this version can read.
        """
        return RunRequest.from_dict(json.loads((self.path / "request.json").read_text(encoding="utf-8")))

    def expected(self) -> RunCost | None:
        """What the run was expected to take when it was asked for; None where nothing was known."""
        try:
            values = json.loads((self.path / "expected.json").read_text(encoding="utf-8"))
            return RunCost(seconds=float(values["seconds"]), memory=int(values["memory"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note_use(self) -> None:
        """Let it be removed later than others."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def write_status(self, status: RunStatus) -> None:
        """Renew the state; where the folder is gone meanwhile, it stays so."""
        values = asdict(status) | {"machine": platform.node(), "pid": os.getpid(), "updated": time.time()}
        with contextlib.suppress(FileNotFoundError):
            _write_json(self.path / "progress.json", values)

    def status(self) -> RunStatus:
        """The latest state. A silent worker is reported as failed, a run that is to be cancelled as cancelled."""
        status = self.written_status()
        if not status.finished and self.cancel_asked():
            return replace(status, state="cancelled", message="Cancelled.")
        return status

    def written_status(self) -> RunStatus:
        """The same without what was asked since: a cancelled run may still be at work on its last tiles."""
        try:
            values = json.loads((self.path / "progress.json").read_text(encoding="utf-8"))
            known = {field.name for field in fields(RunStatus)}  # a newer version may have written more
            status = RunStatus(
                **{k: v for k, v in values.items() if k in known}
                | {
                    "done_list": tuple(values["done_list"]),
                    "unusual_inputs": tuple(values.get("unusual_inputs", ())),
                }
            )
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):  # no folder, or one that is none of ours
            return RunStatus(state="gone", message="This forecast is not kept any more.")
        if status.state == "running" and _has_died(status):
            message = "The process that ran this forecast stopped without a word (out of memory?). Try again."
            return replace(status, state="failed", message=message, seconds_left=None)
        return status

    def map_path(self, lead: int) -> Path:
        """File of the map of one lead time."""
        return self.path / f"forecast_T{lead}.npy"

    def create_map(self, lead: int, shape: tuple[int, int]) -> np.memmap:
        """A map of NaN to fill; it has its name only when every cell is NaN."""
        return create_array_file(self.map_path(lead), shape, np.float32, np.nan)

    def open_map(self, lead: int) -> ArrayFile:
        """The map of one lead time, as far as it is done.

        Raises
        ------
        FileNotFoundError
            If the run has not started on it.
        ArrayFileError
            If the file is damaged.
        """
        return ArrayFile(self.map_path(lead))

    def has_maps(self, leads: Sequence[int]) -> bool:
        """Whether the maps of all these lead times are there and whole."""
        try:
            for lead in leads:
                self.open_map(lead)
        except (OSError, ArrayFileError):
            return False
        return True

    def remove_arrays(self) -> None:
        """Give back the disk that a failed run took; who has a map open can still read it."""
        for path in self.path.glob("*.np[yz]"):
            with contextlib.suppress(OSError):
                path.unlink()

    def ask_to_cancel(self) -> None:
        """Leave the mark that stops the run before its next batch."""
        with contextlib.suppress(FileNotFoundError):  # a run that is gone needs no stopping
            (self.path / "cancel").touch()

    def cancel_asked(self) -> bool:
        """Whether the worker is to stop: somebody asked, or took the folder away."""
        return (self.path / "cancel").exists() or not self.path.is_dir()


def prune_runs(root: Path, keep: int, watched: Collection[str] = ()) -> None:
    """Remove finished runs but the ``keep`` used last; done ones are kept before others, ``watched`` ones always.

    Parameters
    ----------
    watched : collection of str
        Names of folders that somebody looks at.
    """
    finished = []
    for folder in run_folders(root):
        status = folder.written_status()
        if status.finished and folder.path.name not in watched:
            finished.append((status.state == "done", folder.used, folder.path))
    for _, _, path in sorted(finished, reverse=True)[keep:]:
        with contextlib.suppress(OSError):
            remove(path)


def run_folders(root: Path) -> Iterator[RunFolder]:
    """Folders of runs; others that somebody keeps here are left alone."""
    if root.exists():
        yield from (RunFolder(path) for path in root.iterdir() if (path / "progress.json").is_file())


def _write_json(path: Path, values: dict[str, Any]) -> None:
    """Replace a file of a run that is still there; no run outlives a power cut, so it need not either."""
    write_atomically(path, json.dumps(values), sync=False, parents=False)
