"""Station files of one's own: an export of OpenAQ's explorer becomes stations of a dataset."""

from __future__ import annotations

from pathlib import Path

import eea_rows
import mini_dataset as mini
import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.manifest import load_manifest
from cranpm.data.own_station_files import add_station_files
from cranpm.data.station_tables import write_observations
from cranpm.data.store.dataset import Dataset, encode_day

DAY = "2022-01-10"


def export(folder: Path, value: float = 20.0, **changes: object) -> Path:
    """The explorer's export of a place in the mini Alps: a UTC day of one value, stamps that end their hours."""
    ends = pd.date_range(f"{DAY}T01:00", periods=24, freq="h")
    frame = pd.DataFrame(
        {
            "location_id": 5, "location_name": "Aosta", "parameter": "pm25", "value": value, "unit": "µg/m³",
            "datetimeUtc": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "datetimeLocal": (ends + pd.Timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00"),
            "timezone": "Europe/Rome", "latitude": 45.7, "longitude": 7.3, "country_iso": "IT", "isMobile": "",
            "isMonitor": "", "owner_name": "x", "provider": "y",
        }
    ).assign(**changes)  # fmt: skip
    path = folder / "openaq_location_5_measurments.csv"
    frame.to_csv(path, index=False)
    return path


def add(path: Path, root: Path, source: str = "openaq-archive") -> None:
    add_station_files([path], load_manifest().source(source), mini.DOMAIN, root)


def test_an_export_becomes_a_station_of_a_dataset(tmp_path: Path) -> None:
    add(export(tmp_path), tmp_path / "raw")
    add(export(tmp_path), tmp_path / "raw")  # the same again changes nothing
    with mini.create(tmp_path / "set") as writer:
        writer.append_encoded(encode_day(writer.domain, DAY, **mini.fields(DAY)))
        writer.write_static(**mini.static())
        said = write_observations(writer, tmp_path / "raw", mini.DOMAIN)
    assert said == ["1 stations with 1 daily means."]
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.stations()[["station_id", "name", "latitude"]].to_numpy().tolist() == [
        ["OPENAQ.5", "Aosta", 45.7]
    ]
    assert dataset.observations()["pm2p5"].tolist() == [20.0]


def test_something_else_is_not_added_and_nothing_is_replaced(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    with pytest.raises(NotThisProductError, match="holds no pm25, but o3"):
        add(export(tmp_path, parameter="o3"), raw)
    with pytest.raises(NotThisProductError, match="It looks like an export of OpenAQ's explorer"):
        add(export(tmp_path), raw, "eea-measurements")
    with pytest.raises(DataFileError, match="Only station files can be added .*, not era5-single-levels"):
        add(export(tmp_path), raw, "era5-single-levels")
    assert not raw.exists()
    add(export(tmp_path), raw)
    with pytest.raises(DataFileError, match="is there with other content"):
        add(export(tmp_path, value=30.0), raw)


def test_the_command_adds_and_says_what_comes_next(tmp_path: Path) -> None:
    frame = eea_rows.hours(Verification=3)
    frame.to_csv(tmp_path / "fresh.csv", index=False)
    words = ["data", "add", str(tmp_path / "fresh.csv"), "--raw", str(tmp_path / "raw"), "--source"]
    wrong = CliRunner().invoke(app, [*words, "eea-measurements"])
    assert wrong.exit_code == 2 and "every row says not verified" in " ".join(wrong.output.split())
    right = CliRunner().invoke(app, [*words, "eea-up-to-date"])
    assert right.exit_code == 0 and "1 files added to eea-up-to-date" in right.output
    assert (tmp_path / "raw" / "eea-up-to-date" / "fresh.csv").is_file()
