"""The real day of many stations: its layout, its units, its impossible hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cranpm.data.errors import NotThisProductError, UnitsError
from cranpm.data.stations.station_day import open_station_day


def written(folder: Path, observed: Any = 10.0, hours: int = 24, units: Any = "ug m-3", **attrs: Any) -> Path:
    """Two stations, hourly; the model says 8 everywhere."""
    values = np.full((2, hours, 2), 8.0)
    values[0] = observed
    time = np.datetime64("2024-03-01T00", "ns") + np.arange(hours) * np.timedelta64(1, "h")
    dims = ("data_source", "time", "station_name")
    coords = {
        "data_source": ["EEA", "CAMS"], "time": time, "station_name": ["A", "B"],
        "latitude": ("station_name", [50.0, 51.0]), "longitude": ("station_name", [14.0, 15.0]),
        "altitude": ("station_name", [200.0, 300.0]),
    }  # fmt: skip
    field = xr.DataArray(values, coords, dims, attrs={"ts_type": "hourly", "var_units": units, **attrs})
    path = folder / "day.nc"
    field.to_dataset(name="concpm25").to_netcdf(path)
    return path


def test_codes_and_impossible_hours_are_missing_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    observed = np.full((24, 2), 10.0)
    observed[:5, 0] = [985.0, 9999.0, np.inf, -999.0, 6000.0]
    observed[:7, 1] = np.nan
    day = open_station_day(written(tmp_path, observed))
    # 19 hours of A remain, 17 of B, which are too few
    np.testing.assert_array_equal(day["observed"], [10.0, np.nan])
    assert "left out 5 hours that are codes or cannot be" in caplog.text


def test_one_unit_is_that_of_both(tmp_path: Path) -> None:
    day = open_station_day(written(tmp_path, 0.01, units="mg m-3"))
    assert day["observed"].values == pytest.approx(10.0)
    assert day["cams_ensemble"].values == pytest.approx(8000.0)
    with pytest.raises(UnitsError, match="EEA: expected units that mean ug m-3"):
        open_station_day(written(tmp_path, units="ppb"))


def test_daily_values_and_two_days_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        NotThisProductError, match="expected hourly values of one observation and one model, got daily"
    ):
        open_station_day(written(tmp_path, ts_type="daily"))
    with pytest.raises(NotThisProductError, match="expected one UTC day, got 2"):
        open_station_day(written(tmp_path, hours=30))
