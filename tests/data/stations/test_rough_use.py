"""Whatever stands in a cell or a file: a reader gives rows or a named error, never a library's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import eea_rows
import numpy as np
import pandas as pd
import pytest

from cranpm.data.errors import DataFileError
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.openaq import read_openaq

CELLS = (None, "abc", np.inf, -1, 1e300, True)
BYTES = {
    "empty": b"", "zeros": b"\0" * 100, "page": b"<html>", "json": b'{"a": 1}', "list": b"[1, 2]", "null": b"null",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", "address": b"s3://bucket/key\n",
    "s3": b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "utf16": "a,b\n1,2\n".encode("utf-16"),
    "words": b"hello", "ragged": b"a,b\n1,2\n1,2,3\n", "quote": b'a,b\n"1,2\n', "zip": b"PK\x03\x04zzz",
    "gzip": b"\x1f\x8b\x08zzz", "parquet": b"PAR1zzz", "hdf5": b"\x89HDF\r\n\x1a\nzzz", "newlines": b"\n\n\n",
}  # fmt: skip


def archive() -> pd.DataFrame:
    end = pd.date_range("2022-03-17T01:00", periods=24, freq="h")
    return pd.DataFrame(
        {
            "location_id": 17, "sensors_id": 42, "location": "Delhi",
            "datetime": end.strftime("%Y-%m-%dT%H:%M:%S") + "+00:00", "lat": 28.56, "lon": 77.19,
            "parameter": "pm25", "units": "µg/m³", "value": np.arange(24.0),
        }
    )  # fmt: skip


def stations() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Sampling Point Id": [f"SPO.{k}" for k in range(24)], "Air Pollutant": "PM2.5", "Altitude": 300.0,
            "Air Quality Station EoI Code": [f"CZ{k}" for k in range(24)], "Latitude": 49.0 + 0.1 * np.arange(24),
            "Longitude": 14.0, "Air Quality Station Type": "background", "Air Quality Station Area": "urban",
            "Operational Activity Begin": "01/02/2010 00:00:00", "Mobile": 0, "Altitude Unit": "m",
        }
    )  # fmt: skip


READERS: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[Path], Any]]] = {
    "EEA": (eea_rows.hours, lambda path: daily_means(read_measurements(path))),
    "OpenAQ": (archive, lambda path: daily_means(read_openaq(path)[0])),
    "stations": (stations, read_metadata),
}


def rows_or_named_error(read: Callable[[Path], Any], path: Path) -> int | None:
    """How many rows came out, None if the file was refused by name."""
    try:
        return len(read(path))
    except DataFileError as error:
        said = str(error)
    assert path.name in said and len(said) < 1500 and "\n" not in said
    return None


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_any_cell_gives_rows_or_a_named_error(tmp_path: Path, reader: str) -> None:
    make, read = READERS[reader]
    path = tmp_path / "odd.csv"
    right = make().astype(object)
    for column in right.columns:
        for cell in CELLS:
            for where in (slice(None), slice(3, 3)):  # the whole column, one row
                odd = right.copy()
                odd.loc[where, column] = cell
                odd.to_csv(path, index=False)
                found = rows_or_named_error(read, path)
                assert found is not None or where == slice(None), (
                    f"one odd {column} ({cell}) refuses the file"
                )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", BYTES)
def test_any_bytes_are_refused_by_name(tmp_path: Path, reader: str, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_bytes(BYTES[name])
    assert rows_or_named_error(READERS[reader][1], path) is None
