from __future__ import annotations

import decimal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, UnitsError
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.places import join_stations
from cranpm.data.stations.station_day import open_station_day
from cranpm.domain import FINE


def rows(start: str = "2022-01-10T01:00", hours: int = 24, **changes: object) -> pd.DataFrame:
    """Hourly values 0, 1, 2, ... at stamps in UTC+1, so the first hour is 00 UTC."""
    begin = pd.date_range(start, periods=hours, freq="h")
    frame = pd.DataFrame(
        {
            "Samplingpoint": "CZ/SPO.A",
            "Pollutant": np.int32(6001),
            "Start": begin,
            "End": begin + pd.Timedelta(hours=1),
            "Value": [decimal.Decimal(i) for i in range(hours)],
            "Unit": "ug.m-3",
            "AggType": "hour",
            "Validity": np.int32(1),
            "Verification": np.int32(1),
        }
    )
    return frame.assign(**changes)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[pd.DataFrame], Path]:
    def write(frame: pd.DataFrame, name: str = "SPO.A.parquet") -> Path:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        value = table["Value"].cast(pa.decimal128(38, 18))  # as the download service stores it
        pq.write_table(table.set_column(table.column_names.index("Value"), "Value", value), tmp_path / name)
        return tmp_path / name

    return write


def test_hours_are_moved_from_utc_plus_one_to_utc_days(written: Callable[[pd.DataFrame], Path]) -> None:
    daily = daily_means(read_measurements(written(rows())))
    # stamps 01..24 in UTC+1 are hours 00..23 UTC of one day: mean of 0..23 is 11.5
    assert daily.to_dict("records") == [
        {"sampling_point": "SPO.A", "time": pd.Timestamp("2022-01-10"), "pm2p5": 11.5, "hours": 24}
    ]


def test_a_day_needs_eighteen_valid_hours(written: Callable[[pd.DataFrame], Path]) -> None:
    enough, short = rows(), rows()
    enough.loc[:5, "Validity"] = -1
    short.loc[:6, "Validity"] = -99
    # hours 6..23 average to 14.5
    assert daily_means(read_measurements(written(enough)))["pm2p5"].tolist() == [14.5]
    assert daily_means(read_measurements(written(short))).empty


def test_sentinels_are_dropped_even_when_marked_valid_and_noise_around_zero_stays(
    written: Callable[[pd.DataFrame], Path],
) -> None:
    frame = rows()
    frame.loc[0, "Value"] = decimal.Decimal("-5009")
    frame.loc[1, "Value"] = decimal.Decimal("-999")
    frame.loc[2, "Value"] = decimal.Decimal("-1.5")
    values = read_measurements(written(frame))["pm2p5"]
    assert len(values) == 22
    assert values.min() == -1.5


def test_half_of_the_detection_limit_counts_as_valid(written: Callable[[pd.DataFrame], Path]) -> None:
    assert len(read_measurements(written(rows(Validity=3)))) == 24


def test_milligrams_become_micrograms_and_unknown_units_are_refused(
    written: Callable[[pd.DataFrame], Path],
) -> None:
    # 0, 1, ..., 23 thousandths of a mg m-3
    thousandths = [decimal.Decimal(i) / 1000 for i in range(24)]
    found = read_measurements(written(rows(Unit="mg.m-3", Value=thousandths)))
    assert found["pm2p5"].tolist() == pytest.approx(list(range(24)))
    with pytest.raises(UnitsError, match="expected units that mean ug m-3 .* got 'ppb'"):
        read_measurements(written(rows(Unit="ppb")))


def test_of_two_values_of_one_hour_the_verified_one_is_kept(
    written: Callable[[pd.DataFrame], Path], caplog: pytest.LogCaptureFixture
) -> None:
    twice = pd.concat([rows(Verification=3, Value=decimal.Decimal(99)), rows()])
    assert read_measurements(written(twice))["pm2p5"].tolist() == list(map(float, range(24)))
    assert "24 values of hours that stand there twice" in caplog.text


def test_reported_days_win_over_hours(written: Callable[[pd.DataFrame], Path]) -> None:
    start = pd.Timestamp("2022-01-10")
    day = rows(
        hours=1, Start=start, End=start + pd.Timedelta(days=1), AggType="day", Value=decimal.Decimal(40)
    )
    daily = daily_means(read_measurements(written(pd.concat([rows(), day]))))
    assert daily["pm2p5"].tolist() == [40.0]


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"Pollutant": np.int32(5)}, NotThisProductError, "expected pollutant code 6001 .PM2.5., got 5"),
        ({"AggType": "var"}, TimeAxisError, "expected hourly or daily values, got var"),
        ({"End": pd.Timestamp("2022-01-12")}, TimeAxisError, "expected whole hours or days"),
    ],
)
def test_other_measurements_are_refused(
    written: Callable[[pd.DataFrame], Path], changes: dict, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        read_measurements(written(rows(**changes)))


def test_a_file_with_other_columns_or_a_cut_one_is_refused(
    written: Callable[[pd.DataFrame], Path], tmp_path: Path
) -> None:
    with pytest.raises(NotThisProductError, match="expected columns Validity"):
        read_measurements(written(rows().drop(columns="Validity")))
    path = written(rows())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataFileError, match="cut off or damaged"):
        read_measurements(path)
    (tmp_path / "comma.csv").write_text("Samplingpoint;Value\nA;3,5\n")
    with pytest.raises(NotThisProductError, match="expected columns"):
        read_measurements(tmp_path / "comma.csv")


def metadata(**changes: object) -> pd.DataFrame:
    base = {
        "sampling_point": ["SPO.A", "SPO.B"],
        "station_id": "CZ0ABC",
        "name": "Somewhere",
        "country": "CZ",
        "latitude": [50.0, 50.2],
        "longitude": 14.0,
        "altitude": 200.0,
        "station_type": "background",
        "area": "urban",
    }
    return pd.DataFrame({**base, **changes})


def test_sampling_points_of_one_station_are_averaged() -> None:
    day = pd.Timestamp("2022-01-10")
    daily = pd.DataFrame(
        {"sampling_point": ["SPO.A", "SPO.B"], "time": day, "pm2p5": [10.0, 20.0], "hours": 24}
    )
    # 0.004 degrees apart: the same yard; the last entry tells the place
    stations, observations = join_stations(daily, metadata(latitude=[50.0, 50.004]))
    assert observations.to_dict("records") == [{"station_id": "CZ0ABC", "time": day, "pm2p5": 15.0}]
    assert stations["latitude"].tolist() == [50.004]
    assert list(stations.columns) == (
        "station_id name country latitude longitude altitude station_type area terrain_complexity".split()
    )


def test_points_without_metadata_are_left_out_loudly_and_none_at_all_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    day = pd.Timestamp("2022-01-10")
    daily = pd.DataFrame({"sampling_point": ["SPO.A", "SPO.X"], "time": day, "pm2p5": 10.0, "hours": 24})
    _, observations = join_stations(daily, metadata())
    assert len(observations) == 1
    assert "1 sampling points are not in the station table" in caplog.text
    with pytest.raises(DataFileError, match="None of the 1 sampling points .such as SPO.X."):
        join_stations(daily[daily["sampling_point"] == "SPO.X"], metadata())


@pytest.mark.real_data
def test_four_czech_stations_of_2023(real_data: Path) -> None:
    files = sorted(real_data.rglob("SPO.CZ_*.parquet"))
    measurements = pd.concat([read_measurements(path) for path in files])
    # rows with Validity 1, 2 or 3, counted with pyarrow alone: 7882 + 7849 + 8113 + 8020
    assert len(measurements) == 31_864
    assert measurements["start"].min() == pd.Timestamp("2023-01-01T00:00"), "first stamp 01:00 is UTC+1"
    assert measurements["pm2p5"].max() == 526.0, "a real outlier, marked valid, stays"
    daily = daily_means(measurements)
    (table,) = real_data.rglob("DataExtract.csv")
    stations, observations = join_stations(daily, read_metadata(table))
    assert stations["name"].tolist() == [
        "Praha 4-Libus",
        "Praha 2-Riegrovy sady",
        "Praha 5-Stodulky",
        "Brno - Detska nemocnice",
    ]
    series = observations.pivot(index="time", columns="station_id", values="pm2p5").asfreq("D")
    # the catalogue: mean 10-11, s.d. 6-10, autocorrelation .65 .35 .22, Prague-Brno 0.72-0.77 for two of three pairs
    assert series.mean().between(9.5, 11.5).all()
    assert series.std().between(6, 10).all()
    lags = [np.mean([series[c].autocorr(lag) for c in series]) for lag in (1, 2, 3)]
    assert lags == pytest.approx([0.65, 0.37, 0.25], abs=0.03)
    pairs = series.corr()
    assert pairs.loc["CZ0ARIE", "CZ0ASTO"] == pytest.approx(0.91, abs=0.01)
    assert pairs.loc[["CZ0ARIE", "CZ0ASTO"], "CZ0BBDN"].between(0.72, 0.77).all()


@pytest.mark.real_data
def test_station_table_of_europe(real_data: Path) -> None:
    (path,) = real_data.rglob("pm25_stations_europe.csv")
    table = read_metadata(path)
    stations = table.drop_duplicates("station_id")
    assert int(FINE.contains(stations["latitude"], stations["longitude"]).sum()) == 2795
    assert stations["country"].nunique() == 41
    assert set(stations["area"]) == {"urban", "suburban", "rural"}
    assert set(stations["station_type"]) == {"background", "traffic", "industrial"}


@pytest.mark.real_data
def test_legacy_file_of_pm10_is_refused_by_its_pollutant_code(real_data: Path) -> None:
    for path in real_data.rglob("RS_5_*_timeseries.csv"):
        with pytest.raises(NotThisProductError, match="expected pollutant code 6001 .PM2.5., got 5"):
            read_measurements(path)


@pytest.mark.real_data
def test_legacy_layout_keeps_its_own_offset(real_data: Path, tmp_path: Path) -> None:
    text = sorted(real_data.rglob("RS_5_*_timeseries.csv"))[0].read_text(encoding="utf-8")
    path = tmp_path / "RS.csv"
    path.write_text(text.replace("pollutant/5,", "pollutant/6001,"), encoding="utf-8")
    with pytest.raises(NotThisProductError, match="got 6001 .PM2.5., called PM10"):
        read_measurements(path)
    as_if = text.replace("pollutant/5,", "pollutant/6001,").replace(",PM10,", ",PM2.5,")
    path.write_text(as_if, encoding="utf-8")
    measurements = read_measurements(path)
    # first row: 2023-01-01 00:00 +01:00, 153.99298
    assert measurements["start"].iloc[0] == pd.Timestamp("2022-12-31T23:00")
    assert measurements["pm2p5"].iloc[0] == pytest.approx(153.99298)


@pytest.mark.real_data
def test_the_real_day_of_425_stations(real_data: Path) -> None:
    (path,) = real_data.rglob("stations425*.nc")
    day = open_station_day(path)
    assert day.sizes["station"] == 425
    assert day["time"].values == np.datetime64("2024-03-01")
    assert day["observed"].mean().item() == pytest.approx(15.1, abs=0.05)
    assert day["observed"].std().item() == pytest.approx(11.9, abs=0.05)
    assert int(day[["observed", "cams_ensemble"]].to_dataframe().notna().all(axis=1).sum()) == 425


@pytest.mark.real_data
def test_a_gridded_file_is_no_station_day(real_data: Path) -> None:
    (path,) = real_data.rglob("eac4_milan*.nc")
    with pytest.raises(NotThisProductError, match="expected concpm25"):
        open_station_day(path)
