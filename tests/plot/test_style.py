from __future__ import annotations

import itertools

import numpy as np
import pytest

from cranpm.domain.eaqi import EAQI_CLASSES, NO_DATA_COLOUR, eaqi_class
from cranpm.plot.series import SERIES_STYLE, series_colour
from cranpm.plot.style import GROUNDS, SCALES, scale_for


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.0, 1),
        (4.49, 1),
        (4.5, 1),  # rounds to 5, still Good
        (5.49, 1),
        (5.5, 2),  # half up: 6
        (15.49, 2),
        (15.5, 3),
        (50.49, 3),
        (50.5, 4),
        (90.5, 5),
        (140.49, 5),
        (140.5, 6),
        (2000.0, 6),
        (-0.4, 1),  # an instrument's zero
        (-3.0, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (float("-inf"), 0),
    ],
)
def test_index_class_at_its_edges(value: float, number: int):
    assert int(eaqi_class(value)) == number


def test_classes_leave_no_number_without_a_class():
    for lower, upper in itertools.pairwise(EAQI_CLASSES):
        assert lower.high is not None
        assert upper.low == lower.high + 1


def test_no_value_is_index_zero_on_every_scale():
    for scale in SCALES.values():
        assert scale.index([np.nan]).tolist() == [0]
        assert scale.colours_of([np.nan]) == [NO_DATA_COLOUR]


def test_higher_values_never_have_a_lower_index():
    values = np.linspace(-20, 200, 5000)
    for scale in SCALES.values():
        index = scale.index(values).astype(int)
        shown = index > 0
        assert (np.diff(index[shown]) >= 0).all()
        assert index.max() == len(scale.colours)


def test_ends_of_the_scale_take_the_end_colours():
    scale = SCALES["continuous"]
    assert scale.index([scale.low, scale.high, 1e6]).tolist() == [1, 253, 253]


def test_no_change_is_the_middle_of_the_diverging_scale():
    assert SCALES["change"].index([0.0]).tolist() == [127]
    low, high = SCALES["change"].index([-7.0, 7.0]).astype(int)
    assert 127 - low == high - 127


def test_the_continuous_scale_grows_lighter_all_the_way():
    """Lightness must rise with the value, so that the map also reads in grey and for colour-blind readers."""
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in SCALES["continuous"].colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance[::4]) > 0).all()


def test_layers_get_their_scales():
    assert scale_for("today", "eaqi").name == "eaqi"
    assert scale_for("forecast", "continuous").name == "continuous"
    # a difference has no index class
    assert scale_for("change", "eaqi").name == "change"
    assert scale_for("error", "continuous").name == "change"
    assert scale_for("error", "continuous").title == "Forecast minus target"


def contrast(first: str, second: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)  # WCAG's own bounds
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known grey that just fails


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_lines_of_charts_are_legible_on_their_ground(dark: bool) -> None:
    """WCAG 2.2: 4.5 for text (1.4.3), 3 for lines and marks (1.4.11)."""
    colours = GROUNDS[dark]
    for text in ("ink", "soft"):
        assert contrast(colours[text], colours["ground"]) >= 4.5, text
    for name in SERIES_STYLE:
        assert contrast(series_colour(name, dark=dark), colours["ground"]) >= 3, name
