"""Stations on the page: whom the filters leave, what the card and the table say, and that names are text."""

from __future__ import annotations

import datetime as dt
from types import ModuleType
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from cranpm.dashboard.data.fields import FieldUnavailableError
from cranpm.dashboard.data.station_card import DAYS_FOR_INTERVAL, StationCard, days_scored, make_card
from cranpm.dashboard.data.stations import chosen_stations, station_rows
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State
from cranpm.dashboard.views.stations.card import (
    card_series,
    classes_html,
    scores_html,
    station_head,
    surroundings_html,
)
from cranpm.dashboard.views.stations.table import StationTable

from cranpm.data.errors import StoreError
from cranpm.domain import get_domain
from cranpm.plot.scores import target_diagram

INIT = dt.date(2022, 1, 11)
FINE = get_domain("alps").fine


@pytest.fixture
def done(fake_run: ModuleType) -> Any:
    """A finished run whose map of T+n is 10 n everywhere."""
    run = fake_run.FakeRun()
    run.finish_tiles(9)
    run.open_map = run.map
    return run


@pytest.fixture
def card(store: Store, done: Any) -> StationCard:
    return make_card(store, "testbed", "TB000", days_scored(store, "testbed", INIT), {INIT: done})


def table(**columns: Any) -> pd.DataFrame:
    rows = {
        "station_id": list("abcd"),
        "station_type": ["background", "traffic", "industrial", None],
        "area": ["urban", "rural", "suburban", None],
        "terrain_complexity": [10.0, 50.0, 49.9, np.nan],
    }
    return pd.DataFrame(rows | columns)


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, "abcd"),  # everything chosen: also the one of which nothing is known
        ({"station_types": ["background", "traffic"]}, "ab"),
        ({"station_areas": ["rural"]}, "b"),
        ({"terrain": "flat"}, "ac"),
        ({"terrain": "complex"}, "b"),
        ({"terrain": "flat", "station_types": ["industrial"]}, "c"),
        ({"station_areas": []}, ""),
    ],
)
def test_filters_leave_what_they_say(chosen: dict[str, Any], left: str) -> None:
    assert "".join(chosen_stations(table(), State(**chosen))["station_id"]) == left


def test_pairs_hold_what_the_dataset_holds(card: StationCard, scene: ModuleType) -> None:
    row, col = FINE.index_of(*scene.MILAN)
    field = [np.round(float(scene.pm2p5_of(day, get_domain("alps"))[row, col]), 1) for day in range(4)]
    pairs = card.of_lead(1, "persistence", "cams_forecast", "target")
    assert pairs["init_time"].dt.day.tolist() == [10, 11, 12]  # the 13th has no day after it
    assert pairs["persistence"].tolist() == pytest.approx(field[:3], abs=0.051)
    assert pairs["target"].tolist() == pytest.approx(field[1:], abs=0.051)
    assert pairs["observed"].tolist() == pytest.approx([1.1 * value for value in field[1:]], abs=0.1)
    assert pairs["cams_forecast"].tolist() == [13.0, 14.0, 15.0]  # 13 + day + lead - 1
    # one run: one pair at each lead time that the observations reach
    assert card.of_lead(1, "forecast")["forecast"].tolist() == [10.0]
    assert card.of_lead(2, "forecast")["forecast"].tolist() == [20.0]
    assert card.of_lead(3, "forecast").empty  # the 14th is not held


def test_scores_of_a_table_are_on_the_same_days(card: StationCard) -> None:
    ours, theirs, cams = card.scores(1, ["forecast", "persistence", "cams_forecast"])
    assert (ours.days, theirs.days, cams.days) == (1, 1, 1)
    (pair,) = card.of_lead(1, "forecast").to_dict("records")
    assert ours.bias == pytest.approx(10.0 - pair["observed"])
    assert ours.rmse.estimate == pytest.approx(abs(10.0 - pair["observed"]))
    held = {score.method: score for score in card.scores(1, ["persistence", "cams_forecast", "target"])}
    assert {score.days for score in held.values()} == {3}
    assert held["target"].bias == pytest.approx(-0.1 * card.of_lead(1, "target")["target"].mean(), abs=0.1)
    assert np.isnan(held["cams_forecast"].rmse.low)  # three days are fewer than an interval needs
    assert card.scores(3, ["forecast"]) == []


def test_an_interval_is_told_from_five_days_on(card: StationCard) -> None:
    rng = np.random.default_rng(0)
    count = 8
    pairs = pd.DataFrame(
        {"lead": 1, "observed": rng.uniform(5, 40, count), "cams_forecast": rng.uniform(5, 40, count)}
    )
    many = StationCard(station=card.station, pairs=pairs, surroundings=card.surroundings)
    (score,) = many.scores(1, ["cams_forecast"])
    assert count >= DAYS_FOR_INTERVAL
    assert score.rmse.low < score.rmse.estimate < score.rmse.high


def test_classes_count_days_with_both(card: StationCard) -> None:
    counts = card.classes(1, "cams_forecast")
    # 44 to 60 ug/m3 seen at Milan: "moderate" or "poor"; 13 to 15 said: "fair"
    assert counts.sum() == 3
    assert counts[:, 1].sum() == 3
    assert "The same class on 0 of 3 days" in classes_html(card, 1, "cams_forecast")
    assert "No day on which" in classes_html(card, 3, "forecast")


def test_surroundings_leave_gaps_out(store: Store, scene: ModuleType) -> None:
    stations = store.stations("testbed")
    seen = []
    for station in stations.itertuples():
        if not FINE.contains(station.latitude, station.longitude):
            continue
        row, col = FINE.index_of(station.latitude, station.longitude)
        if not (12 <= row < FINE.rows - 13 and 12 <= col < FINE.cols - 13):
            continue
        window = scene.pm2p5_of(1, get_domain("alps"))[row - 12 : row + 13, col - 12 : col + 13]
        around = make_card(store, "testbed", station.station_id, [INIT], {}).surroundings
        assert around.cells == np.isfinite(window).sum()
        if np.isfinite(window[12, 12]):
            assert around.around == pytest.approx(float(np.nanmean(window)), abs=0.06)
            assert around.days == 1
        else:
            assert around.days == 0
            assert np.isnan(around.cell)
        seen.append(around.cells)
        if len(seen) == 12:
            break
    assert seen


def test_a_damaged_day_is_named_and_no_value(
    store: Store, monkeypatch: pytest.MonkeyPatch, done: Any
) -> None:
    dataset = store.dataset("testbed")
    read = dataset.pm2p5

    def damaged(day: Any, *window: slice) -> Any:
        if str(day) == "2022-01-11":
            raise StoreError("bad chunk")
        return read(day, *window)

    monkeypatch.setattr(dataset, "pm2p5", damaged)
    card = make_card(store, "testbed", "TB000", days_scored(store, "testbed", INIT), {})
    assert card.unreadable == ("PM2.5 of 2022-01-11",)
    pairs = card.pairs[card.pairs["lead"] == 1].set_index(card.pairs["init_time"].dt.day.unique())
    assert np.isnan(pairs["persistence"][11])
    assert np.isnan(pairs["target"][10])
    assert card.surroundings.days == 3


def test_a_station_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(FieldUnavailableError, match="no station “nobody”"):
        make_card(store, "testbed", "nobody", [INIT], {})


def test_what_is_drawn_and_said(card: StationCard) -> None:
    head = station_head(card, 0.0)
    assert "&lt;img src=x onerror=alert(1)&gt;Milano" in head
    assert "<img" not in head
    assert "nearest station" not in head
    assert "3.2 km from the picked place" in station_head(card, 3.2)
    said = scores_html(card, 1)
    assert "days with a forecast (n = 1)" in said
    assert "all days held (n = 3)" in said
    assert "baselines only" in scores_html(card, 3)
    series = card_series(card, str(INIT))
    assert series["lead_2"].sel(time="2022-01-13").item() == 20.0
    assert "representativeness" in surroundings_html(card.surroundings, card.station)
    points = card.target_points(1, ["persistence", "cams_forecast"])
    drawn = target_diagram(points)
    hv.renderer("bokeh").get_plot(drawn)


def test_rows_of_the_table(store: Store, scene: ModuleType) -> None:
    state = State(dataset="testbed", init_time=INIT, layer="today")
    rows = station_rows(store, state, INIT, None)
    assert rows["shown"].isna().all()
    in_gap = rows["observed"].isna()  # a station that did not report stays in the table, without a value
    assert rows.loc[~in_gap, "observed"].min() > 0
    state.station_types = ["traffic"]
    assert set(station_rows(store, state, INIT, None)["station_type"]) == {"traffic"}


def test_the_table_finds_sorts_and_opens(store: Store) -> None:
    from cranpm.dashboard.data.pictures import make_picture

    picked: list[Any] = []
    shown = StationTable(store, on_pick=lambda *place: picked.append(place))
    state = State(dataset="testbed", init_time=INIT, layer="today")
    shown.open(make_picture(store, state, None))
    assert shown.dialog.open
    widget = shown.table
    assert widget is not None
    words = {name for name, one in widget.formatters.items() if one == {"type": "plaintext"}}
    assert words == {"name", "country", "station_type", "area"}  # nothing of a file is taken for HTML
    assert widget.formatters["observed"].nan_format == "–"
    shown.order.value, shown.descending.value = "observed", True
    assert widget.sorters == [{"field": "observed", "dir": "desc"}]
    seen, said, difference = (
        widget.value[name].astype(float) for name in ("observed", "shown", "difference")
    )
    assert np.allclose((said - seen - difference).dropna(), 0, atol=0.11)
    count = len(widget.value)
    shown.find.value = "milano"
    assert widget.value["name"].tolist() == ["<img src=x onerror=alert(1)>Milano"]
    assert f"1 of {count} stations" in shown.text.object
    widget.selection = [0]
    assert picked == [(pytest.approx(45.4642), pytest.approx(9.19), "TB000")]
    assert not shown.dialog.open
    shown.find.value = "no such name"
    assert len(widget.value) == 0
