"""Where stations stand: at their place of the time, never between two, and never where nothing can stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cranpm.data.errors import DataFileError
from cranpm.data.stations.account import StationAccount
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.places import join_stations

DAYS = pd.to_datetime(["2022-01-10", "2022-01-11"])


def table(**changes: Any) -> pd.DataFrame:
    """Five stations of a country, half a degree apart."""
    frame = pd.DataFrame(
        {
            "Sampling Point Id": [f"SPO.{k}" for k in range(5)],
            "Air Quality Station EoI Code": [f"CZ{k}" for k in range(5)],
            "Air Pollutant": "PM2.5", "Latitude": [49.0, 49.2, 49.4, 49.6, 50.0],
            "Longitude": [14.0, 14.5, 15.0, 15.5, 16.0], "Altitude": 300.0,
            "Air Quality Station Type": "background", "Air Quality Station Area": "rural-regional",
        }
    )  # fmt: skip
    return frame.assign(**changes)


def read(folder: Path, frame: pd.DataFrame, account: StationAccount | None = None) -> pd.DataFrame:
    frame.to_csv(folder / "DataExtract.csv", index=False)
    return read_metadata(folder / "DataExtract.csv", account=account)


def daily(*points: str, values: tuple[float, ...] = (10.0, 20.0)) -> pd.DataFrame:
    """A value of each point: the first on the first day, the second on the second."""
    return pd.DataFrame(
        {"sampling_point": points, "time": DAYS[: len(points)], "pm2p5": values[: len(points)], "hours": 24}
    )


def entry(point: str, latitude: float, since: str | None = None, station: str = "CZ1") -> dict[str, Any]:
    return {
        "sampling_point": point, "station_id": station, "name": "Town", "country": "CZ", "latitude": latitude,
        "longitude": 14.0, "altitude": 200.0, "station_type": "background", "area": "urban",
        "since": pd.Timestamp(since) if since else pd.NaT,
    }  # fmt: skip


def placed(observed: pd.DataFrame, *entries: dict[str, Any]) -> dict[str, tuple[float, list[float]]]:
    """Id -> latitude and values."""
    stations, observations = join_stations(observed, pd.DataFrame(entries))
    return {
        row.station_id: (
            row.latitude,
            observations.loc[observations["station_id"] == row.station_id, "pm2p5"].tolist(),
        )
        for row in stations.itertuples()
    }


def test_a_station_whose_points_stand_at_two_places_has_both_and_none_between() -> None:
    found = placed(daily("OLD", "NEW"), entry("OLD", 50.0), entry("NEW", 50.2))
    assert found == {"CZ1": (50.2, [20.0]), "CZ1@50.000_14.000": (50.0, [10.0])}
    # the last place is that of the latest value, in whatever order the table names the points
    found = placed(daily("OLD", "NEW"), entry("NEW", 50.2), entry("OLD", 50.0))
    assert found == {"CZ1": (50.2, [20.0]), "CZ1@50.000_14.000": (50.0, [10.0])}


def test_a_sampling_point_that_moved_is_at_each_place_in_its_time() -> None:
    places = entry("A", 50.0, "2015-01-01"), entry("A", 50.2, "2022-01-11")
    assert placed(daily("A", "A"), *places) == {"CZ1": (50.2, [20.0]), "CZ1@50.000_14.000": (50.0, [10.0])}
    assert placed(daily("A", "A"), *places[::-1]) == placed(daily("A", "A"), *places)
    # before the first date that is known it was at the first place that is known
    late = entry("A", 50.0, "2022-01-11"), entry("A", 50.2, "2022-03-01")
    assert placed(daily("A", "A"), *late) == {"CZ1": (50.0, [10.0, 20.0])}


def test_a_rounding_is_no_move() -> None:
    found = placed(daily("A", "B"), entry("A", 50.0), entry("B", 50.004))
    assert found == {"CZ1": (50.004, [10.0, 20.0])}


def test_moves_are_told_by_the_account() -> None:
    account = StationAccount()
    entries = pd.DataFrame([entry("A", 50.0), entry("B", 50.2)])
    join_stations(daily("A", "B"), entries, account=account)
    tally = account.noticed["stations that stand at several places, each with an id of its own"]
    assert tally.examples == ["CZ1: 50.2000 N 14.0000 E, 50.0000 N 14.0000 E"]


def moved(**dates: list[str]) -> pd.DataFrame:
    """The first station twice: at 49.0, then at 49.5; the later entry stands first in the file."""
    later = table().iloc[:1].assign(Latitude=49.5, **{k: v[1] for k, v in dates.items()})
    earlier = table().iloc[:1].assign(**{k: v[0] for k, v in dates.items()})
    return pd.concat([later, earlier, table().iloc[1:]])


def test_the_table_keeps_every_dated_place_and_the_last_of_undated_ones(tmp_path: Path) -> None:
    account = StationAccount()
    found = read(
        tmp_path,
        moved(**{"Operational Activity Begin": ["03/02/2015 00:00:00", "01/03/2021 00:00:00"]}),
        account,
    )
    first = found[found["sampling_point"] == "SPO.0"].sort_values("since")
    assert first["latitude"].tolist() == [49.0, 49.5]
    assert first["since"].tolist() == [pd.Timestamp("2015-02-03"), pd.Timestamp("2021-03-01")], (
        "day before month"
    )
    assert account.noticed["sampling points that stand at several places"].count == 1
    undated = read(tmp_path, moved(), account)
    assert undated[undated["sampling_point"] == "SPO.0"]["latitude"].tolist() == [49.0], (
        "the last in the file"
    )
    assert any("does not tell when they moved" in what for what in account.noticed)


@pytest.mark.parametrize(
    ("changes", "reason", "left"),
    [
        ({"Latitude": [149.0, 49.2, 49.4, 49.6, 50.0]}, "entries at an impossible place", 4),
        ({"Latitude": [None, 49.2, 49.4, 49.6, 50.0]}, "entries without a place", 4),
        ({"Latitude": ["49 N", 49.2, 49.4, 49.6, 50.0]}, "entries without a place", 4),
        ({"Latitude": [0, 49.2, 49.4, 49.6, 50.0], "Longitude": [0, 14.5, 15, 15.5, 16]}, "entries without a place", 4),
        (
            {"Latitude": [14.0, 49.2, 49.4, 49.6, 50.0], "Longitude": [49.0, 14.5, 15, 15.5, 16]},
            "entries whose latitude and longitude seem swapped", 4,
        ),
        ({"Mobile": [1, 0, 0, 0, 0]}, "entries of instruments that move", 4),
        ({"Sampling Point Id": [None, "SPO.1", "SPO.2", "SPO.3", "SPO.4"]}, "entries without an id", 4),
    ],
)  # fmt: skip
def test_an_odd_entry_is_left_out_and_the_others_stay(
    tmp_path: Path, changes: dict[str, Any], reason: str, left: int
) -> None:
    account = StationAccount()
    assert len(read(tmp_path, table(**changes), account)) == left
    assert {why: tally.count for why, tally in account.left_out["rows"].items()} == {reason: 5 - left}


def test_a_table_without_any_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no sampling point of PM2.5 stands at a possible place"):
        read(tmp_path, table(Latitude="unknown"))


def test_altitudes_in_feet_are_metres_and_in_unknown_units_missing(tmp_path: Path) -> None:
    found = read(tmp_path, table(**{"Altitude": 1000.0, "Altitude Unit": ["ft", "m", None, "yd", "m"]}))
    assert found["altitude"].round(1).tolist()[:3] == [304.8, 1000.0, 1000.0]
    assert found["altitude"].isna().tolist() == [False, False, False, True, False]


def test_ids_in_another_case_are_the_same_station(tmp_path: Path) -> None:
    lower = table(**{"Air Quality Station EoI Code": [f"cz{k}" for k in range(5)]})
    assert read(tmp_path, lower)["station_id"].tolist() == [f"CZ{k}" for k in range(5)]


@pytest.mark.real_data
def test_no_real_station_is_taken_for_swapped_or_moved(real_data: Path) -> None:
    """Turkey's longitudes look like latitudes, and France has islands: the check must know better."""
    account = StationAccount()
    (path,) = real_data.rglob("pm25_stations_europe.csv")
    assert len(read_metadata(path, account=account)) == 3295
    assert not account.left_out and not account.noticed


@pytest.mark.parametrize(("east", "ids"), [(179.9995, 1), (179.9, 2)], ids=["a rounding", "a move"])
def test_the_antimeridian_is_no_distance(east: float, ids: int) -> None:
    """179.9995 E and 179.9995 W are 111 m apart at the equator, 179.9 E and 179.9995 W eleven kilometres."""
    entries = entry("A", -17.0) | {"longitude": east}, entry("B", -17.0) | {"longitude": -179.9995}
    stations, _ = join_stations(daily("A", "B"), pd.DataFrame(entries))
    assert len(stations) == ids


def test_the_table_knows_no_move_across_the_antimeridian(tmp_path: Path) -> None:
    dates = {"Operational Activity Begin": ["01/01/2015 00:00:00", "01/01/2020 00:00:00"]}
    frame = moved(**dates).assign(Latitude=49.0)
    frame["Longitude"] = [-179.9995, 179.9995, *frame["Longitude"][2:]]
    account = StationAccount()
    assert len(read(tmp_path, frame, account)) == 5
    assert "sampling points that stand at several places" not in account.noticed
