"""Which training days rivals are fitted on, and when one is left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cranpm.baselines.registry import CLIMATOLOGY, DAMPED, Setting, all_rivals
from cranpm.domain import domain_from_corner

DOMAIN = domain_from_corner("t", "T", north=48.0, west=6.0, coarse_rows=8, coarse_cols=8)
SHAPE = DOMAIN.fine.shape
WINTER = np.arange("2019-01-01", "2019-01-21", dtype="datetime64[D]")


def days_of(start, stop):
    return list(np.arange(start, stop, dtype="datetime64[D]"))


class Source:
    """Level of the day by chance, the same everywhere; least squares has nothing else to learn from."""

    domain = DOMAIN
    name, simulated = "levels", True
    days = np.arange("2018-12-01", "2022-12-31", dtype="datetime64[D]")
    land = np.ones(SHAPE, bool)

    def pm2p5(self, day, rows, cols):
        level = np.random.default_rng(int(day.astype(int))).uniform(5, 25)
        return np.full(SHAPE, level, np.float32)[rows, cols]

    def coarse(self, day):
        return np.ones((35, *DOMAIN.coarse_box.shape), np.float32)


NO_CAMS = SimpleNamespace(cams_forecast=lambda day: np.array([np.nan]))


def rivals(init_days, training_days, **more):
    setting = Setting(
        dataset=NO_CAMS,
        source=Source(),
        init_days=init_days,
        leads=(1,),
        training_days=training_days,
        **more,
    )
    return *all_rivals(setting), setting.notes


def test_what_is_fitted_is_fitted_on_the_training_days_and_each_day_is_told():
    told = []
    methods, left_out, notes = rivals(
        days_of("2022-01-05", "2022-01-07"), WINTER, fitted=lambda: told.append(1)
    )
    assert list(methods) == ["persistence", "blurred persistence", CLIMATOLOGY, DAMPED, "least squares"]
    assert left_out == ["CAMS global: no forecast in the dataset for 2 of 2 days"]
    assert any("blurred persistence: Gaussian" in line and "pairs of training days" in line for line in notes)
    assert len(told) == 2 * len(WINTER)  # damped persistence, then least squares
    today = Source().pm2p5(np.datetime64("2022-01-05"), 0, 0)
    mean = np.mean([Source().pm2p5(day, 0, 0) for day in WINTER])
    for name in (DAMPED, "least squares"):
        (field,) = methods[name](np.datetime64("2022-01-05")).values()
        # levels are independent from day to day: the forecast lies nearer the mean than today does
        assert abs(np.nanmean(field) - mean) < abs(today - mean)
    (usual,) = methods[CLIMATOLOGY](np.datetime64("2022-01-05")).values()
    assert usual.mean() == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize(
    ("init_day", "damped_on", "reason"),
    [
        ("2022-07-05", WINTER, "the training days hold none in JJA, as 2022-07-05 is"),
        ("2022-02-28", WINTER, "the training days hold none in MAM, as 2022-03-01 is"),  # its valid day
        ("2022-01-05", WINTER[::7], "No two training days lie 1 days apart"),
        ("2022-01-05", [], "no training days were given to fit it on"),
    ],
)
def test_where_it_cannot_be_fitted_it_is_left_out_with_the_reason(init_day, damped_on, reason):
    methods, left_out, _ = rivals([np.datetime64(init_day, "D")], damped_on)
    assert DAMPED not in methods
    assert any(line.startswith(f"{DAMPED}: ") and reason in line for line in left_out)
