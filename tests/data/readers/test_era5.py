"""ERA5 layouts rebuilt small, one quirk each. The real files are read in test_era5_real.py."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cranpm.data.errors import (
    DataFileError,
    NotThisProductError,
    OutsideDomainError,
    TimeAxisError,
    UnitsError,
    WrongGridError,
)
from cranpm.data.files.openers import open_lazily, sniff
from cranpm.data.readers.era5 import daily_coarse, open_era5, open_era5_members
from cranpm.data.regrid.daily import MissingHoursError
from cranpm.domain import COARSE_BOX

DAY = np.datetime64("2022-01-10")
LATITUDE, LONGITUDE = np.array([46.0, 45.75, 45.5]), np.array([9.0, 9.25, 9.5, 9.75])
HOME = dict(latitude=slice(46.0, 45.5), longitude=slice(9.0, 9.75))


def hourly(
    variable: str = "t2m", units: str = "K", *, start: str = "2022-01-10", hours: int = 24
) -> xr.Dataset:
    """Value = 270 + hour of the day + row, so a day's mean is 281.5 + row."""
    times = pd.date_range(start, periods=hours, freq="h")
    values = 270.0 + times.hour.to_numpy()[:, None, None] + np.arange(3)[None, :, None] + np.zeros((1, 1, 4))
    values[..., 1] += 0.25  # not constant along longitude
    return xr.Dataset(
        {variable: (("time", "latitude", "longitude"), values.astype("float32"), {"units": units})},
        coords={"time": times, "latitude": LATITUDE, "longitude": LONGITUDE},
    )


def rain(hours: int = 25, *, start: str = "2022-01-10") -> xr.Dataset:
    """Hour k of the file (ending at its stamp) brings 7 k mod 25 mm; the first stamp belongs to the day before.

    So hours 1 to 24 bring 1 ... 24 mm, each amount once, and the rain eases now and then.
    """
    dataset = hourly("tp", "m", start=start, hours=hours)
    amount = (7 * np.arange(hours) % 25)[:, None, None] * 1e-3
    return dataset.assign(tp=dataset["tp"].copy(data=amount + np.zeros(dataset["tp"].shape)))


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(dataset: xr.Dataset, name: str = "download.dat", **kwargs: object) -> Path:
        path = tmp_path / name
        dataset.to_netcdf(path, engine="netcdf4", **kwargs)
        return path

    return write


def test_a_day_is_the_mean_of_its_24_hours_on_the_projects_nodes(written: Callable[..., Path]) -> None:
    daily = daily_coarse(open_era5(written(hourly())))
    assert daily.dims == ("time", "channel", "latitude", "longitude")
    assert daily.shape == (1, 1, *COARSE_BOX.shape)
    assert daily.dtype == np.float32
    home = daily.sel(channel="t2m", time=DAY, **HOME)
    # hours 0..23 average to 11.5, rows add 0, 1, 2
    assert home[:, 0].values == pytest.approx([281.5, 282.5, 283.5], abs=1e-4)
    assert int(daily.notnull().sum()) == 12, "nodes that the file does not cover stay missing"


def test_layout_does_not_matter(written: Callable[..., Path]) -> None:
    plain = hourly()
    expected = daily_coarse(plain)
    upside_down = plain.isel(
        latitude=slice(None, None, -1), longitude=[2, 0, 3, 1], time=slice(None, None, -1)
    )
    new = plain.rename(time="valid_time").assign_coords(number=0, expver=("valid_time", ["0001"] * 24))
    globe = plain.assign_coords(longitude=plain["longitude"] + 360)
    old = plain.rename(latitude="lat", longitude="lon")
    for index, variant in enumerate((upside_down, new, globe, old)):
        xr.testing.assert_equal(daily_coarse(open_era5(written(variant, f"{index}.nc"))), expected)


def test_packed_integers_are_unpacked_once(written: Callable[..., Path]) -> None:
    packing = {"t2m": {"dtype": "int16", "scale_factor": 1e-3, "add_offset": 280.0, "_FillValue": -32767}}
    packed = open_era5(written(hourly(), encoding=packing, format="NETCDF3_64BIT"))
    difference = daily_coarse(packed) - daily_coarse(hourly())
    assert float(np.abs(difference).max()) <= 0.5e-3 + 3e-5, "half a packing step, and float32"


def test_preliminary_times_fill_final_ones_and_are_flagged(written: Callable[..., Path]) -> None:
    final, early = hourly(), hourly()
    final["t2m"][12:] = np.nan
    early["t2m"][:12] = np.nan
    mixed = xr.concat([final, early], dim=pd.Index([1, 5], name="expver"))
    opened = open_era5(written(mixed))
    assert opened.attrs["preliminary"]
    daily = daily_coarse(opened)
    assert daily.attrs["preliminary"]
    xr.testing.assert_equal(daily, daily_coarse(hourly()).assign_attrs(preliminary=True))


def test_an_archive_is_known_by_its_content_and_its_members_are_merged(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    wind, wet = hourly(hours=25), rain()
    path = tmp_path / "looks-like.nc"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(written(wind, "a"), "data_stream-oper_stepType-instant.nc")
        archive.write(
            written(wet, "b"), "../../data_stream-oper_stepType-accum.nc"
        )  # must not leave its folder
    assert sniff(path) == "zip"
    daily = daily_coarse(open_era5(path))
    assert list(daily["channel"].values) == ["t2m", "tp"]
    assert list(daily["time"].values.astype("datetime64[D]")) == [DAY], (
        "the 25th hour makes no day of its own"
    )


def test_rain_is_the_sum_of_the_hours_that_end_inside_the_day(written: Callable[..., Path]) -> None:
    daily = daily_coarse(open_era5(written(rain())))
    # stamps 01 UTC to 00 UTC of the next day bring 1 + ... + 24 = 300
    assert daily.sel(channel="tp", time=DAY, latitude=46.0, longitude=9.0).item() == pytest.approx(
        300.0, rel=1e-5
    )
    assert daily["units"].sel(channel="tp").item() == "mm"


def test_rain_without_the_last_hour_is_refused_or_missing_never_less(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(
        MissingHoursError, match=r"24 of 24 .* 2022-01-10 \(23 of 24\).* 00:00 of the day after"
    ):
        daily_coarse(rain(24))
    daily = daily_coarse(rain(24), incomplete="nan")
    assert daily.isnull().all()
    assert "2022-01-10" in caplog.text


def test_six_hourly_rain_is_refused_and_six_hourly_wind_is_not() -> None:
    with pytest.raises(MissingHoursError, match="every 6 h. Request all 24 hours"):
        daily_coarse(rain().isel(time=slice(None, None, 6)))
    wind = hourly("u10", "m s**-1").isel(time=slice(0, 24, 6))
    wind["u10"] -= 270.0
    # hours 0, 6, 12, 18 average to 9
    assert daily_coarse(wind).sel(latitude=46.0, longitude=9.0, channel="u10").item() == pytest.approx(9.0)


def test_a_dry_day_of_packed_data_is_dry_and_a_gap_stays_a_gap() -> None:
    dry = rain()
    dry["tp"][:] = -1e-19
    dry["tp"][5, 0, 0] = np.nan
    daily = daily_coarse(dry).sel(channel="tp", time=DAY, **HOME)
    assert np.isnan(daily[0, 0])
    assert (daily.values.ravel()[1:] == 0).all()


def test_an_hour_that_is_missing_in_a_cell_makes_the_day_missing_there() -> None:
    holed = hourly()
    holed["t2m"][7, 1, 1] = np.nan
    home = daily_coarse(holed).sel(channel="t2m", time=DAY, **HOME)
    assert int(home.isnull().sum()) == 1


def test_files_of_successive_months_are_joined() -> None:
    first, second = rain(24), rain(25, start="2022-01-11")
    daily = daily_coarse([second, first])
    # the first file lacks its hour 24 (7 * 24 mod 25 = 18 mm), stamp 00 of the second brings 0 mm: 300 - 18 = 282
    assert (
        daily["time"].values.astype("datetime64[D]").tolist()
        == pd.to_datetime(["2022-01-10", "2022-01-11"]).date.tolist()
    )
    assert daily.sel(channel="tp", time=DAY, latitude=46, longitude=9).item() == pytest.approx(
        282.0, rel=1e-5
    )


def test_two_files_that_disagree_about_a_time_are_refused() -> None:
    other = hourly()
    other["t2m"][3] += 1
    with pytest.raises(DataFileError, match="two files disagree about 2022-01-10T03"):
        daily_coarse([hourly(), other])
    xr.testing.assert_equal(daily_coarse([hourly(), hourly()]), daily_coarse(hourly()))


def test_levels_are_taken_by_value_and_a_surface_geopotential_is_not_a_level(
    written: Callable[..., Path],
) -> None:
    level = hourly("t").expand_dims(level=[500, 850, 300]).copy()
    level["t"] = level["t"] + xr.DataArray([0.0, 10.0, 20.0], coords={"level": [500, 850, 300]})
    level["t"].attrs["units"] = "K"
    level["z"] = level["t"].isel(level=0, drop=True).assign_attrs(units="m**2 s**-2")
    daily = daily_coarse(open_era5(written(level.rename(level="pressure_level"))))
    assert list(daily["channel"].values) == ["t_850", "t_500"], "project order, 300 hPa unused"
    assert daily.sel(channel="t_850", latitude=46, longitude=9).item() == pytest.approx(291.5)


def test_a_wanted_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(NotThisProductError, match="expected t_850, u10; got t2m"):
        daily_coarse(hourly(), channels=("t2m", "u10", "t_850"))


def test_celsius_is_converted_and_unknown_units_are_refused() -> None:
    celsius = hourly(units="degC")
    celsius["t2m"] = (celsius["t2m"] - 273.15).assign_attrs(units="degC")
    assert np.allclose(daily_coarse(celsius), daily_coarse(hourly()), equal_nan=True, atol=1e-4)
    with pytest.raises(UnitsError, match="expected units that mean K .* got 'furlong'"):
        daily_coarse(hourly(units="furlong"))
    with pytest.raises(UnitsError, match="got none"):
        daily_coarse(hourly(units=""))


def test_celsius_that_says_kelvin_is_refused() -> None:
    wrong = hourly()
    wrong["t2m"] -= 273.15
    with pytest.raises(UnitsError, match="expected 200 to 330 K, got"):
        daily_coarse(wrong)


def test_data_of_another_continent_are_refused() -> None:
    with pytest.raises(
        OutsideDomainError, match=r"outside 'europe-coarse-box'.*Request area \[72, -25, 30, 45\]"
    ):
        daily_coarse(hourly().assign_coords(longitude=LONGITUDE + 70))


def test_half_a_cell_beside_the_nodes_is_refused_or_interpolated_when_asked() -> None:
    shifted = hourly().assign_coords(latitude=LATITUDE + 0.125)
    with pytest.raises(WrongGridError, match=r"got 46.1250 N.*interpolate=True"):
        daily_coarse(shifted)
    daily = daily_coarse(shifted, interpolate=True)
    assert daily.attrs["interpolated"]
    # rows 281.5, 282.5, 283.5 at 46.125, 45.875, 45.625: nodes 46.0 and 45.75 lie half-way; 45.5 is outside
    assert daily.sel(channel="t2m", longitude=9.0, latitude=[46.0, 45.75]).values[0] == pytest.approx(
        [282.0, 283.0]
    )
    assert daily.sel(channel="t2m", latitude=45.5).isnull().all()


def test_a_point_beyond_the_data_is_missing_even_beside_it() -> None:
    shifted = hourly().assign_coords(longitude=LONGITUDE + 0.1)
    daily = daily_coarse(shifted, interpolate=True)
    assert int(daily.notnull().sum()) == 3 * 3, "9.0 lies west of 9.1 and is not extrapolated"


@pytest.mark.parametrize(
    ("damage", "error", "match"),
    [
        (lambda d: d.isel(time=[0, 1, 1, 2]), TimeAxisError, "stands there twice"),
        (
            lambda d: d.assign_coords(time=d["time"] + np.timedelta64(365 * 40, "D")),
            TimeAxisError,
            "from 1940 to now",
        ),
        (lambda d: d.isel(latitude=[0, 2, 2]), WrongGridError, "evenly spaced latitudes"),
        (lambda d: d.assign_coords(latitude=[190.0, 189.75, 189.5]), WrongGridError, "swapped"),
        (lambda d: d.isel(time=0, drop=True), TimeAxisError, "expected a time dimension"),
        (lambda d: d.rename(t2m="skt"), NotThisProductError, "expected some of u10.* got skt"),
        (lambda d: xr.concat([d, d], dim="number"), DataFileError, "2 ensemble members"),
    ],
)
def test_damaged_axes_are_refused(
    written: Callable[..., Path], damage: Callable, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        open_era5(written(damage(hourly())))


def test_other_calendars_are_refused(written: Callable[..., Path]) -> None:
    dataset = hourly().drop_vars("time")
    dataset["time"] = ("time", np.arange(24.0), {"units": "hours since 2022-01-10", "calendar": "360_day"})
    with pytest.raises(TimeAxisError, match="ordinary calendar"):
        open_era5(written(dataset))


def test_a_day_with_one_value_everywhere_is_refused() -> None:
    constant = hourly()
    constant["t2m"][:] = 280.0
    with pytest.raises(DataFileError, match="whole day has the one value 280"):
        daily_coarse(constant)


def test_single_times_make_no_day() -> None:
    with pytest.raises(TimeAxisError, match="No day has more than one time"):
        daily_coarse(hourly().isel(time=[12]))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b'{"message": "licence not accepted"}', "server's message"),
        (b"\x00\x01\x02\x03unknown", "no file known here"),
        (b"PAR1aaaa", "is Parquet; expected NetCDF"),
        (b"PK\x03\x04garbage", "damaged archive"),
        (b"\x89HDF\r\n\x1a\ngarbage", "cut off or damaged"),
    ],
)
def test_what_is_no_data_file_is_named(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "download.nc"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=match):
        open_lazily(path)


def test_no_file_and_an_empty_archive_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="found nothing"):
        open_lazily(tmp_path / "none.nc")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(DataFileError, match="empty archive"):
        open_lazily(tmp_path / "empty.zip")


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
def test_a_file_that_is_cut_off_is_refused(written: Callable[..., Path], format: str) -> None:
    path = written(hourly(), format=format)
    content = path.read_bytes()
    for length in (len(content) // 2, len(content) - 8):
        path.write_bytes(content[:length])
        with pytest.raises(DataFileError, match="cut off"):
            open_era5(path)


def test_values_stay_on_disk_until_asked_for(written: Callable[..., Path]) -> None:
    (member,) = open_era5_members(written(hourly()))
    assert not member["t2m"].variable._in_memory
