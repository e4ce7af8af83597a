"""Which files of the EEA's download service a domain needs: one a sampling point, asked country by country."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import requests

from cranpm.data.download.http import request_with_retries
from cranpm.data.download.receipts import RawFile, receipts
from cranpm.data.files.openers import open_archive_member
from cranpm.data.manifest import Source
from cranpm.data.stations.eea_stations import read_metadata
from cranpm.domain import Domain

log = logging.getLogger(__name__)

STATIONS = "eea-stations"
"""Source of the station table."""

_SERVICE = "https://eeadmz1-downloads-api-appservice.azurewebsites.net"


def eea_files(
    source: Source,
    first: np.datetime64,
    last: np.datetime64,
    domain: Domain,
    root: Path,
    session: requests.Session,
    countries: Sequence[str] = (),
) -> Iterator[RawFile]:
    """Files of the countries that have stations in a domain, or of those that are given.

    A file holds its sampling point's whole era; the service filters files by period, not rows.

    Raises
    ------
    DownloadError
        If the service does not answer.
    """
    seen: dict[str, str] = {}
    for country in countries or _countries(domain, root, session):
        for template in source.requests:
            body = {
                "countries": [country],
                "cities": [],
                "pollutants": template["pollutants"],
                "dataset": template["dataset"],
                "dateTimeStart": f"{first}T00:00:00Z",
                "dateTimeEnd": f"{last}T23:59:59Z",
                "aggregationType": template["aggregationType"],
                "source": "API",
            }
            answer = request_with_retries(session, "POST", template["url"], json=body, timeout=300).text
            for url in sorted({line.strip() for line in answer.splitlines() if line.startswith("http")}):
                name, part = "-".join(url.split("?")[0].split("/")[-2:]), template["part"]
                if seen.get(name) == url:
                    continue  # a file that holds hours and days stands in both lists
                name = f"{part}-{name}" if name in seen else name
                seen[name] = url
                yield RawFile(source=source.id, path=root / source.id / name, url=url, part=part)


def _countries(domain: Domain, root: Path, session: requests.Session) -> list[str]:
    """Codes of the countries that the service has and that stand in the domain; all without the station table."""
    served = [
        entry["countryCode"]
        for entry in request_with_retries(session, "GET", f"{_SERVICE}/Country", timeout=120).json()
    ]
    tables = [receipt.path for receipt in receipts(root, STATIONS)]
    if not tables:
        log.warning(
            "Stations of all countries are asked for; with %s fetched first, only the domain's.", STATIONS
        )
        return served
    stations = read_metadata(open_archive_member(tables[0], ".csv"))
    inside = stations[np.asarray(domain.fine.contains(stations["latitude"], stations["longitude"]))]
    wanted = set(inside["country"])
    return [code for code in served if code in wanted]
