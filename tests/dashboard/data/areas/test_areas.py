"""Numbers of an area against a slow, obvious twin; a cell without a value is never a number."""

from __future__ import annotations

import datetime as dt
from types import ModuleType
from typing import Any

import holoviews as hv
import numpy as np
import pytest
from cranpm.dashboard.data.areas.area import area_of
from cranpm.dashboard.data.areas.scores import area_scores
from cranpm.dashboard.data.areas.series import regional_series, regions_of
from cranpm.dashboard.data.areas.statistics import QUANTILES, area_statistics
from cranpm.dashboard.data.areas.window import NotWantedError, Window, cams_cells
from cranpm.dashboard.data.fields import FieldUnavailableError
from cranpm.dashboard.data.pictures import make_picture
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State
from cranpm.dashboard.views.areas.panel import scores_html, series_html, statistics_html

from cranpm.domain import get_domain
from cranpm.plot.series import regional_lines, rmse_bars
from cranpm.verification import metrics

DOMAIN = get_domain("alps")
GRID = DOMAIN.fine
INIT = dt.date(2022, 1, 11)
BOX = (8.0, 44.0, 10.5, 48.0)  # holds the sea corner and the gap at 47.5 N, 9.5 E


def always() -> bool:
    return True


def boxed(field: np.ndarray, window: Window) -> np.ndarray:
    return field[window.rows, window.cols]


@pytest.fixture
def window() -> Window:
    return Window.of_box(GRID, BOX)


@pytest.fixture
def done(fake_run: ModuleType) -> Any:
    run = fake_run.FakeRun()
    run.finish_tiles(9)
    run.open_map = run.map
    return run


def test_a_window_holds_the_cells_whose_centres_lie_in_the_box(window: Window):
    lat, lon = GRID.lat[window.rows], GRID.lon[window.cols]
    assert window.shape == (400, 250)  # 4 degrees by 2.5 degrees of 0.01
    assert lat.min() >= 44
    assert lat.max() <= 48
    assert lon.min() >= 8
    assert lon.max() <= 10.5
    assert Window.of_box(GRID, (8.001, 45.001, 8.004, 45.004)).cells == 0  # between two centres
    assert Window.of_box(GRID, (-170.0, -80.0, 170.0, 80.0)).shape == GRID.shape
    assert Window.of_box(GRID, (100.0, 45.0, 110.0, 46.0)).cells == 0
    bands = list(window.bands(always))
    assert (bands[0].start, bands[-1].stop) == (window.rows.start, window.rows.stop)
    assert sum(band.stop - band.start for band in bands) == 400


def test_statistics_are_those_of_the_cells_with_a_value(window: Window, store: Store, scene: ModuleType):
    field = scene.pm2p5_of(1, DOMAIN)
    land = store.land("testbed")
    found = area_statistics(lambda r, c: field[r, c], land.read, GRID, window, always)
    values = boxed(field, window)
    known = np.isfinite(values)
    weights = np.cos(np.deg2rad(GRID.lat[window.rows]))[:, None] * np.ones(values.shape)
    assert found.cells == known.sum()
    assert found.without == (boxed(scene.land_of(DOMAIN), window) & ~known).sum() > 0
    assert found.mean == pytest.approx(
        np.average(values[known].astype(float), weights=weights[known]), rel=1e-6
    )
    order = np.argsort(values[known])
    reached = np.cumsum(weights[known][order]) / weights[known].sum()
    for share, quantile in zip(QUANTILES, found.quantiles):
        assert quantile == pytest.approx(
            float(values[known][order][np.searchsorted(reached, share)]), abs=0.101
        )
    for limit, share in found.above.items():
        assert share == pytest.approx(
            float(weights[known & (values > limit)].sum() / weights[known].sum()), rel=1e-6
        )
    assert (found.lowest, found.highest) == (
        pytest.approx(np.nanmin(values)),
        pytest.approx(np.nanmax(values)),
    )


def test_an_area_without_a_value_has_no_numbers(window: Window, store: Store):
    nothing = np.full(GRID.shape, np.nan, np.float32)
    found = area_statistics(lambda r, c: nothing[r, c], store.land("testbed").read, GRID, window, always)
    assert found.cells == 0
    assert np.isnan([found.mean, *found.quantiles, *found.above.values()]).all()


def test_negative_values_keep_their_sign(window: Window, store: Store):
    change = np.full(GRID.shape, -2.5, np.float32)
    found = area_statistics(lambda r, c: change[r, c], store.land("testbed").read, GRID, window, always)
    assert found.mean == pytest.approx(-2.5)
    assert set(found.quantiles) == {-2.5}


def test_a_coarse_field_is_counted_in_its_own_cells(store: Store):
    state = State(dataset="testbed", init_time=INIT, lead_time=1, layer="input.u10.t")
    picture = make_picture(store, state, None)
    pyramid = store.fields.field(picture.field_id).pyramid
    window = Window.of_box(pyramid.grid, BOX)
    found = area_statistics(pyramid.read, None, pyramid.grid, window, always)
    assert found.cells == 17 * 11  # nodes from 44 to 48 N and 8 to 10.5 E, ends included
    assert found.mean == pytest.approx(4.0)
    said = statistics_html(picture, found)
    assert "m s-1" in said or "m/s" in said
    assert "Share of the area above" not in said


def test_work_that_nobody_waits_for_stops(window: Window, store: Store):
    with pytest.raises(NotWantedError):
        area_statistics(lambda r, c: 1 / 0, store.land("testbed").read, GRID, window, lambda: False)


def test_scores_are_those_of_the_metrics_on_common_cells(
    window: Window, store: Store, scene: ModuleType, done: Any
):
    state = State(dataset="testbed", init_time=INIT, lead_time=1)
    found = area_scores(store, state, done.map(1).read, window, always)
    dataset = store.dataset("testbed")
    target, today = (boxed(dataset.pm2p5(f"2022-01-{day}").to_numpy(), window) for day in (12, 11))
    ten = np.full(target.shape, 10.0, np.float32)
    cams = np.full(target.shape, 14.0, np.float32)  # 13 + day 1 + lead 1 - 1, the same at every node
    assert int(found.cells["forecast"].count) == np.isfinite(target).sum()
    assert found.missing == (boxed(scene.land_of(DOMAIN), window) & ~np.isfinite(target)).sum()
    for name, values in (("forecast", ten), ("persistence", today), ("cams_forecast", cams)):
        common = np.where(np.isfinite(target) & np.isfinite(today), values, np.nan)
        assert float(found.cells[name].rmse) == pytest.approx(metrics.rmse(common, target), rel=1e-6)
        assert float(found.cells[name].bias) == pytest.approx(metrics.bias(common, target), rel=1e-6)
        assert found.similarity[name] == pytest.approx(metrics.ssim(common, target), abs=1e-6)
    stations = found.stations["persistence"]
    table = store.stations("testbed").merge(
        store.observations("testbed", dt.date(2022, 1, 12)), on="station_id"
    )
    inside = table[table["latitude"].between(44, 48) & table["longitude"].between(8, 10.5)]
    assert int(stations.count) == len(inside) > 0
    assert float(found.stations["cams_forecast"].bias) == pytest.approx(14 - inside["pm2p5"].mean(), rel=1e-5)
    assert found.methods == ("forecast", "persistence", "cams_forecast")


def test_baselines_alone_where_there_is_no_forecast(window: Window, store: Store):
    state = State(dataset="testbed", init_time=INIT, lead_time=1, station_types=["traffic"])
    found = area_scores(store, state, None, window, always)
    assert set(found.cells) == {"persistence", "cams_forecast"}
    everybody = area_scores(
        store, State(dataset="testbed", init_time=INIT, lead_time=1), None, window, always
    )
    assert int(found.stations["cams_forecast"].count) < int(everybody.stations["cams_forecast"].count)
    state.lead_time = 3
    with pytest.raises(FieldUnavailableError, match="No target for 2022-01-14"):
        area_scores(store, state, None, window, always)


def test_similarity_is_left_out_of_large_areas(window: Window, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cranpm.dashboard.data.areas.scores.LARGEST_SSIM", 10)
    state = State(dataset="testbed", init_time=INIT, lead_time=1)
    found = area_scores(store, state, None, window, always)
    assert found.similarity == {}
    assert int(found.cells["cams_forecast"].count) > 0
    assert "zoom in" in scores_html(make_picture(store, state, None), found)


def test_bands_change_nothing(window: Window, store: Store, done: Any, monkeypatch: pytest.MonkeyPatch):
    state = State(dataset="testbed", init_time=INIT, lead_time=1)
    whole = area_scores(store, state, done.map(1).read, window, always)
    monkeypatch.setattr("cranpm.dashboard.data.areas.window.BAND", 37)
    banded = area_scores(store, state, done.map(1).read, window, always)
    for name in whole.methods:
        assert int(banded.cells[name].count) == int(whole.cells[name].count)
        assert float(banded.cells[name].rmse) == pytest.approx(float(whole.cells[name].rmse), rel=1e-9)
        assert banded.similarity[name] == pytest.approx(whole.similarity[name], abs=1e-9)


def test_cams_lies_between_its_nodes():
    box = DOMAIN.coarse_box
    plane = (2.0 * box.lat[:, None] + 3.0 * box.lon[None]).astype(np.float32)
    rows, cols = slice(100, 130), slice(40, 90)
    exact = 2.0 * GRID.lat[rows, None] + 3.0 * GRID.lon[None, cols]
    assert cams_cells(DOMAIN, plane, rows, cols) == pytest.approx(exact, abs=1e-3)


def test_regional_series_and_errors(store: Store, done: Any):
    assert [region.name for region in regions_of(store, "testbed")] == ["po_valley"]
    days = store.days("testbed")
    found = regional_series(store, "testbed", 1, days, {INIT: done}, always)
    means = found.means.set_index(found.means["time"].dt.day)
    window = Window.of_box(GRID, (7.0, 44.0, 13.2, 46.6))
    dataset = store.dataset("testbed")
    field = dataset.pm2p5("2022-01-12", window.rows, window.cols).to_numpy()
    weights = np.cos(np.deg2rad(GRID.lat[window.rows]))[:, None] * np.isfinite(field)
    assert means.loc[12, "target"] == pytest.approx(np.nansum(field * weights) / weights.sum(), rel=1e-4)
    assert means.loc[12, "forecast"] == pytest.approx(10.0)
    assert np.isnan(means.loc[13, "forecast"])
    assert means.loc[13, "persistence"] == pytest.approx(means.loc[12, "target"])
    assert np.isnan(means.loc[14, "target"])  # a forecast day beyond the dataset
    errors = found.errors.set_index("method")
    assert set(errors.index) == {"forecast", "persistence", "cams_forecast"}
    assert set(errors["days"]) == {1}
    assert errors["pairs"].nunique() == 1
    expected = np.sqrt(np.nanmean((10.0 - field.astype(float)) ** 2))
    assert errors.loc["forecast", "rmse"] == pytest.approx(expected, rel=1e-5)
    baselines = regional_series(store, "testbed", 1, days, {}, always).errors
    assert set(baselines["days"]) == {3}
    hv.renderer("bokeh").get_plot(regional_lines(found.means))
    hv.renderer("bokeh").get_plot(rmse_bars(found.errors))
    assert "on the 1 day(s) that have a finished forecast" in series_html(found, 1)


def test_what_is_said(store: Store, window: Window):
    state = State(dataset="testbed", init_time=INIT, lead_time=1, layer="today")
    picture = make_picture(store, state, None)
    pyramid = store.fields.field(picture.field_id).pyramid
    statistics = area_statistics(pyramid.read, store.land("testbed").read, GRID, window, always)
    said = statistics_html(picture, statistics)
    assert f"n = {statistics.cells:,} cells" in said
    assert f"{statistics.without:,} land cells without a value are left out" in said
    assert "&gt; 25 µg/m³" in said
    said = scores_html(picture, area_scores(store, state, None, window, always))
    assert "baselines alone" in said
    assert "Against stations: n = " in said


def test_numbers_are_of_the_box_else_the_region_else_the_view():
    view = (1.0, 2.0, 3.0, 4.0)
    assert area_of(State(), view).box == view
    assert area_of(State(region="moved"), view).title == "In view"
    assert area_of(State(region="london"), view).title == "London"
    assert area_of(State(region="london", box=(5.0, 45.0, 6.0, 46.0)), view).box == (5.0, 45.0, 6.0, 46.0)
