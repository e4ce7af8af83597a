"""Files of the European Environment Agency: measurements (Parquet, legacy CSV) and station metadata.

Expected of a measurement file: one pollutant, hourly or daily values, the service's columns. Three traps: values are
128-bit decimals; hourly stamps are naive (see `eea_time`); invalid hours carry values such as -5009.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.files.openers import sniff
from cranpm.data.stations.eea_time import utc_start
from cranpm.data.units import conversion

log = logging.getLogger(__name__)

PM25_CODE = 6001
"""Code of PM2.5 in the EEA's vocabulary (PM10 is 5)."""

VALID = (1, 2, 3)
"""Validity: measured, and the two ways of reporting below the detection limit. -1 and -99 are invalid."""

LOWEST = -10.0
"""Values below are codes, not measurements [ug m-3]; small negatives are noise around zero and stay."""

_MOVED = 0.01
"""Degrees between two entries of a sampling point that are a move and not a rounding."""

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


def strip_country(sampling_point: pd.Series) -> pd.Series:
    """``CZ/SPO.CZ_ALIBA...`` and ``SPO.CZ_ALIBA...`` are the same point: measurements and metadata differ in this."""
    return sampling_point.astype(str).str.replace(r"^[A-Z]{2}/", "", regex=True)


def read_measurements(path: str | Path, *, up_to_date: bool = False) -> pd.DataFrame:
    """Valid PM2.5 values of one file.

    Parameters
    ----------
    up_to_date : bool
        Whether the file comes from the up-to-date feed (E2a), in which Italy's stamps are civil time.

    Returns
    -------
    DataFrame
        ``sampling_point`` (without country prefix), ``start`` (UTC, naive), ``averaging`` ("hour" or "day"),
        ``pm2p5`` [ug m-3]; sorted, no doubles, invalid values left out.

    Raises
    ------
    NotThisProductError
        If the file holds another pollutant or is no measurement file.
    UnitsError, TimeAxisError
        If units are unknown, or stamps are not whole hours or days.
    """
    path = Path(path)
    table = _read_table(path)
    _only_pm25(table, path.name)
    table = _hours_and_days(table[table["Validity"].astype(int).isin(VALID)], path.name)
    try:
        value = table["Value"].astype(float)
    except (TypeError, ValueError) as error:
        msg = f"{path.name}: expected numbers such as 12.5, got text ({error}). A decimal comma? Export it again."
        raise DataFileError(msg) from error
    for units in table["Unit"].unique():
        factor, _ = conversion(units, "ug m-3", name=f"{path.name} PM2.5")
        if factor != 1:
            log.info("%s: converted from %s to ug m-3.", path.name, units)
        value = value.where(table["Unit"] != units, value * factor)
    frame = pd.DataFrame(
        {
            "sampling_point": strip_country(table["Samplingpoint"]),
            "start": utc_start(table, path.name, up_to_date=up_to_date),
            "averaging": table["AggType"].astype(str),
            "pm2p5": value.astype(float),
            "verification": table["Verification"].astype(int),
        }
    )
    codes = int((frame["pm2p5"] < LOWEST).sum())
    if codes:
        log.info("%s: %d values below %g are codes, not measurements; left out.", path.name, codes, LOWEST)
    kept = frame[(frame["pm2p5"] >= LOWEST) & frame["start"].notna()]
    return _without_doubles(kept, path.name)


def _read_table(path: Path) -> pd.DataFrame:
    kind = sniff(path)
    if kind == "parquet":
        try:
            table = pyarrow.parquet.read_table(path).to_pandas()
        except (OSError, pyarrow.ArrowException) as error:
            raise DataFileError(
                f"{path.name} cannot be read ({error}): cut off or damaged. Download it again."
            ) from error
    elif kind == "text":
        table = _read_text(path).rename(columns=_LEGACY)
    else:
        raise NotThisProductError(
            f"{path.name} is {kind}; expected the EEA's Parquet or CSV of measurements."
        )
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        have = ", ".join(map(str, table.columns[:12]))
        raise NotThisProductError(f"{path.name}: expected columns {', '.join(missing)}, got {have}.")
    return table


def _read_text(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        if file.read(3) == b"\xef\xbb\xbf":
            log.info("%s: begins with a byte-order mark, which is skipped.", path.name)
    return pd.read_csv(path, encoding="utf-8-sig")


def _only_pm25(table: pd.DataFrame, name: str) -> None:
    # legacy files give the address of the vocabulary's entry, whose last part is the code
    codes = sorted({int(str(code).rstrip("/").rsplit("/", 1)[-1]) for code in table["Pollutant"].unique()})
    if codes != [PM25_CODE]:
        msg = (
            f"{name}: expected pollutant code {PM25_CODE} (PM2.5), got {', '.join(map(str, codes)) or 'no rows'}. "
            'Request pollutants ["PM2.5"].'
        )
        raise NotThisProductError(msg)


def _hours_and_days(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Without values over other periods ("var"), of which even hourly files hold a few."""
    known = table["AggType"].isin(["hour", "day"])
    if len(table) and not known.any():
        kinds = ", ".join(sorted(table["AggType"].astype(str).unique()))
        raise TimeAxisError(
            f"{name}: expected hourly or daily values, got {kinds}. Request aggregationType hour."
        )
    if not known.all():
        log.warning(
            "%s: %d values over other periods than an hour or a day are left out.", name, (~known).sum()
        )
    return table[known]


def _without_doubles(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The best verified of several values of one hour (1 verified, 2 preliminary, 3 not verified)."""
    keys = ["sampling_point", "averaging", "start"]
    frame = frame.sort_values([*keys, "verification"], kind="stable")
    doubled = frame.duplicated(keys)
    if doubled.any():
        log.warning(
            "%s: %d values of hours that stand there twice; the better verified one is kept.",
            name,
            doubled.sum(),
        )
    return frame[~doubled].drop(columns="verification").reset_index(drop=True)


_METADATA = {
    "sampling_point": ("Sampling Point Id", "SamplingPointId"),
    "station_id": ("Air Quality Station EoI Code", "AirQualityStationEoICode"),
    "name": ("Air Quality Station Name", "AirQualityStationName"),
    "pollutant": ("Air Pollutant", "AirPollutant"),
    "latitude": ("Latitude",),
    "longitude": ("Longitude",),
    "altitude": ("Altitude",),
    "station_type": ("Air Quality Station Type", "AirQualityStationType"),
    "area": ("Air Quality Station Area", "AirQualityStationArea"),
}


def read_metadata(path: str | Path) -> pd.DataFrame:
    """PM2.5 sampling points of the EEA's station table (``DataExtract.csv`` or an extract of it).

    Returns
    -------
    DataFrame
        ``sampling_point, station_id, name, country, latitude, longitude, altitude, station_type, area``, one row per
        sampling point, the last of several. ``country`` is the code that a station's id begins with.

    Raises
    ------
    NotThisProductError
        If columns are missing or no row is PM2.5.
    DataFileError
        If a station lies at an impossible place.
    """
    path = Path(path)
    if sniff(path) != "text":
        raise NotThisProductError(f"{path.name}: expected the EEA's station table as CSV.")
    raw = pd.read_csv(path, encoding="utf-8-sig", dtype=str)
    columns = {
        house: next((c for c in known if c in raw.columns), None) for house, known in _METADATA.items()
    }
    missing = [known[0] for house, known in _METADATA.items() if columns[house] is None and house != "name"]
    if missing:
        raise NotThisProductError(
            f"{path.name}: expected columns {', '.join(missing)}, got {', '.join(raw.columns[:12])}."
        )
    table = pd.DataFrame({house: raw[column] for house, column in columns.items() if column})
    table = table[table.pop("pollutant") == "PM2.5"]
    if table.empty:
        raise NotThisProductError(f"{path.name} has no sampling point of PM2.5.")
    for column in ("latitude", "longitude", "altitude"):
        try:
            table[column] = pd.to_numeric(table[column])
        except (TypeError, ValueError) as error:
            raise DataFileError(f"{path.name}: expected a number as {column}, got {error}.") from error
    _say_what_moved(table, path.name)
    table = table.drop_duplicates("sampling_point", keep="last")
    impossible = table[(table["latitude"].abs() > 90) | (table["longitude"].abs() > 180)]
    if len(impossible):
        raise DataFileError(
            f"{path.name}: {impossible.iloc[0]['station_id']} lies at an impossible place; correct the table."
        )
    table["sampling_point"] = strip_country(table["sampling_point"])
    table["country"] = table["station_id"].str[:2]
    table["area"] = table["area"].map(lambda area: re.sub(r"^rural-.*", "rural", str(area)))
    if "name" not in table:
        table["name"] = table["station_id"]
    order = [
        "sampling_point",
        "station_id",
        "name",
        "country",
        "latitude",
        "longitude",
        "altitude",
        "station_type",
        "area",
    ]
    return table[order].reset_index(drop=True)


def _say_what_moved(table: pd.DataFrame, name: str) -> None:
    """Sampling points that stand at several places: the last one is kept, which is where they measure now."""
    places = table.groupby("sampling_point")[["latitude", "longitude"]]
    spread = places.max() - places.min()
    moved = spread.index[(spread > _MOVED).any(axis=1)]
    if len(moved):
        log.warning(
            "%s: %d sampling points stand at several places, such as %s; the last is kept.",
            name,
            len(moved),
            moved[0],
        )
