"""Files of the OpenAQ archive, for stations beyond Europe -> the same frames as the EEA's.

Expected: one gzipped CSV a location and day with ``location_id, sensors_id, location, datetime, lat, lon, parameter,
units, value``, stamps with their offset. The columns are taken from the archive's documentation and have not been seen
on a real file by whoever wrote this; a missing one is refused by name.
"""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cranpm.data.openers import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.units import conversion

log = logging.getLogger(__name__)

_COLUMNS = ("location_id", "sensors_id", "location", "datetime", "lat", "lon", "parameter", "units", "value")
_CODES_BELOW = -10.0
_HOUR = pd.Timedelta(hours=1)


def read_openaq(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements and sampling points of one file of the archive.

    A stamp is taken as the end of its hour, as most of the agencies behind OpenAQ report (unverified).

    Returns
    -------
    measurements : DataFrame
        ``sampling_point, start`` (UTC, naive), ``averaging`` ("hour"), ``pm2p5`` [ug m-3], as
        :func:`cranpm.data.eea.read_measurements`.
    points : DataFrame
        ``sampling_point, station_id, name, country, latitude, longitude, altitude, station_type, area``; what OpenAQ
        does not tell is missing.

    Raises
    ------
    NotThisProductError
        If columns are missing or nothing is PM2.5.
    DataFileError, TimeAxisError
        If the file is damaged, or a stamp has no offset.
    """
    path = Path(path)
    table = _table(path)
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        have = ", ".join(map(str, table.columns[:10]))
        raise NotThisProductError(f"{path.name}: expected columns {', '.join(missing)}, got {have}.")
    table = table[table["parameter"] == "pm25"]
    if table.empty:
        raise NotThisProductError(f"{path.name} holds no pm25.")
    stamps = table["datetime"].astype(str)
    naive = ~stamps.str.contains(r"(?:[+-]\d{2}:?\d{2}|Z)$", regex=True)
    if naive.any():
        raise TimeAxisError(f"{path.name}: expected stamps with their offset, got {stamps[naive].iloc[0]!r}.")
    end = pd.to_datetime(stamps, utc=True, format="ISO8601").dt.tz_localize(None)
    value = pd.to_numeric(table["value"], errors="coerce").astype(float)
    for units in table["units"].unique():
        factor, _ = conversion(units, "ug m-3", name=f"{path.name} pm25")
        value = value.where(table["units"] != units, value * factor)
    point = "OPENAQ." + table["sensors_id"].astype(str)
    frame = pd.DataFrame(
        {"sampling_point": point, "start": (end - _HOUR).dt.floor("h"), "averaging": "hour", "pm2p5": value}
    )
    bad = frame["pm2p5"].isna() | (frame["pm2p5"] < _CODES_BELOW)
    if bad.any():
        log.info("%s: %d values are codes or no numbers; left out.", path.name, int(bad.sum()))
    keys = ["sampling_point", "start", "averaging"]
    hourly = frame[~bad].groupby(keys, as_index=False).agg(pm2p5=("pm2p5", "mean"))
    return hourly, _points(table, point)


def _table(path: Path) -> pd.DataFrame:
    content = path.read_bytes()
    try:
        text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        return pd.read_csv(io.BytesIO(text))
    except (OSError, EOFError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataFileError(f"{path.name} cannot be read ({error}). Download it again.") from error


def _points(table: pd.DataFrame, point: pd.Series) -> pd.DataFrame:
    described = pd.DataFrame(
        {
            "sampling_point": point,
            "station_id": "OPENAQ." + table["location_id"].astype(str),
            "name": table["location"].astype(str),
            "country": "",
            "latitude": table["lat"].astype(float),
            "longitude": table["lon"].astype(float),
            "altitude": float("nan"),
            "station_type": None,
            "area": None,
        }
    )
    if (described["latitude"].abs() > 90).any() or (described["longitude"].abs() > 180).any():
        raise DataFileError(f"{described['station_id'].iloc[0]} lies at an impossible place.")
    return described.drop_duplicates("sampling_point", keep="last").reset_index(drop=True)


def read_openaq_files(paths: Iterable[Path]) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """All files together; those without PM2.5 are left out by name, None if nothing remains."""
    measured, described = [], []
    for path in paths:
        try:
            frame, points = read_openaq(path)
        except NotThisProductError as error:
            log.warning("%s is left out: %s", path.name, error)
            continue
        measured.append(frame)
        described.append(points)
    if not measured:
        return None
    return pd.concat(measured, ignore_index=True), pd.concat(described).drop_duplicates(
        "sampling_point", keep="last"
    )
