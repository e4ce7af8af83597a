"""Stamps of the EEA's files -> UTC.

The download service writes naive stamps that mean UTC+1 in every country and season ("Etc/GMT+1" is UTC-1 and would
move the wrong way), with one exception: Italy's *up-to-date* feed keeps local civil time, which is UTC+2 in summer and
has an hour twice in autumn. Stamps with an offset keep their own; daily values keep their date.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from cranpm.data.errors import TimeAxisError

log = logging.getLogger(__name__)

CIVIL_TIME = {"IT": "Europe/Rome"}
"""Countries whose up-to-date feed has local civil time."""

_STAMPS_FROM_UTC = pd.Timedelta(hours=1)


def utc_start(table: pd.DataFrame, name: str, *, up_to_date: bool = False) -> pd.Series:
    """Begin of each interval in UTC, naive; days keep their date; NaT where a stamp could mean two hours.

    Parameters
    ----------
    table : DataFrame
        ``Samplingpoint, Start, End, AggType`` as the service names them.
    up_to_date : bool
        Whether it comes from the up-to-date feed (E2a).

    Raises
    ------
    TimeAxisError
        If stamps are not whole hours or days.
    """
    start, end = (_parse(table[column]) for column in ("Start", "End"))
    is_hour = table["AggType"].astype(str) == "hour"
    has_offset = table["Start"].astype(str).str.contains(r"[+-]\d{2}:\d{2}$", regex=True)
    country = _country(table["Samplingpoint"])
    out = start.where(has_offset | ~is_hour, start - _STAMPS_FROM_UTC)
    civil = pd.Series(False, index=table.index)
    for code, zone in CIVIL_TIME.items() if up_to_date else ():
        chosen = is_hour & ~has_offset & (country == code)
        if chosen.any() and _may_be_civil(start[chosen], zone, name):
            civil |= chosen
            out[chosen] = _from_civil(start[chosen], table.loc[chosen, "Samplingpoint"], zone, name)
    _refuse_other_lengths(table, start, end, is_hour, civil, name)
    return out.where(is_hour, start.dt.normalize())


def _refuse_other_lengths(
    table: pd.DataFrame, start: pd.Series, end: pd.Series, is_hour: pd.Series, civil: pd.Series, name: str
) -> None:
    hours = (end - start).dt.total_seconds() / 3600
    # local days last 23 or 25 hours twice a year, and an hour of civil time then ends at its own stamp or two later
    fits = np.where(is_hour, (hours == 1) | (civil & hours.isin([0, 2])), hours.between(23, 25))
    wrong = (start != start.dt.floor("h")) | ~fits
    if wrong.any():
        first = table[wrong].iloc[0]
        got = f"{first['Start']} to {first['End']} marked {first['AggType']!r}"
        raise TimeAxisError(f"{name}: expected whole hours or days, got {got}.")


def _may_be_civil(start: pd.Series, zone: str, name: str) -> bool:
    """False, with a warning, if a stamp lies in the hour that civil time leaves out in spring."""
    left_out = start.dt.tz_localize(zone, nonexistent="NaT", ambiguous=np.ones(len(start), bool)).isna()
    if left_out.any():
        log.warning(
            "%s: expected civil time (%s), but it has %s, an hour that does not exist there; read as UTC+1.",
            name,
            zone,
            start[left_out].iloc[0],
        )
        return False
    return True


def _from_civil(start: pd.Series, point: pd.Series, zone: str, name: str) -> pd.Series:
    """Of the two hours of one stamp in autumn the first is summer time; one alone could be either and is left out."""
    frame = pd.DataFrame({"point": point.astype(str), "start": start})
    is_first = ~frame.duplicated(["point", "start"])
    utc = start.dt.tz_localize(zone, ambiguous=is_first.to_numpy(), nonexistent="NaT")
    alone = ~frame.duplicated(["point", "start"], keep=False)
    unclear = alone & start.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna()
    if unclear.any():
        log.warning("%s: %d stamps could mean two hours and are left out.", name, int(unclear.sum()))
    log.info("%s: stamps are civil time of %s.", name, zone)
    return utc.dt.tz_convert("UTC").dt.tz_localize(None).mask(unclear)


def _country(point: pd.Series) -> pd.Series:
    """``IT/SPO.IT0508A_6001`` and ``SPO.IT0508A_6001`` are Italian."""
    return point.astype(str).str.extract(r"^(?:([A-Z]{2})/|SPO[._-]?([A-Z]{2}))").bfill(axis=1)[0]


def _parse(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    times = pd.to_datetime(column.astype(str), utc=True, format="ISO8601")
    return times.dt.tz_localize(None)
