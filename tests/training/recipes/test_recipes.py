"""What a recipe refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cranpm.training.recipes.recipes import NOT_NEGATIVE, tiny


@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_what_may_be_none_may_not_be_less(name):
    assert getattr(replace(tiny(), **{name: 0}), name) == 0
    with pytest.raises(ValueError, match=rf"Recipe.{name} is -1; expected 0 or more"):
        replace(tiny(), **{name: -1})


@pytest.mark.parametrize("name", ["steps", "days_per_step", "tiles_per_day", "global_days_per_step"])
def test_there_is_no_empty_step(name):
    with pytest.raises(ValueError, match=rf"Recipe.{name} is 0; expected at least 1"):
        replace(tiny(), **{name: 0})


@pytest.mark.parametrize("name", ["learning_rate", "global_learning_rate"])
@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_rate_is_more_than_nothing(name, value):
    with pytest.raises(ValueError, match=rf"Recipe.{name} is {value}; expected more than 0"):
        replace(tiny(), **{name: value})


@pytest.mark.parametrize("value", [0.0, 1.0, -0.5])
def test_an_average_remembers_and_forgets(value):
    with pytest.raises(ValueError, match=f"average_decay is {value}; expected between 0 and 1, or None"):
        replace(tiny(), average_decay=value)
