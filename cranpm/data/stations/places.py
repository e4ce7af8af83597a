"""Where stations stand: impossible places, moves, and the tables of a dataset, each value at the place of its time."""

from __future__ import annotations

import logging
from typing import TypeVar

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError
from cranpm.data.stations.account import FileRows, StationAccount

log = logging.getLogger(__name__)

MOVED = 0.01
"""Degrees between two entries of one station that are a move and not a rounding (1 km)."""

_Degrees = TypeVar("_Degrees", float, np.ndarray, pd.Series)

_PER_STATION = ("name", "country", "latitude", "longitude", "altitude", "station_type", "area")
_OTHER_PLACE = "(other place)"


def eastward(longitude: _Degrees, start: _Degrees) -> _Degrees:
    """Degrees east of a start, -180 to 180: 179.999 and -179.999 are neighbours.

    Examples
    --------
    >>> round(eastward(-179.999, 179.999), 3)
    0.002
    """
    return (longitude - start + 180.0) % 360.0 - 180.0


def leave_out_impossible_places(rows: FileRows, what: str = "entries") -> None:
    """Rows whose ``latitude`` and ``longitude`` are no place on Earth; the columns become numbers."""
    for axis in ("latitude", "longitude"):
        rows.table[axis] = pd.to_numeric(rows.table[axis], errors="coerce").astype("float64")
    lat, lon = rows.table["latitude"], rows.table["longitude"]
    # (0, 0) lies in the Gulf of Guinea, and is what an empty field becomes
    rows.leave_out(
        lat.isna() | lon.isna() | ((lat == 0) & (lon == 0)), f"{what} without a place", ("sampling_point",)
    )
    lat, lon = rows.table["latitude"], rows.table["longitude"]
    rows.leave_out(
        (lat.abs() > 90) | (lon.abs() > 180) | np.isinf(lat) | np.isinf(lon), f"{what} at an impossible place",
        ("sampling_point", "latitude", "longitude"),
    )  # fmt: skip


def join_stations(
    daily: pd.DataFrame, metadata: pd.DataFrame, *, account: StationAccount | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The station table and the observation table of a dataset, sampling points of one station averaged.

    Parameters
    ----------
    daily : DataFrame
        From :func:`cranpm.data.stations.daily_means.daily_means`.
    metadata : DataFrame
        From :func:`cranpm.data.stations.eea_stations.read_metadata` or the points of
        :func:`cranpm.data.stations.openaq.read_openaq`; several rows of a sampling point are its places, each from
        ``since`` on.
    account : StationAccount, optional
        Where to count points that are left out and stations that stand at several places.

    Returns
    -------
    stations : DataFrame
        ``station_id, name, country, latitude, longitude, altitude, station_type, area, terrain_complexity`` (NaN until
        the terrain is known). A station that moved, or whose points stand more than 1 km apart, has a row for each
        place, never one between them: the place that was measured at last keeps the id, others are ``ID@LAT_LON``.
    observations : DataFrame
        ``station_id, time, pm2p5``.

    Raises
    ------
    DataFileError
        If no sampling point is in the metadata.
    """
    account = StationAccount() if account is None else account
    joined = _at_the_place_of_the_day(daily, metadata)
    unknown = sorted(joined.loc[joined["station_id"].isna(), "sampling_point"].unique())
    joined = joined[joined["station_id"].notna()]
    if joined.empty:
        example = unknown[0] if unknown else "none"
        msg = (
            f"None of the {len(unknown)} sampling points (such as {example}) is in the station table. Download the "
            "current table (DataExtract.csv) and check that both name points alike."
        )
        raise DataFileError(msg)
    if unknown:
        log.warning(
            "%d sampling points are not in the station table and are left out: %s ...",
            len(unknown),
            unknown[0],
        )
        account.leave_out(
            "stations", "sampling points that are not in the station table", len(unknown), unknown[0]
        )
    joined = _one_id_a_place(joined, account)
    observations = joined.groupby(["station_id", "time"], as_index=False).agg(pm2p5=("pm2p5", "mean"))
    stations = joined.drop_duplicates("station_id", keep="last").sort_values("station_id")
    table = stations[["station_id", *_PER_STATION]].reset_index(drop=True)
    return table.assign(terrain_complexity=np.nan), observations


def _at_the_place_of_the_day(daily: pd.DataFrame, metadata: pd.DataFrame) -> pd.DataFrame:
    """Daily means with what is known of their sampling point: the latest place that it had by then, else its first."""
    if "since" not in metadata:
        metadata = metadata.assign(since=pd.Series(pd.NaT, index=metadata.index))
    metadata = metadata.reset_index(drop=True).rename_axis("entry").reset_index()
    several = set(metadata.loc[metadata["sampling_point"].duplicated(), "sampling_point"])
    once = daily.merge(
        metadata[~metadata["sampling_point"].isin(several)], on="sampling_point", how="left", validate="many_to_one"
    )  # fmt: skip
    if not several:
        return once
    once = once[~once["sampling_point"].isin(several)]
    moved = daily.merge(metadata[metadata["sampling_point"].isin(several)], on="sampling_point")
    since = pd.to_datetime(moved["since"])
    began = since.isna() | (since.dt.normalize() <= moved["time"])
    seconds = since.fillna(pd.Timestamp(1900, 1, 1)).astype("datetime64[s]").astype("int64")
    moved = moved.assign(began=began, order=np.where(began, seconds, -seconds))
    moved = moved.sort_values(["sampling_point", "time", "began", "order", "entry"], kind="stable")
    chosen = moved.drop_duplicates(["sampling_point", "time"], keep="last").drop(columns=["began", "order"])
    return pd.concat([part for part in (once, chosen) if len(part)], ignore_index=True)


def _one_id_a_place(joined: pd.DataFrame, account: StationAccount) -> pd.DataFrame:
    """Rows in order of time, with ids of their own for places that are not the station's last."""
    joined = joined.sort_values(["time", "since", "entry"], kind="stable", na_position="first")
    places = joined.drop_duplicates(["station_id", "latitude", "longitude"], keep="last")
    places = places[places["station_id"].duplicated(keep=False)]
    new_ids: dict[tuple[str, float, float], tuple[str, str]] = {}
    for station, group in places.groupby("station_id"):
        spots: list[tuple[float, float, str]] = []
        for lat, lon in group[["latitude", "longitude"]].to_numpy(float)[::-1]:  # the last first
            near = next(
                (s for s in spots if abs(s[0] - lat) <= MOVED and abs(eastward(lon, s[1])) <= MOVED), None
            )
            if near is None:
                name = f"{station}@{lat:.3f}_{lon:.3f}" if spots else str(station)
                spots.append((lat, lon, name))
                near = spots[-1]
            if near[2] != station:
                new_ids[str(station), lat, lon] = (near[2], _OTHER_PLACE)
        if len(spots) > 1:
            account.notice(
                "stations that stand at several places, each with an id of its own", 1,
                f"{station}: " + ", ".join(f"{a:.4f} N {b:.4f} E" for a, b, _ in spots),
            )  # fmt: skip
    if not new_ids:
        return joined
    log.warning("%d places of stations that moved have ids of their own (ID@LAT_LON).", len(new_ids))
    keys = list(zip(joined["station_id"].astype(str), joined["latitude"], joined["longitude"], strict=True))
    found = [new_ids.get(key) for key in keys]
    return joined.assign(
        station_id=[key[0] if new is None else new[0] for key, new in zip(keys, found, strict=True)],
        name=[
            name if new is None else f"{name} {new[1]}"
            for name, new in zip(joined["name"], found, strict=True)
        ],
    )
