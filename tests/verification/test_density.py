"""Counts of pairs: every pair in its bin, days add up, and the line is that of least squares."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.verification import PairDensity
from cranpm.verification.sums import PairSums


@pytest.fixture
def fields():
    rng = np.random.default_rng(3)
    target = rng.gamma(2.0, 8.0, (300, 400)).astype(np.float32)
    forecast = (0.8 * target + 2 + rng.normal(0, 3, target.shape)).astype(np.float32)
    forecast[rng.random(target.shape) < 0.1] = np.nan
    target[rng.random(target.shape) < 0.1] = np.nan
    return forecast, target


def test_counts_are_those_of_a_slow_histogram(fields):
    forecast, target = fields
    density = PairDensity.of(forecast, target, top=40.0, bins=64)
    known = np.isfinite(forecast) & np.isfinite(target)
    slow, _, _ = np.histogram2d(target[known], forecast[known], bins=64, range=[[0, 40], [0, 40]])
    np.testing.assert_array_equal(density.counts, slow)
    assert density.beyond == known.sum() - slow.sum() > 0
    assert int(density.sums.count) == known.sum()


def test_halves_add_up_to_the_whole(fields):
    forecast, target = fields
    whole = PairDensity.of(forecast, target, top=40.0)
    halves = [
        PairDensity.of(forecast[part], target[part], top=40.0) for part in (slice(0, 90), slice(90, None))
    ]
    added = halves[0] + halves[1]
    np.testing.assert_array_equal(added.counts, whole.counts)
    assert float(added.sums.slope) == pytest.approx(float(whole.sums.slope), rel=1e-9)
    assert added.r_squared == pytest.approx(whole.r_squared, rel=1e-9)


def test_the_line_is_that_of_polyfit_and_r_squared_what_it_explains(fields):
    forecast, target = fields
    density = PairDensity.of(forecast, target, top=40.0)
    known = np.isfinite(forecast) & np.isfinite(target)
    f, t = (values[known].astype(float) for values in (forecast, target))
    slope, intercept = np.polyfit(t, f, 1)
    assert float(density.sums.slope) == pytest.approx(slope, rel=1e-6)
    assert float(density.sums.intercept) == pytest.approx(intercept, rel=1e-6)
    explained = 1 - np.var(f - slope * t - intercept) / np.var(f)
    assert density.r_squared == pytest.approx(explained, rel=1e-6)


def test_a_line_needs_references_that_differ():
    for reference in ([2.0, 2.0], [2.0, np.nan]):
        sums = PairSums.of([1.0, 3.0], reference)
        assert np.isnan(sums.slope) and np.isnan(sums.intercept)
    flat = PairSums.of([3.0, 3.0], [1.0, 2.0])
    assert float(flat.slope) == 0 and float(flat.intercept) == 3


def test_other_bins_and_no_bins_are_refused():
    one = PairDensity.of([1.0], [1.0], top=4.0, bins=4)
    with pytest.raises(ValueError, match="Counts in 4 bins up to 4 and in 4 up to 8 cannot be added"):
        one + PairDensity.of([1.0], [1.0], top=8.0, bins=4)
    for top, bins in ((0.0, 4), (np.nan, 4), (4.0, 0)):
        with pytest.raises(ValueError, match="top must be more than 0 and bins at least 1"):
            PairDensity.of([1.0], [1.0], top=top, bins=bins)
    with pytest.raises(ValueError, match="must have one shape"):
        PairDensity.of([1.0], [1.0, 2.0], top=4.0)
