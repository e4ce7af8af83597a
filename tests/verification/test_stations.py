"""Forecasts at stations: by hand on a grid of four cells, and the same pairs for every method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cranpm.domain import Grid
from cranpm.verification.stations import StationPairs, station_scores

GRID = Grid(name="four", rows=2, cols=2, step=0.5, north=46.0, west=9.0, registration="cell")
DAYS = np.arange(np.datetime64("2022-01-01"), np.datetime64("2022-01-13"))


@pytest.fixture
def stations() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "station_id": ["north-west", "south-east", "outside"],
            "latitude": [45.9, 45.1, 50.0],
            "longitude": [9.1, 9.9, 9.5],
            "station_type": ["traffic", "background", "background"],
            "area": ["urban", "rural", "rural"],
            "terrain_complexity": [10.0, 90.0, 10.0],
        }
    )


@pytest.fixture
def table(stations) -> pd.DataFrame:
    observed = pd.DataFrame(
        [
            {"station_id": name, "time": pd.Timestamp(str(day)), "pm2p5": value}
            for day in DAYS
            for name, value in (("north-west", 20.0), ("south-east", 40.0), ("outside", 1.0))
            if not (name == "south-east" and day == DAYS[3])
        ]
    )
    pairs = StationPairs(stations, observed, GRID)
    ones = np.ones((2, 2), np.float32)
    for number, init in enumerate(DAYS):
        ours = np.array([[22.0, 0.0], [0.0, 40.0]], np.float32)
        if number == 5:
            ours[0, 0] = np.nan
        pairs.add_day(init, {"ours": {1: ours}, "flat": {1: 30 * ones}})
    return pairs.table()


def test_a_station_is_paired_with_its_cell_on_the_valid_day(table):
    assert set(table["station_id"]) == {"north-west", "south-east"}
    # 12 init days, the last has no observation; one value is missing in each column
    assert table.groupby("station_id").size().to_dict() == {"north-west": 10, "south-east": 10}
    assert table["observed"].map({20.0: "north-west", 40.0: "south-east"}).eq(table["station_id"]).all()


def test_scores_by_hand(table, stations):
    rows = {(r["where"], r["method"]): r for r in station_scores(table, stations, ["ours", "flat"], "flat")}
    ours, flat = rows["all stations", "ours"], rows["all stations", "flat"]
    assert (ours["pairs"], ours["stations"]) == (20, 2)
    assert ours["rmse"] == pytest.approx(np.sqrt(2.0)) and ours["bias"] == pytest.approx(1.0)
    assert flat["rmse"] == pytest.approx(10.0) and flat["bias"] == pytest.approx(0.0)
    assert ours["skill"] == pytest.approx(1 - np.sqrt(2.0) / 10) and flat["skill"] == 0
    assert ours["skill_low"] <= ours["skill"] <= ours["skill_high"]
    assert (ours["pod_25"], ours["far_25"], ours["csi_25"]) == (1, 0, 1)
    assert (flat["pod_25"], flat["far_25"]) == (1, 0.5)
    assert rows["traffic", "ours"]["rmse"] == pytest.approx(2.0)
    assert rows["terrain complexity >= 50 m", "ours"]["rmse"] == 0
    assert ("Po Valley", "ours") in rows and ("Paris Basin", "ours") not in rows


def test_the_quality_indicator_is_fairmodes(table, stations):
    rows = {(r["where"], r["method"]): r for r in station_scores(table, stations, ["ours", "flat"], "flat")}
    # one station, RMSE 10 at 20 ug m-3: U = 0.36 sqrt(0.75 * 400 + (0.5 * 25)^2)
    uncertainty = 0.36 * np.sqrt(0.75 * 400 + 12.5**2)
    assert rows["traffic", "flat"]["mqi_90"] == pytest.approx(10 / (2 * uncertainty))
    few = table[table["init_time"] < "2022-01-05"]
    assert all(np.isnan(r["mqi_90"]) for r in station_scores(few, stations, ["ours"], "ours"))


def test_without_pairs_the_table_is_empty(stations):
    nothing = pd.DataFrame({"station_id": [], "time": pd.to_datetime([]), "pm2p5": []})
    pairs = StationPairs(stations, nothing, GRID)
    pairs.add_day(DAYS[0], {"flat": {1: np.ones((2, 2), np.float32)}})
    assert pairs.table().empty
