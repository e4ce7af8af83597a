"""Where forecasts are computed: a worker process of this machine, or a Dask scheduler by its address."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from distributed import Client

_LOG = logging.getLogger("distributed")

_LOWER_PRIORITY = 10
"""Niceness of the local worker: whoever moves the map is answered first."""


def connect(address: str | None) -> Client:
    """A client of the scheduler at an address; without one, of a worker process that this one starts.

    That worker and its scheduler listen on this machine only and talk TLS with keys that are made here and now and
    kept in memory: other users of the machine can reach the ports, but give no orders. A scheduler elsewhere is
    secured by Dask's own configuration.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    if address:
        return Client(address)
    _LOG.setLevel(logging.ERROR)
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,  # a forecast that killed its worker is not tried on the next
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.nanny.http.routes": [],
        }
    )
    security = Security.temporary()
    # two threads: one forecasts (a lock in tasks.py keeps it to one), the other answers clicks meanwhile
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=True,
        security=security,
        protocol="tls",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
        silence_logs=logging.ERROR,
    )
    client = Client(cluster, security=security)
    client.register_plugin(_considerate())
    return client


def disconnect(client: Client) -> None:
    """Close a client, and the worker that `connect` started with it: what it was asked and has not done is dropped."""
    cluster = client.cluster
    if cluster is not None:
        _LOG.setLevel(logging.CRITICAL)  # that tasks end with their worker is what closing means
    client.close()
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
