"""Which of two maps is nearer to the stations, and how sure that is."""

from __future__ import annotations

import datetime as dt
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.pictures import make_picture
from cranpm.dashboard.data.shown import CIRCLES, Other
from cranpm.dashboard.data.station_errors import mean_by_box
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State

from cranpm.domain import get_domain

INIT = dt.date(2022, 1, 11)


def picture_of(store: Store, run_b: object = None, **more: object):
    values = {"dataset": "testbed", "init_time": INIT, "layer": "persistence", "against": "target"} | more
    state = State(**values)
    return make_picture(store, state, None, None, Other(state=State(**state.other), run=run_b))  # type: ignore[arg-type]


def test_an_interval_of_boxes_is_wider_than_one_of_stations_that_share_their_weather():
    rng = np.random.default_rng(1)
    boxes, each = 40, 25
    shared = np.repeat(rng.normal(0.0, 1.0, boxes), each)
    lat = np.repeat(30.0 + 2 * (np.arange(boxes) % 8), each) + rng.uniform(0, 1.9, boxes * each)
    lon = np.repeat(2.0 * (np.arange(boxes) // 8), each) + rng.uniform(0, 1.9, boxes * each)
    mean, low, high, count = mean_by_box(shared, lat, lon)
    assert count == boxes and mean == pytest.approx(shared.mean())
    alone = 2 * 1.96 * shared.std() / np.sqrt(boxes * each)
    assert 3.5 * alone < high - low < 7 * alone  # sqrt(25) = 5 times
    assert low < mean < high


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    lat, lon = np.repeat(31.0 + 2 * np.arange(30), 5), np.full(150, 1.0)
    hits = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(0.3, 1.0, 30), 5) + rng.normal(0, 0.2, 150)
        _, low, high, _ = mean_by_box(values, lat, lon)
        hits += low <= 0.3 <= high
    assert 0.88 <= hits / 200 <= 0.98


def test_few_boxes_give_no_interval():
    mean, low, high, boxes = mean_by_box([1.0, 3.0], [45.0, 45.1], [9.0, 9.1])
    assert (mean, boxes) == (2.0, 1) and np.isnan([low, high]).all()
    assert mean_by_box([], [], [])[3] == 0


def test_the_change_is_of_the_cells_that_hold_the_stations(store: Store, scene: ModuleType):
    comparison = picture_of(store, compare="swipe").comparison
    assert comparison is not None and comparison.errors is not None
    table, domain = comparison.errors.table, get_domain("alps")
    a, b = (np.round(scene.pm2p5_of(day, domain), 1) for day in (1, 2))
    cells = tuple(
        np.array([domain.fine.index_of(*place) for place in zip(table["latitude"], table["longitude"])]).T
    )
    seen = table["observed"].to_numpy(float)
    expected = abs(a[cells] - seen) - abs(b[cells] - seen)
    np.testing.assert_allclose(table["change"], expected, atol=1e-4)
    assert comparison.errors.mean == pytest.approx(np.mean(expected), abs=1e-4)
    assert sum(comparison.errors.nearer) == len(table) > 20
    assert comparison.errors.nearer[1] == len(table), "what was observed is the target, times 1.1"


def test_circles_on_a_difference_are_changes_of_the_error(store: Store):
    picture = picture_of(store, compare="difference")
    assert picture.comparison is not None and picture.stations is not None
    np.testing.assert_array_equal(picture.stations["pm2p5"], picture.stations["change"])
    assert picture.stations["kind"].str.contains("error of A").all()
    assert picture.on_map[2].note == CIRCLES
    without = picture_of(store, compare="difference", stations=False)
    assert without.stations is None and without.on_map[2].note == ""


@pytest.mark.parametrize(
    "more",
    [
        {"layer": "today"},  # another day than the target's
        {"layer": "input.t2m.t", "against": ""},  # no PM2.5
        {"against": "persistence"},  # the same map
        {"station_types": []},  # no station
    ],
)
def test_where_it_is_no_question_there_is_no_answer(store: Store, more: dict[str, object]):
    comparison = picture_of(store, compare="swipe", **more).comparison
    assert comparison is not None and comparison.errors is None


def test_a_run_under_way_is_waited_for(store: Store, fake_run: ModuleType):
    run = fake_run.FakeRun()
    run.finish_tiles(3)
    assert picture_of(store, run, compare="swipe", against="forecast").comparison.errors is None
    run.finish_tiles(9)
    assert picture_of(store, run, compare="swipe", against="forecast").comparison.errors is not None
