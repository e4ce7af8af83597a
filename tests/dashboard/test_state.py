from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs

import pytest
from cranpm.dashboard.state import LAYERS, State
from hypothesis import given
from hypothesis import strategies as st


def query_of(state: State) -> dict[str, list[bytes]]:
    parts = parse_qs(state.to_query(), keep_blank_values=True)
    return {name: [value.encode() for value in values] for name, values in parts.items()}


def same(a: State, b: State) -> bool:
    return all(getattr(a, name) == getattr(b, name) for name in State.param if name != "name")


def test_the_lists_of_one_page_are_no_other_pages():
    """A default that is shared is changed for every page that comes after."""
    State().station_types.remove("traffic")
    assert "traffic" in State().station_types


def test_a_link_carries_every_parameter_defaults_included():
    names = set(parse_qs(State().to_query(), keep_blank_values=True))
    assert names == {name for name in State.param if name != "name"}


def test_a_view_survives_its_link():
    state = State(
        dataset="testbed",
        init_time=dt.date(2022, 1, 11),
        lead_time=3,
        layer="error",
        scale="eaqi",
        region="silesia",
        checkpoint="demo-v1.2",
        place=(45.4642, 9.19),
        stations=False,
        station_types=["traffic"],
        station_areas=["rural", "urban"],
        terrain="complex",
        station="IT0477A@45.46_9.19 ä",
        extent=(7.0, 44.0, 13.25, 46.6),
        box=(8.0, 45.0, 9.125, 46.5),
        numbers=True,
        seams=True,
        compare="difference",
        against="persistence",
        against_lead=2,
        against_day=dt.date(2022, 1, 9),
        against_checkpoint="other-v2",
        swipe=0.125,
        dark=True,
    )
    back, notices = State.from_query(query_of(state))
    assert notices == []
    assert same(state, back)


@given(
    lead=st.sampled_from([1, 2, 3]),
    layer=st.sampled_from(list(LAYERS)),
    lat=st.floats(-85, 85),
    lon=st.floats(-180, 180),
    types=st.lists(st.sampled_from(["background", "traffic", "industrial"]), unique=True),
)
def test_any_state_survives_its_link(lead: int, layer: str, lat: float, lon: float, types: list[str]):
    place = (round(lat, 4), round(lon, 4))
    state = State(lead_time=lead, layer=layer, place=place, station_types=types)
    back, notices = State.from_query(query_of(state))
    assert notices == []
    assert same(state, back)


def test_unknown_names_are_ignored_with_a_notice():
    state, notices = State.from_query({"colour": [b"red"], "lead_time": [b"2"]})
    assert state.lead_time == 2
    assert len(notices) == 1
    assert "colour" in notices[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer", "<script>alert(1)</script>"),
        ("lead_time", "7"),
        ("lead_time", "1e9"),
        ("init_time", "yesterday"),
        ("dataset", "../../etc/passwd"),
        ("dataset", "/etc"),
        ("checkpoint", "a/b"),
        ("checkpoint", ".hidden"),
        ("region", "atlantis"),
        ("scale", "rainbow"),
        ("place", "91,0"),
        ("place", "nan,0"),
        ("place", "45"),
        ("extent", "10,40,5,50"),
        ("extent", "inf,0,1,1"),
        ("stations", "maybe"),
        ("stations", ""),
        ("station_types", "traffic,nuclear"),
        ("station_file", "../x.nc"),
        ("dark", "2"),
        ("dark", "10"),
        ("place", "1," + "0" * 5000),
    ],
)
def test_bad_values_fall_back_with_a_notice(name: str, value: str):
    state, notices = State.from_query({name: [value.encode()]})
    assert getattr(state, name) == getattr(State(), name)
    assert len(notices) == 1
    assert name in notices[0]


@pytest.mark.parametrize(
    ("text", "on"), [("1", True), ("true", True), ("On", True), ("0", False), ("no", False)]
)
def test_switches_are_read_as_people_write_them(text: str, on: bool):
    state, notices = State.from_query({"dark": [text.encode()], "stations": [text.encode()]})
    assert (state.dark, state.stations, notices) == (on, on, [])


def test_bytes_that_are_no_text_do_no_harm():
    _, notices = State.from_query({"layer": [b"\xff\xfe"], "dataset": []})
    assert len(notices) == 1  # an empty list is an empty name, which is allowed


def test_valid_time_is_init_plus_lead():
    state = State(init_time=dt.date(2022, 2, 27), lead_time=3)
    assert state.valid_time == dt.date(2022, 3, 2)
    state.layer = "today"
    assert state.shown_time == dt.date(2022, 2, 27)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compare", "blink"),
        ("against", "<img src=x>"),
        ("against", "whatif"),
        ("against", "difference"),
        ("layer", "difference"),
        ("layer", "whatif_forecast"),
        ("against_lead", "4"),
        ("against_lead", "-1"),
        ("against_day", "yesterday"),
        ("against_checkpoint", "../../etc/passwd"),
        ("swipe", "nan"),
        ("swipe", "1.5"),
        ("opacity", "nan"),
    ],
)
def test_a_hostile_comparison_falls_back_with_a_notice(name: str, value: str):
    state, notices = State.from_query({name: value})
    assert getattr(state, name) == getattr(State(), name)
    assert len(notices) == 1 and "the default is used" in notices[0]
