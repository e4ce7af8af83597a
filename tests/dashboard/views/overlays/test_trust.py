"""One press tests the place that is shown; whoever goes elsewhere no longer waits for it."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import holoviews as hv
import panel as pn
import pytest
from cranpm.dashboard.data.trust import CAVEAT
from cranpm.dashboard.state import State
from cranpm.dashboard.views.overlays.reader import Look
from cranpm.dashboard.views.overlays.trust import TrustView

from cranpm.forecasting.service.run_folder import RunStatus


class FakeTest:
    """A test that the worker has not begun."""

    def __init__(self, answer):
        self.status, self.position, self._answer = RunStatus(total_tiles=30), 0, answer
        self.left = 0

    def become(self, **changes):
        self.status = RunStatus(**{"total_tiles": 30} | changes)

    def answer(self):
        return self._answer


class FakeForecasts:
    """Answers at once with a test, or when told; keeps what is asked and left."""

    def __init__(self, answer):
        self.asked, self.left, self.waiting = [], [], []
        self.answer, self.error, self.slow = answer, None, False

    def test_place(self, run, *, lead, tile, token, then):
        self.asked.append((run.id, lead, tile, token))
        test = None if self.error else FakeTest(self.answer)
        self.last = test
        if self.slow:
            self.waiting.append(lambda: then(test, self.error))
        else:
            then(test, self.error)

    def leave(self, test):
        self.left.append(test)


@pytest.fixture(scope="module")
def answer(load_file):
    return load_file("tests/dashboard/data/test_trust.py").answer


@pytest.fixture
def forecasts(answer):
    return FakeForecasts(answer())


@pytest.fixture
def stopped(monkeypatch):
    """Polling is done by hand; holds how often it was ended."""
    stopped = []
    monkeypatch.setattr(
        pn.state,
        "add_periodic_callback",
        lambda *_, **__: SimpleNamespace(stop=lambda: stopped.append(1)),
    )
    return stopped


@pytest.fixture
def state():
    return State(init_time=dt.date(2022, 1, 12))


@pytest.fixture
def view(state, forecasts, stopped):
    return TrustView(state, forecasts)


def look(state, token=77):
    run = SimpleNamespace(id="run1", status=RunStatus(precision="float32"))
    return Look(footprint={"tile": 3, "token": token}, picture=SimpleNamespace(run=run, state=state.copy()))


def test_without_a_footprint_there_is_nothing_to_ask(view, state, forecasts):
    view.show(Look(message="Reading the run's tensors …"))
    assert not view.root.visible
    view.ask()
    assert forecasts.asked == []


def test_a_press_tests_this_place_and_tells_how_far_it_is(view, state, forecasts, stopped):
    state.lead_time = 2
    view.show(look(state))
    assert view.root.visible and not view.button.disabled
    assert "what it attends to most" in view.text.object
    view.ask()
    assert forecasts.asked == [("run1", 2, 3, 77)]
    assert "Waiting for the worker" in view.text.object
    assert view.button.disabled and view.cancel.visible
    forecasts.last.become(state="running", done_tiles=12, seconds_left=18.0)
    view.poll()
    assert "12 of 30 forecasts of this tile · 18 s left" in view.text.object
    assert (view.bar.variant, view.bar.value) == ("determinate", 40)
    view.ask()  # a second press asks nothing
    assert len(forecasts.asked) == 1
    forecasts.last.become(state="done", done_tiles=30)
    view.poll()
    assert "most attended patches matter most" in view.text.object
    assert CAVEAT in view.text.object
    assert "elsewhere, as much as 4" in view.more.object  # the table that a screen reader reads
    assert isinstance(view.plot.object, hv.Layout)
    assert not view.bar.visible and not view.cancel.visible and not view.button.disabled
    assert stopped == [1]


def test_an_answer_is_there_again_where_one_comes_back_to(view, state, forecasts):
    view.show(look(state))
    view.ask()
    forecasts.last.become(state="done")
    view.poll()
    view.show(look(state, token=78))
    assert view.plot.object is None and view.more.object == ""
    view.show(look(state))
    assert "matter most" in view.text.object and view.plot.object is not None
    assert len(forecasts.asked) == 1


@pytest.mark.parametrize("change", [{"place": (47.0, 8.0)}, {"lead_time": 3}, {"checkpoint": "other"}])
def test_another_place_or_forecast_ends_the_test(view, state, forecasts, stopped, change):
    view.show(look(state))
    view.ask()
    state.param.update(**change)
    assert forecasts.left == [forecasts.last]
    assert stopped == [1]
    assert not view.root.visible
    view.poll()  # a tick that was on its way
    assert "matter" not in view.text.object


def test_a_test_that_arrives_for_nobody_is_left(view, state, forecasts):
    forecasts.slow = True
    view.show(look(state))
    view.ask()
    assert "Asking" in view.text.object
    view.show(look(state, token=5))
    forecasts.waiting.pop()()
    assert forecasts.left == [forecasts.last]
    assert not view.button.disabled
    view.ask()
    view.close()
    forecasts.waiting.pop()()
    assert forecasts.left[-1] is forecasts.last
    assert len(forecasts.left) == 2


def test_a_closed_page_and_a_cancelled_test_wait_no_longer(view, state, forecasts, stopped):
    view.show(look(state))
    view.ask()
    view._stop()
    assert "Cancelled" in view.text.object and not view.button.disabled
    assert forecasts.left == [forecasts.last]
    view.ask()
    view.close()
    assert len(forecasts.left) == 2 and stopped == [1, 1]


def test_errors_are_a_sentence_with_what_to_do(view, state, forecasts):
    forecasts.error = RuntimeError("The forecast is gone, not done; make it again, then ask.")
    view.show(look(state))
    view.ask()
    assert "could not start: The forecast is gone, not done; make it again" in view.text.object
    forecasts.error = None
    view.ask()
    forecasts.last.become(state="failed", message="OSError: no space in '/home/ada/runs/x.json'.")
    view.poll()
    assert "The test stopped: OSError" in view.text.object
    assert "Press the button to try again." in view.text.object
    assert "/home/ada" not in view.text.object
    assert not view.button.disabled


def test_a_finished_test_without_an_answer_is_told(view, state, forecasts):
    forecasts.answer = None
    view.show(look(state))
    view.ask()
    forecasts.last.become(state="done")
    view.poll()
    assert "it left no answer. Press the button to try again" in view.text.object


def test_in_the_dark_the_plot_is_drawn_for_it(view, state, forecasts):
    view.show(look(state))
    view.ask()
    forecasts.last.become(state="done")
    view.poll()
    light, key = view.plot.object, view.more.object
    view.show(look(state), dark=True)
    assert view.plot.object is not light
    assert "#4fc3e8" in view.more.object and "#4fc3e8" not in key
