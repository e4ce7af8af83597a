"""The live map: an analysis, what stations add to it, and the name it goes by."""

from __future__ import annotations

from pathlib import Path

import mini_dataset as mini
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cranpm.data.build_day import DatasetRecipe
from cranpm.data.errors import MissingSourceError, TimeAxisError
from cranpm.data.live import LIVE_TARGET, SHIFT, live_map
from cranpm.data.manifest import load_manifest
from cranpm.data.prepare import _label

DAY = np.datetime64("2026-03-01")
FINE = mini.DOMAIN.fine


def analysis(folder: Path, value: float = 20.0, hours: int = 24) -> Path:
    """The European product: 0.1-degree cells, longitudes 0..360, times without a calendar, -999 where missing."""
    lat, lon = np.arange(47.55, 41.9, -0.1), np.arange(5.95, 14.0, 0.1)
    field = np.full((hours, 1, lat.size, lon.size), value) + 0.1 * np.arange(hours)[:, None, None, None]
    field[:, :, 0, 0] = -999.0
    time = ("time", np.arange(float(hours)), {"units": "hours", "long_name": "ANALYSIS time from 20260301"})
    coords = {"time": time, "level": [0.0], "latitude": lat, "longitude": lon}
    dims = ("time", "level", "latitude", "longitude")
    path = folder / "analysis.nc"
    xr.Dataset({"pm2p5_conc": (dims, field, {"units": "µg/m3"})}, coords).to_netcdf(path)
    return path


def test_without_stations_the_map_is_the_analysis_daily_mean(tmp_path: Path) -> None:
    tenths, quality = live_map([analysis(tmp_path)], DAY, mini.DOMAIN)
    # hours 0..23 add 0.1 each: 20 + 0.1 * 11.5 = 21.15, stored as 212 (or 211) tenths
    assert tenths.shape == FINE.shape and quality is None
    assert set(np.unique(tenths)) <= {211, 212}


def test_stations_pull_the_map_where_they_stand_and_not_far_away(tmp_path: Path) -> None:
    place = {"latitude": 45.0, "longitude": 9.0}
    stations = pd.DataFrame([{**place, "pm2p5": 41.15}, {"latitude": 10.0, "longitude": 9.0, "pm2p5": 999.0}])
    tenths, quality = live_map([analysis(tmp_path)], DAY, mini.DOMAIN, stations)
    assert quality is not None and quality.stations == 1, "a station of another continent does not count"
    # one station, weight 1 beside the background's 1: half of 20 ug m-3 at its own node
    assert tenths[FINE.index_of(45.0, 9.0)] / 10 == pytest.approx(21.15 + 10, abs=0.3)
    # 2 degrees north are 222 km: exp(-222^2 / (2 * 60^2)) = 0.001
    assert tenths[FINE.index_of(46.9, 9.0)] / 10 == pytest.approx(21.15, abs=0.1)
    assert quality.bias == pytest.approx(-20.0) and quality.rmse_corrected == pytest.approx(20.0)


def test_agreeing_neighbours_improve_stations_that_were_left_out(tmp_path: Path) -> None:
    lat = 45.0 + 0.1 * np.arange(8)
    stations = pd.DataFrame({"latitude": lat, "longitude": 9.0, "pm2p5": 31.15})
    _, quality = live_map([analysis(tmp_path)], DAY, mini.DOMAIN, stations)
    assert quality is not None and quality.rmse == pytest.approx(10.0)
    assert quality.rmse_corrected < 0.5 * quality.rmse


def test_half_a_day_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TimeAxisError, match="expected at least 18 of 24 steps"):
        live_map([analysis(tmp_path, hours=12)], DAY, mini.DOMAIN)
    with pytest.raises(MissingSourceError, match="No download of cams-europe-forecasts"):
        live_map([], DAY, mini.DOMAIN)


def test_a_live_dataset_says_what_it_is() -> None:
    recipe = DatasetRecipe(raw=Path("raw"), domain=mini.DOMAIN, target=LIVE_TARGET)
    assert recipe.is_live
    assert "live" in _label(recipe) and "live" in load_manifest().source(LIVE_TARGET).role
    assert "trained" in SHIFT and "scores" in SHIFT
    assert not DatasetRecipe(raw=Path("raw"), domain=mini.DOMAIN).is_live
