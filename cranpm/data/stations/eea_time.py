"""Stamps of the EEA's files -> UTC.

The download service writes naive stamps that mean UTC+1 in every country and season ("Etc/GMT+1" is UTC-1 and would
move the wrong way), with one exception: Italy's *up-to-date* feed keeps local civil time, which is UTC+2 in summer and
has an hour twice in autumn. Stamps with an offset keep their own.

Reported days (filters that are weighed) are days of the reporting country, or run from filter change to filter change.
Each counts to the UTC day that holds most of it, see :func:`cranpm.data.stations.stamps.utc_day`: local midnight to
midnight keeps its date, with or without an offset.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from cranpm.data.errors import TimeAxisError
from cranpm.data.stations.account import FileRows
from cranpm.data.stations.stamps import read_stamps, utc_day, utc_hour

log = logging.getLogger(__name__)

CIVIL_TIME = {"IT": "Europe/Rome"}
"""Countries whose up-to-date feed has local civil time."""

_STAMPS_FROM_UTC = 1.0
"""Hours."""

_SHOW = ("sampling_point", "Start", "End", "AggType")


def place_in_time(rows: FileRows, *, up_to_date: bool) -> None:
    """Give rows their ``start``: begin of the UTC hour, or the UTC day; those that have no place are left out.

    Parameters
    ----------
    rows : FileRows
        With ``Samplingpoint, Start, End`` as the service names them, and ``averaging`` ("hour" or "day").
    up_to_date : bool
        Whether they come from the up-to-date feed (E2a).

    Raises
    ------
    TimeAxisError
        If no row has stamps that can be read, or an interval of a whole hour or day.
    """
    if rows.table.empty:
        rows.table["start"] = pd.Series(dtype="datetime64[us]")
        return
    for name in ("Start", "End"):
        stamps = read_stamps(rows.table[name])
        rows.table[f"{name} clock"], rows.table[f"{name} offset"] = stamps["clock"], stamps["offset"]
    readable = rows.table[["Start clock", "End clock"]].notna().all(axis=1)
    got = f"{rows.table['Start'].iloc[0]} to {rows.table['End'].iloc[0]}"
    rows.demand(
        readable, "values with stamps that cannot be read",
        TimeAxisError(f"{rows.name}: expected stamps such as 2023-01-05 00:00:00 +01:00, got {got}."), _SHOW,
    )  # fmt: skip
    civil = _to_utc(rows, up_to_date)
    _only_whole(rows, civil)
    is_day = rows.table["averaging"] == "day"
    begin, end = rows.table["begin"], rows.table["end"]
    rows.table["start"] = utc_hour(end).where(~is_day, utc_day(begin, end))
    rows.leave_out(rows.table["start"].isna(), "stamps could mean two hours", _SHOW)


def _to_utc(rows: FileRows, up_to_date: bool) -> pd.Series:
    """Put ``begin`` and ``end`` beside the stamps, UTC except for naive days; returns which rows are civil time."""
    table = rows.table
    offset = table["Start offset"].fillna(table["End offset"])
    is_hour = table["averaging"] == "hour"
    # a day without an offset stays as it is written: its middle is far from the ends of the day in any zone of Europe
    hours = pd.Series(np.where(is_hour, _STAMPS_FROM_UTC, 0.0), index=table.index)
    shift = offset.fillna(pd.to_timedelta(hours, unit="h"))
    table["begin"] = table["Start clock"] - shift
    table["end"] = table["End clock"] - table["End offset"].fillna(shift)
    civil = pd.Series(False, index=table.index)
    country = country_of(table["Samplingpoint"])
    for code, zone in CIVIL_TIME.items():
        chosen = is_hour & offset.isna() & (country == code)
        if not chosen.any():
            continue
        if not up_to_date:
            if (table.loc[chosen, "verification"] != 1).any():
                rows.account.could_not_check(
                    f"whether unverified hours of {code} among verified ones are UTC+1"
                )
            continue
        if _may_be_civil(rows, table.loc[chosen, "Start clock"], zone):
            civil |= chosen
            begin = _from_civil(table.loc[chosen, "Start clock"], table.loc[chosen, "Samplingpoint"], zone)
            table["begin"] = table["begin"].mask(chosen, begin.reindex(table.index))
            rows.notice(f"hours stamped in civil time of {zone}", int(chosen.sum()))
    return civil


def _only_whole(rows: FileRows, civil: pd.Series) -> None:
    table = rows.table
    # an hour of civil time ends, by its stamps, at its own stamp or two later when clocks change; its begin is known
    stamped = (table["End clock"] - table["Start clock"]).dt.total_seconds() / 3600
    table["end"] = table["end"].mask(civil & stamped.isin([0, 1, 2]), table["begin"] + pd.Timedelta(hours=1))
    hours = (table["end"] - table["begin"]).dt.total_seconds() / 3600
    is_hour = table["averaging"] == "hour"
    whole = table["Start clock"] == table["Start clock"].dt.floor("h")
    # a stamp that could mean two hours has no begin, and is counted as that
    fits = whole & np.where(is_hour, (hours == 1) | table["begin"].isna(), hours.between(23, 25))
    first = table.iloc[0]
    got = f"{first['Start']} to {first['End']} marked {first['AggType']!r}"
    refusal = TimeAxisError(f"{rows.name}: expected whole hours or days, got {got}.")
    rows.demand(fits, "values over other lengths than a whole hour or day", refusal, _SHOW)


def _may_be_civil(rows: FileRows, start: pd.Series, zone: str) -> bool:
    """False, with a warning, if a stamp lies in the hour that civil time leaves out in spring."""
    left_out = start.dt.tz_localize(zone, nonexistent="NaT", ambiguous=np.ones(len(start), bool)).isna()
    if left_out.any():
        stamp = start[left_out].iloc[0]
        log.warning(
            "%s: expected civil time (%s), but it has %s, an hour that does not exist there; read as UTC+1.",
            rows.name,
            zone,
            stamp,
        )
        rows.notice(
            f"hours that should be civil time of {zone} and are read as UTC+1", len(start), str(stamp)
        )
        return False
    return True


def _from_civil(start: pd.Series, point: pd.Series, zone: str) -> pd.Series:
    """Of the two hours of one stamp in autumn the first is summer time; one alone could be either and has no place."""
    frame = pd.DataFrame({"point": point.astype(str), "start": start})
    is_first = ~frame.duplicated(["point", "start"])
    utc = start.dt.tz_localize(zone, ambiguous=is_first.to_numpy(), nonexistent="NaT")
    alone = ~frame.duplicated(["point", "start"], keep=False)
    unclear = alone & start.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna()
    return utc.dt.tz_convert("UTC").dt.tz_localize(None).mask(unclear)


def country_of(point: pd.Series) -> pd.Series:
    """``IT/SPO.IT0508A_6001`` and ``SPO.IT0508A_6001`` are Italian."""
    found = point.astype(str).str.upper().str.extract(r"^(?:([A-Z]{2})/|SPO[._-]?([A-Z]{2}))")
    return found[0].fillna(found[1])
