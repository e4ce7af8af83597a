"""ERA5 and CAMS files that nobody here wrote (CRANPM_REAL_DATA), with numbers taken by an independent route."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cranpm.data.errors import (
    NotThisProductError,
    OutsideDomainError,
    TimeAxisError,
    UnitsError,
    WrongGridError,
)
from cranpm.data.readers import cams
from cranpm.data.readers.era5 import daily_coarse, open_era5
from cranpm.data.regrid.daily import MissingHoursError

pytestmark = pytest.mark.real_data


def find(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


def test_new_layout_wind_over_germany(real_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = find(real_data, "germany_u10*")
    wind = open_era5(path)
    assert list(wind.data_vars) == ["u10", "v10"]
    assert wind.attrs["preliminary"], "expver 0005 is ERA5T"
    assert "expver 5" in caplog.text
    with pytest.raises(WrongGridError, match="55.0500 N, 5.9000 E"):
        daily_coarse(wind)
    daily = daily_coarse(wind, interpolate=True)
    # nodes 47.5..55.0 N x 6.0..14.75 E lie inside 47.3..55.05 N x 5.9..14.9 E: 31 x 36, two channels
    assert int(daily.notnull().sum()) == 31 * 36 * 2
    with xr.open_dataset(path) as raw:  # independent: SciPy's interpolation of xarray's mean
        expected = raw["u10"].mean("valid_time").interp(latitude=52.5, longitude=13.5).item()
    assert daily.sel(channel="u10", latitude=52.5, longitude=13.5).item() == pytest.approx(expected, abs=1e-4)


def test_accum_and_instant_pair_of_india_is_read_and_refused_as_another_continent(real_data: Path) -> None:
    pair = [open_era5(find(real_data, "india_t2m*")), open_era5(find(real_data, "india_tp*"))]
    assert [list(dataset.data_vars) for dataset in pair] == [["t2m"], ["tp"]]
    with pytest.raises(OutsideDomainError, match=r"22..23 N, 75..76 E"):
        daily_coarse(pair)


def test_old_layout_over_south_west_europe_has_three_of_four_times(real_data: Path) -> None:
    path = find(real_data, "southwest_europe*")
    surface = open_era5(path)
    with pytest.raises(MissingHoursError, match=r"2023-01-06 \(3 of 4\)"):
        daily_coarse(surface, channels=("u10", "v10", "t2m"))
    with pytest.raises(MissingHoursError, match="tp is an amount per hour"):
        daily_coarse(surface, channels=("tp",))
    daily = daily_coarse(surface, channels=("u10", "v10", "t2m"), min_share=0.75)
    # 50..20 N, 20 W..10 E: of its 121 rows the 81 down to 30 N lie in the domain, and all 121 columns
    assert int(daily.sel(channel="t2m").notnull().sum()) == 81 * 121
    assert daily.sel(latitude=slice(72, 50.25)).isnull().all()
    with xr.open_dataset(path) as raw:
        expected = raw["t2m"].sel(latitude=40.5, longitude=-3.75).mean("time").item()
    assert daily.sel(channel="t2m", latitude=40.5, longitude=-3.75).item() == pytest.approx(
        expected, abs=1e-3
    )


def test_a_month_of_davos_surface_and_levels(real_data: Path) -> None:
    files = [find(real_data, "davos_single*"), find(real_data, "davos_pressure*")]
    data = [open_era5(path) for path in files]
    assert "z" not in data[0], "the surface's geopotential is not a level"
    with pytest.raises(MissingHoursError, match=r"tp: .*2020-01-31 \(23 of 24\)"):
        daily_coarse(data, interpolate=True)
    daily = daily_coarse(data, interpolate=True, incomplete="nan")
    # levels 1000, 700 and 500 of the project are among the file's 300 400 500 600 700 1000
    levels = [f"{v}_{level}" for v in "tuvqz" for level in (1000, 700, 500)]
    assert list(daily["channel"].values) == ["t2m", "sp", "tp", *levels]
    assert daily.sizes["time"] == 31
    place = dict(latitude=46.75, longitude=9.75)
    assert np.isnan(daily.sel(channel="tp", time="2020-01-31", **place))
    with xr.open_dataset(files[0]) as raw:
        hours = raw["tp"].sel(time=slice("2020-01-28T01", "2020-01-29T00")).sum("time") * 1000
        rain = hours.interp(latitude=46.75, longitude=9.75).item()
    assert daily.sel(channel="tp", time="2020-01-28", **place).item() == pytest.approx(rain, rel=1e-4)
    assert rain == pytest.approx(12.07, abs=0.01)
    # the Alps in January: about -4 degC, 790 hPa, and 500 hPa near 5400 m
    assert daily.sel(channel="z_500", time="2020-01-28", **place).item() / 9.80665 == pytest.approx(
        5406, abs=1
    )
    with pytest.raises(NotThisProductError, match="expected t_850; got"):
        daily_coarse(data, channels=["t_850"], interpolate=True, incomplete="nan")


def test_grib_month_over_the_united_kingdom(real_data: Path) -> None:
    pytest.importorskip("cfgrib")
    daily = daily_coarse(open_era5(find(real_data, "uk_t2m*.grib")))
    assert daily.sizes["time"] == 31
    # 58..50 N x 10 W..2 E is 33 x 49 nodes
    assert int(daily.isel(time=0, channel=0).notnull().sum()) == 33 * 49
    london = daily.sel(channel="t2m", latitude=51.5, longitude=0.0) - 273.15
    assert london.mean().item() == pytest.approx(8.6, abs=0.1), "March 2019 was mild"


def test_grib_with_one_time_makes_no_day(real_data: Path) -> None:
    pytest.importorskip("cfgrib")
    dataset = open_era5(find(real_data, "europe_t2m*.grib"))
    assert dataset["t2m"].dims == ("time", "latitude", "longitude")
    assert dataset["latitude"].values[0] == 60.0, "north first whatever the file says"
    with pytest.raises(TimeAxisError, match="No day has more than one time"):
        daily_coarse(dataset)


def test_composition_in_ug_is_read_and_interpolated_to_nodes(real_data: Path) -> None:
    milan = cams.open_cams(find(real_data, "eac4_milan*"))
    daily = cams.daily_coarse(milan, days=np.arange("2021-01-01", "2022-01-01", dtype="datetime64[D]"))
    assert list(daily["channel"].values) == ["pm2p5", "pm10", "no2", "o3", "co"]
    # 45..46.5 N x 9..11.25 E holds 7 x 10 nodes
    assert int(daily.isel(time=0, channel=0).notnull().sum()) == 7 * 10
    # catalogue: Milan 2017-2021 mean 17.3, s.d. 7.5
    series = daily.sel(channel="pm2p5", latitude=45.5, longitude=9.25)
    assert series.mean().item() == pytest.approx(17.1, abs=0.1)


def test_kilograms_become_micrograms(real_data: Path) -> None:
    dust = cams.open_cams(find(real_data, "global_forecast_pm10*"))["pm10"]
    assert dust.attrs["units"] == "ug m-3"
    # packed offset 4.6374628e-07 kg m-3 is the middle of the packed range: (min + max) / 2 = 463.7 ug m-3
    assert (dust.min() + dust.max()).item() / 2 == pytest.approx(463.7, abs=0.5)
    with pytest.raises(TimeAxisError, match="No day has more than one time"):
        cams.daily_coarse(dust.to_dataset())


def test_european_ensemble_times_and_longitudes(real_data: Path) -> None:
    spain = cams.open_cams(find(real_data, "europe_analysis*"))
    assert spain["time"].values[0] == np.datetime64("2024-01-01T12")
    # 357.05 .. 357.35 E is 2.95 .. 2.65 W
    assert spain["longitude"].values == pytest.approx([-2.95, -2.85, -2.75, -2.65], abs=1e-3)
    assert spain["pm2p5"].min() >= 0, "fill values are gone"
    with pytest.raises(NotThisProductError, match="finer than"):
        cams.daily_coarse(spain)
    antwerp = cams.open_cams(find(real_data, "europe_ensemble*"))
    assert antwerp["pm2p5"].values.ravel() == pytest.approx([12.32, 14.52, 7.86, 11.70, 12.29], abs=0.01)


def test_total_columns_are_not_surface_species(real_data: Path) -> None:
    with pytest.raises(NotThisProductError, match="total columns .gtco3, tcso2."):
        cams.open_cams(find(real_data, "eac4_new*"))


def test_a_mixing_ratio_needs_a_density(tmp_path: Path) -> None:
    times = np.arange("2022-01-01T00", "2022-01-02T00", 3, dtype="datetime64[h]").astype("datetime64[ns]")
    values = ("time", "latitude", "longitude"), np.full((8, 2, 2), 3e-8), {"units": "kg kg**-1"}
    xr.Dataset({"no2": values}, {"time": times, "latitude": [46.0, 45.6], "longitude": [9.0, 9.4]}).to_netcdf(
        tmp_path / "x"
    )
    with pytest.raises(UnitsError, match="Multiply by the density of air"):
        cams.open_cams(tmp_path / "x")
