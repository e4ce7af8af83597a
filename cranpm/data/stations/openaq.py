"""Measurements of OpenAQ, for stations beyond Europe -> the same frames as the EEA's.

Which layouts are read: `openaq_layouts`. Nobody here has seen a real file of the archive; a missing column is refused
by name.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cranpm.data.errors import DataFileError, NoPM25Error, NotThisProductError, TimeAxisError
from cranpm.data.stations.account import TWICE, FileRows, StationAccount
from cranpm.data.stations.openaq_layouts import read_openaq_table
from cranpm.data.stations.places import MOVED, eastward, leave_out_impossible_places
from cranpm.data.stations.stamps import read_stamps, utc_hour
from cranpm.data.stations.values import keep_possible, to_micrograms

_ARCHIVE_NAME = re.compile(r"^location-(\d+)-(\d{8})\.csv")
_NO_VERIFICATION = 1
"""OpenAQ has no such flag: what it passes on is taken as it is."""

_NOT_TOLD = (
    "whether an hour of OpenAQ is a mean of that hour, a running mean of 24 or an instant",
    "whether a stamp of OpenAQ ends its hour, as documented",
)


def read_openaq(
    path: str | Path, *, account: StationAccount | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements and sampling points of one file of the archive, the explorer's export or the older interfaces.

    A stamp ends its interval: the archive counts the one at midnight to the day before. Values of
    parts of an hour are averaged; where local hours begin at half past, an hour counts to the UTC hour that it ends in.
    Low-cost sensors and instruments that move are left out where the file tells them.

    Parameters
    ----------
    account : StationAccount, optional
        Where to count what is left out; without it the log tells.

    Returns
    -------
    measurements : DataFrame
        ``sampling_point, start`` (UTC, naive), ``averaging`` ("hour"), ``pm2p5`` [ug m-3], ``verification`` as
        :func:`cranpm.data.stations.eea.read_measurements`.
    points : DataFrame
        ``sampling_point, station_id, name, country, latitude, longitude, altitude, station_type, area, since``, a row
        for each place of a point; what OpenAQ does not tell is missing.

    Raises
    ------
    NotThisProductError
        If it is another layout, or nothing is PM2.5.
    DataFileError, TimeAxisError, UnitsError
        If the file is damaged, or no row has a stamp with an offset, a place, or units of a mass concentration.
    """
    path = Path(path)
    rows = FileRows(read_openaq_table(path, account), path.name, account)
    _only_pm25(rows)
    rows.account.looked_at("rows", len(rows.table))
    for what in _NOT_TOLD:
        rows.account.could_not_check(what)
    _identify(rows)
    _only_fixed_monitors(rows)
    _in_time(rows)
    _at_a_place(rows)
    to_micrograms(rows, "value", "unit", ("sampling_point", "datetime", "unit"))
    keep_possible(rows, "OpenAQ")
    _without_doubles(rows)
    rows.tell()
    keys = ["sampling_point", "start", "averaging"]
    hourly = rows.table.groupby(keys, as_index=False).agg(pm2p5=("pm2p5", "mean"))
    return hourly.assign(verification=_NO_VERIFICATION), _points(rows.table)


def _only_pm25(rows: FileRows) -> None:
    parameter = rows.table["parameter"].astype("string").str.strip().str.lower().str.replace(".", "")
    kinds = ", ".join(sorted(parameter.dropna().unique())[:5]) or "no row"
    if not (parameter == "pm25").any():
        raise NoPM25Error(f"{rows.name} holds no pm25, but {kinds}.")
    rows.leave_out(parameter.isna(), "rows without a parameter", ("datetime", "value"))
    parameter = parameter.dropna().reset_index(drop=True)
    # a file of a place has all that is measured there
    rows.table = rows.table[(parameter == "pm25").to_numpy(bool)].reset_index(drop=True)


def _identify(rows: FileRows) -> None:
    table = rows.table
    location, sensor = _text_id(table["location_id"]), _text_id(table["sensor_id"])
    table["station_id"] = "OPENAQ." + location
    table["sampling_point"] = ("OPENAQ." + sensor).fillna("OPENAQ.location-" + location)
    rows.leave_out(table["station_id"].isna(), "rows without a location", ("datetime", "value"))
    named = _ARCHIVE_NAME.match(rows.name)
    if named:
        refusal = NotThisProductError(
            f"{rows.name}: expected location {named[1]}, as the file's name has it, got "
            f"{', '.join(location.dropna().unique()[:3])}. Download it again."
        )
        rows.demand(rows.table["station_id"] == f"OPENAQ.{named[1]}", "rows of another location than the file's name",
                    refusal, ("station_id", "datetime"))  # fmt: skip


def _text_id(column: pd.Series) -> pd.Series:
    """``17``, ``17.0`` (a column with gaps) and ``"17"`` are the same id."""
    return column.astype("string").str.strip().str.replace(r"\.0$", "", regex=True)


def _only_fixed_monitors(rows: FileRows) -> None:
    def says(column: str, word: str) -> pd.Series:
        return (rows.table[column].astype("string").str.strip().str.lower() == word).fillna(False)

    rows.leave_out(says("is_mobile", "true"), "rows of instruments that move", ("sampling_point",))
    rows.leave_out(says("is_monitor", "false"), "rows of low-cost sensors", ("sampling_point",))
    if rows.table["is_monitor"].isna().any():
        rows.account.could_not_check(
            "whether files of OpenAQ are of reference monitors (where a file tells not)"
        )


def _in_time(rows: FileRows) -> None:
    stamps = read_stamps(rows.table["datetime"])
    got = "nothing" if rows.table.empty else repr(str(rows.table["datetime"].iloc[0]))
    rows.table["end"] = stamps["clock"] - stamps["offset"]
    rows.demand(
        rows.table["end"].notna(), "values with stamps that cannot be read or have no offset",
        TimeAxisError(f"{rows.name}: expected stamps with their offset, got {got}."), ("sampling_point", "datetime"),
    )  # fmt: skip
    utc = read_stamps(rows.table["utc"])
    also = utc["clock"] - utc["offset"].fillna(pd.Timedelta(0))
    rows.leave_out(
        also.notna() & (also != rows.table["end"]), "values whose local and UTC stamps contradict",
        ("sampling_point", "datetime", "utc"),
    )  # fmt: skip
    _is_the_day_of_its_name(rows)
    rows.demand(
        ~(rows.table["averaging_hours"] > 1), "values over other lengths than a whole hour",
        TimeAxisError(f"{rows.name}: expected hours, got averages of {rows.table['averaging_hours'].max():g} hours."),
        ("sampling_point", "datetime", "averaging_hours"),
    )  # fmt: skip
    rows.table["start"] = utc_hour(rows.table["end"])
    rows.table["averaging"] = "hour"


def _is_the_day_of_its_name(rows: FileRows) -> None:
    named = _ARCHIVE_NAME.match(rows.name)
    if not named or rows.table.empty:
        return
    try:
        day = datetime.datetime.strptime(named[2], "%Y%m%d")
    except ValueError:
        return  # eight digits that are no date tell nothing
    # offsets of the stamps may be those of another zone than the archive's days are counted in
    near = (rows.table["end"] - day).between(pd.Timedelta(days=-1), pd.Timedelta(days=2))
    if not near.any():
        msg = f"{rows.name}: expected {day:%Y-%m-%d}, as the file's name has it, got {rows.table['datetime'].iloc[0]}."
        raise NotThisProductError(f"{msg} Download it again.")


def _at_a_place(rows: FileRows) -> None:
    anything, before = rows.table.head(1), len(rows.table)
    leave_out_impossible_places(rows, "rows")
    if before and rows.table.empty:
        where = f"{anything['latitude'].iloc[0]} N {anything['longitude'].iloc[0]} E"
        msg = f"{rows.name}: {anything['station_id'].iloc[0]} lies at an impossible place, {where}."
        raise DataFileError(msg)
    day = rows.table["start"].dt.floor("D")
    first = rows.table.groupby("sampling_point")["longitude"].transform("first")
    place = rows.table[["sampling_point", "latitude"]].assign(
        longitude=eastward(rows.table["longitude"], first)
    )
    grouped = place.groupby(["sampling_point", day])[["latitude", "longitude"]]
    span = grouped.transform("max") - grouped.transform("min")
    rows.leave_out(
        (span > MOVED).any(axis=1), "rows of instruments that move", ("sampling_point", "datetime")
    )


def _without_doubles(rows: FileRows) -> None:
    keys = ["sampling_point", "end"]
    rows.leave_out(rows.table.duplicated([*keys, "pm2p5"]), TWICE)
    rows.leave_out(
        rows.table.duplicated(keys, keep=False), "values that contradict another of the same time",
        ("sampling_point", "datetime", "pm2p5"),
    )  # fmt: skip


def _points(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each place that a sampling point had in the file."""
    first = table.sort_values("end", kind="stable").drop_duplicates(
        ["sampling_point", "latitude", "longitude"]
    )
    described = pd.DataFrame(
        {
            "sampling_point": first["sampling_point"],
            "station_id": first["station_id"],
            "name": first["location"].astype("string"),
            "country": first["country"].astype("string").fillna(""),
            "latitude": first["latitude"],
            "longitude": first["longitude"],
            "altitude": float("nan"),
            "station_type": None,
            "area": None,
            "since": first["start"],
        }
    )
    return described.reset_index(drop=True)


def read_openaq_files(
    paths: Iterable[Path], *, account: StationAccount | None = None
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """All files together; those that cannot be used are left out by name, None if nothing remains.

    Returns
    -------
    measurements, points : DataFrame
        As `read_openaq`; of each place of a point, the earliest ``since``.
    """
    account = StationAccount() if account is None else account
    measured, described = [], []
    for path in paths:
        account.looked_at("files")
        try:
            frame, points = read_openaq(path, account=account)
        except DataFileError as error:
            account.leave_out_file(path.name, error)
            continue
        measured.append(frame)
        described.append(points)
    if not measured:
        return None
    points = pd.concat(described).sort_values("since", kind="stable")
    points = points.drop_duplicates(["sampling_point", "latitude", "longitude"])
    return pd.concat(measured, ignore_index=True), points.reset_index(drop=True)
