"""Files of the OpenAQ archive, for stations beyond Europe -> the same frames as the EEA's.

Expected: one gzipped CSV a location and day with ``location_id, sensors_id, location, datetime, lat, lon, parameter,
units, value``, stamps with their offset. The archive's documentation says ``sensor_id`` and ``unit``, the code that
writes it ``sensors_id`` and ``units``; both are read. Nobody here has seen a real file; a missing column is refused by
name.
"""

from __future__ import annotations

import gzip
import io
import logging
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError
from cranpm.data.units import conversion

log = logging.getLogger(__name__)

_COLUMNS = ("location_id", "sensors_id", "location", "datetime", "lat", "lon", "parameter", "units", "value")
_DOCUMENTED = {"sensor_id": "sensors_id", "unit": "units"}
_CODES_BELOW = -10.0
_SECOND = pd.Timedelta(seconds=1)


def read_openaq(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements and sampling points of one file of the archive.

    A stamp ends its interval: the archive counts the one at midnight to the day before (see `openaq_files`). Values of
    parts of an hour are averaged; where local hours begin at half past, an hour counts to the UTC hour that it ends in.

    Returns
    -------
    measurements : DataFrame
        ``sampling_point, start`` (UTC, naive), ``averaging`` ("hour"), ``pm2p5`` [ug m-3], as
        :func:`cranpm.data.stations.eea.read_measurements`.
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
    table = table.rename(columns={c: h for c, h in _DOCUMENTED.items() if h not in table.columns})
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
        {"sampling_point": point, "start": (end - _SECOND).dt.floor("h"), "averaging": "hour", "pm2p5": value}
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
    measured, described, without = [], [], []
    for path in paths:
        try:
            frame, points = read_openaq(path)
        except NotThisProductError as error:
            log.info("%s is left out: %s", path.name, error)
            without.append(path.name)
            continue
        measured.append(frame)
        described.append(points)
    if without:  # an instrument that was off for a day is nothing unusual
        log.warning("%d files hold no PM2.5 and are left out, such as %s.", len(without), without[0])
    if not measured:
        return None
    return pd.concat(measured, ignore_index=True), pd.concat(described).drop_duplicates(
        "sampling_point", keep="last"
    )
