"""The report measures what it says, and the ladder's rungs are in the order that physics demands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.history import History, simulate
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.world import BLOCK_DAYS, World
from cranpm.testbed.studies.damping import Damping
from cranpm.testbed.studies.ladder import ROWS, LadderPeriods, run_ladder
from cranpm.testbed.studies.ladder_table import Ladder
from cranpm.testbed.studies.real_weather import STORED, real_figures, spatial_correlation
from cranpm.testbed.studies.report import lag_correlation, world_report

SEED = 20260101
ANCHOR = (day_number("2018-12-01") // BLOCK_DAYS + 1) * BLOCK_DAYS


@pytest.fixture(scope="module")
def history(geography_alps: Geography) -> History:
    starts = range(ANCHOR + 1, ANCHOR + 37, 6)
    return simulate(World(geography_alps, seed=SEED), EPOCH + ANCHOR, 42, keep_states=starts)


@pytest.fixture(scope="module")
def ladder(geography_alps: Geography, history: History) -> Ladder:
    return run_ladder(
        geography_alps,
        seed=SEED,
        periods=LadderPeriods(start=str(EPOCH + ANCHOR + 1), days=36, every=6),
        training=history,
        testing=history,
        fine=False,
    )


def test_lag_correlation_of_a_known_series() -> None:
    # a sine with a period of 12 days: its correlation at a quarter period is 0, at half a period -1
    wave = np.sin(2 * np.pi * np.arange(1200) / 12)
    assert lag_correlation(wave, 3) == pytest.approx(0, abs=0.01)
    assert lag_correlation(wave, 6) == pytest.approx(-1, abs=0.01)


def test_spatial_correlation_of_white_noise_is_zero_and_of_itself_one() -> None:
    noise = np.random.default_rng(0).standard_normal((3, 100, 100))
    assert spatial_correlation(noise, 1) == pytest.approx(0, abs=0.02)
    assert spatial_correlation(np.repeat(noise, 2, axis=2), 1) == pytest.approx(0.5, abs=0.02)


def test_damping_recovers_a_known_autocorrelation() -> None:
    draw = np.random.default_rng(1)
    series = np.zeros((4000, 8, 8))
    for day in range(1, 4000):
        series[day] = 0.6 * series[day - 1] + draw.standard_normal((8, 8))
    damping = Damping(History(days=np.arange(4000), pm2p5=(series + 20).astype(np.float32), weather={}))
    # an autoregressive series forgets as 0.6, 0.36, 0.216; an anomaly of 10 above a mean of 20 is damped so
    for lead, factor in ((1, 0.6), (2, 0.36), (3, 0.216)):
        forecast = damping.forecast(np.full((8, 8), 30.0), 1000, lead)
        assert forecast.mean() == pytest.approx(20 + 10 * factor, abs=0.5)


def test_the_report_writes_rows_beside_real_values(
    geography_alps: Geography, history: History, tmp_path: Path
) -> None:
    report = world_report(geography_alps, seed=SEED, history=history)
    report.write(tmp_path / "testbed_report.md")
    saved = json.loads((tmp_path / "testbed_report.json").read_text())
    assert saved["meta"]["simulated"] is True
    rows = {(row["group"], row["statistic"]): row for row in saved["rows"]}
    assert rows["Milan", "lag-1"]["real"] == "0.73"
    assert 3 < rows["Milan", "daily mean"]["testbed"] < 60
    assert "not real data" in (tmp_path / "testbed_report.md").read_text()


def test_stored_figures_stand_in_where_there_are_no_samples(tmp_path: Path) -> None:
    figures, source = real_figures(tmp_path / "nothing")
    assert figures == STORED
    assert "stored" in source


@pytest.mark.real_data
def test_figures_measured_on_the_real_samples_are_the_stored_ones(real_data: Path) -> None:
    figures, _ = real_figures(real_data)
    for name, value in STORED.items():
        assert figures[name] == pytest.approx(value, rel=0.01), name


def test_knowing_the_weather_beats_guessing_it(ladder: Ladder) -> None:
    rmse = {
        score.forecast: score.rmse
        for score in ladder.scores
        if score.lead == 1 and score.grid == "25 km, land"
    }
    assert set(rmse) == set(ROWS)
    assert rmse["true weather"] < 0.8 * rmse["damped persistence"]
    assert rmse["true weather"] < rmse["shifted weather"] < rmse["persistence"]
    assert rmse["damped persistence"] < rmse["climatology"]


def test_the_ladder_says_that_it_is_simulated(ladder: Ladder, tmp_path: Path) -> None:
    ladder.write(tmp_path / "testbed_ladder.md")
    assert "not real data" in (tmp_path / "testbed_ladder.md").read_text()
    assert json.loads((tmp_path / "testbed_ladder.json").read_text())["meta"]["simulated"] is True
