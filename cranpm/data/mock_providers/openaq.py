"""OpenAQ as the mock providers answer for it: a list of places in pages, a day of the archive. Invented values."""

from __future__ import annotations

import datetime
import gzip
import re
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from cranpm._json import JsonObject

FIRST_ID = 1000


def places(
    points: dict[str, tuple[float, float, float]], zone: str, first: np.datetime64, last: np.datetime64
) -> list[JsonObject]:
    """What the API says of each point; a low-cost sensor and a moving instrument stand at the end."""
    began, ended = (f"{day}T00:00:00{_offset(day, zone)}" for day in (first - 1, last + 2))
    described = [
        {
            "id": FIRST_ID + k,
            "name": name,
            "timezone": zone,
            "country": {"id": 9, "code": "XX", "name": "Nowhere"},
            "isMobile": False,
            "isMonitor": True,
            "sensors": [{"id": 10 * (FIRST_ID + k), "name": "pm25 µg/m³", "parameter": {"id": 2}}],
            "coordinates": {"latitude": lat, "longitude": lon},
            "datetimeFirst": {"local": began},
            "datetimeLast": {"local": ended},
        }
        for k, (name, (lat, lon, _)) in enumerate(points.items())
    ]
    cheap, moving = (described[0] | {"id": FIRST_ID + len(described) + k} for k in range(2))
    return [*described, cheap | {"isMonitor": False}, moving | {"isMobile": True, "datetimeFirst": None}]


def page(known: list[JsonObject], query: str, most: int) -> JsonObject:
    """One page of the list, never more than ``most`` places, as the API caps what it is asked for."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    limit, number = min(int(asked.get("limit", 100)), most), int(asked.get("page", 1))
    return {
        "meta": {
            "name": "openaq-api",
            "website": "/",
            "page": number,
            "limit": limit,
            "found": f">{limit}" if len(known) > limit else len(known),
        },
        "results": known[(number - 1) * limit : number * limit],
    }


def archive_file(
    known: list[JsonObject], path: str, first: np.datetime64, last: np.datetime64
) -> bytes | None:
    """The file at a path of the archive, None where the archive has none."""
    named = re.search(r"location-(\d+)-(\d{4})(\d\d)(\d\d)\.csv\.gz$", path)
    place = next((p for p in known if named and p["id"] == int(named[1])), None)
    if named is None or place is None:
        return None
    day = np.datetime64("-".join(named.groups()[1:]), "D")
    if not first - 1 <= day <= last + 1:
        return None
    return archive_day(place, day, first, level=10.0 + place["id"] - FIRST_ID)


def archive_day(place: JsonObject, day: np.datetime64, since: np.datetime64, level: float) -> bytes:
    """A local day of a place, gzipped CSV: hours that end in UTC day number n after ``since`` are ``level + n``."""
    zone = ZoneInfo(place["timezone"])
    begin = datetime.datetime.combine(day.astype(object), datetime.time(), zone).astimezone(datetime.UTC)
    end = datetime.datetime.combine((day + 1).astype(object), datetime.time(), zone).astimezone(datetime.UTC)
    hours = round((end - begin).total_seconds() / 3600)
    stamps = [begin + datetime.timedelta(hours=h + 1) for h in range(hours)]  # a stamp ends its hour
    utc_day = [np.datetime64((s - datetime.timedelta(seconds=1)).replace(tzinfo=None), "D") for s in stamps]
    rows = {
        "location_id": place["id"],
        "sensors_id": place["sensors"][0]["id"],
        "location": f"{place['name']}-{place['id']}",
        "datetime": [s.astimezone(zone).isoformat() for s in stamps],
        "lat": place["coordinates"]["latitude"],
        "lon": place["coordinates"]["longitude"],
        "parameter": "pm25",
        "units": "µg/m³",
        "value": [level + int((d - since).astype(int)) for d in utc_day],
    }
    return gzip.compress(pd.DataFrame(rows).to_csv(index=False).encode(), mtime=0)


def _offset(day: np.datetime64, zone: str) -> str:
    moment = datetime.datetime.combine(day.astype(object), datetime.time(), ZoneInfo(zone))
    return moment.isoformat()[-6:]
