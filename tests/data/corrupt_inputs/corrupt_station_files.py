"""Corruptions of station files: something else than was asked for, odd rows, codes, stamps, places."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from corrupt_inputs import Entry
from eea_rows import days, hours, saved

from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.stations.openaq import read_openaq
from cranpm.data.stations.places import join_stations

EVENING = "2022-01-11T19:00"
NIGHT = pd.Timestamp("2022-01-12")


def of_rows(name: str, damage: Callable[[pd.DataFrame], pd.DataFrame], **asked: Any) -> Entry:
    """24 hours of 12 ug m-3, damaged; what is left must have the mean of the day."""

    def compare(folder: Path) -> tuple[Any, Any]:
        daily = daily_means(read_measurements(saved(folder, damage(hours())), **asked))
        return daily[["pm2p5", "hours"]].to_numpy(), [[12.0, 24]]

    return Entry(group="EEA", name=name, compare=compare)


def also(**odd: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """One row more, in the evening of the next day, so that the first day stays whole."""
    return lambda frame: pd.concat([frame, hours(EVENING, 1).assign(**odd)], ignore_index=True)


def all_are(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**columns)


def stamped(offset: str, shift: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The same hours on a clock that is ``shift`` hours ahead of UTC+1, with its offset behind."""

    def write(frame: pd.DataFrame) -> pd.DataFrame:
        clocks = {name: frame[name] + pd.Timedelta(hours=shift) for name in ("Start", "End")}
        return frame.assign(**{k: v.dt.strftime("%Y-%m-%d %H:%M:%S") + offset for k, v in clocks.items()})

    return write


def contradictory(frame: pd.DataFrame) -> pd.DataFrame:
    pair = pd.concat([hours(EVENING, 1), hours(EVENING, 1, Value=80.0)])
    return pd.concat([frame, pair], ignore_index=True)


def of_text(name: str, write: Callable[[Path, str], Any]) -> Entry:
    def compare(folder: Path) -> tuple[Any, Any]:
        path = folder / "spreadsheet.csv"
        write(path, hours(Unit="µg/m³").to_csv(index=False))
        return daily_means(read_measurements(path))["pm2p5"].to_numpy(), [12.0]

    return Entry(group="EEA", name=name, compare=compare)


def reported_days(folder: Path) -> tuple[Any, Any]:
    """Three days from local midnight to midnight at +01:00, one of which runs over two days."""
    frame = days("2022-01-10", 3, "+01:00")
    frame.loc[1, "End"] = "2022-01-13 00:00:00 +01:00"
    daily = daily_means(read_measurements(saved(folder, frame)))
    return [[row.time.day, row.pm2p5] for row in daily.itertuples()], [[10, 20.0], [12, 22.0]]


def table(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Sampling Point Id": [f"SPO.{k}" for k in range(5)],
            "Air Quality Station EoI Code": [f"CZ{k}" for k in range(5)], "Air Pollutant": "PM2.5",
            "Latitude": [49.0, 49.2, 49.4, 49.6, 50.0], "Longitude": [14.0, 14.5, 15.0, 15.5, 16.0],
            "Altitude": 304.8, "Air Quality Station Type": "background", "Air Quality Station Area": "urban",
        }
    ).assign(**changes)  # fmt: skip


def of_entries(name: str, damaged: pd.DataFrame, left: int = 4) -> Entry:
    """The first of five entries is damaged; those that are left must be as they were."""

    def compare(folder: Path) -> tuple[Any, Any]:
        damaged.to_csv(folder / "DataExtract.csv", index=False)
        columns = ["latitude", "longitude", "altitude"]
        right = table()[["Latitude", "Longitude", "Altitude"]].to_numpy()[5 - left :]
        return read_metadata(folder / "DataExtract.csv")[columns].to_numpy(), right

    return Entry(group="EEA", name=name, compare=compare)


def two_places(folder: Path) -> tuple[Any, Any]:
    """A station whose points stand 22 km apart: a value at each place, none between."""
    table(**{"Air Quality Station EoI Code": "CZ0"}).iloc[:2].to_csv(folder / "DataExtract.csv", index=False)
    daily = pd.DataFrame(
        {"sampling_point": ["SPO.0", "SPO.1"], "time": NIGHT, "pm2p5": [10.0, 20.0], "hours": 24}
    )
    stations, observations = join_stations(daily, read_metadata(folder / "DataExtract.csv"))
    found = observations.merge(stations, on="station_id").sort_values("latitude")
    return found[["latitude", "pm2p5"]].to_numpy(), [[49.0, 10.0], [49.2, 20.0]]


def of_archive(
    name: str, damage: Callable[[pd.DataFrame], pd.DataFrame], called: str = "location-17-20220317.csv"
) -> Entry:
    """A day of Delhi whose value is the hour; what is left must be the values of its hours."""

    def compare(folder: Path) -> tuple[Any, Any]:
        end = pd.date_range("2022-03-17T01:00", periods=24, freq="h")
        frame = pd.DataFrame(
            {
                "location_id": 17, "sensors_id": 42, "location": "Delhi",
                "datetime": end.strftime("%Y-%m-%dT%H:%M:%S") + "+00:00", "lat": 28.56, "lon": 77.19,
                "parameter": "pm25", "units": "µg/m³", "value": np.arange(24.0),
            }
        )  # fmt: skip
        damage(frame).to_csv(folder / called, index=False)
        measured, _ = read_openaq(folder / called)
        return measured["pm2p5"].to_numpy(), measured["start"].dt.hour.to_numpy(float)

    return Entry(group="OpenAQ", name=name, compare=compare)


def first(column: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def write(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[0, column] = value
        return frame

    return write


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[:2].assign(value=70.0)], ignore_index=True)


def of_answer(name: str, document: Any) -> Entry:
    def compare(folder: Path) -> tuple[Any, Any]:
        (folder / "answer.json").write_text(document if isinstance(document, str) else json.dumps(document))
        return len(read_openaq(folder / "answer.json")[0]), -1

    return Entry(group="OpenAQ", name=name, compare=compare)


ENTRIES = [
    of_rows("a row over 48 hours", also(AggType="day", End=NIGHT + pd.Timedelta(days=2))),
    of_rows("a row over half an hour", also(End=pd.Timestamp("2022-01-11T19:30"))),
    of_rows("running means of 24 hours among the hours", also(End=pd.Timestamp("2022-01-12T19:00"))),
    of_rows(
        "nothing but running means of 24 hours", all_are(End=lambda f: f["Start"] + pd.Timedelta(hours=24))
    ),
    of_rows("a row in ppb", also(Unit="ppb")),
    of_rows("a row of another pollutant", also(Pollutant=5)),
    of_rows("a name that contradicts the code", all_are(AirPollutant="PM10")),
    of_rows("the up-to-date feed in place of the verified", all_are(Verification=3), up_to_date=False),
    of_rows("the verified feed in place of the up-to-date", all_are(Verification=1), up_to_date=True),
    of_rows("a full-scale code (985)", also(Value=985.0)),
    of_rows("a code for missing (9999)", also(Value=9999.0)),
    of_rows("a full-scale code in mg m-3", also(Value=0.985, Unit="mg.m-3")),
    of_rows("micrograms that call themselves milligrams", also(Value=12.0, Unit="mg.m-3")),
    of_rows("milligrams that call themselves micrograms", all_are(Value=0.012)),
    of_rows("a full scale without an offset (1000)", also(Value=1000.0)),
    of_rows("the largest whole number of two bytes in tenths (3276.7)", also(Value=3276.7)),
    of_rows("an infinite value", also(Value=np.inf)),
    of_rows("no value, marked valid", also(Value=np.nan)),
    of_rows("a validity that nobody knows", also(Validity=7)),
    of_rows("two values of one hour that contradict", contradictory),
    of_rows("the same hours twice", lambda f: pd.concat([f, f])),
    of_rows(
        "a leap second",
        lambda f: stamped("Z", -1)(also()(f)).replace("2022-01-11 18:00:00Z", "2022-01-11 18:00:60Z"),
    ),
    of_rows("stamps with the name of a zone", stamped(" CET", 0)),
    of_rows("stamps of GMT+1, which is UTC+1 or UTC-1", stamped(" GMT+1", 0)),
    of_rows("an offset of 60 minutes (+01:60)", stamped("+01:60", 0)),
    of_rows(
        "stamps with day before month", all_are(Start=lambda f: f["Start"].dt.strftime("%d/%m/%Y %H:%M"))
    ),
    Entry(group="EEA", name="reported days with an offset, one of 48 hours", compare=reported_days),
    of_text(
        "semicolons and decimal commas",
        lambda p, t: p.write_text(t.replace(",", ";").replace("12.0", "12,0")),
    ),
    of_text("Windows-1252", lambda p, t: p.write_bytes(t.encode("cp1252"))),
    of_text(
        "a file of OpenAQ", lambda p, t: p.write_text("location_id,datetime,parameter,value\n1,a,pm25,3\n")
    ),
    of_text(
        "a table of stations",
        lambda p, t: p.write_text("Air Quality Station EoI Code,Sampling Point Id\nA,B\n"),
    ),
    of_entries("an entry without a place", table(Latitude=[None, 49.2, 49.4, 49.6, 50.0])),
    of_entries(
        "an entry at 0 N 0 E",
        table(Latitude=[0, 49.2, 49.4, 49.6, 50.0], Longitude=[0, 14.5, 15, 15.5, 16.0]),
    ),
    of_entries(
        "latitude and longitude swapped",
        table(Latitude=[14.0, 49.2, 49.4, 49.6, 50.0], Longitude=[49.0, 14.5, 15, 15.5, 16.0]),
    ),
    of_entries("an instrument that moves", table(Mobile=[1, 0, 0, 0, 0])),
    of_entries("altitudes in feet", table(**{"Altitude": 1000.0, "Altitude Unit": "ft"}), left=5),
    Entry(group="EEA", name="points of one station 22 km apart", compare=two_places),
    of_archive("a full-scale code (985)", first("value", 985.0)),
    of_archive("a code for missing (9999)", first("value", 9999.0)),
    of_archive("a stamp without offset among others", first("datetime", "2022-03-17T01:00:00")),
    of_archive("a row in ppb among others", first("units", "ppb")),
    of_archive("a row without a place", first("lat", None)),
    of_archive("two values of one time that contradict", twice),
    of_archive("rows of another location than the name says", lambda f: f, "location-18-20220317.csv"),
    of_archive("rows of another day than the name says", lambda f: f, "location-17-20220501.csv"),
    of_archive("an instrument that moves", lambda f: f.assign(lat=28.0 + 0.05 * f.index)),
    of_answer("an answer of the interface", {"results": [{"value": 6, "period": {"label": "1hour"}}]}),
    of_answer("a list of places", {"results": [{"id": 7, "sensors": []}]}),
    of_answer("a server's message", {"detail": "Too many requests"}),
    of_answer("a web page", "<html><body>busy</body></html>"),
]
