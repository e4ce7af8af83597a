"""Where forecasts are computed: a worker process of this machine, or a Dask scheduler by its address."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from distributed import Client

_LOG = logging.getLogger("distributed")

_CLOSING_SECONDS = 10
"""How long a scheduler is waited for that may be gone."""

_LOWER_PRIORITY = 10
"""Niceness of the local worker: whoever moves the map is answered first."""


def connect(address: str | None, *, workers: int = 1, retries: int = 0, timeout: float = 30.0) -> Client:
    """A client of the scheduler at an address; without one, of worker processes that this one starts.

    Those workers and their scheduler listen on this machine only and talk TLS with keys that are made here and now and
    kept in memory: other users of the machine can reach the ports, but give no orders. A scheduler elsewhere is
    secured by Dask's own configuration.

    Parameters
    ----------
    address : str, optional
        Such as ``tcp://host:8786``.
    workers : int
        Processes to start where there is no address; they share the cores. Each has two threads: work that holds the
        cores takes a lock, and the other thread answers clicks or reads ahead meanwhile.
    retries : int
        How often work goes to another worker after one that died over it; a scheduler elsewhere decides by itself.
    timeout : float
        Seconds to wait for a scheduler to answer.

    Raises
    ------
    OSError
        If no scheduler answers at the address.
    """
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster
    from distributed.security import Security

    if address:
        try:
            return Client(address, timeout=timeout)
        except (OSError, ValueError, RuntimeError) as error:
            raise OSError(
                f"No Dask scheduler answers at {address!r} ({error or type(error).__name__}). Expected an address such "
                "as tcp://host:8786, as 'dask scheduler' prints it; or leave it out for processes of this machine."
            ) from error
    _LOG.setLevel(logging.ERROR)
    dask.config.set(
        {
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.nanny.http.routes": [],
            # Dask gives its workers one thread for products, having many tasks at once in mind; here one task takes
            # all cores. What the environment says comes first
            "distributed.nanny.pre-spawn-environ": dict.fromkeys(
                ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
                None if workers == 1 else max(1, CPU_COUNT // workers),
            ),
        }
    )
    security = Security.temporary()
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=2,
        processes=True,
        security=security,
        protocol="tls",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False, "allowed_failures": retries},
        memory_limit=0,
        silence_logs=logging.ERROR,
    )
    client = Client(cluster, security=security)
    client.register_plugin(_considerate())
    return client


def disconnect(client: Client) -> None:
    """Close a client, and the worker that `connect` started with it: what it was asked and has not done is dropped."""
    cluster = client.cluster
    if cluster is not None or client.status != "running":
        _LOG.setLevel(
            logging.CRITICAL
        )  # that tasks end with their worker, or their scheduler, is what closing means
    client.close(timeout=_CLOSING_SECONDS)
    if cluster is not None:
        cluster.close()


def _considerate() -> Any:
    from distributed import WorkerPlugin

    class Considerate(WorkerPlugin):
        """Lets other processes of the machine go first, and leaves without a word; also what replaces a dead worker."""

        name = "considerate"

        def setup(self, worker: Any) -> None:
            process = psutil.Process()
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else _LOWER_PRIORITY)

        def teardown(self, worker: Any) -> None:
            # a heartbeat under way ends with the connection, which a log would show as an error with a traceback
            logging.getLogger("distributed").setLevel(logging.CRITICAL)

    return Considerate()
