"""Forecasts outside the calling process: submit, watch, cancel, find again.

The worker is a Dask worker: a local process by default, any Dask scheduler by its address
(``CRANPM_SCHEDULER=tcp://host:port``; runs folder shared), so that a GPU elsewhere can serve the same page.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cranpm import paths
from cranpm.domain import LEAD_DAYS
from cranpm.forecast.intervention_names import parse_steps
from cranpm.forecast.run_folder import FINISHED, RunFolder, RunRequest, RunStatus, prune_runs

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client, Future

KEPT_RUNS = 8
"""Finished runs kept on disk; a European run with its recorded tensors takes about 0.7 GB."""


class RunFailedError(RuntimeError):
    """A run ended without a map; the message is the worker's."""


class Run:
    """One forecast, queued, running or finished."""

    def __init__(
        self, service: ForecastService, request: RunRequest, folder: RunFolder, future: Future | None
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

    def look(self, lead: int, lat: float, lon: float, timeout: float = 30.0) -> dict[str, Any]:
        """Where a place looked: recorded attention of this run; see `cranpm.forecast.recorder.read_look`."""
        return self._service.look(self, lead, lat, lon, timeout)

    def dataset(self) -> xr.Dataset:
        """The finished run as a CF dataset.

        Raises
        ------
        RunFailedError
            If the run is not done.
        """
        from cranpm.data.store import Dataset
        from cranpm.forecast.output import forecast_dataset

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


class ForecastService:
    """Submits forecasts to one Dask worker per device and keeps track of them."""

    def __init__(self, root: Path | None = None, address: str | None = None) -> None:
        self.root = Path(root or paths.runs_dir())
        self._address = address or os.environ.get("CRANPM_SCHEDULER")
        self._runs: dict[str, Run] = {}
        self._client: Client | None = None
        self._lock = threading.RLock()

    def client(self) -> Client:
        """The Dask client; starts a local worker process the first time."""
        with self._lock:
            if self._client is None:
                self._client = _connect(self._address)
            return self._client

    def warm(self, checkpoint_folder: Path | str, device: str = "auto") -> None:
        """Start the worker and let it load a checkpoint ahead of the first forecast; failures wait for that one."""
        from distributed import fire_and_forget

        from cranpm.forecast.tasks import warm_up

        folder = str(checkpoint_folder)
        fire_and_forget(self.client().submit(warm_up, folder, _checkpoint_hash(folder), device, pure=False))

    def submit(
        self,
        dataset_root: Path | str,
        checkpoint_folder: Path | str,
        init_time: Any,
        leads: Sequence[int] = LEAD_DAYS,
        *,
        first: Sequence[int] = (),
        tiles: Sequence[int] | None = None,
        interventions: Sequence[tuple[str, float]] = (),
        device: str = "auto",
    ) -> Run:
        """Queue a forecast, or return the run that already answers it (running or done)."""
        request = self._request(
            dataset_root, checkpoint_folder, init_time, leads, first, tiles, interventions, device
        )
        with self._lock:
            known = self._find(request)
            if known is not None:
                return known
            folder = RunFolder.for_request(self.root, request)
            prune_runs(self.root, KEPT_RUNS - 1)
            folder.create(request)
            from cranpm.forecast.tasks import forecast_into_folder

            future = self.client().submit(
                forecast_into_folder,
                str(self.root),
                request.to_dict(),
                key=f"forecast-{request.id}-{os.urandom(3).hex()}",
                pure=False,
                retries=0,
            )
            run = self._runs[request.id] = Run(self, request, folder, future)
            return run

    def find(
        self,
        dataset_root: Path | str,
        checkpoint_folder: Path | str,
        init_time: Any,
        leads: Sequence[int] = LEAD_DAYS,
        *,
        interventions: Sequence[tuple[str, float]] = (),
    ) -> Run | None:
        """The run that answers a request if there is one running or done; starts nothing."""
        request = self._request(
            dataset_root, checkpoint_folder, init_time, leads, (), None, interventions, "auto"
        )
        with self._lock:
            return self._find(request)

    def position(self, run_id: str) -> int:
        """Runs ahead of this one in the queue."""
        with self._lock:
            ahead = 0
            for other_id, run in self._runs.items():
                if other_id == run_id:
                    return ahead
                ahead += run.state not in FINISHED
        return 0

    def look(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]:
        from cranpm.forecast.tasks import look_from

        future = self.client().submit(
            look_from, str(self.root), run.request.to_dict(), lead, lat, lon, pure=False, priority=10
        )
        return future.result(timeout=timeout)

    def close(self) -> None:
        """Stop the local worker; runs stay on disk."""
        with self._lock:
            if self._client is not None:
                cluster = self._client.cluster
                self._client.close()
                if cluster is not None:
                    cluster.close()
                self._client = None

    def _request(
        self,
        dataset_root: Path | str,
        checkpoint_folder: Path | str,
        init_time: Any,
        leads: Sequence[int],
        first: Sequence[int],
        tiles: Sequence[int] | None,
        interventions: Sequence[tuple[str, float]],
        device: str,
    ) -> RunRequest:
        dataset, checkpoint = str(Path(dataset_root).resolve()), str(Path(checkpoint_folder).resolve())
        init = str(np.datetime64(init_time, "D"))
        parse_steps(interventions)  # refused here, not in the worker
        return RunRequest(
            dataset=dataset,
            dataset_hash=_dataset_hash(dataset),
            checkpoint=checkpoint,
            checkpoint_hash=_checkpoint_hash(checkpoint),
            init_time=init,
            leads=tuple(sorted(int(lead) for lead in leads)),
            first=tuple(int(i) for i in first),
            tiles=None if tiles is None else tuple(int(i) for i in tiles),
            interventions=tuple((str(name), float(value)) for name, value in interventions),
            device=device,
        )

    def _find(self, request: RunRequest) -> Run | None:
        run = self._runs.get(request.id)
        if run is not None and run.state in ("queued", "running", "done"):
            return run
        folder = RunFolder.for_request(self.root, request)
        status = folder.status()
        # a queued run of another process may never start; only what is done, or visibly alive, is worth returning
        if status is not None and status.state in ("running", "done"):
            run = self._runs[request.id] = Run(self, request, folder, None)
            return run
        return None


@lru_cache(maxsize=1)
def get_service() -> ForecastService:
    """The service shared by all sessions of this process."""
    return ForecastService()


def _connect(address: str | None) -> Client:
    import dask
    from distributed import Client, LocalCluster

    if address:
        return Client(address)
    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    # two threads: one forecasts (a lock in tasks.py keeps it to one), the other answers clicks meanwhile
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        host="127.0.0.1",
        silence_logs=40,
    )
    return Client(cluster)


def _changes(request: RunRequest) -> dict[str, Any]:
    """Attribute that tells a counterfactual from a forecast; nothing for a forecast."""
    steps = ", ".join(f"{name}={value:g}" for name, value in request.interventions)
    return {"interventions": steps} if steps else {}


def _dataset_hash(root: str) -> str:
    import json

    meta = json.loads((Path(root) / "dataset.json").read_text())
    return f"{meta.get('name')}-{meta.get('version')}-{meta.get('hash')}"


def _checkpoint_hash(folder: str) -> str:
    import json

    return json.loads((Path(folder) / "config.json").read_text())["hash"]
