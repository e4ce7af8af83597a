"""OpenAQ's layouts: the archive, the explorer's export, the older interfaces; what is refused, with the way to go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cranpm.data.errors import DataFileError, NoPM25Error, NotThisProductError, TimeAxisError
from cranpm.data.stations.account import StationAccount
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.openaq import read_openaq, read_openaq_files
from cranpm.data.stations.places import join_stations

ENDS = pd.date_range("2022-03-17T06:30", periods=24, freq="h")
"""Delhi: stamps that end the hours from 05:30, which is 00 UTC."""


def explorer(**changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "location_id": 17, "location_name": 'R.K. "Puram", Delhi', "parameter": "pm25", "value": range(24),
            "unit": "µg/m³", "datetimeUtc": (ENDS - pd.Timedelta(hours=5.5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "datetimeLocal": ENDS.strftime("%Y-%m-%dT%H:%M:%S+05:30"), "timezone": "Asia/Kolkata",
            "latitude": 28.5633, "longitude": 77.1869, "country_iso": "IN", "isMobile": "", "isMonitor": "",
            "owner_name": "CPCB", "provider": "caaqm",
        }
    )  # fmt: skip
    return frame.assign(**changes)


def export(folder: Path, frame: pd.DataFrame) -> Path:
    """As the site writes it: text in quotes, lines that end in CR LF."""
    path = folder / "openaq_location_17_measurments.csv"
    lines = [",".join(frame.columns)]
    for row in frame.astype(object).to_numpy():
        lines.append(",".join(json.dumps(value, ensure_ascii=False) for value in row))
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    return path


def archive(**changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "location_id": 17, "sensors_id": 42, "location": "R.K. Puram",
            "datetime": ENDS.strftime("%Y-%m-%dT%H:%M:%S") + "+05:30", "lat": 28.5633, "lon": 77.1869,
            "parameter": "pm25", "units": "µg/m³", "value": range(24),
        }
    )  # fmt: skip
    return frame.assign(**changes)


def written(folder: Path, frame: pd.DataFrame, name: str = "location-17-20220317.csv") -> Path:
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_the_explorers_export_is_read(tmp_path: Path) -> None:
    measured, points = read_openaq(export(tmp_path, explorer()))
    # 0, 1, ..., 23 of one UTC day
    assert daily_means(measured)[["time", "pm2p5"]].to_numpy().tolist() == [
        [pd.Timestamp("2022-03-17"), 11.5]
    ]
    assert points[["station_id", "name", "country"]].to_numpy().tolist() == [
        ["OPENAQ.17", 'R.K. "Puram", Delhi', "IN"]
    ]
    assert points["sampling_point"].tolist() == ["OPENAQ.location-17"], (
        "no sensor's number, which could be another's"
    )


def test_an_export_tells_low_cost_sensors_moving_ones_and_contradictory_stamps(tmp_path: Path) -> None:
    half = [True] * 12 + [False] * 12
    for changes, reason in (
        ({"isMonitor": half}, "rows of low-cost sensors"),
        ({"isMobile": [not h for h in half]}, "rows of instruments that move"),
        (
            {"datetimeUtc": [*explorer()["datetimeUtc"][:12], *["2022-03-20T00:00:00Z"] * 12]},
            "values whose local and UTC stamps contradict",
        ),
    ):
        account = StationAccount()
        measured, _ = read_openaq(export(tmp_path, explorer(**changes)), account=account)
        assert len(measured) == 12 and account.left_out["rows"][reason].count == 12, reason


def v2(**changes: Any) -> dict[str, Any]:
    entry = {
        "locationId": 8916, "location": "Vyttila", "parameter": "pm25", "value": 28.66,
        "date": {"utc": "2021-06-26T18:30:00+00:00", "local": "2021-06-27T00:00:00+05:30"}, "unit": "µg/m³",
        "coordinates": {"latitude": 9.97, "longitude": 76.32}, "country": "IN", "isMobile": False,
    }  # fmt: skip
    return {**entry, **changes}


@pytest.mark.parametrize("form", ["results", "list", "lines", "csv"])
def test_measurements_of_the_older_interfaces_are_read(tmp_path: Path, form: str) -> None:
    path = tmp_path / "openaq.json"
    entries = [v2(), v2(parameter="o3")]
    text = {
        "results": json.dumps({"meta": {"name": "openaq-api"}, "results": entries}),
        "list": json.dumps(entries),
        "lines": "\n".join(json.dumps(entry) for entry in entries),
        "csv": "locationId,location,utc,local,parameter,value,unit,latitude,longitude\n"
        "8916,Vyttila,2021-06-26T18:30:00+00:00,2021-06-27T00:00:00+05:30,pm25,28.66,µg/m³,9.97,76.32\n",
    }[form]
    path.write_text(text, encoding="utf-8")
    measured, points = read_openaq(path)
    # the stamp ends its hour: 17:30 to 18:30 UTC, which ends in the hour from 18
    assert measured[["start", "pm2p5"]].to_numpy().tolist() == [[pd.Timestamp("2021-06-26T18:00"), 28.66]]
    assert points["station_id"].tolist() == ["OPENAQ.8916"]


def test_means_of_a_day_are_no_hours(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps([v2(averagingPeriod={"value": 24, "unit": "hours"})]))
    with pytest.raises(TimeAxisError, match="expected hours, got averages of 24 hours"):
        read_openaq(path)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (
            json.dumps({"results": [{"value": 6, "parameter": {"id": 2}, "period": {"label": "1hour"}}]}),
            NotThisProductError, "OpenAQ's interface .v3. .* does not say which sensor .* fetch openaq-archive",
        ),
        ('{"results": [{"id": 7, "sensors": []}]}', NotThisProductError, "OpenAQ's list of places, without .* https://explore.openaq.org"),
        (json.dumps({"detail": "Unauthorized"}), DataFileError, "a server's message, not data: 'Unauthorized'"),
        (json.dumps({"results": []}), NotThisProductError, "holds no measurement of OpenAQ"),
        (json.dumps([{"a": 1}]), NotThisProductError, "is JSON with a; expected measurements of OpenAQ"),
        ('{"results": [{"parameter"', DataFileError, "begins like JSON but cannot be read .* cut off"),
        ("<html><body>404</body></html>", DataFileError, "a web page or a server's message"),
    ],
)  # fmt: skip
def test_other_answers_are_refused_with_the_way_to_go(
    tmp_path: Path, text: str, error: type[Exception], match: str
) -> None:
    (tmp_path / "answer.json").write_text(text)
    with pytest.raises(error, match=match):
        read_openaq(tmp_path / "answer.json")


def test_the_name_of_an_archive_file_is_held_against_its_rows(tmp_path: Path) -> None:
    with pytest.raises(NotThisProductError, match="expected location 18, as the file's name has it, got 17"):
        read_openaq(written(tmp_path, archive(), "location-18-20220317.csv"))
    with pytest.raises(
        NotThisProductError, match="expected 2022-05-01, as the file's name has it, got 2022-03-17"
    ):
        read_openaq(written(tmp_path, archive(), "location-17-20220501.csv"))


def test_codes_leave_the_mean_of_the_day(tmp_path: Path) -> None:
    account = StationAccount()
    values = [12.0] * 24
    values[2:4] = [985.0, 9999.0]
    measured, _ = read_openaq(written(tmp_path, archive(value=values)), account=account)
    assert daily_means(measured)[["pm2p5", "hours"]].to_numpy().tolist() == [[12.0, 22]]
    assert account.left_out["rows"]["codes instead of values"].count == 2


def test_an_id_in_a_column_with_gaps_is_the_same_id(tmp_path: Path) -> None:
    frame = archive()
    frame["location_id"] = [None] + [17.0] * 23
    account = StationAccount()
    _, points = read_openaq(written(tmp_path, frame, "a.csv"), account=account)
    assert points["station_id"].tolist() == ["OPENAQ.17"]
    assert account.left_out["rows"]["rows without a location"].count == 1


def test_an_instrument_that_moves_within_a_day_has_no_place(tmp_path: Path) -> None:
    account = StationAccount()
    measured, points = read_openaq(
        written(tmp_path, archive(lat=[28.5 + 0.01 * k for k in range(24)])), account=account
    )
    assert measured.empty and points.empty
    assert account.left_out["rows"]["rows of instruments that move"].count == 24


def test_a_station_that_moved_between_files_is_at_each_place_in_its_time(tmp_path: Path) -> None:
    paths = []
    for day, lat in ((17, 28.5), (18, 28.5), (19, 28.7)):
        ends = ENDS + pd.Timedelta(days=day - 17)
        frame = archive(datetime=ends.strftime("%Y-%m-%dT%H:%M:%S") + "+05:30", lat=lat, value=float(day))
        paths.append(written(tmp_path, frame, f"location-17-202203{day}.csv"))
    found = read_openaq_files(paths)
    assert found is not None
    stations, observations = join_stations(daily_means(found[0]), found[1])
    assert stations.set_index("station_id")["latitude"].to_dict() == {
        "OPENAQ.17": 28.7,
        "OPENAQ.17@28.500_77.187": 28.5,
    }
    assert observations.set_index("station_id")["pm2p5"].to_dict()["OPENAQ.17"] == 19.0
    assert observations[observations["station_id"] != "OPENAQ.17"]["pm2p5"].tolist() == [17.0, 18.0]


def test_one_bad_file_of_many_is_left_out_by_name(tmp_path: Path) -> None:
    good, units = written(tmp_path, archive()), written(tmp_path, archive(units="ppb"), "b.csv")
    (tmp_path / "page.csv").write_text("<html>busy</html>")
    ozone = written(tmp_path, archive(parameter="o3"), "ozone.csv")
    account = StationAccount()
    found = read_openaq_files([good, units, tmp_path / "page.csv", ozone], account=account)
    assert found is not None and len(found[0]) == 24
    assert {why: tally.count for why, tally in account.left_out["files"].items()} == {
        "files in units that PM2.5 does not have": 1,
        "files that cannot be read": 1,
        "files without PM2.5": 1,
    }
    assert set(account.unusual("files")) == {
        "files in units that PM2.5 does not have",
        "files that cannot be read",
    }
    with pytest.raises(NoPM25Error, match="holds no pm25, but o3"):
        read_openaq(ozone)


@pytest.mark.real_data
def test_the_case_of_985_and_9999(real_data: Path) -> None:
    measured, _ = read_openaq(real_data / "cases" / "openaq_985_9999.csv")
    assert daily_means(measured)["pm2p5"].tolist() == [12.0]
