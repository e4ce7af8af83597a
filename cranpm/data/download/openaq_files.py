"""Which files of OpenAQ's archive a region and a period need: its monitors asked of the API, then one file a day each.

The archive keeps a location's *local* days, and a stamp ends its hour, so midnight belongs to the day before (both from
the code that writes the archive, openaq/openaq-open-data). A UTC day therefore lies in one or two files.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import requests

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.data.download.copernicus import MissingCredentialsError
from cranpm.data.download.download import AccessRefusedError, DownloadError
from cranpm.data.download.http import request_with_retries
from cranpm.data.download.receipts import RawFile
from cranpm.data.manifest import Source
from cranpm.domain import Domain

log = logging.getLogger(__name__)

API = "https://api.openaq.org/v3/locations"
KEY = "OPENAQ_API_KEY"
PM25 = 2
"""OpenAQ's number of PM2.5 in ug m-3."""

PAGE = 1000
"""Most places that the API gives at once."""

_DAY = np.timedelta64(1, "D")


def openaq_files(
    source: Source,
    first: np.datetime64,
    last: np.datetime64,
    domain: Domain,
    folder: Path,
    session: requests.Session,
) -> Iterator[RawFile]:
    """Files that hold the UTC days ``first`` to ``last`` of the domain's monitors.

    Raises
    ------
    MissingCredentialsError
        Without a key, or with one that OpenAQ does not know.
    DownloadError
        If the API does not answer as documented.
    """
    (resource,) = source.resources
    for place in openaq_locations(domain, folder, session):
        for day in local_days(place, first, last):
            yyyymmdd = str(day).replace("-", "")
            words = {
                "yyyymmdd": yyyymmdd,
                "yyyy": yyyymmdd[:4],
                "mm": yyyymmdd[4:6],
                "location": place["id"],
            }
            name = resource.path.format(**words)
            url = str(resource.url).format(path=name, **words)
            yield RawFile(
                source=source.id, path=folder / name, first=day, last=day, url=url, part=str(place["id"])
            )


def local_days(place: JsonObject, first: np.datetime64, last: np.datetime64) -> np.ndarray:
    """Days of a place's own calendar that touch UTC days, within the period that it has measured.

    Examples
    --------
    >>> day = np.datetime64("2022-01-01")
    >>> [str(local) for local in local_days({"timezone": "Asia/Kolkata"}, day, day)]
    ['2022-01-01', '2022-01-02']
    """
    try:
        zone = ZoneInfo(str(place["timezone"]))
    except (KeyError, ValueError, OSError):  # unknown to this machine: a day on each side reaches everywhere
        begin, end = first - _DAY, last + _DAY
    else:
        second = datetime.timedelta(seconds=1)
        begin = _local_day(first, zone, second)
        end = _local_day(last + _DAY, zone, -second)
    begin = max(begin, _measured(place, "datetimeFirst", begin))
    end = min(end, _measured(place, "datetimeLast", end))
    return np.arange(begin, end + _DAY)


def _local_day(midnight: np.datetime64, zone: ZoneInfo, shift: datetime.timedelta) -> np.datetime64:
    moment = midnight.astype("datetime64[s]").item().replace(tzinfo=datetime.UTC) + shift
    return np.datetime64(moment.astimezone(zone).date(), "D")


def _measured(place: JsonObject, which: str, otherwise: np.datetime64) -> np.datetime64:
    local = (place.get(which) or {}).get("local")
    return np.datetime64(str(local)[:10], "D") if local else otherwise


def openaq_locations(domain: Domain, folder: Path, session: requests.Session) -> list[JsonObject]:
    """The domain's reference monitors of PM2.5; what OpenAQ says about them is kept as ``locations.json``.

    Low-cost sensors, which humid air misleads, and instruments that move, which have no place, are left out.
    """
    key = os.environ.get(KEY)
    if not key:
        raise MissingCredentialsError(
            f"OpenAQ needs a free key: register at https://explore.openaq.org, then set {KEY}."
        )
    west, south, east, north = domain.fine.extent
    bounds = ",".join(f"{edge:.4f}" for edge in (west, south, east, north))
    found: dict[int, JsonObject] = {}
    page, more = 1, True
    while more:
        query = f"bbox={bounds}&parameters_id={PM25}&limit={PAGE}&page={page}"
        try:
            answer = request_with_retries(session, "GET", f"{API}?{query}", headers={"X-API-Key": key})
        except AccessRefusedError as error:
            msg = f"OpenAQ does not accept the key in {KEY}. Copy it again from https://explore.openaq.org/account."
            raise MissingCredentialsError(msg) from error
        places, at_once = _places(answer)
        known = len(found)
        found.update(places)
        # a page without a new place would come for ever
        more, page = len(places) >= at_once and len(found) > known, page + 1
    write_atomically(folder / "locations.json", json.dumps(list(found.values())).encode())
    # null: OpenAQ does not know, which is no reason to leave a place out
    kept = [p for p in found.values() if p.get("isMonitor") is not False and p.get("isMobile") is not True]
    if len(kept) < len(found):
        log.info(
            "OpenAQ: %d of %d places are low-cost or mobile and left out.", len(found) - len(kept), len(found)
        )
    return kept


def _places(answer: requests.Response) -> tuple[dict[int, JsonObject], int]:
    """Places of one page by id, and how many a full page has."""
    try:
        document = answer.json()
        places = {int(place["id"]): place for place in document["results"]}
        at_once = int(document["meta"]["limit"])
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"OpenAQ: expected places with ids in pages, got {answer.text[:200]!r}."
        ) from error
    return places, max(at_once, 1)
