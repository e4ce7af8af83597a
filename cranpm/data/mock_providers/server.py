"""A stand-in for every provider on this machine: their documented interfaces, invented values, and their bad days.

    with MockProviders(domain, "2022-01-01", "2022-01-03") as server:
        ...  # CRANPM_ENDPOINTS points here; ``cranpm data fetch`` and ``prepare`` work as they would online

For notebooks, tests, and trying out a region before downloading gigabytes. What is prepared from it says "simulated".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from cranpm._json import JsonObject
from cranpm.data.download.endpoints import VARIABLE
from cranpm.data.manifest import load_manifest
from cranpm.data.mock_providers import cams as cams
from cranpm.data.mock_providers import files as files
from cranpm.data.mock_providers import openaq as openaq
from cranpm.domain import Domain

TOKEN = "mock-token"
"""The only key that the stand-in stores accept."""

_KEYS = ("ECMWF_DATASTORES_KEY", "OPENAQ_API_KEY")

Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[["_Handler", bytes], bool]
"""Given the handler and the body that was due; answers in its place and returns True, or lets the body pass."""


class MockProviders:
    """The server; use as a context manager, which also sets the address and the keys for this process.

    Parameters
    ----------
    domain : Domain
        Where values are made.
    first, last : str
        UTC days that the satellite product and the stations have.
    queue : int
        Looks at a waiting request before it is done.
    limit : float
        Fields that one request may have.
    roughness : float
        What is added to the satellite maps cell by cell [ug m-3]; 0 keeps them smooth.
    zone : str
        Time zone of OpenAQ's places, which its archive's days are days of.
    """

    def __init__(
        self,
        domain: Domain,
        first: str,
        last: str,
        *,
        queue: int = 1,
        limit: float = 1e5,
        roughness: float = 0.0,
        zone: str = "Etc/UTC",
        keep: Path | None = None,
    ) -> None:
        self.domain, self.queue, self.limit = domain, queue, limit
        self.first, self.last = np.datetime64(first, "D"), np.datetime64(last, "D")
        self.zone, self.roughness, self.most_places = zone, roughness, 1000
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.jobs: dict[str, JsonObject] = {}
        self._temporary = tempfile.TemporaryDirectory(prefix="cranpm-mock-") if keep is None else None
        self.folder = Path(self._temporary.name) if self._temporary else Path(str(keep))
        self._before: dict[str, str | None] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.providers = self  # type: ignore[attr-defined]
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        west, _, east, north = domain.fine.extent
        middle = (west + east) / 2
        self.points = {
            f"SPO.MOCK_{k}": (north - 1.5 - 0.3 * k, middle + 0.4 * k, 100.0 + k) for k in range(3)
        }

    def __enter__(self) -> MockProviders:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._before = {name: os.environ.get(name) for name in (VARIABLE, *_KEYS)}
        os.environ.update({VARIABLE: self.address, **dict.fromkeys(_KEYS, TOKEN)})
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        self._server.shutdown()
        self._server.server_close()
        if self._temporary:
            self._temporary.cleanup()

    def start(self) -> MockProviders:
        """As entering the context, for notebooks."""
        return self.__enter__()

    def stop(self) -> None:
        """As leaving the context."""
        self.__exit__()

    def make_maps(self) -> None:
        """Make the months of satellite maps now, so that nobody waits for large ones until a connection gives up."""
        for month in _months(self.first, self.last):
            self._ghap(str(month).replace("-", ""))

    def answer(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Status, headers and body for one request."""
        host, _, rest = path.lstrip("/").partition("/")
        rest, _, query = rest.partition("?")
        if host.endswith("copernicus.eu"):
            return self._store(method, host, rest, body, headers)
        if host == "zenodo.org":
            return self._zenodo(rest)
        if "downloads-api" in host:
            return self._eea(rest, body)
        if "discomap" in host:
            return _ok(self._made("stations", lambda: files.station_table(self.points)))
        if host.endswith("core.windows.net"):
            return self._station(rest)
        if host == "www.ngdc.noaa.gov":
            return _ok(self._made("etopo.nc", lambda: files.etopo_file(self.domain.fine)))
        if "openaq" in host:
            return self._openaq(host, rest, query, headers)
        return _json({"message": f"no {path} at these mock providers"}, 404)

    def _made(self, name: str, make: Callable[[], bytes]) -> bytes:
        return files.remembered(self.folder, name, make)

    def _zenodo(self, rest: str) -> Answer:
        records = {doi.rsplit(".", 1)[1]: year for year, doi in (_GHAP.doi or {}).items()}
        record = next((r for r in records if f"records/{r}" in rest), "")
        months = [
            str(m).replace("-", "")
            for m in _months(self.first, self.last)
            if str(m)[:4] == records.get(record)
        ]
        names = {f"GHAP_PM2.5_D1K_{month}_V1.zip": month for month in months}
        if rest.startswith("api/"):
            listed = []
            for name, month in names.items():
                content = self._ghap(month)
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                listed.append({"key": name, "checksum": f"md5:{digest}", "size": len(content)})
            return _json({"id": record, "files": listed})
        name = rest.rsplit("/", 1)[-1]
        return _ok(self._ghap(names[name])) if name in names else _json({"message": "no such file"}, 404)

    def _ghap(self, month: str) -> bytes:
        days = [d for d in np.arange(self.first, self.last + 1) if str(d)[:7].replace("-", "") == month]
        numbers = [int(str(day)[8:]) for day in days]
        grid, rough = self.domain.fine, self.roughness
        return self._made(f"{month}.zip", lambda: files.ghap_month(month, grid, numbers, rough))

    def _eea(self, rest: str, body: bytes) -> Answer:
        if rest == "Country":
            return _json([{"countryCode": "XX"}])
        feed = "e2a" if body and json.loads(body).get("dataset") == 1 else "e1a"
        base = f"https://eeadmz1batchservice02.blob.core.windows.net/airquality-p-{feed}/XX"
        lines = ["ParquetFileUrl", *(f"{base}/{point}.parquet" for point in self.points)]
        return 200, {"Content-Type": "text/plain"}, "\r\n".join(lines).encode()

    def _station(self, rest: str) -> Answer:
        point = rest.rsplit("/", 1)[-1].removesuffix(".parquet")
        if point not in self.points:
            return _json({"message": "no such file"}, 404)
        level = 10.0 + list(self.points).index(point)
        days, verified = (self.first - 1, self.last + 1), "-e2a/" not in rest
        name = point if verified else f"{point}-e2a"
        return _ok(self._made(name, lambda: files.station_file(point, *days, level, verified=verified)))

    def _openaq(self, host: str, rest: str, query: str, headers: dict[str, str]) -> Answer:
        known = openaq.places(self.points, self.zone, self.first, self.last)
        if host.startswith("openaq-data-archive"):
            content = openaq.archive_file(known, rest, self.first, self.last)
            return (404, {}, b"<Error><Code>NoSuchKey</Code></Error>") if content is None else _ok(content)
        if headers.get("X-API-Key") != TOKEN:
            return _json({"message": "Invalid credentials"}, 401)
        return _json(openaq.page(known, query, self.most_places))

    def _store(self, method: str, host: str, rest: str, body: bytes, headers: dict[str, str]) -> Answer:
        if "catalogue" in rest:
            return _json({"messages": []})
        if rest.startswith("assets/"):
            return _ok((self.folder / rest.rsplit("/", 1)[-1]).read_bytes())
        if headers.get("PRIVATE-TOKEN") != TOKEN:
            return _json({"title": "Authentication failed", "detail": "the token has expired"}, 401)
        base = f"{self.address}/{host}/api/retrieve/v1"
        process = re.search(r"processes/([^/]+)(/\w+)?$", rest)
        if process:
            return self._process(method, process[1], process[2] or "", base, body, host)
        job = rest.split("/jobs/")[-1].split("/")[0]
        if job not in self.jobs:
            return _json({"title": "job not found"}, 404)
        if rest.endswith("/results"):
            asset = {"href": f"{self.address}/{host}/assets/{job}", "file:size": self.jobs[job]["size"]}
            return _json({"asset": {"value": asset | {"type": "application/netcdf"}}})
        return _json(self._look(job, base))

    def _process(self, method: str, dataset: str, action: str, base: str, body: bytes, host: str) -> Answer:
        if method == "GET":
            return _json({"id": dataset, "links": []})
        request = json.loads(body)["inputs"]
        if action == "/costing":
            return _json({"id": "size", "cost": float(files.number_of_fields(request)), "limit": self.limit})
        if "europe" in dataset:
            content = cams.cams_europe_file(request, self.domain.coarse_box)
        elif "ads" in host:
            content = (cams.eac4_file if "eac4" in dataset else cams.cams_file)(request)
        else:
            content = files.era5_file(request)
        job = hashlib.sha256(body + dataset.encode()).hexdigest()[:12]
        self._made(job, lambda: content)
        self.jobs[job] = {"looks": 0, "size": len(content), "dataset": dataset}
        return _json(self._look(job, base), 201)

    def _look(self, job: str, base: str) -> JsonObject:
        self.jobs[job]["looks"] += 1
        status = "successful" if self.jobs[job]["looks"] > self.queue else "accepted"
        links = [{"rel": rel, "href": f"{base}/jobs/{job}"} for rel in ("monitor", "self")]
        links.append({"rel": "results", "href": f"{base}/jobs/{job}/results"})
        return {"jobID": job, "processID": self.jobs[job]["dataset"], "status": status, "links": links}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        providers: MockProviders = self.server.providers  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        providers.log.append((self.command, self.path, headers))
        for text, faults in providers.faults.items():
            if text in self.path and faults:
                fault = faults[0]
                faults.pop(0)  # before answering: the next question may come at once
                if fault(self, providers.answer(self.command, self.path, body, headers)[2]):
                    return
        status, extra, content = providers.answer(self.command, self.path, body, headers)
        self.reply(status, extra, content)

    do_GET = do_POST = _serve

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the one who asked has gone
            super().handle()

    def reply(
        self, status: int, extra: dict[str, str], content: bytes, *, stop_after: int | None = None
    ) -> None:
        """Answer, with ranges and an entity tag; ``stop_after`` bytes the connection breaks."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        first, size = 0, len(content)
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if status == 200 and wanted and self.headers.get("If-Range", tag) == tag:
            first = int(wanted[1])
            status = 206 if first < size else 416
            extra = {**extra, "Content-Range": f"bytes {first}-{size - 1}/{size}"}
        part = content[first:] if status != 416 else b""
        self.send_response(status)
        for name, value in {
            "ETag": tag,
            "Accept-Ranges": "bytes",
            "Content-Length": str(len(part)),
            **extra,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the one who asked has gone
            self.wfile.write(part if stop_after is None else part[:stop_after])
        if stop_after is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


_GHAP = load_manifest().source("ghap-pm25-d1k")


def _months(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    return np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1)


def _ok(content: bytes) -> Answer:
    return 200, {"Content-Type": "application/octet-stream"}, content


def _json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()
