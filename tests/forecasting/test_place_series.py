"""What is known of one place over days: its cell, its nodes, its station."""

from __future__ import annotations

import numpy as np
import pytest

from cranpm.data.store.dataset import Dataset
from cranpm.domain import OutsideGridError
from cranpm.forecasting.output import ForecastOrigin, forecast_dataset
from cranpm.forecasting.place_series import nearest_station, series_at, value_between_nodes

FIELD = np.array([[0.0, 1.0], [2.0, 3.0]])


def test_the_value_of_a_place_is_not_known_beyond_the_nodes() -> None:
    # 2 row + col, which is linear
    assert value_between_nodes(FIELD, 0.25, 0.75) == pytest.approx(1.25)
    assert value_between_nodes(FIELD, 1.0, 1.0) == 3.0
    assert np.isnan([value_between_nodes(FIELD, *at) for at in ((-0.01, 0.5), (0.5, 1.01))]).all()
    gap = np.where(FIELD == 3.0, np.nan, FIELD)
    assert np.isnan(value_between_nodes(gap, 0.5, 0.5))


@pytest.fixture(scope="module")
def data(scene, tmp_path_factory):
    """Days 10 to 13 of January 2022."""
    return Dataset.open(scene.write_scene(tmp_path_factory.mktemp("data") / "t", domain=scene.SMALL, days=4))


@pytest.fixture
def maps(data):
    """Of 11 January: 41 ug m-3 tomorrow and 42 the day after, everywhere."""
    fields = {lead: np.full(data.domain.fine.shape, 40.0 + lead, np.float32) for lead in (1, 2)}
    origin = ForecastOrigin(source=data.source, simulated=True, checkpoint="c", checkpoint_hash="h")
    return forecast_dataset(
        fields, init_time=np.datetime64("2022-01-11"), grid=data.domain.fine, origin=origin
    )


def test_a_place_has_its_cell_its_forecast_its_baselines_and_its_station(data, maps, scene):
    series = series_at(maps, *scene.MILAN, data=data)
    row, col = data.domain.fine.index_of(*scene.MILAN)
    cell = [float(scene.pm2p5_of(day, data.domain)[row, col]) for day in range(4)]
    assert [str(day)[8:10] for day in series.time.values] == ["10", "11", "12", "13", "14"]
    # the product is stored in tenths; stations observe 1.1 times the field
    np.testing.assert_allclose(series.target, [*cell, np.nan], atol=0.06)
    np.testing.assert_allclose(series.observed, [*(1.1 * v for v in cell), np.nan], rtol=1e-5)
    np.testing.assert_allclose(series.forecast, [np.nan, cell[1], 41, 42, np.nan], atol=0.06)
    np.testing.assert_allclose(series.persistence, [np.nan, *[cell[1]] * 4], atol=0.06)
    # 13 + day + number of the lead, started on day 1
    np.testing.assert_allclose(series.cams_forecast, [np.nan, np.nan, 14, 15, 16], rtol=1e-5)
    assert series.attrs["init_time"] == "2022-01-11"
    assert series.attrs["station_kilometres"] < 1
    assert len(series_at(maps, *scene.MILAN, data=data, days_before=0).time) == 4


def test_a_station_that_is_named_may_be_far_and_one_that_is_not_may_not(data, maps, scene):
    assert nearest_station(data, 47.9, 6.1) is None
    named = series_at(maps, 47.9, 6.1, data=data, station="TB000")
    assert named.attrs["station_kilometres"] == pytest.approx(370, rel=0.1)  # from the Jura to Milan
    assert named.observed.notnull().any()
    assert series_at(maps, 47.9, 6.1, data=data).observed.isnull().all()


def test_a_gap_stays_a_gap(data, maps, scene):
    assert np.isnan(series_at(maps, *scene.GAP, data=data).target).all()


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda m, d: series_at(m, 60.0, 9.0, data=d), OutsideGridError, "60"),
        (
            lambda m, d: series_at(m.isel(latitude=slice(0, 50)), 45.0, 9.0, data=d),
            ValueError,
            r"The maps cover 47\.51 to 47\.99 N.*and not 45\.00 N, 9\.00 E.*a region that holds the place",
        ),
        (
            lambda m, d: series_at(m.assign_attrs(source="GHAP"), 45.0, 9.0, data=d),
            ValueError,
            r"made from 'GHAP', the data are 'testbed \(simulated\)'",
        ),
        (lambda m, d: series_at(m.pm2p5, 45.0, 9.0, data=d), TypeError, "cranpm.forecast returns.*DataArray"),
        (
            lambda m, d: series_at(m, 45.0, 9.0, data=d, station="X"),
            LookupError,
            "No station 'X'.*nearest to the place: TB",
        ),
        (lambda m, d: series_at(m, 45.0, 9.0, data=d, days_before=-1), ValueError, "0 or more, got -1"),
    ],
)
def test_what_cannot_be_told_is_refused(data, maps, ask, error, message):
    with pytest.raises(error, match=message):
        ask(maps, data)
