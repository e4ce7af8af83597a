from __future__ import annotations

import itertools

import numpy as np
import pytest

from cranpm.verification.limits import (
    EAQI_CLASSES,
    FAIRMODE_PM25_DAILY,
    eaqi_class,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 1),
        (4.49, 1),
        (4.5, 1),  # rounds to 5, still Good
        (5.49, 1),
        (5.5, 2),  # rounds to 6
        (15.49, 2),
        (15.5, 3),
        (50.49, 3),
        (50.5, 4),  # half to even would give 50, one class too good
        (90.5, 5),
        (140.49, 5),
        (140.5, 6),
        (-0.4, 1),  # an instrument's noise around zero
        (-3.0, 0),
        (np.inf, 0),
        (np.nan, 0),
    ],
)
def test_classes_change_where_the_rounded_value_does(value: float, expected: int) -> None:
    assert eaqi_class(value) == expected


def test_a_map_keeps_its_shape_and_its_gaps() -> None:
    classes = eaqi_class(np.array([[1.0, np.nan], [30.0, 200.0]]))
    assert classes.tolist() == [[1, 0], [3, 6]]


def test_classes_join_without_gap_or_overlap() -> None:
    for lower, upper in itertools.pairwise(EAQI_CLASSES):
        assert upper.low == (lower.high or 0) + 1
    assert [c.low for c in EAQI_CLASSES] == [0, 6, 16, 51, 91, 141]


def test_uncertainty_of_a_series_with_mean_12_and_sd_8() -> None:
    # mean of O^2 = 12^2 + 8^2 = 208; U_rms = 0.36 sqrt(0.75 * 208 + 0.25 * 625) = 0.36 sqrt(312.25) = 6.361
    observed = np.array([4.0, 20.0])  # mean 12, population s.d. 8
    rms = np.sqrt(np.mean(FAIRMODE_PM25_DAILY.uncertainty(observed) ** 2))
    assert rms == pytest.approx(6.361, abs=1e-3)
    assert 11.75 / (FAIRMODE_PM25_DAILY.beta * rms) == pytest.approx(0.92, abs=0.005)
