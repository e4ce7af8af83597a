"""Stamps of stations: UTC+1 everywhere, civil time in Italy's up-to-date feed, and daily means over UTC days."""

from __future__ import annotations

from pathlib import Path

import mini_dataset as mini
import numpy as np
import pandas as pd
import pytest

from cranpm.data.download.receipts import RawFile, write_receipt
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.files import station_table
from cranpm.data.station_tables import station_values
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements

ROME = "IT/SPO.IT0953A_6001"


def hours(first_utc: str, number: int, zone: str | None, point: str = ROME) -> pd.DataFrame:
    """Hours of UTC, stamped in a zone (None: UTC+1); the value tells the hour's own UTC day, see `day_number`."""
    utc = pd.date_range(first_utc, periods=number, freq="h", tz="UTC")
    local = utc.tz_convert(zone or "Etc/GMT-1")  # POSIX: east of Greenwich
    frame = pd.DataFrame(
        {
            "Samplingpoint": point, "Pollutant": np.int32(6001), "Start": local.tz_localize(None),
            "End": (local + pd.Timedelta(hours=1)).tz_localize(None),
            "Value": ((utc.tz_localize(None) - pd.Timestamp("1970-01-01")).days % 100).astype(float),
            "Unit": "ug.m-3", "AggType": "hour", "Validity": np.int32(1), "Verification": np.int32(3),
        }
    )  # fmt: skip
    return frame


def saved(folder: Path, frame: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "IT-SPO.parquet"
    frame.to_parquet(path)
    return path


def day_number(day: str) -> float:
    """Days since 1970, the last two digits: a concentration that air can have."""
    return float(np.datetime64(day, "D").astype(int) % 100)


@pytest.mark.parametrize("day", ["2024-07-10", "2024-01-10"])
def test_italys_up_to_date_hours_become_whole_utc_days(tmp_path: Path, day: str) -> None:
    path = saved(tmp_path, hours(day, 24, "Europe/Rome"))
    daily = daily_means(read_measurements(path, up_to_date=True))
    # 24 hours of one UTC day: an hour of a neighbour would change the mean by 1/24
    assert daily[["time", "pm2p5", "hours"]].to_numpy().tolist() == [[pd.Timestamp(day), day_number(day), 24]]


def test_the_same_stamps_from_other_feeds_and_countries_are_utc_plus_one(tmp_path: Path) -> None:
    verified = read_measurements(saved(tmp_path, hours("2024-07-10", 24, None)))
    german = hours("2024-07-10", 24, None, point="DE/SPO.DE_DEBB021")
    assert verified["start"].iloc[0] == pd.Timestamp("2024-07-10")
    assert read_measurements(saved(tmp_path, german), up_to_date=True)["start"].iloc[0] == pd.Timestamp(
        "2024-07-10"
    )
    # read as UTC+1, Italian summer stamps would lie an hour late
    late = read_measurements(saved(tmp_path, hours("2024-07-10", 24, "Europe/Rome")))
    assert late["start"].iloc[0] == pd.Timestamp("2024-07-10 01:00")


def test_the_doubled_hour_of_autumn_and_the_missing_one_of_spring(tmp_path: Path) -> None:
    # clocks go back on 27 October 2024 at 01 UTC: 02:00 stands there for 00 and for 01 UTC
    autumn = hours("2024-10-26T22", 26, "Europe/Rome")
    assert autumn["Start"].duplicated().sum() == 1
    found = read_measurements(saved(tmp_path, autumn), up_to_date=True)
    assert found["start"].tolist() == list(pd.date_range("2024-10-26T22", periods=26, freq="h"))
    # and forward on 31 March 2024 at 01 UTC: no stamp between 02:00 and 03:00, the hour before it ends at 03:00
    spring = hours("2024-03-30T23", 24, "Europe/Rome")
    assert (spring["End"] - spring["Start"]).max() == pd.Timedelta(hours=2)
    found = read_measurements(saved(tmp_path, spring), up_to_date=True)
    assert found["start"].tolist() == list(pd.date_range("2024-03-30T23", periods=24, freq="h"))


def test_a_stamp_that_could_mean_two_hours_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    autumn = hours("2024-10-26T22", 26, "Europe/Rome")
    one_lost = autumn[~autumn["Start"].duplicated()]
    found = read_measurements(saved(tmp_path, one_lost), up_to_date=True)
    assert len(found) == 24 and "1 stamps could mean two hours" in caplog.text


def test_italian_files_that_are_not_civil_time_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spring = hours("2024-03-30T23", 24, None)  # UTC+1 has a 02:00 on that day
    found = read_measurements(saved(tmp_path, spring), up_to_date=True)
    assert found["start"].iloc[0] == pd.Timestamp("2024-03-30T23")
    assert "2024-03-31 02:00:00, an hour that does not exist there; read as UTC+1" in caplog.text


def test_the_feed_decides_and_not_the_caller(tmp_path: Path) -> None:
    """What was fetched as up to date is read as civil time on the way to a dataset or a live map."""
    day = np.datetime64("2024-07-10")
    manifest = load_manifest()
    path = saved(tmp_path / "eea-up-to-date", hours(str(day), 24, "Europe/Rome"))
    table = tmp_path / "eea-stations" / "DataExtract.csv.zip"
    table.parent.mkdir()
    table.write_bytes(station_table({"SPO.IT0953A_6001": (45.5, 9.2, 120.0)}))
    for source, file in (("eea-up-to-date", path), ("eea-stations", table)):
        write_receipt(RawFile(source=source, path=file), file, "https://example.org", manifest.source(source))
    values = station_values(tmp_path, mini.DOMAIN, day)
    assert values is not None and values["pm2p5"].tolist() == [day_number("2024-07-10")]


def test_a_reported_day_wins_over_the_mean_of_hours_of_another_file(tmp_path: Path) -> None:
    day, manifest = np.datetime64("2022-07-10"), load_manifest()
    point = "SPO.DE_DEBB021"
    hourly = hours(str(day), 24, None, point=point).assign(Value=30.0)
    begin = pd.Timestamp(str(day))
    weighed = hourly.iloc[:1].assign(
        Start=begin, End=begin + pd.Timedelta(days=1), AggType="day", Value=21.0, Verification=np.int32(1)
    )
    folder = tmp_path / "eea-measurements"
    folder.mkdir()
    table = tmp_path / "eea-stations" / "DataExtract.csv.zip"
    table.parent.mkdir()
    table.write_bytes(station_table({point: (45.5, 9.2, 120.0)}))
    for name, frame in (("a-hours.parquet", hourly), ("b-days.parquet", weighed)):
        frame.to_parquet(folder / name)
        file = RawFile(source="eea-measurements", path=folder / name)
        write_receipt(file, file.path, "https://example.org", manifest.source(file.source))
    write_receipt(
        RawFile(source="eea-stations", path=table),
        table,
        "https://example.org",
        manifest.source("eea-stations"),
    )
    values = station_values(tmp_path, mini.DOMAIN, day)
    assert values is not None and values["pm2p5"].tolist() == [21.0]
