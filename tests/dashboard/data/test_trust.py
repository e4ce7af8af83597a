"""What a test of a place found, in words: which is larger, and what the picture is worth."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from cranpm.dashboard.data.trust import amount, effects_of, paragraphs, table_of, verdict

from cranpm.explain.place_answer import Effect, PlaceAnswer


def effect(place, mass=0.4, patches=4.0, low=None, high=None):
    return Effect(
        patches=patches,
        mass=mass,
        place=place,
        tile=place / 2,
        low=place if low is None else low,
        high=place if high is None else high,
    )


def answer(most=1.0, nearest=0.5, elsewhere=0.2, *, shared=1, **more):
    """One patch or four: what four do is told, what one does is shown."""
    values = {
        "lead": 1,
        "tile": 3,
        "token": 77,
        "cells": 16,
        "forecast": 20.0,
        "counts": (1, 4),
        "most_attended": (effect(9.0, 0.1), effect(most)),
        "nearest": (effect(9.0, 0.1), effect(nearest)),
        "elsewhere": (effect(9.0, 0.1, 12.0), effect(elsewhere, 0.41, 50.0, low=0.1, high=0.3)),
        "shared": (0, shared),
        "bridge_off": 2.5,
        "bridge_off_tile": 1.5,
        "rank_attention": 0.7,
        "rank_distance": -0.25,
        "tried": 18,
        "draws": 3,
    }
    return PlaceAnswer(**values | more)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (answer(1.0, 0.5, 0.2), "most attended patches matter most"),
        (answer(1.0, 1.05, 0.2), "about as much as the nearest"),
        (answer(1.0, 2.0, 0.2), "nearest patches matter more than the most attended"),
        (answer(1.0, 0.5, 0.95), "do not trust this picture here"),
        (answer(1.0, 0.5, 2.0), "do not trust this picture here"),
        (answer(1.0, 1.0, 0.2, shared=4), "they are the nearest ones"),
        (answer(0.03, 0.001, 0.001), "hardly minds what is hidden (it changes by 0.03 µg/m³ at most)"),
        (answer(0.0, 0.0, 0.0), "does not change whatever is hidden"),
    ],
)
def test_the_verdict_follows_the_numbers(found, said):
    assert said in verdict(found)


def test_numbers_are_told_with_their_meaning():
    told = " ".join(paragraphs(answer()))
    assert "Without the 4 most attended coarse patches" in told
    assert "(16 × 16 cells) changes by 1.00 of 20.0 µg/m³" in told
    assert "without the 4 nearest patches by 0.50" in told
    assert "(50 patches) by 0.20, between 0.10 and 0.30 in 3 draws" in told
    assert "1 of the most attended is also among the nearest" in told
    assert "with attention is +0.70, with nearness −0.25" in told
    assert "Without the whole bridge it would change by 2.50." in told
    assert "at the bridge alone" in told
    assert "bfloat16" not in told
    assert "bfloat16" in " ".join(paragraphs(answer(), "bfloat16"))


def test_unequal_terms_and_a_missing_ranking_are_told():
    few = replace(answer(), elsewhere=(effect(0.1), effect(0.2, 0.2)), rank_attention=math.nan)
    told = " ".join(paragraphs(few))
    assert "Elsewhere lies only 20 % of the attention, against 40 %" in told
    assert "give no ranking" in told
    assert "nan" not in told.lower()


def test_the_table_has_all_sets_and_the_whole_bridge():
    rows = table_of(answer())
    assert len(rows) == 7
    assert rows[1] == ("4 most attended", "4", "40 %", "1.00", "0.50")
    assert rows[5] == ("elsewhere, as much as 4", "50", "41 %", "0.20", "0.10")
    assert rows[6] == ("the whole bridge", "–", "100 %", "2.50", "1.50")


def test_the_plot_gets_place_and_tile_with_the_range_of_draws():
    effects = effects_of(answer())
    assert len(effects) == 12
    row = effects[
        (effects["hidden"] == "elsewhere") & (effects["count"] == 4) & (effects["where"] == "place")
    ]
    assert row[["change", "low", "high"]].to_numpy().tolist() == [[0.2, 0.1, 0.3]]


def test_small_numbers_stay_numbers():
    assert [amount(value) for value in (1.234, 0.1, 0.0424, 0.00031, 2e-7, 0.0, math.nan)] == [
        "1.23", "0.10", "0.042", "0.00031", "< 0.0001", "0", "–",
    ]  # fmt: skip
