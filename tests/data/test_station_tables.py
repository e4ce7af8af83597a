"""From station files to the tables of a dataset: what goes wrong in one of them is told and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mini_dataset as mini
import numpy as np
import pandas as pd
import pytest
from eea_rows import days, fetched, hours, received, station_table_fetched

from cranpm.data.audit.audit import audit_dataset
from cranpm.data.audit.station_files import check_station_files
from cranpm.data.errors import DataFileError
from cranpm.data.station_tables import station_values, write_observations
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day

HELD = ("2022-01-10", "2022-01-11")
POINTS = {"SPO.DE_A": (45.0, 9.0, 120.0), "SPO.DE_B": (45.5, 9.5, 130.0), "SPO.DE_OUT": (60.0, 9.0, 10.0)}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[DatasetWriter]:
    with mini.create(tmp_path / "set") as made:
        for day in HELD:
            made.append_encoded(encode_day(made.domain, day, **mini.fields(day)))
        made.write_static(**mini.static())
        yield made


def two_days(point: str, **changes: Any) -> pd.DataFrame:
    return hours(number=48, Samplingpoint=f"DE/{point}", **changes)


def observed(root: Path) -> dict[str, list[float]]:
    table = Dataset.open(root).observations()
    return {str(k): v["pm2p5"].tolist() for k, v in table.sort_values("time").groupby("station_id")}


def account(root: Path) -> dict[str, Any]:
    return json.loads((root / "provenance.json").read_text())["stations"]


def test_odd_rows_and_odd_files_of_any_point_stop_nothing_and_are_told(
    writer: DatasetWriter, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    odd = days("2022-01-10", Samplingpoint="DE/SPO.DE_A", End=pd.Timestamp("2022-01-12"))
    fetched(
        raw,
        {
            "a.parquet": pd.concat([two_days("SPO.DE_A"), odd]),
            "b.parquet": two_days("SPO.DE_B", Value=[985.0] + [20.0] * 47),
            "out.parquet": two_days("SPO.DE_OUT", Unit="ppb", AggType="var"),
            "var.parquet": two_days("SPO.DE_A", AggType="var"),
            "pm10.parquet": two_days("SPO.DE_B", Pollutant=5),
        },
    )
    broken = raw / "eea-measurements" / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    received(raw, broken, "eea-measurements")
    said = write_observations(writer, raw, mini.DOMAIN)
    assert said[0] == "2 stations with 4 daily means."
    assert observed(writer.root) == {"XX0000A": [12.0, 12.0], "XX0001A": [20.0, 20.0]}
    told = account(writer.root)
    assert {why: entry["count"] for why, entry in told["left_out"]["rows"].items()} == {
        "values over other lengths than a whole hour or day": 1,
        "codes instead of values": 1,
    }
    assert {why: entry["count"] for why, entry in told["left_out"]["files"].items()} == {
        "files that cannot be read": 1,
        "files whose times cannot be placed": 1,
        "files that hold something else than was asked for": 1,
    }
    assert "broken.parquet" in said[1] or "broken.parquet" in said[2]
    assert told["read"]["files"] == 6 and told["network"] == "EEA" and told["daily_means"] == 4
    findings = {finding.what: finding for finding in audit_dataset(writer.root).findings}
    assert findings["station rows left out"].level == "warning"
    assert "985" in findings["station rows left out"].found
    assert findings["station files left out"].found.startswith("3 of 6: ")


def test_receipts_of_the_station_files_are_kept(writer: DatasetWriter, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    fetched(raw, {"a.parquet": two_days("SPO.DE_A")})
    write_observations(writer, raw, mini.DOMAIN)
    kept = json.loads((writer.root / "provenance.json").read_text())
    assert {"eea-measurements/a.parquet", "eea-stations/DataExtract.csv.zip", "stations"} == set(kept)
    assert kept["eea-measurements/a.parquet"]["sha256"].startswith("sha256:")


def test_preliminary_values_are_told_from_the_hour_on_and_only_where_they_are_used(
    writer: DatasetWriter, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    # verified until 11 January 05 UTC, which is stamped 06:00
    fetched(raw, {"a.parquet": two_days("SPO.DE_A", Verification=[1] * 29 + [3] * 19)})
    # the up-to-date feed has both days of both points; of A, the better verified file wins
    fresh = [two_days(point, Verification=3, Value=30.0) for point in ("SPO.DE_A", "SPO.DE_B")]
    fetched(raw, {"a.parquet": fresh[0], "b.parquet": fresh[1]}, "eea-up-to-date")
    said = write_observations(writer, raw, mini.DOMAIN)
    assert observed(writer.root) == {"XX0000A": [12.0, 12.0], "XX0001A": [30.0, 30.0]}
    # of A the 11th, of B both days; B's first hour is 00 UTC of the 10th
    told = account(writer.root)["preliminary"]
    assert told == {
        "days": 3, "of": 4, "sampling_points": 2, "from": "2022-01-10 00:00", "last_day": "2022-01-11",
    }  # fmt: skip
    assert "from 2022-01-10 00:00 UTC on" in said[-1]
    (finding,) = (
        f for f in check_station_files(Dataset.open(writer.root)) if f.what.startswith("preliminary")
    )
    assert finding.level == "warning" and finding.found.startswith("3 of 4 daily means, of 2 sampling points")


def test_the_first_preliminary_hour_is_the_first_that_is_not_verified(
    writer: DatasetWriter, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    fetched(raw, {"a.parquet": two_days("SPO.DE_A", Verification=[1] * 29 + [3] * 19)})
    write_observations(writer, raw, mini.DOMAIN)
    # 29 hours after 10 January 00 UTC
    assert account(writer.root)["preliminary"]["from"] == "2022-01-11 05:00"


def test_a_file_of_the_other_feed_is_left_out_by_name(writer: DatasetWriter, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    fetched(raw, {"fresh.parquet": two_days("SPO.DE_A", Verification=3)})
    fetched(raw, {"old.parquet": two_days("SPO.DE_A")}, "eea-up-to-date")
    said = write_observations(writer, raw, mini.DOMAIN)
    assert said[0].startswith("No station tables: no measurement falls on")
    (tally,) = account(writer.root)["left_out"]["files"].values()
    assert tally["count"] == 2 and "fresh.parquet: expected verified values" in tally["examples"][0]


def test_hours_of_a_day_may_lie_in_two_files(writer: DatasetWriter, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    first, second = two_days("SPO.DE_A").iloc[:23], two_days("SPO.DE_A").iloc[23:]
    fetched(raw, {"2021.parquet": first, "2022.parquet": second})
    write_observations(writer, raw, mini.DOMAIN)
    assert observed(writer.root) == {"XX0000A": [12.0, 12.0]}
    assert not account(writer.root)["left_out"], (
        "the hour of the 10th that stands in the second file is no short day"
    )


def test_a_table_with_its_columns_swapped_says_so(writer: DatasetWriter, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, {name: (lon, lat, z) for name, (lat, lon, z) in list(POINTS.items())[:2]})
    fetched(raw, {"a.parquet": two_days("SPO.DE_A")})
    with pytest.raises(DataFileError, match="but 2 of 2 would if latitude and longitude changed places"):
        write_observations(writer, raw, mini.DOMAIN)


def test_a_live_day_takes_values_at_the_place_of_that_day(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    station_table_fetched(raw, POINTS)
    fetched(raw, {"a.parquet": two_days("SPO.DE_A", Verification=3)}, "eea-up-to-date")
    values = station_values(raw, mini.DOMAIN, np.datetime64("2022-01-11"))
    assert values is not None and values.to_dict("records") == [
        {"latitude": 45.0, "longitude": 9.0, "pm2p5": 12.0}
    ]
    nothing = station_values(raw, mini.DOMAIN, np.datetime64("2023-01-11"))
    assert nothing is not None and nothing.empty
    assert station_values(tmp_path / "empty", mini.DOMAIN, np.datetime64("2022-01-11")) is None


def test_a_prepared_dataset_without_provenance_is_not_complete(tmp_path: Path) -> None:
    with mini.create(tmp_path / "set") as made:
        made.append_encoded(encode_day(made.domain, HELD[0], **mini.fields(HELD[0])))
        made.write_static(**mini.static())
    meta = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert not list(check_station_files(Dataset.open(tmp_path / "set"))), (
        "the testbed has none and needs none"
    )
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({**meta, "sources": ["a"]}))
    (finding,) = check_station_files(Dataset.open(tmp_path / "set"))
    assert finding.level == "warning" and "run the same command again" in finding.found
