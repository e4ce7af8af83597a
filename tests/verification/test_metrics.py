"""Scores against the package ``scores`` as oracle, and against numbers derived by hand."""

from __future__ import annotations

import operator
from pathlib import Path

import numpy as np
import pytest
import scores
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cranpm.domain import FINE
from cranpm.verification import metrics
from cranpm.verification.bootstrap import block_bootstrap, skill_interval
from cranpm.verification.structure import mean_ssim, ssim_fields, ssim_map, window_means
from cranpm.verification.sums import PairSums


@pytest.fixture(scope="module")
def pair() -> tuple[xr.DataArray, xr.DataArray]:
    """Correlated fields with gaps in both, five days of 20 x 30 cells."""
    generator = np.random.default_rng(3)
    reference = xr.DataArray(
        generator.gamma(2, 8, (5, 20, 30)),
        dims=("time", "latitude", "longitude"),
        coords={"time": np.arange(5), "latitude": np.arange(20.0), "longitude": np.arange(30.0)},
    )
    forecast = 0.7 * reference + 4 + generator.normal(0, 3, reference.shape)
    return forecast.where(generator.random(reference.shape) > 0.1), reference.where(
        generator.random(reference.shape) > 0.2
    )


ORACLES = {
    "rmse": scores.continuous.rmse,
    "mae": scores.continuous.mae,
    "bias": scores.continuous.mean_error,
    "correlation": scores.continuous.correlation.pearsonr,
}


@pytest.mark.parametrize("name", ORACLES)
def test_scores_agree_with_the_oracle_pooled_and_per_day(
    name: str, pair: tuple[xr.DataArray, xr.DataArray]
) -> None:
    forecast, reference = pair
    ours, oracle = getattr(metrics, name), ORACLES[name]
    assert ours(forecast, reference) == pytest.approx(float(oracle(forecast, reference)), rel=1e-10)
    per_day = ours(forecast, reference, dim=("latitude", "longitude"))
    xr.testing.assert_allclose(
        per_day, oracle(forecast, reference, preserve_dims="time").rename(name), rtol=1e-10
    )


def test_contingency_agrees_with_the_oracle(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    forecast, reference = pair
    event = scores.categorical.ThresholdEventOperator(default_event_threshold=15.0, default_op_fn=operator.gt)
    oracle = event.make_contingency_manager(forecast, reference).transform()
    ours = metrics.contingency(forecast, reference, 15.0)
    counts = oracle.get_counts()
    assert (ours.hits, ours.misses, ours.false_alarms, ours.correct_negatives) == tuple(
        int(counts[name]) for name in ("tp_count", "fn_count", "fp_count", "tn_count")
    )
    assert ours.pod == pytest.approx(float(oracle.probability_of_detection()))
    assert ours.far == pytest.approx(float(oracle.false_alarm_ratio()))
    assert ours.csi == pytest.approx(float(oracle.critical_success_index()))


def test_gaps_are_skipped_and_counted_never_read_as_zero() -> None:
    forecast, reference = [10.0, np.nan, 12.0, 3.0], [12.0, 5.0, np.nan, 3.0]
    # pairs (10, 12) and (3, 3): RMSE sqrt(4 / 2), MAE 1, bias -1
    assert metrics.count_pairs(forecast, reference) == (2, 2)
    assert metrics.rmse(forecast, reference) == pytest.approx(np.sqrt(2))
    assert metrics.mae(forecast, reference) == 1.0
    assert metrics.bias(forecast, reference) == -1.0
    assert metrics.normalised_mean_bias(forecast, reference) == pytest.approx(-2 / 15)


def test_no_pairs_give_nan_not_zero() -> None:
    nothing = np.full(3, np.nan)
    for name in ("rmse", "mae", "bias", "correlation", "fac2", "normalised_mean_bias"):
        assert np.isnan(getattr(metrics, name)(nothing, np.ones(3)))
    assert np.isnan(metrics.ssim(np.full((8, 8), np.nan), np.ones((8, 8))))
    assert np.isnan(metrics.contingency(nothing, nothing, 15.0).csi)


def test_a_constant_has_no_correlation() -> None:
    assert np.isnan(metrics.correlation(np.full(10, 0.1), np.arange(10.0)))


def test_factor_two() -> None:
    # 0.5 r <= f <= 2 r: 5 of 10 yes, 20 of 10 yes, 21 no, 4.9 no, 0 of 0 yes, 1 of 0 no
    assert metrics.fac2([5, 20, 21, 4.9, 0, 1], [10, 10, 10, 10, 0, 0]) == pytest.approx(3 / 6)


def test_skill_uses_the_pairs_that_all_three_have() -> None:
    reference = np.zeros(3)
    forecast, baseline = np.array([1.0, 100.0, 1.0]), np.array([2.0, np.nan, 2.0])
    assert metrics.skill(forecast, reference, baseline) == pytest.approx(0.5)
    assert metrics.skill(reference, reference, baseline) == 1.0


def test_damping_an_ar1_series_gains_what_theory_says() -> None:
    # persistence errs by s sqrt(2 (1 - a)), damping by s sqrt(1 - a^2): a = 0.65 gains 1 - 0.760 / 0.837 = 9 %
    generator, a = np.random.default_rng(0), 0.65
    series = np.zeros(200_000)
    noise = generator.normal(0, np.sqrt(1 - a**2), series.size)
    for i in range(1, series.size):
        series[i] = a * series[i - 1] + noise[i]
    assert metrics.skill(a * series[:-1], series[1:], series[:-1]) == pytest.approx(0.092, abs=0.003)


def test_weights_of_a_regional_grid_are_cell_areas() -> None:
    weights = metrics.area_weights(FINE)
    assert weights.shape == (4192, 1)
    assert weights.mean() == pytest.approx(1.0)
    # bands of equal width shrink with cos(lat): 71.995 N against 30.085 N
    assert weights[0, 0] / weights[-1, 0] == pytest.approx(
        np.cos(np.deg2rad(71.995)) / np.cos(np.deg2rad(30.085)), rel=1e-6
    )
    # error 1 in the north row, 3 in the south row, weights 1 and 3: sqrt((1 + 27) / 4)
    assert metrics.rmse([[1.0], [3.0]], [[0.0], [0.0]], weights=[[1.0], [3.0]]) == pytest.approx(np.sqrt(7))


def test_arrays_that_do_not_match_are_refused(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    forecast, reference = pair
    with pytest.raises(ValueError, match="one shape, got"):
        metrics.rmse(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="different coordinates"):
        metrics.rmse(forecast, reference.assign_coords(latitude=reference["latitude"] + 0.5))
    with pytest.raises(ValueError, match="select or average"):
        metrics.rmse(forecast, reference.isel(time=0))
    with pytest.raises(ValueError, match="Weights"):
        metrics.rmse(np.zeros(2), np.zeros(2), weights=[1, np.nan])
    shuffled = reference.transpose("longitude", "time", "latitude")
    assert metrics.rmse(forecast, shuffled) == metrics.rmse(forecast, reference)


@settings(max_examples=40, deadline=None)
@given(
    arrays(float, (2, 12), elements=st.one_of(st.just(np.nan), st.floats(0, 500, width=32))),
    st.integers(1, 11),
)
def test_sums_of_parts_are_the_sum_of_all(values: np.ndarray, cut: int) -> None:
    forecast, reference = values
    merged = PairSums.of(forecast[:cut], reference[:cut]) + PairSums.of(forecast[cut:], reference[cut:])
    whole = PairSums.of(forecast, reference)
    for name in ("count", "missing", "rmse", "mae", "bias", "fac2"):
        assert np.allclose(getattr(merged, name), getattr(whole, name), equal_nan=True)


def test_large_maps_are_summed_in_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    forecast, reference = generator.random((2, 37, 11)).astype(np.float32)
    weights = generator.random((37, 1))
    whole = PairSums.of(forecast, reference, weights=weights)
    monkeypatch.setattr("cranpm.verification.sums._BLOCK", 50)
    blocks = PairSums.of(forecast, reference, weights=weights)
    assert blocks.rmse == pytest.approx(float(whole.rmse))
    assert blocks.correlation == pytest.approx(float(whole.correlation))


def slow_ssim(x: np.ndarray, y: np.ndarray, row: int, col: int, data_range: float) -> float:
    """The definition at one cell, cell by cell."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    total = np.zeros(6)
    for i in range(max(0, row - 5), min(x.shape[0], row + 6)):
        for j in range(max(0, col - 5), min(x.shape[1], col + 6)):
            if np.isfinite(x[i, j]) and np.isfinite(y[i, j]):
                w = np.exp(-((i - row) ** 2 + (j - col) ** 2) / (2 * 1.5**2))
                total += w * np.array([1, x[i, j], y[i, j], x[i, j] ** 2, y[i, j] ** 2, x[i, j] * y[i, j]])
    mx, my, xx, yy, xy = total[1:] / total[0]
    vx, vy, cov = xx - mx**2, yy - my**2, xy - mx * my
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1) * (2 * cov + c2) / (vx + vy + c2)


def test_ssim_with_gaps_agrees_with_its_definition() -> None:
    generator = np.random.default_rng(2)
    x, y = generator.gamma(2, 8, (2, 24, 20))
    x[5:9, 3:8], y[0, 0] = np.nan, np.nan
    field = ssim_map(x, y)
    assert np.isnan(field[6, 4])
    assert np.isnan(field[0, 0])
    for row, col in [(0, 1), (4, 4), (12, 10), (23, 19)]:
        assert field[row, col] == pytest.approx(slow_ssim(x, y, row, col, 100.0), rel=1e-8)


def test_ssim_of_a_map_with_itself_is_one_and_its_range_matters() -> None:
    field = np.random.default_rng(4).gamma(2, 8, (30, 30))
    assert metrics.ssim(field, field) == pytest.approx(1.0)
    noisy = field + np.random.default_rng(5).normal(0, 3, field.shape)
    assert metrics.ssim(noisy, field, data_range=20) < metrics.ssim(noisy, field, data_range=100) < 1
    with pytest.raises(ValueError, match="two maps of one shape"):
        metrics.ssim(np.zeros(4), np.zeros(4))


def test_contingency_adds_over_days_and_counts_strict_exceedance() -> None:
    day = metrics.contingency([15.0, 16.0, 20.0, 1.0], [16.0, 16.0, 15.0, 1.0], 15.0)
    # 15 is not above 15: miss, hit, false alarm, correct negative
    assert (day.misses, day.hits, day.false_alarms, day.correct_negatives) == (1, 1, 1, 1)
    assert (day + day).csi == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="cannot be added"):
        _ = day + metrics.contingency([1.0], [1.0], 25.0)


def test_an_interval_holds_the_truth_and_pairs_the_days() -> None:
    generator = np.random.default_rng(6)
    days = [
        generator.normal(0, 1 + day % 3, 500) for day in range(60)
    ]  # days differ far more than the forecasts
    zero = np.zeros(500)
    ours = PairSums.stack([PairSums.of(0.95 * error, zero) for error in days])
    theirs = PairSums.stack([PairSums.of(error, zero) for error in days])
    skill = block_bootstrap(lambda a, b: 1 - a.rmse / b.rmse, ours, theirs, repeats=200)
    assert skill.estimate == pytest.approx(0.05)
    assert skill.high - skill.low < 1e-9, "the same days are drawn for both, so their spread cancels"
    alone = block_bootstrap(lambda a: a.rmse, theirs, repeats=200)
    assert alone.low < alone.estimate < alone.high
    assert str(alone).startswith(f"{alone.estimate:.3g} [")
    with pytest.raises(ValueError, match="at least 10 days"):
        block_bootstrap(lambda a: a.rmse, PairSums.stack([PairSums.of([1.0], [0.0])] * 9))
    with pytest.raises(ValueError, match="same days"):
        block_bootstrap(lambda a, b: a.rmse, ours, ours.take(np.arange(20)))


@pytest.mark.real_data
def test_a_real_forecast_at_425_stations_scores_as_computed_independently(real_data: Path) -> None:
    from cranpm.data.stations.station_day import open_station_day

    (path,) = real_data.rglob("stations425*.nc")
    day = open_station_day(path)
    forecast, observed = day["cams_ensemble"], day["observed"]
    assert metrics.count_pairs(forecast, observed) == (425, 0)
    # the catalogue: r 0.87, RMSE 6.7, bias -2
    assert round(metrics.correlation(forecast, observed), 2) == 0.87
    assert round(metrics.rmse(forecast, observed), 1) == 6.7
    assert round(metrics.bias(forecast, observed)) == -2


@pytest.mark.parametrize("every", [1, 4])
def test_mean_ssim_is_the_mean_of_the_map_of_ssim(every: int) -> None:
    generator = np.random.default_rng(5)
    truth = (15 + 6 * generator.standard_normal((83, 66))).astype(np.float32)
    near, far = truth + 1, truth + 5 * generator.standard_normal(truth.shape).astype(np.float32)
    mask = np.ones(truth.shape, bool)
    mask[:30, :20] = False
    found = mean_ssim({"near": near, "far": far}, truth, mask, every=every)
    for name, field in (("near", near), ("far", far)):
        for value, data_range in zip(found[name], (100.0, 20.0), strict=True):
            gaps = np.where(mask, field, np.nan), np.where(mask, truth, np.nan)
            slow = ssim_map(*gaps, data_range=data_range)[::every, ::every]
            assert value == pytest.approx(np.nanmean(slow), abs=2e-5)
    assert found["near"][1] > found["far"][1] and found["far"][0] > found["far"][1]
    nothing = mean_ssim({"near": near}, truth, ~np.ones(truth.shape, bool))
    assert np.isnan(nothing["near"]).all()


def test_the_interval_of_skill_is_the_block_bootstraps() -> None:
    generator = np.random.default_rng(2)
    truth = generator.uniform(5, 30, (24, 40))
    ours, theirs = (
        PairSums.of(truth + error * generator.standard_normal(truth.shape), truth, axis=1)
        for error in (1.0, 2.0)
    )
    fast = skill_interval(ours, theirs, block_days=3)
    slow = block_bootstrap(lambda a, b: 1 - float(a.rmse / b.rmse), ours, theirs, block_days=3)
    for name in ("estimate", "low", "high"):
        assert getattr(fast, name) == pytest.approx(getattr(slow, name), abs=1e-12)
    assert (fast.days, fast.block_days, fast.level) == (slow.days, slow.block_days, slow.level)


@pytest.mark.parametrize("every", [1, 4])
def test_ssim_round_a_station_is_the_mean_of_its_window(every: int) -> None:
    """At the edge the window is cut; what is masked out does not count; a place in the masked half has nothing."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(5, 40, (200, 240)).astype(np.float32)
    near = truth + rng.normal(0, 3, truth.shape).astype(np.float32)
    mask = np.ones(truth.shape, bool)
    mask[:, 120:] = False
    ((name, field),) = ssim_fields({"near": near}, truth, mask, every=every)
    rows, cols = np.array([100, 3, 199, 100]), np.array([60, 0, 119, 200])
    found = window_means(field, rows, cols, every=every)
    assert name == "near" and found.shape == (4, 2) and np.isnan(found[3]).all()
    for data_range, of in zip((100.0, 20.0), found.T, strict=True):
        whole = ssim_map(np.where(mask, near, np.nan), np.where(mask, truth, np.nan), data_range=data_range)
        for row, col, value in zip(rows[:3], cols[:3], of[:3], strict=True):
            window = np.full(truth.shape, np.nan)
            box = slice(max(row - 32, 0), row + 32), slice(max(col - 32, 0), col + 32)
            window[box] = whole[box]
            assert value == pytest.approx(np.nanmean(window[::every, ::every]), abs=1e-5)
