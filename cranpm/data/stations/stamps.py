"""Stamps as networks write them -> UTC, and the UTC day that an interval belongs to."""

from __future__ import annotations

import pandas as pd

_STAMP = (
    r"^\s*(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
    r"\s*(?P<zone>[Zz]|(?i:UTC|GMT)|(?i:UTC)?[+\u2212-]\d{1,2}(?::[0-5]\d)?|[+\u2212-]\d{2}[0-5]\d)?\s*$"
)
_YEARS = (1900, 2200)
"""Others are fill values such as 0001-01-01 and 9999-12-31."""

_LONGEST_OFFSET = pd.Timedelta(hours=14)


def read_stamps(column: pd.Series) -> pd.DataFrame:
    """Clock time and offset of stamps in ISO 8601, as text or as times.

    ``24:00`` is the end of its day, ``UTC+1`` an offset. A name of a zone other than UTC and GMT, ``GMT+1`` (which
    means one thing or its opposite), a leap second and other spellings (01/02/2022) are not guessed.

    Returns
    -------
    DataFrame
        ``clock`` (naive; NaT where it cannot be read) and ``offset`` from UTC (NaT where the stamp has none).

    Examples
    --------
    >>> read_stamps(pd.Series(["2023-01-05 00:00:00 +01:00"])).iloc[0].tolist()
    [Timestamp('2023-01-05 00:00:00'), Timedelta('0 days 01:00:00')]
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        clock = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return pd.DataFrame({"clock": clock.where(clock.dt.year.between(*_YEARS)), "offset": pd.Timedelta(0)})
    if pd.api.types.is_datetime64_any_dtype(column):
        none = pd.Series(pd.NaT, index=column.index, dtype="timedelta64[ns]")
        return pd.DataFrame({"clock": column.where(column.dt.year.between(*_YEARS)), "offset": none})
    parts = column.astype("string").str.extract(_STAMP)
    midnight = parts["clock"].str.match(r"24:00(:00(\.0+)?)?$").fillna(False).astype(bool)
    text = parts["day"] + "T" + parts["clock"].fillna("00:00").mask(midnight, "00:00")
    clock = pd.to_datetime(text, format="ISO8601", errors="coerce")
    clock = clock.where(clock.dt.year.between(*_YEARS)) + pd.to_timedelta(midnight.astype(int), unit="D")
    offset = _offsets(parts["zone"])
    return pd.DataFrame({"clock": clock.mask(offset.abs() > _LONGEST_OFFSET), "offset": offset})


def _offsets(zone: pd.Series) -> pd.Series:
    zone = zone.str.upper().str.replace("\u2212", "-").replace({"Z": "+0", "UTC": "+0", "GMT": "+0"})
    parts = zone.str.extract(r"^(?:UTC)?(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
    minutes = 60 * pd.to_numeric(parts["hours"]) + pd.to_numeric(parts["minutes"].fillna("0"))
    minutes = minutes.where(parts["sign"] != "-", -minutes)
    return pd.to_timedelta(minutes.astype("Float64").astype(float), unit="min").astype("timedelta64[ns]")


def utc_day(start: pd.Series, end: pd.Series) -> pd.Series:
    """The UTC day that holds most of an interval of about a day: that of its middle.

    A local day from midnight to midnight keeps its date wherever clocks differ from UTC by less than half a day;
    further east (New Zealand in summer) most of it lies in the UTC day before. A filter that is changed at 8 in the
    morning counts to the day it was put in, one that is changed at 18 to the next.

    Examples
    --------
    >>> day = pd.Timedelta(days=1)
    >>> start = pd.Series(pd.to_datetime(["2023-01-04T23:00", "2023-01-05T17:00"]))  # midnight and 18 h, UTC+1
    >>> utc_day(start, start + day).dt.strftime("%d").tolist()
    ['05', '06']
    """
    return (start + (end - start) / 2).dt.floor("D")


def utc_hour(end: pd.Series) -> pd.Series:
    """Begin of the UTC hour that an interval of at most an hour ends in; a full hour ends the one before it."""
    return (end - pd.Timedelta(seconds=1)).dt.floor("h")
