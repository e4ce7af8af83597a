"""One piece of work a day, spread over the workers of a Dask scheduler: no day is lost with the worker that had it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from distributed import Client, Future

RETRIES = 2
"""How often a day goes to another worker of this machine after one that died over it; Dask's own default is three."""

WORKERLESS_SECONDS = 60.0
"""How long days wait for a worker where there is none."""


class WorkersGoneError(RuntimeError):
    """There is nobody left to do the days that are not done."""


@dataclass(frozen=True, kw_only=True)
class DayOutcome:
    """What came of a day: what the work returned, or the error that it raised."""

    day: np.datetime64
    value: Any = None
    error: BaseException | None = None


def each_day(
    client: Client,
    work: Callable[..., Any],
    arguments: Sequence[Any],
    days: Sequence[np.datetime64],
    *,
    workerless: float = WORKERLESS_SECONDS,
) -> Generator[DayOutcome]:
    """Do a day's work for every day, and tell of each as it is done, in whichever order that is.

    A day whose worker dies goes to another one, as often as the scheduler allows; then its error says so. Closing the
    generator, or an error in whoever reads it, drops the days that are not done.

    Parameters
    ----------
    client : Client
    work : callable
        Takes ``arguments`` and the day as text. It may be called for a day again when a worker was lost, also one
        that had all but answered: what it leaves behind must be whole or not there.
    arguments : sequence
        Plain values; they travel with each day.
    days : sequence of datetime64
    workerless : float
        Seconds to wait for a worker where there is none.

    Raises
    ------
    WorkersGoneError
        If the scheduler goes, or there is no worker for so long.
    """
    done: SimpleQueue[np.datetime64] = SimpleQueue()
    run = uuid.uuid4().hex[:8]
    futures: dict[np.datetime64, Future] = {
        day: client.submit(work, *arguments, str(day), key=f"day-{day}-{run}", pure=False, retries=0)
        for day in days
    }
    for day, future in futures.items():
        future.add_done_callback(lambda _, day=day: done.put(day))
    try:
        for _ in days:
            day = _next(done, client, workerless)
            yield _outcome(day, futures.pop(day), client)
    finally:
        if futures and client.status == "running":
            client.cancel(list(futures.values()), force=True)


def count_workers(client: Client) -> int:
    """Workers that the scheduler has now."""
    return len(client.nthreads()) if client.status == "running" else 0


def _next(done: SimpleQueue[np.datetime64], client: Client, workerless: float) -> np.datetime64:
    alone_since = None
    while True:
        try:
            return done.get(timeout=0.5)
        except Empty:
            if count_workers(client):
                alone_since = None
                continue
        alone_since = alone_since or time.monotonic()
        if time.monotonic() - alone_since > workerless:
            raise WorkersGoneError(
                f"The scheduler has had no worker for {workerless:.0f} s. Start some with 'dask worker ADDRESS' in an "
                "environment that has this package, then go on with the same command."
            )


def _outcome(day: np.datetime64, future: Future, client: Client) -> DayOutcome:
    from distributed.scheduler import KilledWorker

    if future.status == "finished":
        return DayOutcome(day=day, value=future.result())
    if future.status != "error":  # cancelled, because the scheduler is not there any more
        raise WorkersGoneError(
            "The connection to the scheduler is lost. Start it and its workers again, then go on with the same command."
        )
    error = future.exception()
    if isinstance(error, KilledWorker):
        error = RuntimeError(
            "each worker that had it died over it (out of memory?); a worker with more memory, or fewer on one "
            "machine, may do it"
        )
    return DayOutcome(day=day, error=error)
