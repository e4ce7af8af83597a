"""A file that is something else than was asked for is refused by what it says of itself, wherever it says so."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from siblings import (
    COMPOSITION_SIBLINGS,
    DAY,
    ERA5_SIBLINGS,
    EUROPEAN_SIBLINGS,
    FINE,
    eac4,
    european,
    forecasts,
    ground,
    of_the_store,
    running_sum,
    satellite,
    written,
)

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, WrongGridError
from cranpm.data.live import live_map
from cranpm.data.mock_providers.files import grib_attrs
from cranpm.data.readers.cams import open_cams, open_cams_run
from cranpm.data.readers.cams_europe import read_ensemble_run
from cranpm.data.readers.elevation import read_elevation
from cranpm.data.readers.era5 import daily_coarse, open_era5, open_era5_members
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.readers.products import EAC4, EUROPE_ANALYSIS, GLOBAL_FORECASTS
from cranpm.domain import EUROPE, domain_from_corner


def test_a_file_that_says_everything_leaves_nothing_open(tmp_path: Path) -> None:
    for name in ("t2m", "tp", "t"):
        opened = open_era5(written(tmp_path, of_the_store(name), f"{name}.nc"))
        assert opened.attrs["product"] == "the hourly reanalysis ERA5"
        assert opened.attrs["not_stated"] == ""


def test_what_a_file_does_not_say_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bare = of_the_store(attrs=dict.fromkeys(grib_attrs("t2m", False))).drop_vars(["number", "expver"])
    bare.attrs = {}
    with caplog.at_level(logging.INFO, "cranpm.data"):
        opened = open_era5(written(tmp_path, bare))
    assert opened.attrs["not_stated"] == "stream, type, step type, level type, version"
    assert "it says nothing of its stream, type, step type, level type, version" in caplog.text


@pytest.mark.parametrize("sibling", ERA5_SIBLINGS)
def test_siblings_of_era5_are_refused_by_name(sibling: str, tmp_path: Path) -> None:
    make, match = ERA5_SIBLINGS[sibling]
    with pytest.raises(DataFileError, match=match):
        open_era5(written(tmp_path, make()))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("data_stream-enda_stepType-instant.nc", "ensemble of data assimilations"),
        ("data_stream-moda_stepType-avgua.nc", "is a monthly mean"),
        ("2m_temperature_0_daily-mean.nc", "is of daily values"),
        ("2m_temperature_stream-oper_daily-max.nc", "is of daily values"),
        ("derived-era5-single-levels-daily-statistics.nc", "is of daily values"),
        ("reanalysis-era5-land.nc", "is ERA5-Land"),
    ],
)
def test_a_name_that_its_provider_gave_counts_alone_and_within_an_archive(
    name: str, match: str, tmp_path: Path
) -> None:
    bare = of_the_store()
    bare.attrs = {}
    path = written(tmp_path, bare, name)
    with pytest.raises(NotThisProductError, match=match):
        open_era5(path)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(path, name)
    with pytest.raises(NotThisProductError, match=f"x.zip/{name} .*{match}"):
        open_era5(tmp_path / "x.zip")


def test_names_of_ones_own_say_nothing(tmp_path: Path) -> None:
    for name in ("monthly_backup_daily.nc", "era5_land_mask_region.nc", "ensemble.nc"):
        open_era5(written(tmp_path, of_the_store(), name))


def test_a_sum_since_midnight_is_refused_and_steady_rain_is_not(tmp_path: Path) -> None:
    with pytest.raises(NotThisProductError, match="tp of 2022-01-10 never falls.*sum since midnight"):
        open_era5(written(tmp_path, running_sum()))
    with pytest.raises(NotThisProductError, match="never falls"):  # also of data that came another way
        daily_coarse(
            running_sum().rename(valid_time="time").drop_vars(["number", "expver"]), days=np.array([DAY])
        )
    steady = running_sum()
    steady["tp"].values[:] = 1e-4
    total = daily_coarse(open_era5(written(tmp_path, steady, "steady.nc")), days=np.array([DAY]))
    # 24 hours of 0.1 mm
    assert total.sel(latitude=47.5, longitude=8.5).item() == pytest.approx(2.4, rel=1e-5)
    open_era5(written(tmp_path, running_sum(fall=True), "one-falls.nc"))


@pytest.mark.parametrize(
    ("begin", "end", "match"),
    [
        (0, 1, "covers 2022-01-10T00:00 to 2022-01-10T01:00"),
        (-3, 0, "expected the hour that ends at its stamp"),
    ],
)
def test_amounts_of_other_hours_are_told_by_their_bounds(
    begin: int, end: int, match: str, tmp_path: Path
) -> None:
    dataset = of_the_store("tp")
    times = dataset["valid_time"].values
    bounds = np.stack([times + np.timedelta64(begin, "h"), times + np.timedelta64(end, "h")], axis=1)
    dataset["time_bnds"] = (("valid_time", "nv"), bounds)
    dataset["valid_time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(TimeAxisError, match=match):
        open_era5(written(tmp_path, dataset))


def test_first_days_of_months_are_refused_unless_the_file_says_what_they_are(tmp_path: Path) -> None:
    hours = pd.date_range("2022-01-01", "2022-03-01T23", freq="h")
    firsts = of_the_store(days=3).assign_coords(valid_time=hours[hours.day == 1])
    open_era5(written(tmp_path, firsts))
    silent = firsts.assign(t2m=firsts["t2m"].assign_attrs(units="K"))
    silent.attrs = {}
    silent["t2m"].attrs = {"units": "K"}
    with pytest.raises(NotThisProductError, match="the first day of 3 months and no other, as monthly means"):
        open_era5(written(tmp_path, silent, "silent.nc"))


@pytest.mark.parametrize(
    ("dates", "match"),
    [
        (
            [20220101, 20220201, 20220301],
            r"axis of dates \(2022-01-01, 2022-02-01, ...\).*as monthly means have",
        ),
        ([20220101, 20220102], "as daily values have"),
    ],
)
def test_an_axis_of_dates_is_named(dates: list[int], match: str, tmp_path: Path) -> None:
    dataset = of_the_store().drop_vars(["expver", "valid_time"]).isel(valid_time=slice(len(dates)))
    dataset = dataset.rename(valid_time="date").assign_coords(date=dates)
    with pytest.raises(NotThisProductError, match=match):
        open_era5(written(tmp_path, dataset))


def test_points_and_turned_grids_are_no_maps(tmp_path: Path) -> None:
    series = of_the_store().isel(latitude=0, longitude=0)
    with pytest.raises(WrongGridError, match=r"series at one point \(48 N, 8 E\), not maps"):
        open_era5(written(tmp_path, series, "point.nc"))
    along = of_the_store().isel(
        latitude=xr.DataArray([0, 1, 2], dims="station"), longitude=xr.DataArray([0, 1, 2], dims="station")
    )
    with pytest.raises(WrongGridError, match="series at 3 points, not maps"):
        open_era5(written(tmp_path, along, "points.nc"))
    turned = of_the_store().rename(latitude="y", longitude="x").drop_vars(["y", "x"])
    turned = turned.assign_coords(
        latitude=(("y", "x"), np.ones((6, 8))), longitude=(("y", "x"), np.ones((6, 8)))
    )
    with pytest.raises(WrongGridError, match="turned or projected"):
        open_era5(written(tmp_path, turned, "turned.nc"))


def zipped(folder: Path, **members: xr.Dataset) -> Path:
    with zipfile.ZipFile(folder / "both.zip", "w") as archive:
        for name, dataset in members.items():
            archive.write(written(folder, dataset, f"{name}.nc"), f"{name}.nc")
    return folder / "both.zip"


def test_members_that_do_not_fit_are_named(tmp_path: Path) -> None:
    warm = of_the_store()
    warm["t2m"] = (warm["t2m"] + 1).assign_attrs(warm["t2m"].attrs)
    with pytest.raises(
        DataFileError, match="both.zip/a.nc and both.zip/b.nc both hold t2m, with other values"
    ):
        open_era5(zipped(tmp_path, a=of_the_store(), b=warm))
    wind = of_the_store("u10").isel(latitude=slice(0, 4))
    with pytest.raises(WrongGridError, match=r"different grids \(6 x 8 points from 48 N, 8 E; 4 x 8"):
        open_era5(zipped(tmp_path, a=of_the_store(), b=wind))
    same = open_era5(zipped(tmp_path, a=of_the_store(), b=of_the_store()))
    assert list(same.data_vars) == ["t2m"], "a member twice is one"
    later = of_the_store().assign_coords(valid_time=of_the_store()["valid_time"] + np.timedelta64(1, "D"))
    path = zipped(tmp_path, a=of_the_store(), b=later)
    with pytest.raises(TimeAxisError, match="Open them with open_era5_members"):
        open_era5(path)
    assert daily_coarse(open_era5_members(path)).sizes["time"] == 2


# ---- preliminary data ----


@pytest.mark.parametrize("versions", [["0001", "0005"], [1, 5], [1.0, 5.0]])
def test_from_when_on_data_are_preliminary(versions: list[Any], tmp_path: Path) -> None:
    final, early = np.array(versions)
    dataset = of_the_store(coords={"expver": ("valid_time", np.where(np.arange(24) < 18, final, early))})
    opened = open_era5(written(tmp_path, dataset))
    assert (opened.attrs["preliminary"], opened.attrs["preliminary_from"]) == (True, "2022-01-10T18")
    assert daily_coarse(opened).attrs["preliminary_from"] == "2022-01-10T18"


def test_a_version_of_the_whole_file_and_as_a_variable(tmp_path: Path) -> None:
    scalar = of_the_store(coords={"expver": "0005"})
    assert open_era5(written(tmp_path, scalar)).attrs["preliminary_from"] == "2022-01-10T00"
    variable = of_the_store().reset_coords("expver")
    variable["expver"][20:] = "0005"
    assert open_era5(written(tmp_path, variable, "v.nc")).attrs["preliminary_from"] == "2022-01-10T20"


def test_final_data_are_not_preliminary(tmp_path: Path) -> None:
    attrs = open_era5(written(tmp_path, of_the_store())).attrs
    assert attrs["preliminary"] is False and "preliminary_from" not in attrs


def test_final_and_preliminary_values_side_by_side(tmp_path: Path) -> None:
    whole = of_the_store().drop_vars(["expver", "number"]).rename(valid_time="time")
    final, early = whole.copy(deep=True), whole.copy(deep=True)
    final["t2m"][15:], early["t2m"][:15] = np.nan, np.nan
    both = xr.concat([early, final], dim=pd.Index([5, 1], name="expver"))  # whatever their order
    opened = open_era5(written(tmp_path, both))
    assert opened.attrs["preliminary_from"] == "2022-01-10T15"
    assert opened["t2m"].values == pytest.approx(whole["t2m"].values)


# ---- composition ----


def test_the_composition_products_are_told_apart(tmp_path: Path) -> None:
    near, reanalysis = written(tmp_path, forecasts(), "near.nc"), written(tmp_path, eac4(), "eac4.nc")
    assert open_cams(near).attrs["product"] == GLOBAL_FORECASTS.title
    assert open_cams(reanalysis).attrs["product"] == EAC4.title
    with pytest.raises(DataFileError, match=r"eac4\.nc .*expected the CAMS global forecasts"):
        open_cams(reanalysis, product=GLOBAL_FORECASTS)
    with pytest.raises(DataFileError, match=r"near\.nc .*expected the CAMS reanalysis EAC4"):
        open_cams(near, product=EAC4)
    with pytest.raises(DataFileError, match=r"near\.nc .*expected the hourly analysis of the CAMS European"):
        open_cams(near, product=EUROPE_ANALYSIS)


@pytest.mark.parametrize("sibling", COMPOSITION_SIBLINGS)
def test_siblings_of_the_composition_are_refused_by_name(sibling: str, tmp_path: Path) -> None:
    make, match = COMPOSITION_SIBLINGS[sibling]
    with pytest.raises(DataFileError, match=match):
        open_cams(written(tmp_path, make()))


@pytest.mark.parametrize(("first", "level"), [("2019-07-08", 60), ("2019-07-09", 137)])
def test_the_surface_is_the_lowest_level_of_its_time(first: str, level: int, tmp_path: Path) -> None:
    dataset = forecasts(GRIB_typeOfLevel="hybrid").rename(pm2p5="co")
    dataset["co"].attrs["GRIB_paramId"] = 210123
    shift = np.datetime64(first) - DAY
    dataset = dataset.assign_coords(
        forecast_reference_time=dataset["forecast_reference_time"] + shift,
        valid_time=dataset["valid_time"] + shift,
    )
    both = xr.concat(
        [dataset, dataset * 2], dim=pd.Index([60.0, 137.0], name="model_level"), combine_attrs="override"
    )
    both["co"].attrs = dataset["co"].attrs
    opened = open_cams(written(tmp_path, both))
    expected = (dataset["co"] * (1 if level == 60 else 2) * 1e9).mean().item()
    assert opened["co"].mean().item() == pytest.approx(expected, rel=1e-6)


def test_steps_of_another_day_and_runs_that_overlap_are_refused(tmp_path: Path) -> None:
    far = written(tmp_path, forecasts(tuple(range(24, 48, 3)), (0,)), "far.nc")
    assert open_cams(far).attrs["lead"] == "24 to 45 h"
    with pytest.raises(
        TimeAxisError, match="holds steps 24 to 45 h ahead of their runs; expected at most 12"
    ):
        open_cams(far, longest_lead=12)
    overlapping = written(tmp_path, forecasts(tuple(range(0, 24, 3))), "overlap.nc")
    with pytest.raises(
        TimeAxisError, match="its runs overlap, so that time 2022-01-10 12:00:00 stands there twice"
    ):
        open_cams(overlapping)
    assert open_cams_run(overlapping, DAY).sizes["time"] == 8, "one run is one run"
    with pytest.raises(NotThisProductError, match="is an analysis|expected the CAMS global forecasts"):
        open_cams_run(written(tmp_path, forecasts(GRIB_dataType="es"), "spread.nc"), DAY)


def test_the_european_ensemble_is_read_as_what_it_is(tmp_path: Path) -> None:
    domain = domain_from_corner("m", "M", north=47.0, west=7.0, coarse_rows=8, coarse_cols=8)
    tenths, _ = live_map([written(tmp_path, european(), "analysis.nc")], DAY, domain)
    assert set(np.unique(tenths)) <= set(range(120, 131))
    run = read_ensemble_run(written(tmp_path, european("FORECAST"), "forecast.nc"), DAY)
    assert run.values.shape[0] == 4


@pytest.mark.parametrize("sibling", EUROPEAN_SIBLINGS)
def test_siblings_of_the_european_analysis_do_not_make_a_live_map(sibling: str, tmp_path: Path) -> None:
    make, match = EUROPEAN_SIBLINGS[sibling]
    with pytest.raises(NotThisProductError, match=match):
        live_map([written(tmp_path, make())], DAY, EUROPE)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("cams.eaq.vra.ENSa.pm2p5.l0.2022-01.nc", "is a validated reanalysis"),
        ("cams.eaq.ira.ENSa.pm2p5.l0.2022-01.nc", "is an interim reanalysis"),
        ("CHIMERE_ANALYSIS.nc", "is of model CHIMERE"),
        ("ENS_FORECAST.nc", "is a forecast"),
    ],
)
def test_names_of_the_european_product_count(name: str, match: str, tmp_path: Path) -> None:
    dataset = european(globals={"title": "", "source": "", "history": "", "ANALYSIS": ""})
    dataset["time"].attrs["long_name"] = "time from 20220110"
    with pytest.raises(NotThisProductError, match=match):
        live_map([written(tmp_path, dataset, name)], DAY, EUROPE)


# ---- the satellite product and terrain ----


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("GHAP_PM2.5_M1K_202201_V1.nc", NotThisProductError, "is of monthly means"),
        ("GHAP_PM2.5_Y1K_2022_V1.nc", NotThisProductError, "is of annual means"),
        ("GHAP_PM10_D1K_20220110_V1.nc", NotThisProductError, "holds pm10"),
        ("GHAP_O3_D1K_20220110_V1.nc", NotThisProductError, "holds o3"),
        ("CHAP_PM2.5_D1K_20220110_V4.nc", NotThisProductError, "is CHAP, the product of China"),
        ("GHAP_PM2.5_D10K_20220110_V1.nc", WrongGridError, "is of spacing 10K"),
        ("GHAP_PM2.5_D1K_20220111_V1.nc", TimeAxisError, "is of day 2022-01-11.*expected.*day 2022-01-10"),
    ],
)
def test_siblings_of_the_satellite_product_are_refused(
    name: str, error: type[Exception], match: str, tmp_path: Path
) -> None:
    path = written(tmp_path, satellite(), name)
    with pytest.raises(error, match=match):
        read_ghap_day(path, DAY, FINE)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(path, name)
    with pytest.raises(DataFileError, match=match.split(".*")[0].replace("is of day 2022-01-11", "20220111")):
        read_ghap_day(tmp_path / "archive.zip", DAY, FINE)


def test_an_archive_of_another_product_or_month_is_refused_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, satellite(), "GHAP_PM2.5_D1K_20220110_V1.nc")
    assert read_ghap_day(path, DAY, FINE).shape == FINE.shape
    for name, match in (
        ("GHAP_PM2.5_M1K_2022_V1.zip", "monthly means"),
        ("GHAP_PM2.5_D1K_202202_V1.zip", "2022-02"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(path, path.name)
        with pytest.raises(DataFileError, match=match):
            read_ghap_day(tmp_path / name, DAY, FINE)


def test_a_time_of_its_own_must_be_the_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    right = written(tmp_path, satellite(time=DAY.astype("datetime64[ns]")), "day.nc")
    with caplog.at_level(logging.INFO, "cranpm.data"):
        assert read_ghap_day(right, DAY, FINE).shape == FINE.shape
    assert "says nothing of its archive, quantity, period." in caplog.text, "its day it says"
    with pytest.raises(TimeAxisError, match="is of day 2022-01-10 .*expected.* day 2022-01-11"):
        read_ghap_day(right, DAY + 1, FINE)


@pytest.mark.parametrize(
    ("attrs", "file", "match"),
    [
        ({}, "ETOPO_2022_v1_30s_N90W180_bed.nc", "is the bedrock below the ice"),
        ({}, "ETOPO_2022_v1_30s_N90W180_geoid.nc", "is the height of the geoid"),
        ({}, "GMTED2010_max_7p5arcsec.nc4", "is a maximum"),
        ({}, "GMTED2010_std_7p5arcsec.nc4", "is a standard deviation"),
        ({"long_name": "standard deviation of orography"}, "x.nc", "holds a standard deviation"),
        ({"standard_name": "height_above_reference_ellipsoid"}, "x.nc", "holds a height above the ellipsoid"),
        ({"standard_name": "sea_floor_depth_below_geoid"}, "x.nc", "holds a depth of the sea"),
        ({"positive": "down"}, "x.nc", "is a depth, positive downwards"),
    ],
)
def test_siblings_of_terrain_are_refused(
    attrs: dict[str, Any], file: str, match: str, tmp_path: Path
) -> None:
    with pytest.raises(NotThisProductError, match=match):
        read_elevation([written(tmp_path, ground(attrs), file)], FINE)


def test_terrain_that_says_what_it_is_is_read(tmp_path: Path) -> None:
    named = {"standard_name": "height_above_mean_sea_level", "long_name": "topography and bathymetry"}
    made = read_elevation([written(tmp_path, ground(named), "ETOPO_2022_v1_30s_N90W180_surface.nc")], FINE)
    # 100 m + 300 m a degree: at 48.015 N, the centre of the first row, 100 + 300 * 0.515
    assert made[0].mean() == pytest.approx(254.5, abs=1.0)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("case", "match"),
    [
        ("era5_monthly_by_hour.nc", "is a monthly mean by hour of the day"),
        ("era5land_tp_running_sum.nc", "sum since midnight"),
    ],
)
def test_cases_of_era5(real_data: Path, case: str, match: str) -> None:
    with pytest.raises(NotThisProductError, match=match):
        open_era5(real_data / "cases" / case)


@pytest.mark.real_data
def test_cases_of_the_european_product(real_data: Path) -> None:
    def case(name: str) -> Path:
        return real_data / "cases" / f"cams_eu_{name}.nc"

    with pytest.raises(TimeAxisError, match="is of run 2020-06-09 to 2020-06-12"):
        read_ensemble_run(case("four_runs_lead0"), np.datetime64("2020-06-09"))
    with pytest.raises(NotThisProductError, match="is a forecast"):
        live_map([case("forecast_lead72")], np.datetime64("2020-06-12"), EUROPE)
    with pytest.raises(NotThisProductError, match="holds level 50 m, not the surface"):
        open_cams(case("level50_only"))
    # Warsaw, by the case's description
    surface = (
        open_cams(case("2levels"))["pm2p5"]
        .isel(time=0)
        .sel(latitude=52.25, longitude=21.05, method="nearest")
    )
    assert surface.item() == pytest.approx(24.2375, abs=1e-4)
    for read in (
        lambda p: read_ensemble_run(p, np.datetime64("2020-01-01")),
        lambda p: live_map([p], DAY, EUROPE),
    ):
        with pytest.raises(NotThisProductError, match="no surface concentration of pm2p5, but no2, pm10"):
            read(case("no_pm25"))


@pytest.mark.real_data
def test_the_case_of_an_annual_mean(real_data: Path) -> None:
    with pytest.raises(NotThisProductError, match="is of annual means"):
        read_ghap_day(real_data / "cases" / "GHAP_PM2.5_Y1K_2017_V1.nc", DAY, FINE)


@pytest.mark.real_data
def test_grib_says_what_its_messages_are(real_data: Path, tmp_path: Path) -> None:
    eccodes = pytest.importorskip("eccodes")
    (path,) = real_data.rglob("uk_t2m*.grib")
    whole = path.read_bytes()[: 48 * 3360]
    (tmp_path / "two-days.grib").write_bytes(whole)
    opened = open_era5(tmp_path / "two-days.grib")
    assert opened.attrs["not_stated"] == "" and not opened.attrs["preliminary"]

    def changed(name: str, **keys: Any) -> Path:
        with (tmp_path / "two-days.grib").open("rb") as source, (tmp_path / name).open("wb") as out:
            for index in range(48):
                handle = eccodes.codes_grib_new_from_file(source)
                for key, value in keys.items() if index >= 36 else ():
                    eccodes.codes_set(handle, key, value)
                eccodes.codes_write(handle, out)
                eccodes.codes_release(handle)
        return tmp_path / name

    # 36 hours final, 12 preliminary: from 2 March 12 UTC on
    early = open_era5(changed("early.grib", expver="0005"))
    assert early.attrs["preliminary_from"] == "2019-03-02T12"
    assert early.sizes["time"] == 48
    for keys, match in (
        ({"stream": "enda"}, "ensemble of data assimilations"),
        ({"class": "l5"}, "is ERA5-Land"),
    ):
        with pytest.raises(NotThisProductError, match=match):
            open_era5(changed("other.grib", **keys))
