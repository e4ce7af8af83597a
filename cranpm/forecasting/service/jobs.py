"""Forecasts outside the calling process: asked for, found again, watched, and one after the other in the worker.

The worker is a local process by default, any Dask scheduler by its address (``CRANPM_SCHEDULER=tcp://host:port``; runs
folder shared), so that a GPU elsewhere can serve the same page. The line of waiting runs is kept here: the worker is
given one forecast at a time, so that cancelling one that waits needs nobody's answer, and a worker that dies takes
nothing with it but the one it was at.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cranpm import paths
from cranpm.forecasting.service.cluster import connect, disconnect
from cranpm.forecasting.service.request import RunRequest, checkpoint_hash
from cranpm.forecasting.service.run import Run
from cranpm.forecasting.service.run_folder import RunFolder, RunStatus, prune_runs

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

KEPT_RUNS = 8
"""Finished runs kept on disk besides those that are watched; a European run with its tensors takes about 0.7 GB."""

CALLER = "caller"
"""Watches a run that was submitted without a watcher: it ends when it is done, or is cancelled."""


class ForecastService:
    """Gives forecasts to the worker and keeps track of them.

    Parameters
    ----------
    root : Path, optional
        Where run folders are; default ``paths.runs_dir()``.
    address : str, optional
        Of a Dask scheduler; default ``CRANPM_SCHEDULER``, or a worker of its own.
    """

    def __init__(self, root: Path | None = None, address: str | None = None) -> None:
        self.root = Path(root or paths.runs_dir())
        self._address = address or os.environ.get("CRANPM_SCHEDULER")
        self._client: Client | None = None
        self._connecting = threading.Lock()
        self._lock = threading.Lock()  # held for moments only: pages take it in the server's own loop
        self._runs: dict[str, Run] = {}
        self._waiting: list[Run] = []
        self._active: Run | None = None

    # -- what pages and programs ask -----------------------------------------------------------------------------

    def submit(self, request: RunRequest, *, watcher: str = CALLER) -> Run:
        """Queue a forecast, or return the run that already answers it (waiting, running or done).

        Parameters
        ----------
        request : RunRequest
            As `cranpm.forecasting.service.request.make_request` makes it.
        watcher : str
            For whom it is made; see `Run.leave`.
        """
        with self._lock:
            run = self._find(request)
            if run is None:
                run = Run(self, request, RunFolder.new(self.root, request))
                self._runs[run.id] = run
                self._waiting.append(run)
            run.watchers.add(watcher)
        self._make_room()
        self._start_next()
        return run

    def find(self, request: RunRequest) -> Run | None:
        """The run that answers a request if one is waiting, running or done; starts nothing."""
        with self._lock:
            return self._find(request)

    def warm(self, checkpoint_folder: Path | str, device: str = "auto") -> None:
        """Start the worker and let it load a checkpoint ahead of the first forecast; failures wait for that one."""
        from distributed import fire_and_forget

        from cranpm.forecasting.service.tasks import warm_up

        folder = str(checkpoint_folder)
        fire_and_forget(self.client().submit(warm_up, folder, checkpoint_hash(folder), device, pure=False))

    def client(self) -> Client:
        """The Dask client; the first call starts the worker, which takes seconds."""
        with self._connecting:
            if self._client is not None and self._client.status == "closed":
                self._client = None  # a scheduler elsewhere has gone; it may be back
            if self._client is None:
                self._client = connect(self._address)
            return self._client

    def close(self) -> None:
        """Stop the local worker; runs stay on disk."""
        with self._lock:
            self._waiting.clear()
        with self._connecting:
            if self._client is not None:
                disconnect(self._client)
                self._client = None

    # -- what runs ask -------------------------------------------------------------------------------------------

    def position(self, run: Run) -> int:
        """Runs ahead of this one."""
        with self._lock:
            if run not in self._waiting:
                return 0
            ahead, active = self._waiting.index(run), self._active
        # one that has ended is not ahead, though the worker's word of it may still be on its way
        return ahead + (active is not None and not active.folder.written_status().finished)

    def watch(self, run: Run, watcher: str) -> None:
        """Say that somebody looks at a run."""
        with self._lock:
            run.watchers.add(watcher)

    def leave(self, run: Run, watcher: str) -> None:
        """A run of this process that nobody watches any more is cancelled; those of others are theirs to end."""
        with self._lock:
            run.watchers.discard(watcher)
            ours = run is self._active or run in self._waiting
            abandoned = ours and not run.watchers
        if abandoned:
            self.cancel(run)

    def cancel(self, run: Run) -> None:
        """End a run: one that waits at once, one that computes before its next batch."""
        run.folder.ask_to_cancel()
        with self._lock:
            if run not in self._waiting:
                return
            self._waiting.remove(run)
        run.folder.write_status(RunStatus(state="cancelled", message="Cancelled before it began."))

    def attention(self, run: Run, lead: int, lat: float, lon: float, timeout: float) -> dict[str, Any]:
        """What a place attended to in a finished run; see `Run.attention`."""
        from distributed.scheduler import KilledWorker

        from cranpm.forecasting.service.tasks import attention_of_run

        future = self.client().submit(
            attention_of_run,
            str(run.folder.path),
            run.request.to_dict(),
            lead,
            lat,
            lon,
            pure=False,
            priority=10,
        )
        try:
            return future.result(timeout=timeout)
        except KilledWorker:
            raise RuntimeError("The worker process died before it answered. Try again.") from None

    # -- the line ------------------------------------------------------------------------------------------------

    def _find(self, request: RunRequest) -> Run | None:
        under_way = None
        for folder in RunFolder.of_request(self.root, request):
            state = folder.status().state
            run = self._runs.get(folder.path.name)
            if state == "done" and folder.has_maps(request.leads):
                folder.note_use()
                return run or self._adopt(request, folder)
            # a queued run of another process may never start; one that is visibly alive is worth returning
            if state == "running" or (state == "queued" and run is not None):
                under_way = under_way or run or self._adopt(request, folder)
        return under_way

    def _adopt(self, request: RunRequest, folder: RunFolder) -> Run:
        """A run that another process made, or this one before it was started again."""
        run = self._runs[folder.path.name] = Run(self, request, folder)
        return run

    def _make_room(self) -> None:
        """Remove runs that are neither watched nor among the last ones."""
        with self._lock:
            watched = {name for name, run in self._runs.items() if run.watchers - {CALLER}}
        prune_runs(self.root, KEPT_RUNS, watched)
        with self._lock:
            for name in [name for name, run in self._runs.items() if not run.folder.path.is_dir()]:
                del self._runs[name]

    def _start_next(self) -> None:
        with self._lock:
            if self._active is not None or not self._waiting:
                return
            run = self._active = self._waiting.pop(0)
        try:
            from cranpm.forecasting.service.tasks import forecast_into_folder

            future = self.client().submit(
                forecast_into_folder,
                str(run.folder.path),
                run.request.to_dict(),
                key=f"forecast-{run.id}",
                pure=False,
                retries=0,
            )
        except Exception as error:  # whatever keeps the worker from starting: the page must learn of it
            log.exception("The forecast worker could not be started")
            self._ended(run, f"The forecast worker could not be started: {error}")
            return
        future.add_done_callback(self._when_done(run))

    def _when_done(self, run: Run) -> Callable[[Future], None]:
        def done(future: Future) -> None:
            # not kept: Dask would compute a result anew if the worker that holds it died later
            future.release()
            self._ended(run, "The worker process died during this forecast (out of memory?). Try again.")

        return done

    def _ended(self, run: Run, unless_told: str) -> None:
        """The worker has no run any more; the message is for one of which it left no word itself."""
        status = run.folder.written_status()
        if not status.finished:
            cancelled = run.folder.cancel_asked()
            run.lost = RunStatus(
                state="cancelled" if cancelled else "failed",
                message="Cancelled." if cancelled else unless_told,
                done_tiles=status.done_tiles,
                total_tiles=status.total_tiles,
                done_list=status.done_list,
            )
            with contextlib.suppress(OSError):  # a full disk must not stop the line
                run.folder.write_status(run.lost)
        with self._lock:
            self._active = None
        self._start_next()


@lru_cache(maxsize=1)
def get_service() -> ForecastService:
    """The service shared by all sessions of this process."""
    return ForecastService()
