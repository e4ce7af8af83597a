"""The layouts in which OpenAQ gives measurements, brought to one table.

======================  =============================================================================================
archive                 gzipped CSV, a location and local day: ``location_id, sensors_id, location, datetime, lat, lon,
                        parameter, units, value``; its documentation says ``sensor_id`` and ``unit``
explorer                the site's own CSV export: ``location_id, location_name, parameter, value, unit, datetimeUtc,
                        datetimeLocal, ..., latitude, longitude, isMobile, isMonitor``
older                   CSV and JSON of the interfaces before 2024: ``location, utc, local, parameter, value, unit,
                        latitude, longitude``, with or without ``locationId``
======================  =============================================================================================

In all of them a stamp ends its interval (explorer: ``period.datetimeTo``). Answers of the present interface (v3) hold
the values of one sensor and say neither which nor where: they are refused with the way to go.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from cranpm._json import JsonObject
from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import sniff
from cranpm.data.stations.account import StationAccount
from cranpm.data.stations.text_tables import read_text_table, require_columns

_NEEDED = ("location_id", "location", "datetime", "latitude", "longitude", "parameter", "unit", "value")
_SPELLINGS = {
    "location_id": ("location_id", "locationId"),
    "sensor_id": ("sensors_id", "sensor_id"),
    "location": ("location", "location_name"),
    "datetime": ("datetime", "datetimeLocal", "local", "datetimeUtc", "utc"),
    "utc": ("datetimeUtc", "utc"),
    "latitude": ("lat", "latitude"),
    "longitude": ("lon", "longitude"),
    "parameter": ("parameter",),
    "unit": ("units", "unit"),
    "value": ("value",),
    "country": ("country_iso", "country"),
    "is_mobile": ("isMobile", "mobile"),
    "is_monitor": ("isMonitor",),
    "averaging_hours": ("averaging_hours",),
}
_OLDER = {"location", "utc", "parameter"}
"""Columns of the older layout, which may have no number of the place."""

_HOURS = {"hours": 1.0, "hour": 1.0, "minutes": 1 / 60, "minute": 1 / 60, "days": 24.0, "day": 24.0}
_WAY = "Fetch the archive (cranpm data fetch openaq-archive), or export the place as CSV from https://explore.openaq.org."


def read_openaq_table(path: Path, account: StationAccount | None = None) -> pd.DataFrame:
    """Rows of one file, all parameters.

    Returns
    -------
    DataFrame
        ``location_id, sensor_id, location, datetime, utc, latitude, longitude, parameter, unit, value, country,
        is_mobile, is_monitor, averaging_hours`` as the file has them; missing where its layout does not tell.

    Raises
    ------
    NotThisProductError
        If it is none of the layouts, with what it is and the way to go.
    DataFileError
        If it is damaged, or a message of a server.
    """
    if _begins_like_json(path):
        table = _from_json(path)
    else:
        if sniff(path) not in ("text", "gzip"):
            raise NotThisProductError(
                f"{path.name} is {sniff(path)}; expected OpenAQ's CSV, plain or gzipped."
            )
        table = read_text_table(path, account)
    columns = {
        house: next((c for c in known if c in table.columns), None) for house, known in _SPELLINGS.items()
    }
    if columns["location_id"] is None and set(table.columns) >= _OLDER:
        columns["location_id"] = "location"
    missing = [" or ".join(_SPELLINGS[house]) for house in _NEEDED if columns[house] is None]
    require_columns(table, missing, "OpenAQ's archive", path.name)
    made = {house: table[column] for house, column in columns.items() if column is not None}
    return pd.DataFrame(made, index=table.index).reindex(columns=list(_SPELLINGS))


def _begins_like_json(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def _from_json(path: Path) -> pd.DataFrame:
    entries = _entries(path)
    first = entries[0]
    if "period" in first:
        msg = (
            f"{path.name} is an answer of OpenAQ's interface (v3) with values of one sensor: it does not say which "
            f"sensor or where it stands. {_WAY}"
        )
        raise NotThisProductError(msg)
    if "sensors" in first or "bounds" in first or "measurements" in first:
        raise NotThisProductError(f"{path.name} is OpenAQ's list of places, without their hours. {_WAY}")
    if not {"parameter", "value", "date"} <= set(first):
        have = ", ".join(map(str, list(first)[:8]))
        raise NotThisProductError(f"{path.name} is JSON with {have}; expected measurements of OpenAQ. {_WAY}")
    return pd.DataFrame([_flat(entry) for entry in entries])


def _entries(path: Path) -> list[JsonObject]:
    """Entries of a document with ``results``, of a list, or of one document a line."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        document = json.loads(text)
    except ValueError as error:
        try:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            msg = f"{path.name} begins like JSON but cannot be read ({error}): cut off. Download it again."
            raise DataFileError(msg) from error
    if isinstance(document, dict) and "results" not in document:
        if "parameter" not in document:
            said = str(document.get("detail") or document.get("message") or text.strip()[:80])
            msg = f"{path.name} is a server's message, not data: {said!r}. Download it again."
            raise DataFileError(msg)
        document = [document]
    found = document["results"] if isinstance(document, dict) else document
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    if not entries:
        raise NotThisProductError(f"{path.name} holds no measurement of OpenAQ. {_WAY}")
    return entries


def _flat(entry: JsonObject) -> JsonObject:
    """One measurement of the older interface as a row."""
    date, place, period = (entry.get(name) or {} for name in ("date", "coordinates", "averagingPeriod"))
    names = ("locationId", "location", "parameter", "value", "unit", "country", "isMobile", "mobile")
    return {
        **{name: entry[name] for name in names if name in entry},
        "utc": date.get("utc"),
        "local": date.get("local"),
        "latitude": place.get("latitude"),
        "longitude": place.get("longitude"),
        "averaging_hours": float(period.get("value") or "nan")
        * _HOURS.get(str(period.get("unit")), float("nan")),
    }
