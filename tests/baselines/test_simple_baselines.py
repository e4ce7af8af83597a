from __future__ import annotations

import numpy as np
import pytest

from cranpm.baselines.blocks import block_sums, filled, spread
from cranpm.baselines.climatology import SEASONS, NoTrainingDaysError, fit_climatology, season_of
from cranpm.baselines.damped import fit_damped
from cranpm.baselines.persistence import blurred_persistence, persistence
from cranpm.verification.metrics import rmse, skill

DAYS = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]")
ROWS, COLS = 24, 40


@pytest.fixture(scope="module")
def world() -> dict[np.datetime64, np.ndarray]:
    """Two years of AR(1) anomalies, lag-1 autocorrelation 0.8 in the west and 0.4 in the east, on a place's own mean.

    Winter adds 6 ug/m3 to the west half; the north-west corner is sea.
    """
    generator = np.random.default_rng(8)
    a = np.where(np.arange(COLS) < COLS // 2, 0.8, 0.4)
    mean = 40 + np.linspace(0, 5, ROWS)[:, None] + np.zeros(COLS)
    fields, anomaly = {}, generator.normal(0, 4, (ROWS, COLS))
    for day in DAYS:
        anomaly = a * anomaly + np.sqrt(1 - a**2) * generator.normal(0, 4, (ROWS, COLS))
        winter = 6.0 * (season_of(day) == 0) * (np.arange(COLS) < COLS // 2)
        field = mean + anomaly + winter
        field[:4, :4] = np.nan
        fields[day] = field.astype(np.float32)
    return fields


def test_persistence_is_today_bit_for_bit_gaps_included(world: dict) -> None:
    today = world[DAYS[0]]
    assert np.array_equal(persistence(today), today, equal_nan=True)
    assert np.array_equal(blurred_persistence(today, 0), today, equal_nan=True)


def test_blurring_keeps_constants_and_gaps_and_a_coast_is_no_edge() -> None:
    field = np.full((30, 30), 7.0)
    field[:, :10] = np.nan
    blurred = blurred_persistence(field, 3.0)
    assert np.isnan(blurred[:, :10]).all()
    assert np.allclose(blurred[:, 10:], 7.0, atol=1e-5)
    with pytest.raises(ValueError, match="zero or more"):
        blurred_persistence(field, -1)


def test_with_noisy_days_blurring_alone_looks_like_skill() -> None:
    generator = np.random.default_rng(9)
    truth = np.add.outer(np.linspace(0, 20, 60), np.linspace(0, 20, 60))
    today, tomorrow = truth + generator.normal(0, 4, (2, 60, 60))
    # independent noise of s.d. 4 on both days: persistence errs by 4 sqrt(2); without its own noise by 4, 29 % less
    assert skill(blurred_persistence(today, 4.0), tomorrow, today) == pytest.approx(0.29, abs=0.03)


def test_every_month_belongs_to_its_season() -> None:
    months = [np.datetime64(f"2021-{month:02d}-15") for month in range(1, 13)]
    assert [SEASONS[season_of(day)] for day in months] == (
        ["DJF"] * 2 + ["MAM"] * 3 + ["JJA"] * 3 + ["SON"] * 3 + ["DJF"]
    )


def test_blocks_at_the_edge_are_smaller_and_gaps_are_skipped() -> None:
    field = np.arange(12.0).reshape(3, 4)
    field[0, 0] = np.nan
    total, count = block_sums(field, 3)
    # rows 0..2; columns 0..2 without the gap: 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10, column 3: 3 + 7 + 11
    assert total.tolist() == [[45.0, 21.0]]
    assert count.tolist() == [[8.0, 3.0]]


def test_a_window_has_the_values_of_the_whole_field() -> None:
    blocks = np.random.default_rng(0).random((3, 5))
    whole = spread(blocks, 8, slice(0, 24), slice(0, 40))
    assert np.array_equal(spread(blocks, 8, slice(5, 17), slice(30, 40)), whole[5:17, 30:40])
    # a ramp over blocks of 8 is a ramp over cells: 1/8 a cell, and block 1's centre lies between cells 11 and 12
    ramp = spread(np.arange(5.0)[None].repeat(3, 0), 8, slice(0, 24), slice(0, 40))
    assert ramp[0, 4:36] == pytest.approx(1 + (np.arange(4, 36) - 11.5) / 8, abs=1e-6)
    assert np.allclose(spread(np.full((3, 5), 2.5), 8, slice(0, 24), slice(0, 40)), 2.5)


def test_climatology_finds_the_place_and_the_season(world: dict) -> None:
    climatology = fit_climatology(world.__getitem__, DAYS, block=4)
    winter, summer = climatology.on(np.datetime64("2022-01-10")), climatology.on(np.datetime64("2022-07-10"))
    # truth: +6 in the west, 0 in the east; 2 x 90 days of 16 cells leave an error of about 0.3
    assert np.nanmean(winter[:, 2:16] - summer[:, 2:16]) == pytest.approx(6.0, abs=0.4)
    assert np.nanmean(winter[:, 24:38] - summer[:, 24:38]) == pytest.approx(0.0, abs=0.4)
    assert np.isnan(winter[:4, :4]).all()
    assert np.nanmean(summer[-1] - summer[0, 4:].mean()) == pytest.approx(5.0, abs=0.7)


def test_damping_is_each_blocks_own_autocorrelation(world: dict) -> None:
    damped = fit_damped(world.__getitem__, DAYS, block=4, stride=1)
    summer = damped.factor[2]
    # lag k of an AR(1) series is a^k
    for index, lead in enumerate((1, 2, 3)):
        assert summer[index, :, :4].mean() == pytest.approx(0.8**lead, abs=0.06)
        assert summer[index, :, 6:].mean() == pytest.approx(0.4**lead, abs=0.06)


def test_damped_beats_persistence_by_what_theory_says(world: dict) -> None:
    train, test = DAYS[:500], DAYS[500:-1]
    damped = fit_damped(world.__getitem__, train, block=4, stride=2)
    east = slice(24, 40)  # a = 0.4: 1 - sqrt(1 - 0.16) / sqrt(2 * 0.6) = 0.163
    forecasts = np.stack([damped.forecast(world[day], day, 1)[:, east] for day in test])
    today = np.stack([world[day][:, east] for day in test])
    target = np.stack([world[day + 1][:, east] for day in test])
    assert skill(forecasts, target, today) == pytest.approx(0.163, abs=0.02)
    assert rmse(forecasts, target) == pytest.approx(4 * np.sqrt(1 - 0.16), rel=0.03)


def test_where_today_is_missing_the_forecast_is_and_none_is_negative(world: dict) -> None:
    damped = fit_damped(world.__getitem__, DAYS, block=4)
    today = world[DAYS[10]].copy()
    today[10, 10] = np.nan
    today[12, 12] = -500.0
    forecast = damped.forecast(today, DAYS[10], 1)
    assert np.array_equal(np.isnan(forecast), np.isnan(today))
    assert forecast[12, 12] == 0.0
    part = damped.forecast(today[8:20, 4:30], DAYS[10], 1, slice(8, 20), slice(4, 30))
    assert np.array_equal(part, forecast[8:20, 4:30], equal_nan=True)


def test_test_days_do_not_enter_the_fit(world: dict) -> None:
    read: list[np.datetime64] = []

    def spy(day: np.datetime64) -> np.ndarray:
        read.append(day)
        return world[day]

    fit_damped(spy, DAYS[:60], block=8)
    assert set(read) == set(DAYS[:60])


def test_what_was_not_trained_is_refused(world: dict) -> None:
    january = DAYS[:31]
    damped = fit_damped(world.__getitem__, january, block=8)
    with pytest.raises(NoTrainingDaysError, match="needs training days in JJA; those it has lie in DJF"):
        damped.forecast(world[DAYS[0]], np.datetime64("2020-07-01"), 1)
    with pytest.raises(ValueError, match=r"leads \(1, 2, 3\), got 4"):
        damped.forecast(world[DAYS[0]], DAYS[0], 4)
    with pytest.raises(ValueError, match=r"shape \(24, 40\), got \(2, 2\)"):
        damped.forecast(np.zeros((2, 2)), DAYS[0], 1)
    with pytest.raises(NoTrainingDaysError, match="got none"):
        fit_climatology(world.__getitem__, [])
    with pytest.raises(NoTrainingDaysError, match="lie 3 days apart"):
        fit_damped(world.__getitem__, DAYS[:2], leads=(1, 3), block=8)
    with pytest.raises(ValueError, match="stride 3 and block 8"):
        fit_damped(world.__getitem__, january, block=8, stride=3)
    with pytest.raises(ValueError, match="missing everywhere"):
        filled(np.full((2, 2), np.nan))
