"""Forecast runs as the page needs them: found again or started, watched, cancelled; never in the server's own loop.

Starting the worker and looking into a run can take seconds, so both go through a thread.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from cranpm.domain import Grid
from cranpm.domain.tiling import plan_tiles

from ..state import LEADS
from .store import Store

if TYPE_CHECKING:
    from cranpm.explain.place_test import PlaceTest
    from cranpm.forecasting.service.jobs import ForecastService
    from cranpm.forecasting.service.run import Job, Run
    from cranpm.forecasting.service.run_folder import RunCost, RunFolder

T = TypeVar("T")

log = logging.getLogger(__name__)

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="forecasts")


@lru_cache(maxsize=1)
def service() -> ForecastService:
    """The forecast service shared by all pages of this process."""
    from cranpm.forecasting.service.jobs import get_service

    return get_service()


def tiles_in_view(
    shape: tuple[int, int], grid: Grid, extent: tuple[float, float, float, float] | None
) -> list[int]:
    """Numbers of the tiles that a view (west, south, east, north) touches, nearest to its centre first."""
    if extent is None:
        return []
    west, south, east, north = extent
    rows = float(grid.row_of(north)), float(grid.row_of(south))
    cols = float(grid.col_of(west)), float(grid.col_of(east))
    centre = sum(rows) / 2, sum(cols) / 2
    seen = []
    for tile in plan_tiles(shape).tiles:
        if (
            tile.rows.stop < rows[0]
            or tile.rows.start > rows[1]
            or tile.cols.stop < cols[0]
            or tile.cols.start > cols[1]
        ):
            continue
        away = (
            (tile.rows.start + tile.rows.stop) / 2 - centre[0],
            (tile.cols.start + tile.cols.stop) / 2 - centre[1],
        )
        seen.append((away[0] ** 2 + away[1] ** 2, tile.index))
    return [index for _, index in sorted(seen)]


def find_run(store: Store, dataset: str, checkpoint: str, init_time: dt.date) -> Run | None:
    """The run that answers a question, if one is waiting, running or done; starts nothing and watches nothing."""
    folder = store.checkpoints().get(checkpoint)
    if folder is None:
        return None
    from cranpm.forecasting.service.request import make_request

    try:
        return service().find(make_request(store.dataset_folders()[dataset], folder, init_time, LEADS))
    except (OSError, ValueError, KeyError) as error:
        log.warning("Cannot look for a run of %s: %s", checkpoint, error)
        return None


class Forecasts:
    """Runs as one page asks for them, and watches them under its name."""

    def __init__(self, store: Store, watcher: str) -> None:
        self._store, self._watcher = store, watcher

    def find(self, dataset: str, checkpoint: str, init_time: dt.date) -> Run | None:
        """The run that answers this question, if one is running or done; from now on watched by the page."""
        run = find_run(self._store, dataset, checkpoint, init_time)
        if run is not None:
            run.watch(self._watcher)
        return run

    def expected(self, dataset: str, checkpoint: str, init_time: dt.date) -> RunCost | None:
        """What this forecast would take, as the last one like it did; None where none is known."""
        from cranpm.forecasting.service.request import make_request

        folder = self._store.checkpoints().get(checkpoint)
        if folder is None:
            return None
        try:
            request = make_request(self._store.dataset_folders()[dataset], folder, init_time, LEADS)
            return service().expected(request)
        except (OSError, ValueError, KeyError) as error:
            log.warning("Cannot look for earlier runs of %s: %s", checkpoint, error)
            return None

    def finished(self, dataset: str, checkpoint: str, days: Iterable[dt.date]) -> dict[dt.date, RunFolder]:
        """Runs of a checkpoint that are done, by init day; nobody watches them more than before."""
        from cranpm.forecasting.service.request import make_request
        from cranpm.forecasting.service.run_folder import RunFolder

        folder = self._store.checkpoints().get(checkpoint)
        if folder is None:
            return {}
        found = {}
        try:
            for day in days:
                request = make_request(self._store.dataset_folders()[dataset], folder, day, LEADS)
                for run in RunFolder.of_request(service().root, request):
                    if run.status().state == "done" and run.has_maps(LEADS):
                        found[day] = run
                        break
        except (OSError, ValueError, KeyError) as error:
            log.warning("Cannot look for runs of %s: %s", checkpoint, error)
        return found

    def submit(
        self,
        dataset: str,
        checkpoint: str,
        init_time: dt.date,
        *,
        then: Callable[[Run | None, BaseException | None], None],
        leads: Sequence[int] = LEADS,
        first: Sequence[int] = (),
        tiles: Sequence[int] | None = None,
        interventions: Sequence[tuple[str, float]] = (),
    ) -> None:
        """Start a run in a thread; ``then(run, None)`` or ``then(None, error)`` is called from that thread.

        The others are as `cranpm.forecasting.service.request.make_request` takes them.
        """
        folder = self._store.checkpoints()[checkpoint]
        root = self._store.dataset_folders()[dataset]

        def submit() -> Run:
            from cranpm.forecasting.service.request import make_request

            request = make_request(
                root, folder, init_time, leads, first=first, tiles=tiles, interventions=interventions
            )
            return service().submit(request, watcher=self._watcher)

        future = _THREADS.submit(submit)
        future.add_done_callback(lambda done: _report(done, then))

    def test_place(
        self,
        run: Run,
        *,
        lead: int,
        tile: int,
        token: int,
        then: Callable[[PlaceTest | None, BaseException | None], None],
    ) -> None:
        """Test how far attention can be trusted at a place of a run, or find the test; ``then`` as for `submit`."""

        def ask() -> PlaceTest:
            from cranpm.explain.place_answer import PlaceRequest
            from cranpm.explain.place_test import PlaceTest

            request = PlaceRequest.of_run(run, lead=lead, tile=tile, token=token)
            return service().look_into(run, request, PlaceTest, watcher=self._watcher)

        _THREADS.submit(ask).add_done_callback(lambda done: _report(done, then))

    def leave(self, job: Job) -> None:
        """The page watches a run, or a test of one, no more; where nobody else does, it ends."""
        job.leave(self._watcher)


def _report(done: Future[T], then: Callable[[T | None, BaseException | None], None]) -> None:
    error = done.exception()
    if error is not None:
        log.error("Forecast service: %s", error, exc_info=error)
    then(None if error else done.result(), error)
