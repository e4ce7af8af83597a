"""Forecasts outside the calling process: submit and find again; a `Run` is watched and cancelled.

The worker is a Dask worker: a local process by default, any Dask scheduler by its address
(``CRANPM_SCHEDULER=tcp://host:port``; runs folder shared), so that a GPU elsewhere can serve the same page.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cranpm import paths
from cranpm.domain import LEAD_DAYS
from cranpm.forecasting.intervention_names import parse_steps
from cranpm.forecasting.service.run import Run
from cranpm.forecasting.service.run_folder import FINISHED, RunFolder, RunRequest, prune_runs

if TYPE_CHECKING:
    from distributed import Client

KEPT_RUNS = 8
"""Finished runs kept on disk; a European run with its recorded tensors takes about 0.7 GB."""


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

        from cranpm.forecasting.service.tasks import warm_up

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
            from cranpm.forecasting.service.tasks import forecast_into_folder

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

    def attention(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]:
        from cranpm.forecasting.service.tasks import attention_of_run

        future = self.client().submit(
            attention_of_run, str(self.root), run.request.to_dict(), lead, lat, lon, pure=False, priority=10
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


def _dataset_hash(root: str) -> str:
    import json

    meta = json.loads((Path(root) / "dataset.json").read_text())
    return f"{meta.get('name')}-{meta.get('version')}-{meta.get('hash')}"


def _checkpoint_hash(folder: str) -> str:
    import json

    return json.loads((Path(folder) / "config.json").read_text())["hash"]
