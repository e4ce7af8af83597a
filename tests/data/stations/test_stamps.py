"""Stamps as networks write them, and the UTC day of a reported day."""

from __future__ import annotations

from pathlib import Path

import eea_rows
import pandas as pd
import pytest

from cranpm.data.errors import TimeAxisError
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.stamps import read_stamps, utc_day


@pytest.mark.parametrize(
    ("written", "clock", "hours"),
    [
        ("2023-01-05 00:00:00 +01:00", "2023-01-05T00:00", 1.0),
        ("2023-01-05T00:00:00Z", "2023-01-05T00:00", 0.0),
        ("2023-01-05T00:00:00 UTC", "2023-01-05T00:00", 0.0),
        ("2023-01-05T10:00-0330", "2023-01-05T10:00", -3.5),
        ("2023-01-05T10:00:00.5+05:45", "2023-01-05T10:00:00.5", 5.75),
        ("2023-01-05T10+02", None, None),  # no minutes: not guessed
        ("2023-01-05 24:00 +01", "2023-01-06T00:00", 1.0),
        ("2023-01-05t10:00:00z", "2023-01-05T10:00", 0.0),
        ("2023-01-05 10:00 utc", "2023-01-05T10:00", 0.0),
        ("2023-01-05 10:00 GMT", "2023-01-05T10:00", 0.0),
        ("2023-01-05 10:00 UTC+1", "2023-01-05T10:00", 1.0),
        ("2023-01-05 10:00 UTC-03:30", "2023-01-05T10:00", -3.5),
        ("2023-01-05 10:00 +1", "2023-01-05T10:00", 1.0),
        ("2023-01-05 10:00 \u221201:00", "2023-01-05T10:00", -1.0),  # a minus sign that is no hyphen
        ("2023-01-05 10:00 GMT+1", None, None),  # POSIX means UTC-1 by it, people UTC+1
        ("2023-01-05 10:00+01:60", None, None),
        ("2023-01-05 10:00 Europe/Berlin", None, None),
        ("2023-01-05", "2023-01-05", None),
        ("2023-01-05 10:00:60Z", None, 0.0),  # a leap second has no hour here
        ("2023-01-05 10:00 CET", None, None),
        ("05/01/2023 10:00", None, None),  # May or January
        ("0001-01-01 00:00", None, None),
        ("9999-12-31T00:00Z", None, 0.0),
        ("2023-02-30T00:00Z", None, 0.0),
        ("2023-01-05T10:00+23:00", None, 23.0),
        (None, None, None),
    ],
)
def test_stamps_are_read_as_written_or_not_at_all(written: str, clock: str, hours: float | None) -> None:
    found = read_stamps(pd.Series([written], dtype=object)).iloc[0]
    assert found["clock"] == pd.Timestamp(clock) if clock else pd.isna(found["clock"])
    assert found["offset"] == pd.Timedelta(hours=hours) if hours is not None else pd.isna(found["offset"])


def test_times_with_and_without_a_zone_are_stamps_too() -> None:
    aware = pd.Series(pd.to_datetime(["2023-07-05T00:00+02:00"]))
    found = read_stamps(aware).iloc[0]
    assert found["clock"] - found["offset"] == pd.Timestamp("2023-07-04T22:00")
    naive = read_stamps(pd.Series(pd.to_datetime(["2023-07-05"])))
    assert naive["offset"].isna().all() and naive["clock"].iloc[0] == pd.Timestamp("2023-07-05")
    mixed = pd.Series([pd.Timestamp("2023-07-05T00:00+02:00"), pd.Timestamp("2023-07-05")], dtype=object)
    assert read_stamps(mixed)["offset"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("local", "offset", "day"),
    [
        ("2023-01-05 00:00", 1.0, "2023-01-05"),
        ("2023-01-05 00:00", -5.0, "2023-01-05"),
        ("2023-01-05 00:00", 5.5, "2023-01-05"),
        ("2023-01-05 00:00", 9.0, "2023-01-05"),
        ("2023-01-05 00:00", 12.0, "2023-01-05"),  # half and half: its date
        (
            "2023-01-05 00:00",
            13.0,
            "2023-01-04",
        ),  # 11 UTC on the 4th to 11 UTC on the 5th: 13 hours of the 4th
        ("2023-01-05 08:00", 1.0, "2023-01-05"),  # a filter changed in the morning: 07 UTC to 07 UTC
        ("2023-01-05 18:00", 1.0, "2023-01-06"),  # in the evening: 17 UTC on the 5th to 17 UTC on the 6th
        ("2023-01-04 23:00", 0.0, "2023-01-05"),  # local midnight, written in UTC
    ],
)
def test_a_reported_day_counts_to_the_utc_day_that_holds_most_of_it(
    local: str, offset: float, day: str
) -> None:
    start = pd.Series([pd.Timestamp(local) - pd.Timedelta(hours=offset)])
    assert utc_day(start, start + pd.Timedelta(days=1)).iloc[0] == pd.Timestamp(day)


@pytest.mark.parametrize("offset", [None, "+01:00", "+0100", "+01", "Z", "-01:00", "+03:00"])
@pytest.mark.parametrize("layout", ["parquet", "csv"])
def test_reported_days_keep_their_date_with_and_without_an_offset(
    tmp_path: Path, offset: str | None, layout: str
) -> None:
    frame = eea_rows.days("2023-01-05", 2, offset)
    path = tmp_path / f"days.{layout}"
    frame.to_parquet(path) if layout == "parquet" else frame.to_csv(path, index=False)
    daily = daily_means(read_measurements(path))
    assert daily["time"].dt.strftime("%Y-%m-%d").tolist() == ["2023-01-05", "2023-01-06"]
    assert daily["pm2p5"].tolist() == [20.0, 21.0]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2023-03-26 00:00:00 +01:00", "2023-03-27 00:00:00 +02:00"),  # 23 hours: clocks go forward
        ("2023-10-29 00:00:00 +02:00", "2023-10-30 00:00:00 +01:00"),  # 25 hours: clocks go back
    ],
)
def test_the_days_on_which_clocks_change_are_days(tmp_path: Path, start: str, end: str) -> None:
    path = eea_rows.saved(tmp_path, eea_rows.days(Start=start, End=end))
    assert str(daily_means(read_measurements(path))["time"].iloc[0])[:10] == start[:10]


def test_hours_with_an_offset_are_moved_by_it_and_not_by_an_hour(tmp_path: Path) -> None:
    begin = pd.date_range("2022-07-10T00:00", periods=24, freq="h")
    text = {"Start": begin, "End": begin + pd.Timedelta(hours=1)}
    for spelled, first in (
        ("+0200", "2022-07-09T22:00"),
        ("Z", "2022-07-10T00:00"),
        ("+05:30", "2022-07-09T19:00"),
    ):
        columns = {k: v.strftime("%Y-%m-%d %H:%M:%S") + spelled for k, v in text.items()}
        found = read_measurements(eea_rows.saved(tmp_path, eea_rows.hours().assign(**columns)))
        # 00 to 01 at +05:30 is 18:30 to 19:30 UTC, and counts to the hour that it ends in
        assert found["start"].iloc[0] == pd.Timestamp(first), spelled
    aware = {k: v.tz_localize("Europe/Berlin") for k, v in text.items()}
    found = read_measurements(eea_rows.saved(tmp_path, eea_rows.hours().assign(**aware)))
    assert found["start"].iloc[0] == pd.Timestamp("2022-07-09T22:00") and found["start"].dt.tz is None


def test_daily_means_of_times_with_a_zone_are_utc_days() -> None:
    start = pd.date_range("2022-07-10T00:00", periods=24, freq="h", tz="UTC").tz_convert("Asia/Tokyo")
    frame = pd.DataFrame({"sampling_point": "A", "start": start, "averaging": "hour", "pm2p5": 7.0})
    daily = daily_means(frame)
    assert daily["time"].tolist() == [pd.Timestamp("2022-07-10")] and daily["hours"].tolist() == [24]


def test_stamps_that_nobody_can_place_are_refused_or_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = eea_rows.days("2023-01-05", 3, "CET")
    with pytest.raises(
        TimeAxisError, match=r"expected stamps such as 2023-01-05 00:00:00 \+01:00, got .*CET"
    ):
        read_measurements(eea_rows.saved(tmp_path, frame))
    frame = eea_rows.days("2023-01-05", 3, "+01:00")
    frame.loc[1, "Start"] = "2023-01-06 00:00 CET"
    found = read_measurements(eea_rows.saved(tmp_path, frame))
    assert found["start"].dt.day.tolist() == [5, 7]
    assert "left out 1 values with stamps that cannot be read" in caplog.text
