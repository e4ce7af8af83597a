"""Work outside the calling process, and the forecast among it: how far it is, its maps, where a place attended."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cranpm.forecasting.intervention_names import steps_in_words
from cranpm.forecasting.service.request import Request, RunRequest
from cranpm.forecasting.service.run_folder import RunCost, RunFolder, RunStatus

if TYPE_CHECKING:
    import xarray as xr

    from cranpm.forecasting.array_file import ArrayFile


class Service(Protocol):
    """What a job asks of the service that started it."""

    def position(self, job: Job) -> int:
        """Jobs ahead of this one in the queue."""

    def cancel(self, job: Job) -> None:
        """End a job."""

    def watch(self, job: Job, watcher: str) -> None:
        """Say that somebody looks at a job."""

    def leave(self, job: Job, watcher: str) -> None:
        """Say that somebody no longer looks at it."""

    def attention(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]:
        """What a place attended to in a finished run."""


class RunFailedError(RuntimeError):
    """A run ended without a map; the message is the worker's."""


class Job:
    """Work for the worker, queued, running or finished, with a folder of its own.

    It belongs to those who watch it: an unfinished job that nobody watches any more is cancelled.
    """

    name = "job"
    """What it is, in messages."""

    def __init__(self, service: Service, request: Request, folder: RunFolder) -> None:
        self._service = service
        self.request = request
        self.folder = folder
        self.watchers: set[str] = set()
        self.lost: RunStatus | None = None
        """Set by the service where the worker ended and left no word."""

    def task(self) -> tuple[Callable[..., str], tuple[Any, ...]]:
        """What the worker calls, and with what."""
        raise NotImplementedError

    def answered(self) -> bool:
        """Whether what a finished job has left in its folder is still there and whole."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Names this job alone: a second one of the same question has another."""
        return self.folder.path.name

    @property
    def status(self) -> RunStatus:
        """How far it is."""
        return self.lost or self.folder.status()

    @property
    def state(self) -> str:
        """How it stands: "queued", "running", "done", "failed" or "cancelled"."""
        return self.status.state

    @cached_property
    def expected(self) -> RunCost | None:
        """What it was expected to take when it was asked for; None where nothing was known."""
        return self.folder.expected()

    @property
    def position(self) -> int:
        """How many jobs must end before this one starts."""
        return self._service.position(self)

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        status = self.status
        return status.message if status.state == "failed" else ""

    @property
    def version(self) -> int:
        """Grows with every part that is done; equal versions of a run show equal maps."""
        status = self.status
        return len(status.done_list) + (1_000_000 if status.finished else 0)

    def watch(self, watcher: str) -> None:
        """Be one of those for whom it goes on."""
        self._service.watch(self, watcher)

    def leave(self, watcher: str) -> None:
        """Watch it no more; where nobody else does, it ends."""
        self._service.leave(self, watcher)

    def cancel(self) -> None:
        """Stop it, whoever watches: at once where it has not started, else before the next batch of tiles."""
        self._service.cancel(self)

    def wait(self, timeout: float | None = None) -> RunStatus:
        """Block until it is finished.

        Raises
        ------
        TimeoutError
            If it takes longer than ``timeout`` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not (status := self.status).finished:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(
                    f"{type(self).__name__} {self.id} is still {status.state} after {timeout:g} s."
                )
            time.sleep(0.02)
        return status


class Run(Job):
    """One forecast."""

    name = "forecast"
    request: RunRequest

    def task(self) -> tuple[Callable[..., str], tuple[Any, ...]]:
        """The forecast of all its tiles."""
        from cranpm.forecasting.service.tasks import forecast_into_folder

        return forecast_into_folder, (str(self.folder.path), self.request.to_dict())

    def answered(self) -> bool:
        """Whether its maps are there and whole."""
        return self.folder.has_maps(self.request.leads)

    def map(self, lead: int) -> ArrayFile:
        """The map of one lead time, to be read window by window; see `RunFolder.open_map`."""
        return self.folder.open_map(lead)

    def field(self, lead: int) -> np.ndarray:
        """The map of one lead time as far as it is done, (H, W) float32."""
        return self.map(lead).read(slice(None), slice(None))

    def attention(self, lead: int, lat: float, lon: float, timeout: float = 30.0) -> dict[str, Any]:
        """Where a place attended: recorded attention of this run; see `cranpm.forecasting.attention.read_attention`."""
        return self._service.attention(self, lead, lat, lon, timeout)

    def dataset(self) -> xr.Dataset:
        """The finished run as a CF dataset.

        Raises
        ------
        RunFailedError
            If the run is not done.
        """
        from cranpm.data.input_ranges import UnusualInput
        from cranpm.data.store.dataset import Dataset
        from cranpm.forecasting.output import ForecastOrigin, forecast_dataset, unusual_attribute

        status = self.status
        if status.state != "done":
            raise RunFailedError(f"Run {self.id} is {status.state}, not done. {status.message}".strip())
        data = Dataset.open(self.request.dataset)
        return forecast_dataset(
            {lead: self.field(lead) for lead in self.request.leads},
            init_time=np.datetime64(self.request.init_time),
            grid=data.domain.fine,
            origin=ForecastOrigin(
                source=data.source,
                simulated=data.simulated,
                checkpoint=Path(self.request.checkpoint).name,
                checkpoint_hash=self.request.checkpoint_hash,
            ),
            negative={int(lead): n for lead, n in (status.negative_cells or {}).items()},
            attributes=_changes(self.request)
            | unusual_attribute([UnusualInput(**one) for one in status.unusual_inputs]),
        )


def _changes(request: RunRequest) -> dict[str, Any]:
    """Attribute that tells a counterfactual from a forecast; nothing for a forecast."""
    steps = request.interventions
    return {"interventions": steps_in_words(steps)} if steps else {}
