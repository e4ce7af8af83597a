"""Figure S4: counts, lines and numbers of a scatter are those of the pairs that it is given."""

from __future__ import annotations

import time

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.plot.paper.scatter import density_figure, scatter_figure
from cranpm.verification import PairDensity


def parts_of(figure, kind):
    return [part for part in figure if isinstance(part, kind)]


@pytest.fixture
def pairs():
    """Forecast = 2 target + 1, of targets 0.5, 1.5, 1.5 and 3.5; one pair lacks its target."""
    target = np.array([0.5, 1.5, 1.5, 3.5, np.nan])
    return PairDensity.of(2 * target.astype(np.float32) + 1, target, top=10.0, bins=10)


def test_a_bin_is_as_bright_as_it_holds_pairs_and_blank_without(pairs):
    (image,) = parts_of(density_figure(pairs), hv.Image)
    counts = image.dimension_values("count", flat=False)  # rows are forecasts, from below
    found = {
        (row, column): counts[row, column]
        for row, column in zip(*np.nonzero(np.isfinite(counts)), strict=True)
    }
    # targets in bins 0, 1 (twice) and 3; forecasts 2, 4 (twice) and 8
    assert found == {(2, 0): 1, (4, 1): 2, (8, 3): 1}
    assert image.opts.get().kwargs["cnorm"] == "log"


def test_the_lines_are_that_of_equal_values_and_the_fitted_one(pairs):
    equal, fitted = parts_of(density_figure(pairs), hv.Curve)
    np.testing.assert_array_equal(equal.dimension_values("forecast"), equal.dimension_values("target"))
    np.testing.assert_allclose(fitted.dimension_values("forecast"), [1, 21])
    assert (equal.label, fitted.label) == ("1:1", "y = 2.00 x + 1.00")


def test_words_tell_the_scores_of_all_pairs(pairs):
    figure = density_figure(pairs, data="testbed (simulated)")
    words = list(parts_of(figure, hv.Labels)[0].dimension_values("text"))
    # errors 1.5, 2.5, 2.5 and 4.5
    rmse, bias = np.sqrt((1.5**2 + 2 * 2.5**2 + 4.5**2) / 4), 11 / 4
    assert words == ["R² = 1.000", f"RMSE = {rmse:.2f} µg/m³", f"bias = +{bias:.2f} µg/m³"]
    assert figure.opts.get().kwargs["title"] == "testbed (simulated), n = 4"
    hv.render(figure, backend="bokeh")


def test_pairs_beyond_the_axes_are_told_and_scored(pairs):
    more = pairs + PairDensity.of([50.0], [2.0], top=10.0, bins=10)
    figure = density_figure(more)
    assert figure.opts.get().kwargs["title"] == "n = 5, 1 beyond the axes"
    assert float(more.sums.bias) == pytest.approx((11 + 48) / 5)


def test_equal_targets_have_no_line_through_them():
    figure = density_figure(PairDensity.of([1.0, 2.0], [3.0, 3.0], top=5.0))
    assert [curve.label for curve in parts_of(figure, hv.Curve)] == ["1:1"]


def test_axes_end_where_hardly_a_target_lies_beyond():
    target = np.linspace(0, 52, 10_001)
    figure = scatter_figure(xr.DataArray(target + 1), xr.DataArray(target), bins=50)
    assert figure.opts.get().kwargs["xlim"] == (0, 60.0) == figure.opts.get().kwargs["ylim"]
    (fitted,) = [curve for curve in parts_of(figure, hv.Curve) if curve.label != "1:1"]
    assert fitted.label == "y = 1.00 x + 1.00"


def test_twenty_million_cells_take_seconds():
    target = np.random.default_rng(0).gamma(2.0, 5.0, (4000, 5000)).astype(np.float32)
    started = time.process_time()
    scatter_figure(xr.DataArray(target + 1), xr.DataArray(target))
    assert time.process_time() - started < 15


@pytest.mark.parametrize(
    ("forecast", "target", "message"),
    [
        (
            xr.DataArray([1.0, np.nan]),
            xr.DataArray([np.nan, 2.0]),
            "No pair to draw: in each of 2 the forecast or",
        ),
        (xr.DataArray([1.0, 2.0]), xr.DataArray([1.0, 2.0, 3.0]), "lie on different coordinates"),
        (
            xr.DataArray([1.0, 2.0], {"time": np.datetime64("2022-01-11")}, ["cell"]),
            xr.DataArray([1.0, 2.0], {"time": np.datetime64("2022-01-10")}, ["cell"]),
            "target is of 2022-01-10, the forecast valid on 2022-01-11",
        ),
        (
            xr.DataArray([1.0, 2.0], {"latitude": [1, 2]}, ["latitude"]),
            xr.DataArray([1.0, 2.0], {"latitude": [1, 3]}, ["latitude"]),
            "lie on different coordinates .* Bring both to one grid",
        ),
    ],
)
def test_what_is_no_pair_is_refused(forecast, target, message):
    with pytest.raises(ValueError, match=message):
        scatter_figure(forecast, target)
