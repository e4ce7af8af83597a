"""A place's days as a picture."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from cranpm.plot.series import plot_series


@pytest.fixture
def series():
    values = {"target": [10.0, 12.0, np.nan], "observed": [11.0, np.nan, 14.0], "forecast": [np.nan] * 3}
    return xr.Dataset(
        {name: ("time", column) for name, column in values.items()},
        {"time": np.arange("2022-01-10", "2022-01-13", dtype="datetime64[D]").astype("datetime64[ns]")},
        {"init_time": "2022-01-11", "latitude": 45.46, "longitude": 9.19, "source": "testbed (simulated)"},
    )


def test_what_has_values_is_drawn_and_gaps_are_not(series):
    picture = plot_series(series)
    assert {part.label for part in picture if part.label} == {"Target (GHAP-like)", "Station"}
    (seen,) = (p for p in picture if isinstance(p, hv.Scatter) and p.label == "Station")
    assert seen.dimension_values("pm2p5").tolist() == [11.0, 14.0]


def test_it_says_its_place_its_station_and_its_source(series):
    assert plot_series(series).opts.get().kwargs["title"] == "45.46° N, 9.19° E, testbed (simulated)"
    named = series.assign_attrs(station="Milan", station_kilometres=4.21)
    assert "station Milan at 4.2 km" in plot_series(named).opts.get().kwargs["title"]
    assert plot_series(named, title="Mine").opts.get().kwargs["title"] == "Mine"
    assert plot_series(series.drop_attrs()).opts.get().kwargs["title"] == ""


@pytest.mark.parametrize("thing", [3, xr.Dataset({"rain": ("time", [1.0])})])
def test_another_thing_is_refused(thing):
    with pytest.raises(
        TypeError, match="what cranpm.series_at returns, or a dataset over time with any of target"
    ):
        plot_series(thing)
