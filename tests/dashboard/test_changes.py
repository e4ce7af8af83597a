"""What may be asked as "what if": typed, bounded, the same question in one order."""

from __future__ import annotations

import pytest
from cranpm.dashboard.changes import CHANGES, describe, read_steps, steps_of, write_steps
from cranpm.dashboard.state import State
from hypothesis import given
from hypothesis import strategies as st


def test_every_change_is_one_that_the_forecast_knows_at_both_ends():
    for name, change in CHANGES.items():
        for value in (change.low, change.high):
            steps = steps_of({name: value})  # raises where nobody knows it
            assert bool(steps) is (value != change.neutral)


@given(st.lists(st.sampled_from(list(CHANGES)), unique=True))
def test_any_question_survives_its_link_in_one_order(names: list[str]):
    values = {
        name: CHANGES[name].high if CHANGES[name].neutral != CHANGES[name].high else 0.0 for name in names
    }
    steps = steps_of(values)
    assert len(steps) == len(names)
    assert read_steps(write_steps(steps)) == steps
    assert read_steps(",".join(reversed(write_steps(steps).split(",")))) == steps
    state, notices = State.from_query({"whatif": write_steps(steps)})
    assert (state.whatif, notices) == (steps, [])


@pytest.mark.parametrize(
    "text",
    ["wind_turn:181", "wind_turn:nan", "wind_turn", "wind_flop:1", "wind_turn:1,wind_turn:2", "place_random:1",
     "wind_turn/priors:90", "wind_turn:<b>", "hide_cams:-1"],
)  # fmt: skip
def test_what_the_page_would_not_write_is_ignored_with_a_notice(text: str):
    state, notices = State.from_query({"whatif": text})
    assert state.whatif == ()
    assert len(notices) == 1


def test_words_keep_their_numbers_and_units():
    steps = steps_of({"wind_turn": -45, "wind_bias": 0})
    assert describe(steps) == "wind turned by -45°, wind bias off"
