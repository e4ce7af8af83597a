"""Which files a source consists of for a period and a domain, asked of its provider where only the provider knows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import requests

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.data.download.download import DownloadError, NotThereError
from cranpm.data.download.eea_files import eea_files
from cranpm.data.download.http import request_with_retries
from cranpm.data.download.openaq_files import openaq_files
from cranpm.data.download.receipts import RawFile
from cranpm.data.download.request_templates import Period, monthly_requests
from cranpm.data.manifest import Source
from cranpm.domain import Domain
from cranpm.extras import how_to_install

CUT_BY_PROVIDER = ("ecmwf-datastores", "openaq")
"""Kinds of access whose files hold one domain only and lie in a folder of its name."""

_DAY = np.timedelta64(1, "D")


def folder_of(source: Source, domain: Domain, root: Path) -> Path:
    """Where the files of a source lie."""
    folder = root / source.id
    return folder / domain.name if source.access.kind in CUT_BY_PROVIDER else folder


def list_files(
    source: Source,
    first: np.datetime64,
    last: np.datetime64,
    *,
    domain: Domain,
    root: Path,
    session: requests.Session,
    countries: Sequence[str] = (),
) -> list[RawFile]:
    """All files of a source that a period and a domain need, in the order to fetch them.

    Parameters
    ----------
    countries : sequence of str
        Two-letter codes for the EEA's service; empty: those with stations in the domain.

    Raises
    ------
    DownloadError
        If the provider has to be asked and does not answer as documented.
    """
    folder = folder_of(source, domain, root)
    if first > last:
        raise DownloadError(f"The period {first} to {last} has no day; its end lies before its start.")
    if source.time != "static":
        if source.time.end is not None:
            last = min(last, np.datetime64(source.time.end, "D"))
        first = max(first, np.datetime64(source.time.start, "D"))
        if first > last:
            msg = f"{source.id} covers {source.time.start} to {source.time.end or 'now'}; choose days within."
            raise DownloadError(msg)
    kind = source.access.kind
    if kind == "ecmwf-datastores":
        return list(_copernicus(source, first, last, domain, folder))
    if kind == "zenodo":
        return list(_zenodo(source, first, last, folder, session))
    if kind == "eea-download-service":
        return list(eea_files(source, first, last, domain, root, session, countries))
    if kind == "openaq":
        return list(openaq_files(source, first, last, domain, folder, session))
    if kind == "http":
        return list(plain_files(source, domain, root))
    raise DownloadError(f"{source.id} comes with an installed package, not by fetching: {how_to_install()}")


def _copernicus(
    source: Source, first: np.datetime64, last: np.datetime64, domain: Domain, folder: Path
) -> Iterator[RawFile]:
    for part, period, request in monthly_requests(source, first, last, domain.coarse_box):
        yield copernicus_file(source, part, period, request, folder)


def copernicus_file(source: Source, part: str, period: Period, request: JsonObject, folder: Path) -> RawFile:
    """The file that answers one request; its suffix is only a habit, readers go by content."""
    begin, end = (str(day).replace("-", "") for day in period)
    suffix = "zip" if "zip" in str(request.get("data_format")) else "nc"
    return RawFile(
        source=source.id,
        path=folder / f"{begin}-{end}_{part}.{suffix}",
        part=part,
        first=period[0],
        last=period[1],
        request=request,
    )


def _zenodo(
    source: Source, first: np.datetime64, last: np.datetime64, folder: Path, session: requests.Session
) -> Iterator[RawFile]:
    (resource,) = source.resources
    listings: dict[str, JsonObject] = {}
    for month in np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1):
        year, name = str(month)[:4], resource.path.replace("{yyyymm}", str(month).replace("-", ""))
        doi = (source.doi or {}).get(year)
        if doi is None:
            raise DownloadError(
                f"{source.id} has no record for {year}; known: {', '.join(source.doi or {})}."
            )
        record = doi.rsplit(".", 1)[1]
        if record not in listings:
            listings[record] = zenodo_listing(record, folder, session)
        entry = listings[record].get(name)
        if entry is None:
            have = ", ".join(list(listings[record])[:3])
            raise NotThereError(f"Zenodo record {record} has no file {name}; it has {have} ... .")
        begin = month.astype("datetime64[D]")
        yield RawFile(
            source=source.id,
            path=folder / name,
            first=begin,
            last=(month + 1).astype("datetime64[D]") - _DAY,
            url=str(resource.url).replace("{record}", record).replace("{path}", name),
            hash=entry["checksum"],
            size=entry["size"],
        )


def zenodo_listing(record: str, folder: Path, session: requests.Session) -> dict[str, JsonObject]:
    """File name -> ``checksum`` ("md5:...") and ``size``; kept, since a published record never changes."""
    kept = folder / f".record-{record}.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    answer = request_with_retries(session, "GET", f"https://zenodo.org/api/records/{record}").json()
    try:
        listing = {f["key"]: {"checksum": f["checksum"], "size": int(f["size"])} for f in answer["files"]}
    except (KeyError, TypeError) as error:
        raise DownloadError(
            f"Zenodo record {record}: expected files with key, checksum, size; {error}."
        ) from error
    write_atomically(kept, json.dumps(listing, indent=1).encode())
    return listing


def plain_files(source: Source, domain: Domain, root: Path) -> Iterator[RawFile]:
    """Files at addresses that are known without asking: one, or the one-degree tiles that a domain touches."""
    folder = folder_of(source, domain, root)
    for resource in source.resources:
        for place in _tiles(resource.path, domain):
            path = resource.path.format(**place) if place else resource.path
            url = str(resource.url).replace("{path}", path)
            yield RawFile(
                source=source.id, path=folder / path.rsplit("/", 1)[-1], url=url, hash=resource.hash,
                size=resource.bytes,
            )  # fmt: skip


def _tiles(path: str, domain: Domain) -> Iterator[dict[str, str]]:
    """South-west corners of the one-degree tiles that a domain touches, where a path asks for them."""
    if "{lat}" not in path:
        yield {}
        return
    west, south, east, north = domain.coarse_box.extent
    for lat in range(int(np.floor(south)), int(np.ceil(north))):
        for lon in range(int(np.floor(west)), int(np.ceil(east))):
            yield {
                "lat": f"{'N' if lat >= 0 else 'S'}{abs(lat):02d}",
                "lon": f"{'E' if lon >= 0 else 'W'}{abs(lon):03d}",
            }
