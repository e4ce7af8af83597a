"""What `cranpm data check` sees in a dataset, and what it says of one that is sound."""

from __future__ import annotations

import shutil
from pathlib import Path

import mini_dataset as mini
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.audit.audit import audit_dataset
from cranpm.data.audit.report import write_report
from cranpm.data.store.dataset import DatasetWriter, encode_day

DAYS = [str(day) for day in np.arange("2019-03-01", "2019-03-04", dtype="datetime64[D]")]


def stations() -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.DataFrame(
        {
            "station_id": ["A", "B"], "name": ["<b>a</b>", "b"], "country": "XX", "latitude": [45.0, 45.5],
            "longitude": [9.0, 9.5], "altitude": [200.0, 150.0], "station_type": "background", "area": "urban",
            "terrain_complexity": 1.0,
        }
    )  # fmt: skip
    values = [(s, pd.Timestamp(d), 10.0 + k + n) for n, s in enumerate("AB") for k, d in enumerate(DAYS)]
    return table, pd.DataFrame(values, columns=["station_id", "time", "pm2p5"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets") / "sound"
    with mini.create(root) as writer:
        for day in DAYS:
            writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
        writer.write_static(**mini.static())
        writer.write_stations(*stations())
    return root


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def levels(root: Path) -> dict[str, str]:
    return {finding.what: finding.level for finding in audit_dataset(root).findings}


def test_a_sound_dataset_passes_and_its_report_can_be_read(sound: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    result = audit_dataset(sound, progress=lambda done, *_: seen.append(done))
    assert result.passed, [f for f in result.findings if f.level == "error"]
    assert seen == [1, 2, 3]
    page = write_report(result, tmp_path / "report").read_text()
    assert page.count("data:image/png") == 1 + len(result.maps)
    assert "passed" in page and "testbed (simulated)" in page
    assert "<script" not in page


def test_gaps_twins_and_lost_files_are_found(copy: Path) -> None:
    with DatasetWriter.open(copy) as writer:
        fields = mini.fields(DAYS[0])
        writer.append_encoded(
            encode_day(writer.domain, "2019-03-09", **fields)
        )  # five days later, the map of the first day
    (copy / "coarse.zarr" / "cams" / "c" / "1" / "0" / "0" / "0").unlink()
    found = levels(copy)
    assert found["gaps between days"] == "warning"
    assert found["days with the same map"] == "error"
    assert found["files that cannot be read"] == "error"
    outcome = CliRunner().invoke(
        app, ["data", "check", "--data", str(copy), "--report", str(copy.parent / "r")]
    )
    assert outcome.exit_code == 1
    assert (copy.parent / "r" / "index.html").is_file()


def test_station_trouble_is_found(copy: Path) -> None:
    table, values = stations()
    table.loc[1, ["latitude", "longitude"]] = [45.0001, 9.0001]
    table.loc[0, "altitude"] = 3000.0
    values.loc[0, "pm2p5"] = 4000.0
    with DatasetWriter.open(copy) as writer:
        writer.write_stations(table, values)
    found = levels(copy)
    assert found["stations at one place under two names"] == "warning"
    assert found["stations far from the terrain's height"] == "warning"
    assert found["observations that cannot be"] == "error"
    outside = table.assign(longitude=120.0)
    with DatasetWriter.open(copy) as writer:
        writer.write_stations(outside, values)
    assert levels(copy)["stations outside the domain"] == "error"
