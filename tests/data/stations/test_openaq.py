"""The OpenAQ archive's files, built from its documentation."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError, UnitsError
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.openaq import read_openaq, read_openaq_files
from cranpm.data.stations.places import join_stations


def rows(hours: int = 24, **changes: object) -> pd.DataFrame:
    """Delhi: hourly 0, 1, 2, ... with stamps that end the hour, from 05:30 + 1 h local = 00 to 01 UTC."""
    end = pd.date_range("2022-03-17T06:30:00", periods=hours, freq="h")
    frame = pd.DataFrame(
        {
            "location_id": 17, "sensors_id": 42, "location": "R.K. Puram",
            "datetime": end.strftime("%Y-%m-%dT%H:%M:%S") + "+05:30",
            "lat": 28.5633, "lon": 77.1869, "parameter": "pm25", "units": "µg/m³", "value": range(hours),
        }
    )  # fmt: skip
    return frame.assign(**changes)


def written(folder: Path, frame: pd.DataFrame, name: str = "location-17-20220317.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    return path


def test_local_hours_become_a_utc_day_of_a_station(tmp_path: Path) -> None:
    measured, points = read_openaq(written(tmp_path, rows()))
    daily = daily_means(measured)
    # hours 0 ... 23 of one UTC day: mean 11.5
    assert daily[["time", "pm2p5"]].to_numpy().tolist() == [[pd.Timestamp("2022-03-17"), 11.5]]
    stations, observations = join_stations(daily, points)
    assert stations["station_id"].tolist() == ["OPENAQ.17"] and len(observations) == 1


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"parameter": "o3"}, NotThisProductError, "holds no pm25"),
        ({"units": "ppm"}, UnitsError, "expected units that mean ug m-3"),
        ({"datetime": "2022-03-17T00:00:00"}, TimeAxisError, "stamps with their offset"),
        ({"lat": 128.0}, DataFileError, "impossible place"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        read_openaq(written(tmp_path, rows(**change)))


def test_damaged_files_and_missing_columns_are_refused_and_other_pollutants_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, rows())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataFileError, match="cannot be read"):
        read_openaq(path)
    with pytest.raises(NotThisProductError, match="expected columns value"):
        read_openaq(written(tmp_path, rows().drop(columns="value")))
    good, other = written(tmp_path, rows(), "a.gz"), written(tmp_path, rows(parameter="no2"), "b.gz")
    found = read_openaq_files([good, other])
    assert found is not None and len(found[0]) == 24
    assert read_openaq_files([other]) is None


def test_documented_column_names_and_parts_of_hours_are_read(tmp_path: Path) -> None:
    quarters = pd.date_range("2022-03-17T00:15", periods=96, freq="15min")  # 00:15 ... 24:00 UTC
    frame = rows(96, datetime=quarters.strftime("%Y-%m-%dT%H:%M:%S") + "+00:00")
    frame = frame.rename(columns={"sensors_id": "sensor_id", "units": "unit"})
    measured, _ = read_openaq(written(tmp_path, frame))
    # four quarters an hour, the one that ends at midnight in the day's last: 24 hours, first mean (0+1+2+3) / 4
    assert len(measured) == 24 and measured["pm2p5"].iloc[0] == 1.5
    assert measured["start"].dt.normalize().nunique() == 1


def test_a_place_on_the_antimeridian_does_not_move(tmp_path: Path) -> None:
    frame = rows(lat=-17.0, lon=[179.9995, -179.9995] * 12)
    assert len(read_openaq(written(tmp_path, frame))[0]) == 24
    with pytest.raises(TimeAxisError):  # nothing is left of an instrument that does
        read_openaq(written(tmp_path, rows(lat=-17.0, lon=[179.5, -179.5] * 12, datetime="x")))
    assert read_openaq(written(tmp_path, rows(lat=-17.0, lon=[179.5, -179.5] * 12)))[0].empty
