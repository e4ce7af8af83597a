"""Files of measurements of the European Environment Agency: Parquet of the download service, and the legacy CSV.

Expected: PM2.5, hourly or daily values, the service's columns. Traps: values are 128-bit decimals; hourly stamps are
naive (see `eea_time`); invalid hours carry values such as -5009; hourly files hold a few values over other periods too.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.files.openers import sniff
from cranpm.data.stations.account import INVALID, SUPERSEDED, TWICE, FileRows, StationAccount
from cranpm.data.stations.eea_time import place_in_time
from cranpm.data.stations.stamps import read_stamps
from cranpm.data.stations.text_tables import read_text_table, require_columns
from cranpm.data.stations.values import keep_possible, to_micrograms

PM25_CODE = 6001
"""Code of PM2.5 in the EEA's vocabulary (PM10 is 5)."""

VALID = (1, 2, 3)
"""Validity: measured, and the two ways of reporting below the detection limit. -1 and -99 are invalid."""

VERIFIED = 1
"""Verification: 1 verified, 2 preliminarily verified, 3 not verified; what has no flag is not verified."""

_NOT_VERIFIED = 3
_POLLUTANTS: dict[float, str] = {
    5: "PM10",
    6001: "PM2.5",
    6002: "PM1",
    7: "O3",
    8: "NO2",
    1: "SO2",
    10: "CO",
    38: "NO",
}
_LEGACY_NAME = re.compile(r"^[A-Z]{2}_(\d+)_.*timeseries", re.IGNORECASE)

_LEGACY = {
    "SamplingPoint": "Samplingpoint",
    "AirPollutantCode": "Pollutant",
    "DatetimeBegin": "Start",
    "DatetimeEnd": "End",
    "Concentration": "Value",
    "UnitOfMeasurement": "Unit",
    "AveragingTime": "AggType",
}
_COLUMNS = (
    "Samplingpoint",
    "Pollutant",
    "Start",
    "End",
    "Value",
    "Unit",
    "AggType",
    "Validity",
    "Verification",
)
_KEYS = ["sampling_point", "averaging", "start"]


def point_id(sampling_point: pd.Series) -> pd.Series:
    """One spelling of an id: files of measurements and station tables differ in case and in the country before it.

    ``CZ/SPO.CZ_ALIBA...`` and ``spo.cz_aliba...`` are the same point.
    """
    return sampling_point.astype("string").str.strip().str.upper().str.replace(r"^[A-Z]{2}/", "", regex=True)


def read_measurements(
    path: str | Path,
    *,
    up_to_date: bool | None = None,
    points: Collection[str] | None = None,
    days: np.ndarray | None = None,
    account: StationAccount | None = None,
) -> pd.DataFrame:
    """Valid PM2.5 values of one file.

    A file that says of all its rows that they are something else is refused; single rows are left out and counted.

    Parameters
    ----------
    up_to_date : bool, optional
        The feed that was asked for: True for up-to-date data (E2a), in which Italy's stamps are civil time, False for
        verified data (E1a). A file all of whose rows belong to the other feed is refused. None asks for neither and
        takes stamps for UTC+1.
    points : collection of str, optional
        Ids (`point_id`) of the sampling points that are wanted; all others are passed over.
    days : ndarray of datetime64[D], optional
        UTC days that are wanted; rows further than a day from them are passed over.
    account : StationAccount, optional
        Where to count what is left out; without it the log tells.

    Returns
    -------
    DataFrame
        ``sampling_point`` (see `point_id`), ``start`` (UTC, naive; the UTC day of a reported day, see
        :func:`cranpm.data.stations.stamps.utc_day`), ``averaging`` ("hour" or "day"), ``pm2p5`` [ug m-3],
        ``verification`` (1 verified, 2 preliminary, 3 not verified); sorted, no doubles.

    Raises
    ------
    NotThisProductError
        If the file holds another pollutant, feed or network's data, or is no measurement file.
    UnitsError, TimeAxisError
        If no row has units of a mass concentration, or an interval of a whole hour or day.
    """
    path = Path(path)
    rows = FileRows(_read_table(path, account), path.name, account)
    _only_pm25(rows)
    _only_feed(rows, up_to_date)
    _only_wanted(rows, points, days)
    rows.account.looked_at("rows", len(rows.table))
    _only_valid(rows)
    _only_hours_and_days(rows)
    # legacy files may give the address of the vocabulary's entry
    rows.table["Unit"] = rows.table["Unit"].astype("string").str.rsplit("/concentration/", n=1).str[-1]
    to_micrograms(rows, "Value", "Unit", ("sampling_point", "Start", "Unit"))
    place_in_time(rows, up_to_date=bool(up_to_date))
    keep_possible(rows, "EEA")
    _without_doubles(rows)
    rows.tell()
    frame = rows.table[[*_KEYS, "pm2p5", "verification"]]
    return frame.sort_values(_KEYS).reset_index(drop=True)[
        ["sampling_point", "start", "averaging", "pm2p5", "verification"]
    ]


def _read_table(path: Path, account: StationAccount | None) -> pd.DataFrame:
    kind = sniff(path)
    if kind == "parquet":
        try:
            columns = pyarrow.parquet.read_table(path, page_checksum_verification=True)
            columns.validate(full=True)  # texts that are no UTF-8 would fail later, and without a name
            # what pandas notes about itself in a file may be damaged, too, and is not needed
            table = columns.replace_schema_metadata().to_pandas(ignore_metadata=True)
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise DataFileError(
                f"{path.name} cannot be read ({error}): cut off or damaged. Download it again."
            ) from error
    elif kind in ("text", "gzip"):
        table = read_text_table(path, account)
        legacy = {old: new for old, new in _LEGACY.items() if new not in table.columns}
        table = table.rename(columns=legacy)
    else:
        raise NotThisProductError(
            f"{path.name} is {kind}; expected the EEA's Parquet or CSV of measurements."
        )
    require_columns(table, _COLUMNS, "the EEA's measurements", path.name)
    return table


def _only_pm25(rows: FileRows) -> None:
    # legacy files give the address of the vocabulary's entry, whose last part is the code, and the name beside it
    stated = rows.table["Pollutant"].astype("string")
    last = {text: text.strip().rstrip("/").rsplit("/", 1)[-1] for text in stated.dropna().unique()}
    number = stated.map({text: str(PM25_CODE) if name == "PM2.5" else name for text, name in last.items()})
    code = pd.to_numeric(number, errors="coerce").astype("float64")
    named = _LEGACY_NAME.match(rows.name)
    if named and int(named[1]) != PM25_CODE:
        raise _another_pollutant(rows.name, f"{_pollutant(int(named[1]))} in the file's name")
    found = sorted({_pollutant(c) for c in code.dropna().unique()}) or list(last.values())[:3]
    good = code == PM25_CODE
    if "AirPollutant" in rows.table.columns:
        called = rows.table["AirPollutant"].astype("string").str.strip()
        good &= called.isna() | (called == "PM2.5")
        found += [f"called {name}" for name in called.dropna().unique() if name != "PM2.5"]
    refusal = _another_pollutant(rows.name, ", ".join(found) or ("none" if len(code) else "no rows"))
    if rows.table.empty:
        raise refusal
    rows.demand(good.fillna(False), "rows of another pollutant", refusal, ("Samplingpoint", "Pollutant"))


def _another_pollutant(name: str, found: str) -> NotThisProductError:
    msg = f'{name}: expected pollutant code {PM25_CODE} (PM2.5), got {found}. Request pollutants ["PM2.5"].'
    return NotThisProductError(msg)


def _pollutant(code: float) -> str:
    return f"{code:g} ({_POLLUTANTS[code]})" if code in _POLLUTANTS else f"{code:g}"


def _only_feed(rows: FileRows, up_to_date: bool | None) -> None:
    """Refuse the other feed's file: its stamps and its quality are others."""
    flag = pd.to_numeric(rows.table["Verification"], errors="coerce")
    rows.table["verification"] = flag.where(flag.isin([1, 2, 3]), _NOT_VERIFIED).astype("int64")
    if up_to_date is None:
        rows.account.could_not_check("whether a file comes from the verified or the up-to-date feed")
    elif not up_to_date and (rows.table["verification"] == _NOT_VERIFIED).all():
        msg = (
            f"{rows.name}: expected verified values (E1a), but every row says not verified: a file of the up-to-date "
            "feed (E2a). Fetch it as eea-up-to-date."
        )
        raise NotThisProductError(msg)
    elif up_to_date and (rows.table["verification"] == VERIFIED).all():
        msg = (
            f"{rows.name}: expected values of the up-to-date feed (E2a), but every row says verified (E1a). Fetch it "
            "as eea-measurements."
        )
        raise NotThisProductError(msg)


def _only_wanted(rows: FileRows, points: Collection[str] | None, days: np.ndarray | None) -> None:
    """Pass over what nobody asked for: other regions' points and other years are no fault of a file."""
    rows.table["sampling_point"] = point_id(rows.table["Samplingpoint"])
    rows.leave_out(rows.table["sampling_point"].isna(), "rows without a sampling point", ("Start", "Value"))
    keep = np.ones(len(rows.table), dtype=bool)
    if points is not None:
        keep &= rows.table["sampling_point"].isin(set(points)).to_numpy()
    if days is not None:
        clock = read_stamps(rows.table["Start"])["clock"]
        near = (
            clock.between(pd.Timestamp(days.min() - 2), pd.Timestamp(days.max() + 2)) if days.size else False
        )
        keep &= np.asarray(clock.isna() | near)  # a stamp that cannot be read stays and is counted
    rows.table = rows.table[keep].reset_index(drop=True)


def _only_valid(rows: FileRows) -> None:
    validity = pd.to_numeric(rows.table["Validity"], errors="coerce")
    rows.leave_out(validity.isna(), "values without a validity", ("sampling_point", "Start", "Value"))
    validity = pd.to_numeric(rows.table["Validity"], errors="coerce")
    rows.leave_out(validity < 0, INVALID)
    strange = ~pd.to_numeric(rows.table["Validity"], errors="coerce").isin(VALID)
    rows.leave_out(
        strange, "values with a validity that is not known", ("sampling_point", "Validity", "Value")
    )


def _only_hours_and_days(rows: FileRows) -> None:
    """Without values over other periods ("var"), of which even hourly files hold a few."""
    averaging = rows.table["AggType"].astype("string").str.strip().str.lower()
    kinds = ", ".join(sorted(averaging.dropna().unique())) or "no period"
    refusal = TimeAxisError(
        f"{rows.name}: expected hourly or daily values, got {kinds}. Request aggregationType hour."
    )
    rows.table["averaging"] = averaging
    rows.demand(
        averaging.isin(["hour", "day"]), "values over other periods than an hour or a day", refusal,
        ("sampling_point", "Start", "AggType"),
    )  # fmt: skip


def _without_doubles(rows: FileRows) -> None:
    """Of several values of one hour the best verified, then the latest result; two that contradict are no value."""
    result = rows.table.get("ResultTime")
    rows.table["result"] = pd.NaT if result is None else pd.to_datetime(result, errors="coerce")
    rows.table = rows.table.sort_values(
        [*_KEYS, "verification", "result"], ascending=[True, True, True, True, False], kind="stable"
    ).reset_index(drop=True)
    rows.leave_out(rows.table.duplicated([*_KEYS, "pm2p5"]), TWICE)
    best = rows.table.groupby(_KEYS)["verification"].transform("min")
    rows.leave_out(rows.table["verification"] > best, SUPERSEDED)
    latest = rows.table.groupby(_KEYS)["result"].transform("max")
    rows.leave_out(rows.table["result"] < latest, SUPERSEDED)
    rows.leave_out(
        rows.table.duplicated(_KEYS, keep=False), "values that contradict another of the same time",
        ("sampling_point", "start", "pm2p5"),
    )  # fmt: skip
