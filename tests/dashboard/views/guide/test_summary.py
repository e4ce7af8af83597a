"""The view in one paragraph: what, when, how much, how many stations."""

from __future__ import annotations

import datetime as dt
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from cranpm.dashboard.data.areas.view_numbers import ViewNumbers
from cranpm.dashboard.data.pictures import Picture
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.guide import place_to_show
from cranpm.dashboard.state import State
from cranpm.dashboard.views.guide.summary import ViewSummary, stations_in_view, summary_words

from cranpm.domain import get_domain

INIT = dt.date(2022, 1, 11)
VIEW = (8.0, 44.0, 10.5, 48.0)
NUMBERS = ViewNumbers(mean=12.34, lowest=0.2, highest=88.0, above=0.314, kilometres=2.2)
STATIONS = pd.DataFrame({"longitude": [9.0, 10.6, 8.0], "latitude": [45.0, 45.0, 48.0]})


def picture(**more: Any) -> Picture:
    state = State(dataset="testbed", checkpoint="demo", init_time=INIT, layer=more.pop("layer", "today"))
    return Picture(state=state, run=more.pop("run", None), field_id="f", **more)


def test_a_field_in_one_paragraph() -> None:
    said = summary_words(picture(), VIEW, NUMBERS, 2)
    assert said == (
        "Today of Tuesday 11 January 2022. In view, 44.00° N – 48.00° N, 8.00° E – 10.50° E: mean 12.3, lowest 0.2, "
        "highest 88.0 µg/m³, of squares of 2 km. 31 % of the area with values is above 25 µg/m³. 2 stations in view."
    )


def test_a_forecast_says_how_far_ahead_and_whose_and_waits_for_its_end(fake_run: ModuleType) -> None:
    run = fake_run.FakeRun()
    waiting = summary_words(picture(layer="forecast", run=run), VIEW, None, None)
    assert waiting == (
        "Forecast of Wednesday 12 January 2022, 1 day ahead, checkpoint demo. "
        "The forecast is under way; its numbers follow."
    )
    run.finish_tiles(9)
    assert "mean 12.3" in summary_words(picture(layer="forecast", run=run), VIEW, NUMBERS, None)


def test_a_difference_has_a_sign_and_no_limit_value() -> None:
    change = ViewNumbers(mean=-3.21, lowest=-20.0, highest=4.0, above=0.0, kilometres=1.1)
    said = summary_words(picture(layer="change"), VIEW, change, None)
    assert "mean −3.2, lowest −20.0, highest 4.0" in said
    assert "above" not in said and "stations" not in said


def test_nothing_in_view_is_said_and_never_zero() -> None:
    nan = float("nan")
    empty = ViewNumbers(mean=nan, lowest=nan, highest=nan, above=nan, kilometres=1.1)
    said = summary_words(picture(note="Half of it is damaged."), VIEW, empty, 0)
    assert said.endswith("Half of it is damaged. In view, 44.00° N – 48.00° N, 8.00° E – 10.50° E: "
                         "nothing has a value. No stations in view.")  # fmt: skip


def test_stations_outside_the_view_do_not_count() -> None:
    assert stations_in_view(picture(stations=STATIONS), VIEW) == 2
    assert stations_in_view(picture(stations=None), VIEW) is None


def test_the_paragraph_follows_the_view_and_is_not_made_twice(
    store: Store, scene: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cranpm.dashboard.data.pictures import make_picture

    shown = make_picture(store, State(dataset="testbed", init_time=INIT, layer="today"), None)
    summary = ViewSummary(store)
    said: list[str] = []
    summary.root.param.watch(lambda event: said.append(event.new), "text")
    around_milan = (9.0, 45.2, 9.4, 45.7)
    summary.show(shown, VIEW)
    summary.show(shown, VIEW)
    summary.show(shown, around_milan)
    assert len(said) == 2
    # at Milan 6 + 1.5 (north - lat) + 2 day + 40 + 3 day: above 25 all around
    assert "100 % of the area with values is above 25" in said[1]


def test_the_first_place_is_the_station_next_to_the_middle_or_the_middle_itself(
    store: Store, scene: ModuleType
) -> None:
    lat, lon = scene.MILAN
    assert place_to_show(store, "testbed", (lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1)) == pytest.approx(
        (lat, lon)
    )
    stations = store.stations("testbed")
    beside = stations[(stations["latitude"] - 47.5).abs() < 0.01]
    assert beside.empty  # nothing stands in the next view
    found = place_to_show(store, "testbed", (9.0, 47.495, 9.01, 47.505))
    assert found == pytest.approx((47.5, 9.005), abs=1e-4)
    assert get_domain("alps").fine.contains(*found)


def test_a_comparison_says_what_it_is_compared_with_and_whose_numbers_these_are(store: Store) -> None:
    from cranpm.dashboard.data.shown import Comparison, ShownField, layer_scale
    from cranpm.dashboard.layers import DIFFERENCE

    other = State(dataset="testbed", init_time=INIT, layer="target")
    shown = ShownField(field_id="d", version="0")
    for mode, words in (("difference", "The map shows B minus A."), ("swipe", "numbers are those of A.")):
        scale = layer_scale(DIFFERENCE, "continuous")
        comparison = Comparison(mode=mode, state=other, run=None, scale=scale, field=shown)
        said = summary_words(picture(comparison=comparison), VIEW, NUMBERS, None)
        assert "compared with B: Target T+1 · 12 Jan 2022 · init 11 Jan 2022. " in said
        assert words in said
        assert ("above 25" in said) == (mode == "swipe")
