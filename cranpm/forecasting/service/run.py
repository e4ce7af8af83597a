"""One forecast outside the calling process: how far it is, its maps as they fill, where a place attended."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cranpm.forecasting.service.run_folder import RunFolder, RunRequest, RunStatus

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Future


class Service(Protocol):
    """What a run asks of the service that started it."""

    def position(self, run_id: str) -> int: ...

    def attention(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]: ...


class RunFailedError(RuntimeError):
    """A run ended without a map; the message is the worker's."""


class Run:
    """One forecast, queued, running or finished."""

    def __init__(
        self, service: Service, request: RunRequest, folder: RunFolder, future: Future | None
    ) -> None:
        self._service = service
        self._future = future
        self.request = request
        self.folder = folder

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def status(self) -> RunStatus:
        """The latest state, from the folder; a worker that died shows as failed."""
        status = self.folder.status() or RunStatus()
        if (
            not status.finished
            and self._future is not None
            and self._future.status in ("error", "lost", "cancelled")
        ):
            message = "The worker process died during this forecast (out of memory?). Try again."
            return RunStatus(state="failed", message=message)
        return status

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def position(self) -> int:
        """How many runs must end before this one starts."""
        return self._service.position(self.id)

    @property
    def error(self) -> str:
        status = self.status
        return status.message if status.state == "failed" else ""

    @property
    def version(self) -> int:
        """Grows with every batch of tiles; equal versions show equal maps."""
        status = self.status
        return len(status.done_list) + (1_000_000 if status.finished else 0)

    def field(self, lead: int) -> np.ndarray:
        """The map of one lead time as far as it is done, (H, W) float32, memory-mapped."""
        return self.folder.field(lead)

    def cancel(self) -> None:
        """Ask the worker to stop before its next batch of tiles."""
        self.folder.ask_to_cancel()

    def wait(self, timeout: float | None = None) -> RunStatus:
        """Block until the run is finished.

        Raises
        ------
        TimeoutError
            If it takes longer than ``timeout`` seconds.
        """
        if self._future is not None:
            from distributed import wait
            from distributed.scheduler import KilledWorker

            # a killed worker is told by the status
            with contextlib.suppress(KilledWorker):
                wait(self._future, timeout=timeout)
        return self.status

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
        from cranpm.data.store.dataset import Dataset
        from cranpm.forecasting.output import forecast_dataset

        status = self.status
        if status.state != "done":
            raise RunFailedError(f"Run {self.id} is {status.state}, not done. {status.message}".strip())
        data = Dataset.open(self.request.dataset)
        return forecast_dataset(
            {lead: self.field(lead) for lead in self.request.leads},
            init_time=np.datetime64(self.request.init_time),
            grid=data.domain.fine,
            source=data.source,
            simulated=data.simulated,
            checkpoint_name=Path(self.request.checkpoint).name,
            checkpoint_hash=self.request.checkpoint_hash,
            negative={int(lead): n for lead, n in (status.negative_cells or {}).items()},
            attributes=_changes(self.request),
        )


def _changes(request: RunRequest) -> dict[str, Any]:
    """Attribute that tells a counterfactual from a forecast; nothing for a forecast."""
    steps = ", ".join(f"{name}={value:g}" for name, value in request.interventions)
    return {"interventions": steps} if steps else {}
