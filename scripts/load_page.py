"""What a crowd costs: bursts of arrivals beside a user who works, and pages that are opened and closed again.

It starts the dashboard, visits it as browsers do (document, WebSocket, tiles of the first map) without drawing
anything, and prints a table. Server and visitors share the machine's cores.

.venv/bin/python scripts/load_page.py burst --arrivals 20 50
.venv/bin/python scripts/load_page.py cycles --cycles 500
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from cranpm.dashboard.data.store import get_store
from cranpm.dashboard.views.first_run import COMMAND
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from cranpm.paths import data_dir

ROOT = Path(__file__).parents[1]
QUERY = "layer=today&stations=0"
FIRST_TILES = [(4, x, y) for x in (7, 8, 9) for y in (4, 5, 6)]
"""Zoom, column and row of what a window shows of Europe at first."""

_TOKEN = re.compile(r'"token":\s*"([^"]+)"')
_TILES = re.compile(r"tiles/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/\{Z\}/\{X\}/\{Y\}\.png\?[A-Za-z0-9=&_-]*")
_MOUNTED = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map", "entries": []}},
}
"""What a browser says once it shows the page."""

_CONTROLS = "RadioButtonGroup"
"""Occurs in the message with the controls, and in none before it."""

PATIENCE = 120.0  # seconds for any answer


@dataclass(frozen=True)
class Server:
    """A dashboard that this script has started."""

    address: str
    process: psutil.Process
    log: Path

    @property
    def megabytes(self) -> float:
        """Memory that the server's process keeps, without its worker."""
        return float(self.process.memory_info().rss / 2**20)


@contextlib.contextmanager
def serve(log: Path, environment: Mapping[str, str] | None = None, *options: str) -> Iterator[Server]:
    """The dashboard on a free port while the block runs; what it prints goes to ``log``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port), *options]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            end = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The dashboard did not start. It said:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid), log)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


class RefusedError(RuntimeError):
    """The server has no room for this page; it said so with a status 503."""


@dataclass
class Visitor:
    """One tab: its document, its connection and the addresses of its tiles."""

    address: str
    query: str = QUERY
    seconds: dict[str, float] = field(default_factory=dict)
    """Since the arrival, until the document, the first picture's address, all its tiles and the controls were there."""
    _begun: float = 0.0
    _socket: WebSocketClientConnection | None = None

    async def open(self) -> Visitor:
        """Arrive and wait for the first map."""
        self._begun = time.monotonic()
        await self.connect()
        self.tiles = await self._first_picture()
        self.seconds["picture"] = time.monotonic() - self._begun
        await asyncio.gather(*(self.tile(*place) for place in FIRST_TILES))
        self.seconds["map"] = time.monotonic() - self._begun
        return self

    async def open_whole(self) -> Visitor:
        """Arrive and wait for the first map and the controls beside it."""
        await self.open()
        # where nobody else arrives, controls may come before the first picture
        if "controls" not in self.seconds:
            async for _text in self._messages():
                if "controls" in self.seconds:
                    break
            else:
                raise RuntimeError("The server closed the connection before there were controls.")
        return self

    async def connect(self) -> None:
        """Get the document, connect, and ask for its models."""
        begun = time.monotonic()
        document = await fetch(f"{self.address}/dashboard?{self.query}")
        self.seconds["document"] = time.monotonic() - begun
        token = _TOKEN.search(document.decode())
        if token is None:
            raise RuntimeError("The document names no session; the page could not be built.")
        request = HTTPRequest(
            f"ws://{urlsplit(self.address).netloc}/dashboard/ws?{self.query}",
            headers={"Origin": self.address},
            request_timeout=PATIENCE,
            connect_timeout=PATIENCE,
        )
        self._socket = await websocket_connect(
            request, subprotocols=["bokeh", token.group(1)], max_message_size=2**30
        )
        await self._pull()

    async def _pull(self) -> None:
        """Ask for the document's models, as a browser does once it has heard ACK."""
        await self._hear()
        await self._say("1", "PULL-DOC-REQ", {})

    async def _say(self, number: str, kind: str, content: dict[str, Any]) -> None:
        assert self._socket is not None
        for part in ({"msgid": number, "msgtype": kind}, {}, content):
            await self._socket.write_message(json.dumps(part))

    async def _first_picture(self) -> str:
        mounted = False
        async for text in self._messages():
            found = _TILES.search(text)
            if '"doc"' in text and not mounted:
                mounted = True
                await self._say("2", "PATCH-DOC", {"events": [_MOUNTED]})
            if found:
                return found.group()
        raise RuntimeError("The server closed the connection before there was a map.")

    async def _hear(self) -> str | bytes | None:
        assert self._socket is not None
        return await asyncio.wait_for(self._socket.read_message(), PATIENCE)

    async def _messages(self) -> AsyncIterator[str]:
        while (heard := await self._hear()) is not None:
            if isinstance(heard, str):
                if _CONTROLS in heard:
                    self.seconds.setdefault("controls", time.monotonic() - self._begun)
                yield heard

    async def tile(self, z: int, x: int, y: int) -> float:
        """Seconds until a tile of this tab's map was there."""
        begun = time.monotonic()
        place = self.tiles.replace("{Z}", str(z)).replace("{X}", str(x)).replace("{Y}", str(y))
        await fetch(f"{self.address}/{place}")
        return time.monotonic() - begun

    def close(self) -> None:
        """Shut the tab."""
        if self._socket is not None:
            self._socket.close()

    def abandon(self) -> None:
        """Be gone without a word, as a browser that is killed."""
        if self._socket is not None and self._socket.protocol is not None:
            self._socket.protocol._abort()


async def fetch(address: str) -> bytes:
    """The body of an answer.

    Raises
    ------
    RefusedError
        For a status 503.
    """
    client = AsyncHTTPClient(force_instance=False, max_clients=500, max_body_size=2**30)
    try:
        answer = await client.fetch(address, request_timeout=PATIENCE, connect_timeout=PATIENCE)
    except HTTPError as error:
        if error.code == 503:
            raise RefusedError(address) from None
        raise
    return answer.body


def model_of(document: str, fits: Callable[[dict[str, Any]], bool]) -> str:
    """Id of the one model in a document's message whose attributes fit."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            attributes = node.get("attributes")
            if isinstance(attributes, dict) and "id" in node and fits(attributes):
                found.append(node["id"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(document))
    (model,) = found
    return model


def is_map(attributes: dict[str, Any]) -> bool:
    """Whether a model's attributes are those of the map's figure."""
    return "cranpm-map" in attributes.get("tags", ())


def click_on(figure: str, x: float, y: float) -> dict[str, Any]:
    """What a browser says of a click on a figure, at a place in its own units."""
    values = {"model": {"id": figure}, "sx": 1, "sy": 1, "x": x, "y": y}
    tap = {"type": "event", "name": "tap", "values": {"type": "map", "entries": [*values.items()]}}
    return {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": tap}


class Worker:
    """Somebody who moves about on the map: a new tile at a fixed pace, whether the last one is there or not."""

    def __init__(self, visitor: Visitor, pause: float = 0.2) -> None:
        self._visitor, self._pause = visitor, pause
        self.seconds: list[float] = []
        # zoom 8 over Central Europe: every tile is another, none comes from a cache
        self._places = itertools.cycle((8, x, y) for y in range(82, 94) for x in range(126, 142))
        self._asked: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Worker:
        self._task = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(*self._asked)

    async def _go_on(self) -> None:
        while True:
            self._asked.append(asyncio.create_task(self._ask(next(self._places))))
            await asyncio.sleep(self._pause)

    async def _ask(self, place: tuple[int, int, int]) -> None:
        self.seconds.append(await self._visitor.tile(*place))


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum [s], and how many there are."""
    if not seconds:
        return {"count": 0}
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "p50": round(float(p50), 3),
        "p95": round(float(p95), 3),
        "max": round(max(seconds), 3),
        "count": len(seconds),
    }


async def burst(address: str, arrivals: int, *, quiet_seconds: float = 5.0) -> dict[str, Any]:
    """So many arrivals at once beside one user who works.

    Returns
    -------
    dict
        Percentiles [s]: ``quiet`` and ``during`` of the user's tiles, ``document``, ``map`` and ``controls`` of the
        arrivals; ``refused``, the number of arrivals that were told to come back, and ``failed``, what else happened.
    """
    user = await Visitor(address).open()
    async with Worker(user) as quiet:
        await asyncio.sleep(quiet_seconds)
    visitors = [Visitor(address) for _ in range(arrivals)]
    async with Worker(user) as during:
        came = await asyncio.gather(*(visitor.open_whole() for visitor in visitors), return_exceptions=True)
    for visitor in (user, *visitors):
        visitor.close()
    failed = [repr(e) for e in came if isinstance(e, BaseException) and not isinstance(e, RefusedError)]
    return {
        "arrivals": arrivals,
        "quiet": percentiles(quiet.seconds),
        "during": percentiles(during.seconds),
        **{
            name: percentiles([v.seconds[name] for v in visitors if name in v.seconds])
            for name in ("document", "map", "controls")
        },
        "refused": sum(isinstance(error, RefusedError) for error in came),
        "failed": failed,
    }


async def cycle(
    server: Server, cycles: int, *, warm: int = 20, settle: float = 4.0
) -> list[tuple[int, float]]:
    """Open and close a page so many times; pages opened so far, and the server's memory [MiB].

    The first ``warm`` pages are not counted: they fill caches that all pages share.
    """

    async def visit(times: int) -> None:
        for _ in range(times):
            visitor = await Visitor(server.address).open_whole()
            visitor.close()
        await asyncio.sleep(settle)  # closed sessions are looked for once a second

    await visit(warm)
    seen = [(0, server.megabytes)]
    step = max(cycles // 5, 1)
    while seen[-1][0] < cycles:
        now = min(step, cycles - seen[-1][0])
        await visit(now)
        seen.append((seen[-1][0] + now, server.megabytes))
    return seen


SHORT_LIVES = ("--unused-session-lifetime", "1000", "--check-unused-sessions", "1000")
"""Closed pages are forgotten after a second instead of a quarter of a minute, so that cycles need not wait for it."""


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "seconds: p50 / p95 / max",
        f"{'arrivals':>8} {'tile, quiet':>22} {'tile, during':>22} {'map':>22} {'controls':>22} refused",
    ]
    for row in rows:
        cells = "".join(f" {cell(row[name]):>22}" for name in ("quiet", "during", "map", "controls"))
        lines.append(f"{row['arrivals']:>8}{cells} {row['refused']:>7}")
    return "\n".join(lines) + "\n"


def cell(found: dict[str, float]) -> str:
    """Percentiles in words, or a dash where nothing was measured."""
    return " / ".join(f"{found[name]:.2f}" for name in ("p50", "p95", "max")) if found["count"] else "-"


def conclude(found: Any, problems: list[str], log: str, out: Path | None) -> int:
    """Write the figures, if asked to, and what went wrong, tracebacks of the server included; the exit status."""
    if "Traceback" in log:
        problems = [*problems, "the server's log holds a traceback:\n" + log[-3000:]]
    if out:
        out.write_text(json.dumps(found, indent=2))
    sys.stdout.writelines(f"FAILED: {problem}\n" for problem in problems)
    return 1 if problems else 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True)
    bursts = what.add_parser("burst", help="arrivals at once, beside a user who works")
    bursts.add_argument("--arrivals", type=int, nargs="+", default=[20, 50])
    cycles = what.add_parser("cycles", help="pages opened and closed again")
    cycles.add_argument("--cycles", type=int, default=500)
    cycles.add_argument("--limit", type=float, default=20.0, help="growth that is allowed [MiB]")
    for one in (bursts, cycles):
        one.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    if not get_store().dataset_folders():
        parser.error(f"expected a dataset to show, found none in {data_dir()}. Build one: {COMMAND}")
    found: Any
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        if options.what == "burst":
            with serve(log) as server:
                found = [asyncio.run(burst(server.address, count)) for count in options.arrivals]
            sys.stdout.write(_table(found))
            problems = [problem for row in found for problem in row["failed"]]
        else:
            with serve(log, {}, *SHORT_LIVES) as server:
                found = asyncio.run(cycle(server, options.cycles))
            growth = found[-1][1] - found[0][1]
            sys.stdout.writelines(f"{pages:>6} pages {megabytes:8.1f} MiB\n" for pages, megabytes in found)
            sys.stdout.write(
                f"growth {growth:+.1f} MiB in {options.cycles} cycles; allowed {options.limit:g}\n"
            )
            problems = [f"grew by {growth:.1f} MiB"] if growth > options.limit else []
        return conclude(found, problems, log.read_text(), options.out)


if __name__ == "__main__":
    sys.exit(main())
