"""Forecasts of many days on the workers of a Dask scheduler, a file each: the work behind ``cranpm forecast --start``.

Workers read and write by themselves; this process only hands out days. Interrupted, by whatever, the same call goes on
with the days whose files are not there.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cranpm import __version__, registry
from cranpm._files import check_output
from cranpm._lock import Lock, LockHeldError
from cranpm._progress import Clock, StageProgress, duration
from cranpm.data.datasets import DataLike, open_dataset
from cranpm.data.store.source import startable_between
from cranpm.domain import LEAD_DAYS
from cranpm.domain.days import Day, as_day
from cranpm.forecasting.engine import check_leads
from cranpm.forecasting.output import SUFFIXES
from cranpm.forecasting.resources.memory import DEFAULT_MEMORY
from cranpm.forecasting.resources.precision import Precision
from cranpm.forecasting.service.cluster import connect, disconnect
from cranpm.forecasting.service.day_tasks import forecast_day_into_file, what_is_lacking
from cranpm.forecasting.service.days_request import DaysRequest
from cranpm.forecasting.service.each_day import (
    RETRIES,
    WORKERLESS_SECONDS,
    DayOutcome,
    WorkersGoneError,
    count_workers,
    each_day,
)
from cranpm.forecasting.service.request import checkpoint_hash, dataset_identity

if TYPE_CHECKING:
    from distributed import Client

_NAMED = 12
"""Days that a line names."""


@dataclass(kw_only=True)
class DaysForecast:
    """What came of many days.

    Attributes
    ----------
    made, held : list of datetime64
        Days whose files were written now, in the order they were done, and those whose files were there.
    failed : dict of datetime64 to str
        Days without a file, and why.
    left : list of datetime64
        Days that were not tried, because there was no room on the disk or no worker.
    absent : list of datetime64
        Days between the dates that the data do not hold, or not with the day before.
    stopped : str
        Why days were left.
    seconds : float
        Of all.
    """

    request: DaysRequest
    made: list[np.datetime64] = field(default_factory=list)
    held: list[np.datetime64] = field(default_factory=list)
    failed: dict[np.datetime64, str] = field(default_factory=dict)
    left: list[np.datetime64] = field(default_factory=list)
    absent: list[np.datetime64] = field(default_factory=list)
    stopped: str = ""
    seconds: float = 0.0
    workers: int = 0
    peak_memory: int = 0
    """The most that a worker has held [bytes]."""
    precisions: set[str] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether every day that the data allow has its file."""
        return not self.failed and not self.left

    def lines(self) -> list[str]:
        """For people."""
        leads = ", ".join(map(str, self.request.leads))
        lines = [
            f"{self.request.folder}: {len(self.made) + len(self.held)} days, a file each, lead {leads} d; "
            f"{len(self.made)} made now, {len(self.held)} were there"
        ]
        if self.made:
            maps = len(self.made) * len(self.request.leads)
            lines.append(
                f"{maps} maps in {duration(self.seconds)}: {3600 * maps / self.seconds:.0f} maps an hour on "
                f"{self.workers} worker(s), in {', '.join(sorted(self.precisions))}; "
                f"peak memory of one {self.peak_memory / 2**30:.1f} GB"
            )
        if self.absent:
            lines.append(f"not held with the day before: {_named(self.absent)}")
        lines += [f"FAILED {day}: {reason}" for day, reason in sorted(self.failed.items())]
        if self.left:
            lines.append(f"NOT DONE: {_named(self.left)}. {self.stopped}")
        if not self.complete:
            lines.append("The same command goes on with the days that have no file.")
        return lines


def forecast_days(
    folder: Path | str,
    start: Day,
    end: Day,
    leads: int | Sequence[int] = LEAD_DAYS,
    *,
    checkpoint: str | Path = "demo",
    data: DataLike = None,
    device: str = "auto",
    precision: Precision = "auto",
    memory_budget: int = DEFAULT_MEMORY,
    suffix: str = ".nc",
    scheduler: str | None = None,
    workers: int = 1,
    overwrite: bool = False,
    workerless: float = WORKERLESS_SECONDS,
    progress: StageProgress | None = None,
) -> DaysForecast:
    """Forecast all init days between two dates, each into a file ``FOLDER/YYYY-MM-DD.nc``.

    Parameters
    ----------
    folder : path
        Where files are written; workers must see it, the data and the checkpoint under the same paths.
    start, end : datetime64 or str
        First and last init day.
    leads : int or sequence of int
        Lead times [days].
    checkpoint : str or path
        A name or a folder.
    data : str, path or Dataset, optional
        As `cranpm.open_dataset` takes it; by default the testbed.
    device, precision : str
        As `cranpm.forecast` takes them; "auto" is what each worker has.
    memory_budget : int
        Bytes that tiles of one batch may take.
    suffix : str
        ".nc" or ".zarr".
    scheduler : str, optional
        Address of a Dask scheduler; by default processes of this machine.
    workers : int
        Their number.
    overwrite : bool
        Make anew what was asked for otherwise, and days that are there.
    workerless : float
        Seconds to wait for a worker of a scheduler that has none.
    progress : callable, optional
        Told of workers and throughput in words, days done, days in all, seconds left.

    Returns
    -------
    DaysForecast

    Raises
    ------
    LookupError
        For a checkpoint or dataset that is not there, or where no init day lies between the dates.
    ValueError
        For lead times, a suffix or dates that make no sense, and for a worker that cannot do the work.
    FileExistsError
        If the folder holds something else.
    OSError
        If the scheduler cannot be reached, or the folder not be written.
    RuntimeError
        If another process is at work in the folder, or there is no worker at all.
    """
    dataset = open_dataset(data)
    if suffix not in SUFFIXES:
        raise ValueError(f"Forecasts are written as {' or '.join(SUFFIXES)}, got {suffix!r}.")
    weights = Path(registry.find_checkpoint(checkpoint).path).resolve()
    request = DaysRequest(
        dataset=dataset.root if "://" in dataset.root else str(Path(dataset.root).resolve()),
        dataset_hash=dataset_identity(dataset.meta),
        checkpoint=str(weights),
        checkpoint_hash=checkpoint_hash(weights),
        leads=check_leads(leads),
        folder=str(Path(folder).resolve()),
        suffix=suffix,
        device=device,
        precision=precision,
        memory_budget=memory_budget,
        anew=overwrite,
    )
    first, last = as_day(start), as_day(end)
    if last < first:
        raise ValueError(f"The last init day, {last}, lies before the first, {first}.")
    days = startable_between(dataset.days, first, last)
    found = DaysForecast(request=request, absent=sorted({*np.arange(first, last + 1)} - {*days}))
    check_output(Path(request.folder) / f"{first}{suffix}", overwrite=True)
    Path(request.folder).mkdir(parents=True, exist_ok=True)
    with _alone_in(Path(request.folder)):
        missing = _days_to_make(request, days)
        found.held = sorted({*days} - {*missing})
        request.claim()
        if missing:
            client = connect(scheduler, workers=workers, retries=RETRIES)
            try:
                _make(client, found, missing, workerless, progress or (lambda *_: None))
            finally:
                disconnect(client)
    return found


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        lock = Lock(folder / ".forecasts.lock")
    except LockHeldError as held:
        raise RuntimeError(
            f"{folder} is being filled by {held.holder}; wait for it, or choose another folder."
        ) from None
    with lock:
        yield


def _days_to_make(request: DaysRequest, days: Sequence[np.datetime64]) -> list[np.datetime64]:
    """Days that have no file; files that are in the way are refused, unless they are this folder's own."""
    if request.anew:
        return list(days)
    ours = request.claimed()
    missing = [day for day in days if not request.holds(day)]
    for path in (request.path(day) for day in missing):
        if path.exists() and not ours:
            raise FileExistsError(
                f"{path} exists and is not what was asked for; nothing was overwritten. Choose another folder, or pass "
                "--overwrite."
            )
    return missing


def _make(
    client: Client,
    found: DaysForecast,
    missing: list[np.datetime64],
    workerless: float,
    report: StageProgress,
) -> None:
    request, leads = found.request, len(found.request.leads)
    _wait_for_a_worker(client, workerless)
    _refuse_unfit_workers(client, request)
    found.workers = count_workers(client)
    clock = Clock(len(missing))
    told = f"{found.workers} worker(s)"
    report(told, 0, len(missing), None)
    outcomes = each_day(client, forecast_day_into_file, (request.to_dict(),), missing, workerless=workerless)
    left = set(missing)
    try:
        for outcome in outcomes:
            if _is_full(outcome.error):
                found.stopped = str(outcome.error)
                break
            left.discard(outcome.day)
            _note(found, outcome)
            clock.tick()
            found.workers = max(found.workers, now := count_workers(client))
            rate = 3600 * clock.done * leads / clock.seconds
            report(f"{now} worker(s), {rate:.0f} maps/h", clock.done, clock.total, clock.seconds_left)
    except WorkersGoneError as gone:
        found.stopped = str(gone)
    finally:
        outcomes.close()
        found.seconds = clock.seconds
    # what a worker has written and could not tell any more is done all the same
    found.left = sorted(day for day in left if not request.holds(day))
    found.made += sorted(left - set(found.left))


def _note(found: DaysForecast, outcome: DayOutcome) -> None:
    if outcome.error is not None:
        kind = (
            ""
            if isinstance(outcome.error, ValueError | RuntimeError)
            else f"{type(outcome.error).__name__}: "
        )
        found.failed[outcome.day] = f"{kind}{outcome.error}"
        return
    found.made.append(outcome.day)
    found.peak_memory = max(found.peak_memory, outcome.value.get("peak_memory", 0))
    found.precisions |= {outcome.value["precision"]} if "precision" in outcome.value else set()


def _is_full(error: BaseException | None) -> bool:
    """Whether there is no room on the disk: each further day would compute in vain."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _wait_for_a_worker(client: Client, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not count_workers(client):
        if time.monotonic() > end:
            raise RuntimeError(
                f"The scheduler has no worker after {seconds:.0f} s. Start some with 'dask worker ADDRESS' in an "
                "environment that has this package."
            )
        time.sleep(0.2)


def _refuse_unfit_workers(client: Client, request: DaysRequest) -> None:
    try:
        found = client.run(what_is_lacking, request.to_dict(), __version__)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"A worker cannot do the work: {error}. Install this package where it runs."
        ) from error
    lacking = {worker: lacks for worker, lacks in found.items() if lacks}
    if lacking:
        worker, lacks = next(iter(lacking.items()))
        raise ValueError(
            f"{len(lacking)} of {len(found)} workers cannot do the work; {worker} {lacks}. Workers need this package "
            "at the same version, and the same folders under the same paths."
        )


def _named(days: Sequence[np.datetime64]) -> str:
    more = f" and {len(days) - _NAMED} more" if len(days) > _NAMED else ""
    return f"{len(days)} day(s): {', '.join(map(str, days[:_NAMED]))}{more}"
