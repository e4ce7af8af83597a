"""A run belongs to the pages that watch it."""

from __future__ import annotations

import datetime as dt
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cranpm.dashboard.data.forecasts import Forecasts
from cranpm.dashboard.page.run import PageRun
from cranpm.dashboard.state import State

MONDAY, TUESDAY = dt.date(2022, 1, 10), dt.date(2022, 1, 11)


class FakeService:
    """Runs by init day, as the forecast service keeps them; ``submit`` may be held back."""

    def __init__(self, fake_run: ModuleType) -> None:
        self.make = fake_run.FakeRun
        self.runs: dict[dt.date, list[Any]] = {}
        self.held: list[Any] = []
        self.hold = False

    def usable(self, init: dt.date) -> Any:
        return next((r for r in self.runs.get(init, []) if r.state in ("queued", "running", "done")), None)

    def forecasts(self, watcher: str) -> Any:
        def find(dataset: str, checkpoint: str, init: dt.date) -> Any:
            run = self.usable(init)
            if run is not None:
                run.watch(watcher)
            return run

        def submit(dataset: str, checkpoint: str, init: dt.date, *, first: list[int], then: Any) -> None:
            def start() -> None:
                run = self.usable(init)
                if run is None:
                    run = self.make()
                    self.runs.setdefault(init, []).append(run)
                run.watch(watcher)
                then(run, None)

            if self.hold:
                self.held.append(start)
            else:
                start()

        return SimpleNamespace(find=find, submit=submit, leave=lambda run: run.leave(watcher))


@pytest.fixture
def service(fake_run: ModuleType, polling_by_hand: None) -> FakeService:
    return FakeService(fake_run)


def page(service: FakeService, watcher: str, *, opened: bool = True, layer: str = "forecast") -> PageRun:
    shown: list[str] = []
    controls = SimpleNamespace(
        show=lambda run, **_: shown.append("" if run is None else run.state),
        show_left=lambda: shown.append("left"),
        failed=shown.append,
    )
    state = State(dataset="testbed", checkpoint="demo", init_time=MONDAY, layer=layer)
    made = PageRun(
        state,
        service.forecasts(watcher),
        controls,
        first_tiles=list,
        on_change=lambda: None,  # type: ignore[arg-type]
    )
    state.param.watch(lambda *_: made.question_changed(), ["init_time"])
    made.question_changed()
    if opened:
        made.open()
    made.shown = shown  # type: ignore[attr-defined]
    made.state = state  # type: ignore[attr-defined]
    return made


def test_a_document_that_nobody_opens_starts_no_forecast(service: FakeService):
    closed = page(service, "a", opened=False)
    assert service.runs == {}
    closed.open()
    assert len(service.runs[MONDAY]) == 1


def test_one_users_step_does_not_end_what_another_watches(service: FakeService):
    ada, ben = page(service, "ada"), page(service, "ben")
    (run,) = service.runs[MONDAY]
    assert ada.current is ben.current is run
    ada.state.init_time = TUESDAY  # type: ignore[attr-defined]
    assert run.state == "queued"
    ben.state.init_time = TUESDAY  # type: ignore[attr-defined]
    assert run.state == "cancelled"


def test_cancel_ends_the_run_only_where_no_other_page_waits(service: FakeService):
    ada, ben = page(service, "ada"), page(service, "ben")
    (run,) = service.runs[MONDAY]
    ada.cancel()
    assert (run.state, ada.current, ada.shown[-1]) == ("queued", None, "left")  # type: ignore[attr-defined]
    ada.layer_changed()
    assert ada.current is None  # looking at another layer does not join it again
    ada.ask()
    assert ada.current is run
    ada.cancel()
    ben.cancel()
    assert run.state == "cancelled"
    assert ben.shown[-1] == "cancelled"  # type: ignore[attr-defined]


def test_a_day_forth_and_back_is_a_run_of_its_own(service: FakeService):
    ada = page(service, "ada")
    ada.state.init_time = TUESDAY  # type: ignore[attr-defined]
    ada.state.init_time = MONDAY  # type: ignore[attr-defined]
    first, second = service.runs[MONDAY]
    assert (first.state, second.state) == ("cancelled", "queued")
    assert ada.current is second


def test_a_page_that_is_closed_leaves_its_run_also_one_that_still_starts(service: FakeService):
    page(service, "ada").close()
    assert service.runs[MONDAY][0].state == "cancelled"
    service.runs.clear()
    service.hold = True
    ben = page(service, "ben")
    ben.close()
    service.held[0]()
    assert service.runs[MONDAY][0].state == "cancelled"


def test_cancel_while_the_worker_starts(service: FakeService):
    service.hold = True
    ada = page(service, "ada")
    ada.cancel()
    service.held[0]()
    assert service.runs[MONDAY][0].state == "cancelled"


def test_a_run_that_goes_away_is_asked_for_again(service: FakeService):
    ada = page(service, "ada")
    (run,) = service.runs[MONDAY]
    run.become("gone")
    ada.poll()
    assert ada.current is service.runs[MONDAY][1]
    assert ada.current.state == "queued"


def test_finished_runs_are_left_alone(service: FakeService):
    ada = page(service, "ada")
    (run,) = service.runs[MONDAY]
    run.finish_tiles(9)
    ada.poll()
    ada.close()
    assert run.state == "done"


def test_forecasts_watch_under_the_name_of_their_page(monkeypatch: pytest.MonkeyPatch, fake_run: ModuleType):
    run = fake_run.FakeRun()
    asked: dict[str, Any] = {}

    def submit(request: Any, *, watcher: str) -> Any:
        asked.update(request, watcher=watcher)
        return run

    def make_request(root: str, folder: str, init: dt.date, leads: Any, **question: Any) -> dict[str, Any]:
        return {"of": (root, folder, init, tuple(leads)), **question}

    monkeypatch.setattr(
        "cranpm.dashboard.data.forecasts.service",
        lambda: SimpleNamespace(find=lambda *_: run, submit=submit),
    )
    monkeypatch.setattr("cranpm.forecasting.service.request.make_request", make_request)
    store = SimpleNamespace(checkpoints=lambda: {"demo": "c"}, dataset_folders=lambda: {"testbed": "d"})
    forecasts = Forecasts(store, watcher="ada")  # type: ignore[arg-type]
    assert forecasts.find("testbed", "demo", MONDAY) is run
    assert run.watchers == {"ada"}
    answers: list[Any] = []
    forecasts.submit("testbed", "demo", MONDAY, first=[4], then=lambda *a: answers.append(a))
    from cranpm.dashboard.data import forecasts as module

    module._THREADS.submit(lambda: None).result()
    module._THREADS.submit(lambda: None).result()
    of = ("d", "c", MONDAY, (1, 2, 3))
    assert asked == {"of": of, "first": [4], "tiles": None, "interventions": (), "watcher": "ada"}


def test_a_run_that_ends_while_it_is_shown_is_looked_at_once_more(service: FakeService):
    """On a busy machine it is: the page would say "9 of 9 tiles" for ever."""
    one = page(service, "a")
    (run,) = service.runs[MONDAY]
    run.finish_tiles(2)
    one._on_change = lambda: run.finish_tiles(9)
    one.poll()
    assert one.shown[-1] == "running"  # type: ignore[attr-defined]
    assert one._poll is not None
    one.poll()
    assert one.shown[-1] == "done"  # type: ignore[attr-defined]
    assert one._poll is None
