"""The physical models' rows: each forecast under its own name, interpolated and on today's map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cranpm.baselines.cams import (
    EUROPE,
    GLOBAL,
    ON_TODAY,
    PERSISTED,
    EuropeanEnsemble,
    add_change,
    europe_rows,
    global_rows,
)
from cranpm.data.download.fetch import choose_sources, fetch, make_plan
from cranpm.data.errors import MissingSourceError, NotThisProductError, TimeAxisError, WrongGridError
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.cams import LEVEL, cams_europe_file
from cranpm.data.mock_providers.files import plane
from cranpm.data.mock_providers.server import MockProviders
from cranpm.data.readers.cams_europe import read_ensemble_run
from cranpm.data.regrid.daily import MissingHoursError
from cranpm.domain import CAMS_CHANNELS, domain_from_corner
from cranpm.verification.evaluate import evaluate

DOMAIN = domain_from_corner("mini", "Mini Alps", north=47.0, west=7.0, coarse_rows=8, coarse_cols=8)
FINE, BOX = DOMAIN.fine, DOMAIN.coarse_box
DAY = np.datetime64("2025-06-01")


def written(folder: Path, *, kind: str = "forecast", day: np.datetime64 = DAY, last_step: int = 93) -> Path:
    request = {
        "date": [f"{day}/{day}"],
        "type": [kind],
        "time": ["00:00"],
        "leadtime_hour": [str(hour) for hour in range(0, last_step + 1, 3)],
    }
    path = folder / f"{kind}-{day}-{last_step}.zip"
    path.write_bytes(cams_europe_file(request, BOX))
    return path


def ensemble_on(day: np.datetime64, rows: slice = slice(None)) -> np.ndarray:
    """The mock provider's value at the fine cells: a plane, which bilinear interpolation keeps."""
    return LEVEL * plane(FINE.lat[rows], FINE.lon, float(day.astype(int)))


def test_the_ensembles_days_lie_on_its_own_grid_and_on_the_fine_one(tmp_path: Path) -> None:
    path = written(tmp_path)
    run = read_ensemble_run(path, DAY)
    # 45.0 - 0.125 - 1 ... 47.125 + 1 N in steps of 0.1; centres on x.x5 between
    assert run.values.shape[0] == 4 and np.allclose(np.diff(run.latitude), -0.1)
    assert np.isnan(run.values[:, 0]).all(), "-999 is missing, not clean air"
    maps = EuropeanEnsemble({DAY: path}).interpolated(DAY, FINE)
    for lead in (1, 2, 3):
        assert maps[lead] == pytest.approx(ensemble_on(DAY + lead), rel=1e-5)


def test_on_todays_map_only_the_change_counts(tmp_path: Path) -> None:
    """A model that reads 15 where the product reads 40 is not punished for that, only for the change it foretells."""
    today = np.full(FINE.shape, 40.0, np.float32)
    today[:5] = np.nan
    maps = EuropeanEnsemble({DAY: written(tmp_path)}).on_todays_map(DAY, today, FINE)
    change = ensemble_on(DAY + 2) - ensemble_on(DAY)
    assert np.isnan(maps[2][:5]).all()
    assert maps[2][5:] == pytest.approx((40 + change)[5:], abs=1e-3)


def test_a_forecast_is_never_negative_and_shapes_must_fit() -> None:
    assert add_change(np.array([[2.0, np.nan]]), np.array([[-5.0, 1.0]])).tolist()[0][0] == 0.0
    with pytest.raises(ValueError, match=r"shape \(1, 2\), got \(2, 1\)"):
        add_change(np.ones((2, 1)), np.ones((1, 2)))


def test_an_analysis_another_run_and_half_a_run_are_no_forecast(tmp_path: Path) -> None:
    with pytest.raises(
        NotThisProductError, match="is an analysis.*has seen the days that a forecast has to foretell"
    ):
        read_ensemble_run(written(tmp_path, kind="analysis"), DAY)
    with pytest.raises(TimeAxisError, match="is of run 2025-06-01 .*expected.* run 2025-06-02"):
        read_ensemble_run(written(tmp_path), DAY + 1)
    with pytest.raises(MissingHoursError, match="2025-06-04"):
        read_ensemble_run(written(tmp_path, last_step=69), DAY)
    with pytest.raises(MissingSourceError, match="cams-europe-ensemble --start 2025-06-09"):
        EuropeanEnsemble({}).run(DAY + 8)


def test_another_grid_is_refused(tmp_path: Path) -> None:
    import xarray as xr

    from cranpm.data.files.openers import open_lazily

    (dataset,) = open_lazily(written(tmp_path))
    thinned: xr.Dataset = dataset.isel(latitude=slice(None, None, 4), longitude=slice(None, None, 4)).load()
    thinned.to_netcdf(tmp_path / "coarse.nc")
    with pytest.raises(WrongGridError, match="on a grid of 0.4 degrees"):
        read_ensemble_run(tmp_path / "coarse.nc", DAY)


class Coarse:
    """The global system with 20 ug m-3 today, 22, 24, 26 ahead; days after ``last`` have no forecast."""

    domain, simulated = DOMAIN, False

    def cams(self, day: np.datetime64) -> np.ndarray:
        return np.full((len(CAMS_CHANNELS), *BOX.shape), 20.0, np.float32)

    def cams_forecast(self, day: np.datetime64) -> np.ndarray:
        ahead = np.array([22.0, 24.0, 26.0], np.float32)[:, None, None]
        return np.where(day > DAY, np.nan, ahead) * np.ones(BOX.shape, np.float32)


def test_the_global_rows_are_three_and_say_when_they_are_simulated() -> None:
    today = np.full(FINE.shape, 35.0, np.float32)
    rows = global_rows(Coarse(), lambda day: today)
    assert list(rows) == [GLOBAL, GLOBAL + ON_TODAY, PERSISTED]
    assert [float(rows[name](DAY)[3].mean()) for name in rows] == [26.0, 35.0 + 6.0, 20.0]
    with pytest.raises(MissingSourceError, match="No CAMS forecast that started on 2025-06-02"):
        rows[GLOBAL](DAY + 1)
    simulated = Coarse()
    simulated.simulated = True
    assert all(name.endswith("(simulated)") for name in global_rows(simulated, lambda day: today))


def test_both_systems_stand_in_one_table_as_rows_of_their_own(tmp_path: Path) -> None:
    """The truth moves as the ensemble says, from another level: its fair row is right, its plain one biased."""

    def truth(day: np.datetime64) -> np.ndarray:
        return (ensemble_on(day) + 7.0).astype(np.float32)

    methods: dict[str, Callable[[np.datetime64], Any]] = {
        **global_rows(Coarse(), truth),
        **europe_rows(EuropeanEnsemble({DAY: written(tmp_path)}), FINE, truth),
    }
    assert {EUROPE, EUROPE + ON_TODAY} < set(methods) and len(methods) == 5
    card = evaluate(
        [DAY], methods, lambda day: {n: truth(day + n) for n in (1, 2, 3)}, np.ones(FINE.shape, bool)
    )
    assert card.rmse(EUROPE + ON_TODAY, 2, "1 km") == pytest.approx(0.0, abs=1e-3)
    assert card.rmse(EUROPE, 2, "1 km") == pytest.approx(7.0, abs=1e-3)


def test_runs_are_fetched_one_a_file_and_found_again(tmp_path: Path) -> None:
    (source,) = choose_sources(load_manifest(), "cams-europe-ensemble")
    with MockProviders(DOMAIN, str(DAY), str(DAY + 1), queue=0):
        plan = make_plan(source, DAY, DAY + 1, domain=DOMAIN, root=tmp_path)
        assert [file.request["date"] for file in plan.missing] == [[f"{d}/{d}"] for d in (DAY, DAY + 1)]
        assert plan.missing[0].request["leadtime_hour"][-1] == "93"
        assert "each_day" not in plan.missing[0].request
        fetch(plan, patience=0.01)
    ensemble = EuropeanEnsemble.from_downloads(tmp_path, DOMAIN)
    assert set(ensemble.runs) == {DAY, DAY + 1}
    assert ensemble.interpolated(DAY + 1, FINE)[1] == pytest.approx(ensemble_on(DAY + 2), rel=1e-5)


@pytest.mark.real_data
def test_real_files_of_the_european_product_are_told_apart(real_data: Path) -> None:
    (forecast,) = real_data.rglob("europe_ensemble_forecast_*")
    # 0 ... 24 h in steps of 6: its own day is whole, the three after are not
    with pytest.raises(MissingHoursError, match=r"2023-10-02 \(1 of 4\), 2023-10-03 \(0 of 4\)"):
        read_ensemble_run(forecast, np.datetime64("2023-10-01"))
    (analysis,) = real_data.rglob("europe_analysis_*")
    with pytest.raises(NotThisProductError, match="is an analysis"):
        read_ensemble_run(analysis, np.datetime64("2024-01-01"))
