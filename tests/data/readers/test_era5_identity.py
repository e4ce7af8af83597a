"""A file that is something else than ERA5 is refused by what it says of itself, and preliminary data are told."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from siblings import DAY, ERA5_SIBLINGS, of_the_store, running_sum, written

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, WrongGridError
from cranpm.data.mock_providers.files import grib_attrs
from cranpm.data.readers.era5 import daily_coarse, open_era5, open_era5_members


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
