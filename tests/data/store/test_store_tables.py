"""Stations, observations and statistics of a dataset."""

from __future__ import annotations

import mini_dataset as mini
import numpy as np
import pandas as pd
import pytest

from cranpm.data.errors import SchemaError, StoreError
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day
from cranpm.domain import (
    DAY_CHANNELS,
    Statistics,
)


def stations() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "station_id": ["TB-0001", "TB-0002"],
            "name": ["Milano", "Zürich"],
            "country": ["IT", "CH"],
            "latitude": [45.46, 47.37],
            "longitude": [9.19, 8.54],
            "altitude": [120.0, 408.0],
            "station_type": ["traffic", "background"],
            "area": ["urban", "urban"],
            "terrain_complexity": [44.0, 150.0],
        }
    )


def observations(day: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"station_id": ["TB-0001", "TB-0002"], "time": pd.Timestamp(day), "pm2p5": [31.5, np.nan]}
    )


def test_stations_and_observations(copy):
    with DatasetWriter.open(copy) as writer:
        writer.write_stations(stations())
        for day in ("2022-03-01", "2022-03-02"):
            writer.append_encoded(
                encode_day(writer.domain, day, **mini.fields(day), observations=observations(day))
            )
    dataset = Dataset.open(copy)
    pd.testing.assert_frame_equal(dataset.stations(), stations())
    assert len(dataset.observations()) == 2  # a missing value is no observation
    of_day = dataset.observations(day="2022-03-02")
    assert list(of_day.station_id) == ["TB-0001"]
    assert of_day.pm2p5.iloc[0] == pytest.approx(31.5)
    assert len(dataset.observations(station_id="TB-0001")) == 2
    assert len(dataset.observations(station_id=["TB-0002"])) == 0


def test_bad_tables_are_refused(copy):
    twice = pd.concat([stations(), stations()])
    with DatasetWriter.open(copy) as writer:
        with pytest.raises(SchemaError, match="appear more than once"):
            writer.write_stations(twice)
        with pytest.raises(SchemaError, match="area must be one of"):
            writer.write_stations(stations().assign(area="village"))
        with pytest.raises(SchemaError, match="missing: altitude"):
            writer.write_stations(stations().drop(columns="altitude"))
        hourly = observations("2022-03-01").assign(time=pd.Timestamp("2022-03-01 07:00"))
        with pytest.raises(SchemaError, match="times within days"):
            writer.write_stations(stations(), hourly)
        doubled = pd.concat([observations("2022-03-01")] * 2)
        with pytest.raises(SchemaError, match="two values on 2022-03-01"):
            writer.write_stations(stations(), doubled)


def test_statistics_travel_with_the_dataset(copy):
    names = [c.name for c in DAY_CHANNELS]
    statistics = Statistics(
        mean=dict.fromkeys(names, 1.0), std=dict.fromkeys(names, 2.0), period="2022", source="test"
    )
    dataset = Dataset.open(copy)
    assert dataset.statistics is None
    dataset.write_statistics(statistics)
    assert dataset.statistics == statistics


def test_no_flipped_bit_of_a_table_gives_other_values(copy):
    with DatasetWriter.open(copy) as writer:
        writer.write_stations(stations())
        day = "2022-03-01"
        writer.append_encoded(
            encode_day(writer.domain, day, **mini.fields(day), observations=observations(day))
        )
    path = copy / "observations.parquet"
    whole, right = path.read_bytes(), Dataset.open(copy).observations()
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.integers(4, len(whole) - 4, 150):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            found = Dataset.open(copy).observations()
        except StoreError:
            refused += 1
        else:
            assert found["pm2p5"].tolist() == right["pm2p5"].tolist()
    assert refused > 20
