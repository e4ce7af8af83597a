from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from cranpm.domain import Grid
from cranpm.forecasting.output import ForecastOrigin, forecast_dataset, open_forecast, write_forecast

GRID = Grid(name="g", rows=600, cols=520, step=0.01, north=50.0, west=5.0, registration="cell")


@pytest.fixture
def forecast():
    rng = np.random.default_rng(0)
    fields = {lead: rng.uniform(0, 80, GRID.shape).astype(np.float32) for lead in (1, 2)}
    fields[1][:5] = np.nan
    return forecast_dataset(
        fields,
        init_time=np.datetime64("2022-01-05"),
        grid=GRID,
        origin=ForecastOrigin(
            source="testbed (simulated)", simulated=True, checkpoint="demo", checkpoint_hash="abc"
        ),
        negative={1: 3, 2: 0},
    )


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_files_read_back_with_time_axes_gaps_and_provenance(forecast, tmp_path, suffix):
    path = write_forecast(forecast, tmp_path / f"f{suffix}")
    back = open_forecast(path)
    assert back["lead"].values.tolist() == [1, 2]
    assert back["forecast_period"].attrs["standard_name"] == "forecast_period"
    assert back["forecast_period"].values.tolist() == [24, 48]
    assert back["forecast_reference_time"].values == np.datetime64("2022-01-05")
    assert back["time"].values.tolist() == np.array(["2022-01-06", "2022-01-07"], "datetime64[ns]").tolist()
    assert back["pm2p5"].attrs["units"] == "ug m-3" and back["pm2p5"].attrs["grid_mapping"] == "crs"
    assert back["crs"].attrs["grid_mapping_name"] == "latitude_longitude"
    assert (back.attrs["source"], back.attrs["simulated"]) == ("testbed (simulated)", 1)
    assert back.attrs["checkpoint_sha256"] == "abc"
    # uint16 hundredths: at most half a hundredth from the field
    assert np.nanmax(np.abs(back["pm2p5"].values - forecast["pm2p5"].values)) <= 0.00501
    assert np.array_equal(np.isnan(back["pm2p5"].values), np.isnan(forecast["pm2p5"].values))
    assert np.array_equal(back["latitude"].values, GRID.lat)


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_a_reader_without_this_package_selects_a_lead_in_days_too(forecast, tmp_path, suffix, recwarn):
    path = write_forecast(forecast, tmp_path / f"f{suffix}")
    back = xr.open_dataset(path, engine="zarr" if suffix == ".zarr" else "h5netcdf")
    assert str(back["pm2p5"].sel(lead=2)["time"].values)[:10] == "2022-01-07"  # init 5 January
    assert back["lead"].attrs["units"] == "day"
    assert back["forecast_period"].dims == ("lead",)
    assert not [str(w.message) for w in recwarn if "onsolidated" in str(w.message)]


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_a_file_of_the_version_before_is_given_its_lead(forecast, tmp_path, suffix):
    """0.1.0 kept lead times as the dimension forecast_period [hours]."""
    old = forecast.swap_dims(lead="forecast_period").drop_vars("lead")
    assert old["pm2p5"].dims == ("forecast_period", "latitude", "longitude")
    path = tmp_path / f"old{suffix}"
    if suffix == ".nc":
        old.to_netcdf(path, engine="h5netcdf")
    else:
        old.to_zarr(path, zarr_format=3, consolidated=False)
    back = open_forecast(path)
    assert back["lead"].values.tolist() == [1, 2]
    assert back["forecast_period"].values.tolist() == [24, 48]
    np.testing.assert_array_equal(back["pm2p5"].sel(lead=2), forecast["pm2p5"].sel(lead=2))


def test_what_is_no_forecast_is_refused(forecast, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no forecast"):
        open_forecast(tmp_path / "absent.nc")
    with pytest.raises(ValueError, match=r"Forecasts are \.zarr or \.nc, got 'f\.tif'"):
        open_forecast(tmp_path / "f.tif")
    forecast[["pm2p5"]].isel(lead=0, drop=True).to_netcdf(tmp_path / "map.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match=r"no forecast of this program: expected pm2p5 \(lead, latitude"):
        open_forecast(tmp_path / "map.nc")


def test_nothing_is_overwritten_unless_asked(forecast, tmp_path):
    path = write_forecast(forecast, tmp_path / "f.zarr")
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        write_forecast(forecast, path)
    write_forecast(forecast, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["f.zarr"]


@pytest.mark.parametrize("name", ["pm2p5.zarr", "thesis.nc"])
def test_a_folder_that_holds_no_forecast_is_not_overwritten_even_if_asked(forecast, tmp_path, name):
    """A dataset's own store ends in .zarr too."""
    other = tmp_path / name
    xr.Dataset({"pm2p5": ("x", [1.0, 2.0])}).to_zarr(other, zarr_format=3, consolidated=False)
    with pytest.raises(FileExistsError, match="holds something else .* left alone"):
        write_forecast(forecast, other, overwrite=True)
    assert xr.open_zarr(other, consolidated=False)["pm2p5"].values.tolist() == [1.0, 2.0]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_other_formats_are_refused(forecast, tmp_path):
    with pytest.raises(ValueError, match=r"\.zarr or \.nc"):
        write_forecast(forecast, tmp_path / "f.tif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
@pytest.mark.parametrize(("largest", "step"), [(655.33, 0.01), (655.36, 0.1), (6553.4, 0.1), (7000.0, 0.0)])
def test_every_map_can_be_written_however_high_its_values(forecast, tmp_path, suffix, largest, step):
    """uint16 with 65535 for gaps reaches 655.34 in hundredths and 6553.4 in tenths; floats beyond."""
    forecast["pm2p5"].values[0, 100, 100] = largest
    back = open_forecast(write_forecast(forecast, tmp_path / f"f{suffix}"))
    assert float(back["pm2p5"][0, 100, 100]) == pytest.approx(largest, abs=step / 2 + 1e-3)
    assert np.nanmax(np.abs(back["pm2p5"].values - forecast["pm2p5"].values)) <= step / 2 + 1e-3
    assert np.array_equal(np.isnan(back["pm2p5"].values), np.isnan(forecast["pm2p5"].values))


def test_a_full_disk_is_told_before_and_leaves_nothing(forecast, tmp_path, monkeypatch):
    monkeypatch.setattr("cranpm._files.shutil.disk_usage", lambda folder: SimpleNamespace(free=1e6))
    for suffix in (".zarr", ".nc"):
        with pytest.raises(OSError, match="needs up to .* Make room"):
            write_forecast(forecast, tmp_path / f"f{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
@pytest.mark.parametrize("value", [-0.004, -0.02, -1.0, -700.0])
def test_values_below_zero_come_back_as_they_were(forecast, tmp_path, suffix, value):
    """A forecast that somebody has corrected may be negative; uint16 would turn -1 into 654.36."""
    forecast["pm2p5"].values[0, 100, 100] = value
    back = open_forecast(write_forecast(forecast, tmp_path / f"f{suffix}"))
    assert float(back["pm2p5"][0, 100, 100]) == pytest.approx(value, abs=0.00501)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused_before_anything_is_written(forecast, tmp_path, value):
    forecast["pm2p5"].values[0, 100, 100] = value
    with pytest.raises(ValueError, match="expected PM2.5 that is finite or missing"):
        write_forecast(forecast, tmp_path / "f.nc")
    assert not list(tmp_path.iterdir())


def test_a_note_inside_a_store_and_another_file_are_left_alone_even_if_asked(forecast, tmp_path):
    store = write_forecast(forecast, tmp_path / "f.zarr")
    (store / "notes.txt").write_text("precious")
    xr.Dataset({"t2m": ("x", [1.0])}).to_netcdf(tmp_path / "era5.nc", engine="h5netcdf")
    (tmp_path / "text.nc").write_text("precious")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.nc")}
    for path in (store, *before):
        with pytest.raises(FileExistsError, match="left alone, also with --overwrite"):
            write_forecast(forecast, path, overwrite=True)
    assert (store / "notes.txt").read_text() == "precious"
    assert {path: path.read_bytes() for path in before} == before
    own = write_forecast(forecast, tmp_path / "f.nc")
    assert write_forecast(forecast, own, overwrite=True) == own  # a forecast is replaced


def test_links_in_a_circle_and_pipes_are_refused(forecast, tmp_path):
    (tmp_path / "loop.nc").symlink_to(tmp_path / "loop.nc")
    with pytest.raises(OSError, match="leads in a circle"):
        write_forecast(forecast, tmp_path / "loop.nc")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.nc")
        with pytest.raises(FileExistsError, match="left alone"):
            write_forecast(forecast, tmp_path / "pipe.nc", overwrite=True)
