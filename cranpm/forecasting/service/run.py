"""One forecast outside the calling process: how far it is, its maps as they fill, where a place attended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cranpm.forecasting.service.request import RunRequest
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus

if TYPE_CHECKING:
    import xarray as xr

    from cranpm.forecasting.array_file import ArrayFile


class Service(Protocol):
    """What a run asks of the service that started it."""

    def position(self, run: Run) -> int:
        """Runs ahead of this one in the queue."""

    def cancel(self, run: Run) -> None:
        """End a run."""

    def watch(self, run: Run, watcher: str) -> None:
        """Say that somebody looks at a run."""

    def leave(self, run: Run, watcher: str) -> None:
        """Say that somebody no longer looks at it."""

    def attention(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]:
        """What a place attended to in a finished run."""


class RunFailedError(RuntimeError):
    """A run ended without a map; the message is the worker's."""


class Run:
    """One forecast, queued, running or finished.

    It belongs to those who watch it: an unfinished run that nobody watches any more is cancelled.
    """

    def __init__(self, service: Service, request: RunRequest, folder: RunFolder) -> None:
        self._service = service
        self.request = request
        self.folder = folder
        self.watchers: set[str] = set()
        self.lost: RunStatus | None = None
        """Set by the service where the worker ended and left no word."""

    @property
    def id(self) -> str:
        """Names this run alone: a second run of the same question has another."""
        return self.folder.path.name

    @property
    def status(self) -> RunStatus:
        """How far it is."""
        return self.lost or self.folder.status()

    @property
    def state(self) -> str:
        """How it stands: "queued", "running", "done", "failed" or "cancelled"."""
        return self.status.state

    @property
    def position(self) -> int:
        """How many runs must end before this one starts."""
        return self._service.position(self)

    @property
    def error(self) -> str:
        """Why the run failed; empty if it did not."""
        status = self.status
        return status.message if status.state == "failed" else ""

    @property
    def version(self) -> int:
        """Grows with every batch of tiles; equal versions show equal maps."""
        status = self.status
        return len(status.done_list) + (1_000_000 if status.finished else 0)

    def map(self, lead: int) -> ArrayFile:
        """The map of one lead time, to be read window by window; see `RunFolder.open_map`."""
        return self.folder.open_map(lead)

    def field(self, lead: int) -> np.ndarray:
        """The map of one lead time as far as it is done, (H, W) float32."""
        return self.map(lead).read(slice(None), slice(None))

    def watch(self, watcher: str) -> None:
        """Be one of those for whom the run goes on."""
        self._service.watch(self, watcher)

    def leave(self, watcher: str) -> None:
        """Watch it no more; where nobody else does, it ends."""
        self._service.leave(self, watcher)

    def cancel(self) -> None:
        """Stop it, whoever watches: at once where it has not started, else before the next batch of tiles."""
        self._service.cancel(self)

    def wait(self, timeout: float | None = None) -> RunStatus:
        """Block until the run is finished.

        Raises
        ------
        TimeoutError
            If it takes longer than ``timeout`` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not (status := self.status).finished:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"Run {self.id} is still {status.state} after {timeout:g} s.")
            time.sleep(0.02)
        return status

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
    steps = ", ".join(f"{name}={value:g}" for name, value in request.interventions)
    return {"interventions": steps} if steps else {}
