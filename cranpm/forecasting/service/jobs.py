"""Jobs outside the calling process: asked for, found again, watched, and one after the other in the worker.

Most are forecasts; others look into one that is done, and keep what they find in its folder.

The worker is a local process by default, any Dask scheduler by its address (``CRANPM_SCHEDULER=tcp://host:port``; runs
folder shared), so that a GPU elsewhere can serve the same page. The line of waiting jobs is kept here: the worker is
given one at a time, so that cancelling one that waits needs nobody's answer, and a worker that dies takes
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
from typing import TYPE_CHECKING, Any, TypeVar

from cranpm import paths
from cranpm.forecasting.service.budget import expected_cost
from cranpm.forecasting.service.cluster import connect, disconnect
from cranpm.forecasting.service.request import Request, RunRequest, checkpoint_hash
from cranpm.forecasting.service.run import Job, Run, RunFailedError
from cranpm.forecasting.service.run_folder import RunCost, RunFolder, RunStatus, prune_runs

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

KEPT_RUNS = 8
"""Finished runs kept on disk besides those that are watched; a European run with its tensors takes about 0.7 GB."""

_J = TypeVar("_J", bound=Job)

CALLER = "caller"
"""Watches a job that was submitted without a watcher: it ends when it is done, or is cancelled."""


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
        self._jobs: dict[str, Job] = {}
        self._waiting: list[Job] = []
        self._active: Job | None = None

    # -- what pages and programs ask -----------------------------------------------------------------------------

    def submit(self, request: RunRequest, *, watcher: str = CALLER) -> Run:
        """Queue a forecast, or return the run that already answers it (waiting, running or done).

        Parameters
        ----------
        request : RunRequest
            As `cranpm.forecasting.service.request.make_request` makes it.
        watcher : str
            For whom it is made; see ``Run.leave``.
        """
        run = self._queue(Run, request, self.root, watcher, expected_cost(self.root, request))
        self._make_room()
        self._start_next()
        return run

    def look_into(self, run: Run, request: Request, kind: type[_J], *, watcher: str = CALLER) -> _J:
        """Queue work on a run that is done, or return the job that already answers it (waiting, running or done).

        Parameters
        ----------
        request : Request
            What is asked of the run.
        kind : type of Job
            Which kind of work it is. Its folder lies in that of the run, and goes with it.
        watcher : str
            For whom it is made; see `Job.leave`.

        Raises
        ------
        RunFailedError
            If the run is not done, or not kept any more.
        """
        if (state := run.state) != "done":
            raise RunFailedError(f"The forecast is {state}, not done; make it again, then ask.")
        job = self._queue(kind, request, run.folder.path, watcher)
        self._start_next()
        return job

    def find(self, request: RunRequest) -> Run | None:
        """The run that answers a request if one is waiting, running or done; starts nothing."""
        with self._lock:
            return self._find(request, Run, self.root)

    def expected(self, request: RunRequest) -> RunCost | None:
        """What a forecast would take, as far as an earlier one tells; see `budget.expected_cost`."""
        return expected_cost(self.root, request)

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

    # -- what jobs ask -------------------------------------------------------------------------------------------

    def position(self, job: Job) -> int:
        """Jobs ahead of this one."""
        with self._lock:
            if job not in self._waiting:
                return 0
            ahead, active = self._waiting.index(job), self._active
        # one that has ended is not ahead, though the worker's word of it may still be on its way
        return ahead + (active is not None and not active.folder.written_status().finished)

    def watch(self, job: Job, watcher: str) -> None:
        """Say that somebody looks at a job."""
        with self._lock:
            job.watchers.add(watcher)

    def leave(self, job: Job, watcher: str) -> None:
        """A job of this process that nobody watches any more is cancelled; those of others are theirs to end."""
        with self._lock:
            job.watchers.discard(watcher)
            ours = job is self._active or job in self._waiting
            abandoned = ours and not job.watchers
        if abandoned:
            self.cancel(job)

    def cancel(self, job: Job) -> None:
        """End a job: one that waits at once, one that computes before its next part."""
        job.folder.ask_to_cancel()
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.folder.write_status(RunStatus(state="cancelled", message="Cancelled before it began."))

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

    def _queue(
        self, kind: type[_J], request: Request, root: Path, watcher: str, expected: RunCost | None = None
    ) -> _J:
        with self._lock:
            job = self._find(request, kind, root)
            if job is None:
                job = kind(self, request, RunFolder.new(root, request, expected))
                self._jobs[job.id] = job
                self._waiting.append(job)
            job.watchers.add(watcher)
        return job

    def _find(self, request: Request, kind: type[_J], root: Path) -> _J | None:
        under_way = None
        for folder in RunFolder.of_request(root, request):
            state = folder.status().state
            known = self._jobs.get(folder.path.name)
            job = known if isinstance(known, kind) else None
            if state == "done" and (found := job or kind(self, request, folder)).answered():
                folder.note_use()
                return self._keep(found)
            # a queued job of another process may never start; one that is visibly alive is worth returning
            if state == "running" or (state == "queued" and job is not None):
                under_way = under_way or self._keep(job or kind(self, request, folder))
        return under_way

    def _keep(self, job: _J) -> _J:
        """Also one that another process made, or this one before it was started again."""
        self._jobs[job.id] = job
        return job

    def _make_room(self) -> None:
        """Remove runs that are neither watched nor among the last ones."""
        with self._lock:
            watched = {name for name, job in self._jobs.items() if job.watchers - {CALLER}}
        prune_runs(self.root, KEPT_RUNS, watched)
        with self._lock:
            for name in [name for name, job in self._jobs.items() if not job.folder.path.is_dir()]:
                del self._jobs[name]

    def _start_next(self) -> None:
        with self._lock:
            if self._active is not None or not self._waiting:
                return
            job = self._active = self._waiting.pop(0)
        try:
            task, arguments = job.task()
            future = self.client().submit(task, *arguments, key=f"job-{job.id}", pure=False, retries=0)
        except Exception as error:  # whatever keeps the worker from starting: the page must learn of it
            log.exception("The forecast worker could not be started")
            self._ended(job, f"The forecast worker could not be started: {error}")
            return
        future.add_done_callback(self._when_done(job))

    def _when_done(self, job: Job) -> Callable[[Future], None]:
        def done(future: Future) -> None:
            # not kept: Dask would compute a result anew if the worker that holds it died later
            future.release()
            self._ended(job, f"The worker process died during this {job.name} (out of memory?). Try again.")

        return done

    def _ended(self, job: Job, unless_told: str) -> None:
        """The worker has no job any more; the message is for one of which it left no word itself."""
        status = job.folder.written_status()
        if not status.finished:
            cancelled = job.folder.cancel_asked()
            job.lost = RunStatus(
                state="cancelled" if cancelled else "failed",
                message="Cancelled." if cancelled else unless_told,
                done_tiles=status.done_tiles,
                total_tiles=status.total_tiles,
                done_list=status.done_list,
            )
            with contextlib.suppress(OSError):  # a full disk must not stop the line
                job.folder.write_status(job.lost)
        with self._lock:
            self._active = None
        self._start_next()


@lru_cache(maxsize=1)
def get_service() -> ForecastService:
    """The service shared by all sessions of this process."""
    return ForecastService()
