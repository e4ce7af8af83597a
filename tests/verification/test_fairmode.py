"""The target diagram: distance is the quality indicator, sides say what the error is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cranpm.verification.fairmode import LEAST_DAYS, target_point
from cranpm.verification.limits import FAIRMODE_PM25_DAILY

series = arrays(float, 12, elements=st.floats(0.5, 200))


@given(series, series)
def test_the_distance_from_the_middle_is_the_indicator(forecast: np.ndarray, observed: np.ndarray) -> None:
    point = target_point(forecast, observed)
    assert point.x**2 + point.y**2 == pytest.approx(point.indicator**2, rel=1e-6, abs=1e-9)


@given(series, series, st.randoms(use_true_random=False))
def test_the_order_of_days_does_not_matter(forecast: np.ndarray, observed: np.ndarray, random) -> None:
    order = list(range(12))
    random.shuffle(order)
    point, other = target_point(forecast, observed), target_point(forecast[order], observed[order])
    assert (other.x, other.y) == pytest.approx((point.x, point.y), abs=1e-9) or abs(point.x) == pytest.approx(
        abs(other.x), abs=1e-9
    )


def test_an_example_by_hand() -> None:
    # 4 and 20: mean 12, s.d. 8. U^2 = 0.36^2 (0.75 O^2 + 12.5^2): 0.1296 (0.75 x 208 + 156.25) = 40.47, RMS_U 6.36
    observed = np.array([4.0, 20.0])
    assert np.sqrt(np.mean(FAIRMODE_PM25_DAILY.uncertainty(observed) ** 2)) == pytest.approx(6.36, abs=0.005)
    # 11.75 too high every day: RMSE 11.75, no centred error; 11.75 / (2 x 6.36) = 0.92
    point = target_point(observed + 11.75, observed)
    assert point.indicator == pytest.approx(0.92, abs=0.005)
    assert (point.x, point.y) == (pytest.approx(0, abs=1e-9), pytest.approx(0.92, abs=0.005))


def test_sides_tell_spread_from_correlation() -> None:
    observed = np.array([5.0, 10.0, 15.0, 20.0])
    wide = 12.5 + 3 * (observed - 12.5)  # in phase, three times the spread
    assert target_point(wide, observed).x > 0
    assert target_point(observed[::-1], observed).x < 0  # the same spread, out of phase
    assert target_point(observed - 2, observed).y < 0


def test_days_without_a_value_are_left_out_and_counted() -> None:
    forecast, observed = np.array([1.0, np.nan, 30.0, 4.0]), np.array([2.0, 5.0, np.nan, 5.0])
    point = target_point(forecast, observed)
    assert point == target_point(forecast[[0, 3]], observed[[0, 3]])
    assert point.days == 2
    assert not point.enough_days
    assert target_point(np.arange(1.0, LEAST_DAYS + 1), np.ones(LEAST_DAYS)).enough_days
    empty = target_point([np.nan], [1.0])
    assert empty.days == 0
    assert np.isnan([empty.x, empty.y, empty.indicator]).all()


def test_series_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="two series of one length, got"):
        target_point([1.0, 2.0], [1.0])
