"""Corruptions of station files and of finished datasets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mini_dataset as mini
import numpy as np
import pandas as pd
from corrupt_inputs import Entry

from cranpm.data.audit.stations import check_station_tables
from cranpm.data.errors import StoreError
from cranpm.data.stations.daily_means import daily_means
from cranpm.data.stations.eea import read_measurements
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day

DAYS = ("2022-01-10", "2022-01-11")


def measured(hours: int = 24) -> pd.DataFrame:
    """Hours 0, 1, 2, ... in UTC+1, the EEA's columns."""
    begin = pd.date_range("2022-01-10T01:00", periods=hours, freq="h")
    return pd.DataFrame(
        {
            "Samplingpoint": "SPO.A", "Pollutant": 6001, "Start": begin, "End": begin + pd.Timedelta(hours=1),
            "Value": 5.0 + np.arange(hours), "Unit": "ug.m-3", "AggType": "hour", "Validity": 1, "Verification": 1,
        }
    )  # fmt: skip


def of_station(
    name: str, damage: Callable[[pd.DataFrame], pd.DataFrame], bom: bool = False, **csv: Any
) -> Entry:
    def read(path: Path) -> np.ndarray:
        return daily_means(read_measurements(path))["pm2p5"].to_numpy()

    def compare(folder: Path) -> tuple[Any, Any]:
        measured().to_csv(folder / "right.csv", index=False)
        damage(measured()).to_csv(
            folder / "wrong.csv", index=False, encoding="utf-8-sig" if bom else "utf-8", **csv
        )
        return read(folder / "wrong.csv"), read(folder / "right.csv")

    return Entry(group="EEA", name=name, compare=compare)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Sampling Point Id": ["SPO.A", "SPO.B"], "Air Quality Station EoI Code": ["XX1", "XX2"],
            "Air Pollutant": "PM2.5", "Latitude": [45.0, 45.5], "Longitude": [9.0, 9.5], "Altitude": [120.0, 130.0],
            "Air Quality Station Type": "background", "Air Quality Station Area": "urban",
        }
    )  # fmt: skip


def of_table(name: str, damage: Callable[[pd.DataFrame], pd.DataFrame], left: slice = slice(None)) -> Entry:
    """``left`` are the rows of the table that must remain."""

    def compare(folder: Path) -> tuple[Any, Any]:
        table().to_csv(folder / "right.csv", index=False)
        damage(table()).to_csv(folder / "wrong.csv", index=False)
        places = ["latitude", "longitude"]
        got, right = (read_metadata(folder / f"{kind}.csv") for kind in ("wrong", "right"))
        return got.sort_values("sampling_point")[places].to_numpy(), right[places].to_numpy()[left]

    return Entry(group="EEA", name=name, compare=compare)


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.assign(Latitude=frame["Latitude"] + 0.4), frame])


def change(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**columns)


def with_codes(frame: pd.DataFrame) -> pd.DataFrame:
    extra = frame.iloc[:1].assign(Value=-5009.0)
    extra["Start"] = extra["Start"] + pd.Timedelta(hours=30)
    extra["End"] = extra["End"] + pd.Timedelta(hours=30)
    return pd.concat([frame, extra])


def other_averages(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[:3].assign(AggType="var")])


def doubled(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[:3].assign(Value=99.0, Verification=3)])


# ---- datasets ----


def of_dataset(name: str, damage: Callable[[Path], None], read: Callable[[Path], Any] | None = None) -> Entry:
    def compare(folder: Path) -> tuple[Any, Any]:
        root = folder / "set"
        with mini.create(root) as writer:
            for day in DAYS:
                writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
            writer.write_static(**mini.static())
        damage(root)
        if read is not None:
            return read(root), 0
        dataset = Dataset.open(root)
        return dataset.pm2p5_raw(DAYS[0]), mini.tenths(DAYS[0])

    return Entry(group="dataset", name=name, compare=compare)


def shard(root: Path) -> Path:
    return root / "pm2p5.zarr" / "pm2p5" / "c" / "0" / "0" / "0"


def flip(root: Path) -> None:
    content = bytearray(shard(root).read_bytes())
    content[len(content) // 2] ^= 1
    shard(root).write_bytes(content)


def cut(root: Path) -> None:
    shard(root).write_bytes(shard(root).read_bytes()[:-100])


def list_more(root: Path) -> None:
    (root / "days.json").write_text(json.dumps({"days": [*DAYS, "2022-01-12"]}))


def of_day(name: str, **fields: Callable[[np.ndarray], np.ndarray]) -> Entry:
    """A day that is wrong is offered to the writer."""

    def read(root: Path) -> Any:
        made = mini.fields("2022-01-12")
        with DatasetWriter.open(root) as writer:
            writer.append_encoded(
                encode_day(
                    writer.domain,
                    "2022-01-12",
                    **{**made, **{k: f(made[k].astype(float)) for k, f in fields.items()}},
                )
            )
        return 1

    return of_dataset(name, lambda root: None, read)


def again(root: Path) -> Any:
    other = mini.fields("2022-01-15")
    with DatasetWriter.open(root) as writer:
        writer.append_encoded(encode_day(writer.domain, DAYS[0], **other))
    return (Dataset.open(root).pm2p5_raw(DAYS[0]) != mini.tenths(DAYS[0])).sum()


def two_writers(root: Path) -> Any:
    with DatasetWriter.open(root), DatasetWriter.open(root):
        return 1


def twins(root: Path) -> Any:
    """The audit names stations that stand at one place; its finding is the refusal."""
    stations = pd.DataFrame(
        {
            "station_id": ["A", "B"], "name": ["a", "b"], "country": "XX", "latitude": 45.0, "longitude": 9.0,
            "altitude": 100.0, "station_type": "background", "area": "urban", "terrain_complexity": 1.0,
        }
    )  # fmt: skip
    times = pd.to_datetime([DAYS[0], DAYS[0]])
    observations = pd.DataFrame({"station_id": ["A", "B"], "time": times, "pm2p5": [10.0, 10.0]})
    with DatasetWriter.open(root) as writer:
        writer.write_stations(stations, observations)
    for finding in check_station_tables(Dataset.open(root)):
        if finding.level != "ok" and "one place" in finding.what:
            raise StoreError(f"{finding.what}: {finding.found}")
    return 1


def corner(array: np.ndarray, value: float) -> np.ndarray:
    array[..., 60, 60] = value if array.shape[-1] > 100 else array[..., 60, 60]
    return array


def first_layer(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def apply(array: np.ndarray) -> np.ndarray:
        array[0] = value
        return array

    return apply


def as_micrograms(array: np.ndarray) -> np.ndarray:
    tenths = np.where(array == 65535, np.nan, array / 10)
    return corner(tenths, np.nan)


ENTRIES = [
    of_station("codes such as -5009 marked valid", with_codes),
    of_station(
        "decimal commas", change(Value=lambda f: f["Value"].map(lambda v: f"{v:.1f}".replace(".", ",")))
    ),
    of_station("a byte-order mark", lambda f: f, bom=True),
    of_station("another pollutant", change(Pollutant=5)),
    of_station("mg m-3", change(Value=lambda f: f["Value"] / 1000, Unit="mg.m-3")),
    of_station("units nobody knows", change(Unit="ppb")),
    of_station("hours that are no whole hours", change(Start=lambda f: f["Start"] + pd.Timedelta(minutes=7))),
    of_station("averages over other periods among the hours", other_averages),
    of_station("hours twice, unverified and verified", doubled),
    of_station("other columns", lambda f: f.rename(columns={"Value": "Concentration in air"})),
    of_table("a station that moved", moved),
    of_table("an impossible place", change(Latitude=[45.0, 145.0]), slice(1)),
    of_table("no PM2.5", change(**{"Air Pollutant": "NO2"})),
    of_table("a place in words", change(Longitude=["nine", "9.5"]), slice(1, 2)),
    of_dataset("a file that is gone", lambda root: shard(root).unlink()),
    of_dataset("an empty file", lambda root: shard(root).write_bytes(b"")),
    of_dataset("a flipped bit", flip),
    of_dataset("a file that is cut off", cut),
    of_dataset("a day on the list that is in no file", list_more),
    of_dataset("half a dataset", lambda root: (root / "days.json").unlink()),
    of_dataset("a list of days that is no JSON", lambda root: (root / "days.json").write_text("{")),
    of_dataset("a day offered twice, the second time with other values", lambda root: None, again),
    of_dataset("two writers at once", lambda root: None, two_writers),
    of_dataset("two stations at one place (audit)", lambda root: None, twins),
    of_day("a map of zeros", pm2p5=lambda a: as_micrograms(a) * 0),
    of_day("a map without a value", pm2p5=lambda a: a * np.nan),
    of_day("infinite PM2.5", pm2p5=lambda a: corner(as_micrograms(a), np.inf)),
    of_day("negative PM2.5", pm2p5=lambda a: corner(as_micrograms(a), -3.0)),
    of_day("a map of another size", pm2p5=lambda a: as_micrograms(a)[:-1]),
    of_day("a weather channel without a value", era5=first_layer(np.nan)),
    of_day("wind of 1000 m/s", era5=first_layer(1000.0)),
    of_day("negative concentrations", cams=first_layer(-1.0)),
]
