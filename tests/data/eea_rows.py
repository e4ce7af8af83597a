"""Rows as the EEA's download service writes them, for the tests of its readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cranpm.data.download.receipts import RawFile, write_receipt
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers.files import station_table

POINT = "SPO.DE_DEBB021"


def hours(first: str = "2022-01-10T01:00", number: int = 24, **changes: Any) -> pd.DataFrame:
    """Hours stamped in UTC+1, so that the default is 10 January UTC; the value is 12."""
    begin = pd.date_range(first, periods=number, freq="h")
    frame = pd.DataFrame(
        {
            "Samplingpoint": f"DE/{POINT}", "Pollutant": np.int32(6001), "Start": begin,
            "End": begin + pd.Timedelta(hours=1), "Value": 12.0, "Unit": "ug.m-3", "AggType": "hour",
            "Validity": np.int32(1), "Verification": np.int32(1),
        }
    )  # fmt: skip
    return frame.assign(**changes)


def days(
    first: str = "2022-01-10", number: int = 1, offset: str | None = None, **changes: Any
) -> pd.DataFrame:
    """Reported days from local midnight to midnight, with the offset written behind the stamps if there is one."""
    begin = pd.date_range(first, periods=number, freq="D")
    frame = hours(number=number).assign(
        Start=begin, End=begin + pd.Timedelta(days=1), AggType="day", Value=20.0 + np.arange(number)
    )
    if offset is not None:
        for name in ("Start", "End"):
            frame[name] = frame[name].dt.strftime("%Y-%m-%d %H:%M:%S") + f" {offset}"
    return frame.assign(**changes)


def saved(folder: Path, frame: pd.DataFrame, name: str = "DE-SPO.parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / name)
    return folder / name


def fetched(root: Path, files: dict[str, pd.DataFrame], source: str = "eea-measurements") -> None:
    """Files of a source with their receipts, as if they had been fetched."""
    for name, frame in files.items():
        received(root, saved(root / source, frame, name), source)


def station_table_fetched(root: Path, points: dict[str, tuple[float, float, float]]) -> None:
    """The EEA's station table for (latitude, longitude, altitude) of sampling points."""
    path = root / "eea-stations" / "DataExtract.csv.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(station_table(points))
    received(root, path, "eea-stations")


def received(root: Path, path: Path, source: str) -> None:
    write_receipt(
        RawFile(source=source, path=path), path, "https://example.org", load_manifest().source(source)
    )
