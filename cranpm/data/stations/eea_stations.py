"""The EEA's station table: where each sampling point stands, and since when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import sniff
from cranpm.data.stations.account import FileRows, StationAccount
from cranpm.data.stations.eea import point_id
from cranpm.data.stations.places import MOVED, eastward, leave_out_impossible_places
from cranpm.data.stations.text_tables import read_text_table, require_columns

_METADATA = {
    "sampling_point": ("Sampling Point Id", "SamplingPointId"),
    "station_id": ("Air Quality Station EoI Code", "AirQualityStationEoICode"),
    "name": ("Air Quality Station Name", "AirQualityStationName"),
    "pollutant": ("Air Pollutant", "AirPollutant"),
    "latitude": ("Latitude",),
    "longitude": ("Longitude",),
    "altitude": ("Altitude",),
    "altitude_unit": ("Altitude Unit", "AltitudeUnit"),
    "station_type": ("Air Quality Station Type", "AirQualityStationType"),
    "area": ("Air Quality Station Area", "AirQualityStationArea"),
    "mobile": ("Mobile",),
    "operating_since": ("Operational Activity Begin", "OperationalActivityBegin"),
    "measuring_since": ("Process Activity Begin", "ProcessActivityBegin"),
}
_OPTIONAL = ("name", "altitude_unit", "mobile", "operating_since", "measuring_since")
_ORDER = [
    "sampling_point", "station_id", "name", "country", "latitude", "longitude", "altitude", "station_type", "area",
    "since",
]  # fmt: skip
_ROOM = 2.0
"""Degrees beyond the quartiles of a country's stations that are in it still, or 1.5 times their distance."""

_ENOUGH = 4
"""Stations that tell where a country is."""

_FEET = 0.3048


def read_metadata(path: str | Path, *, account: StationAccount | None = None) -> pd.DataFrame:
    """PM2.5 sampling points of the EEA's station table (``DataExtract.csv`` or an extract of it).

    Parameters
    ----------
    account : StationAccount, optional
        Where to count what is left out; without it the log tells.

    Returns
    -------
    DataFrame
        ``sampling_point, station_id, name, country, latitude, longitude, altitude, station_type, area, since``. One row
        a sampling point; one more for each place that it had before, if the table dates them all (``since``, NaT where
        it does not), otherwise the last place only. ``country`` is the code that a station's id begins with.

    Raises
    ------
    NotThisProductError
        If columns are missing or no row is PM2.5.
    DataFileError
        If no sampling point has a place.
    """
    path = Path(path)
    if sniff(path) not in ("text", "gzip"):
        raise NotThisProductError(f"{path.name}: expected the EEA's station table as CSV.")
    raw = read_text_table(path, account)
    columns = {
        house: next((c for c in known if c in raw.columns), known[0]) for house, known in _METADATA.items()
    }
    needed = [column for house, column in columns.items() if house not in _OPTIONAL]
    require_columns(raw, needed, "the EEA's station table", path.name)
    table = pd.DataFrame({house: raw.get(column) for house, column in columns.items()}, index=raw.index)
    table = table[table.pop("pollutant").astype("string").str.strip() == "PM2.5"]
    if table.empty:
        raise NotThisProductError(f"{path.name} has no sampling point of PM2.5.")
    table["sampling_point"] = point_id(table["sampling_point"])
    table["station_id"] = table["station_id"].astype("string").str.strip().str.upper()
    table["country"] = table["station_id"].str[:2]
    rows = FileRows(table, path.name, account)
    rows.leave_out(
        rows.table[["sampling_point", "station_id"]].isna().any(axis=1), "entries without an id", ("name",)
    )
    rows.leave_out(
        pd.to_numeric(rows.table["mobile"], errors="coerce") == 1, "entries of instruments that move",
        ("sampling_point",),
    )  # fmt: skip
    leave_out_impossible_places(rows)
    _without_swapped(rows)
    if rows.table.empty:
        raise DataFileError(f"{path.name}: no sampling point of PM2.5 stands at a possible place.")
    _describe(rows)
    _one_row_a_place(rows)
    rows.tell()
    return rows.table[_ORDER].reset_index(drop=True)


def _describe(rows: FileRows) -> None:
    table = rows.table
    altitude = pd.to_numeric(table["altitude"], errors="coerce").astype("float64")
    unit = table["altitude_unit"].astype("string").str.strip().str.lower()
    feet = unit.isin(["ft", "feet", "foot"]).to_numpy()
    known = (unit.isna() | unit.isin(["m", "metre", "meter"])).to_numpy()
    table["altitude"] = np.where(feet, altitude * _FEET, np.where(known, altitude, np.nan))
    rows.notice("altitudes converted from feet", int(feet.sum()))
    rows.notice("altitudes in a unit that is not known, taken as missing", int((~feet & ~known).sum()))
    # "rural-regional" and "rural-nearcity" are rural
    table["area"] = table["area"].astype("string").str.replace(r"^rural-.*", "rural", regex=True)
    table["name"] = table["name"].fillna(table["station_id"])
    measuring, operating = (
        pd.to_datetime(table[c].astype("string"), format="%d/%m/%Y %H:%M:%S", errors="coerce")
        for c in ("measuring_since", "operating_since")
    )
    table["since"] = measuring.fillna(operating)


def _without_swapped(rows: FileRows) -> None:
    """Stations that would stand in their country if latitude and longitude changed places."""
    table = rows.table
    places, country = table[["latitude", "longitude"]], table["country"]
    low, high = (places.groupby(country).transform("quantile", q) for q in (0.25, 0.75))
    room = (1.5 * (high - low)).clip(lower=_ROOM)

    def in_country(where: pd.DataFrame) -> pd.Series:
        return ((where >= low - room) & (where <= high + room)).all(axis=1)

    swapped = places[["longitude", "latitude"]].set_axis(places.columns, axis=1)
    known = table.groupby("country")["station_id"].transform("nunique") >= _ENOUGH
    rows.leave_out(
        known & ~in_country(places) & in_country(swapped),
        "entries whose latitude and longitude seem swapped", ("sampling_point", "latitude", "longitude"),
    )  # fmt: skip


def _one_row_a_place(rows: FileRows) -> None:
    """Of entries at one place the last; of several places all, if the table tells since when, else the last."""
    table = rows.table.reset_index(drop=True)
    order = table.sort_values("since", kind="stable", na_position="first")
    # a place is new where it differs from the entry before it in time
    before = order.groupby("sampling_point", sort=False)[["latitude", "longitude"]].shift()
    step = pd.DataFrame(
        {
            "latitude": (order["latitude"] - before["latitude"]).abs(),
            "longitude": eastward(order["longitude"], before["longitude"]).abs(),
        }
    )
    place = (step > MOVED).any(axis=1).groupby(order["sampling_point"]).cumsum()
    last = order[~pd.DataFrame({"p": order["sampling_point"], "n": place}).duplicated(keep="last")].copy()
    last["since"] = order.groupby([order["sampling_point"], place])["since"].transform("min").loc[last.index]
    several = last["sampling_point"].duplicated(keep=False)
    undated = last["since"].isna().groupby(last["sampling_point"]).transform("any")
    moved = last.loc[several, "sampling_point"].unique()
    rows.notice(
        "sampling points that stand at several places", len(moved), str(moved[0]) if len(moved) else ""
    )
    keep = ~(several & undated) | ~last["sampling_point"].duplicated(keep="last")
    dropped = last.loc[~keep, "sampling_point"].unique()
    rows.notice(
        "sampling points of which the table does not tell when they moved, put at their last place", len(dropped),
        str(dropped[0]) if len(dropped) else "",
    )  # fmt: skip
    rows.table = last[keep].sort_index().reset_index(drop=True)
