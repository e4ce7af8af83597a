"""Many who come at once, many who leave again, and tabs that are closed at a bad moment."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.tcpclient import TCPClient
from tornado.websocket import websocket_connect

ARRIVALS = 8


@pytest.fixture(scope="module")
def load(load_file: Callable[[str], ModuleType]) -> ModuleType:
    return load_file("scripts/load_page.py")


@pytest.fixture(scope="module")
def serve(
    load_file: Callable[[str], ModuleType],
    load: ModuleType,
    data_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """Starts a server, with a quick memory for pages that are closed."""
    root = tmp_path_factory.mktemp("crowds")
    variables = load_file("tests/dashboard/serving.py").variables(root, data_folder)
    logs = (root / f"log-{number}.txt" for number in itertools.count())
    return lambda **more: load.serve(next(logs), variables | more, *load.SHORT_LIVES)


@pytest.fixture(scope="module")
def server(serve) -> Iterator[Any]:
    """One for all tests that fit into it."""
    with serve() as started:
        yield started


def test_tiles_of_a_user_are_answered_while_others_arrive(load: ModuleType, server: Any):
    """Each tile waits for the step that is under way, not for all pages together."""
    asyncio.run(load.Visitor(server.address).open())  # the first page of a process pays for its imports
    found = asyncio.run(load.burst(server.address, ARRIVALS, quiet_seconds=1.0))
    assert found["failed"] == [] and found["refused"] == 0
    assert found["map"]["count"] == ARRIVALS
    assert found["during"]["count"] >= 5
    assert found["during"]["p50"] < 0.5 * found["map"]["max"]


def test_above_the_limit_a_page_is_refused_with_the_time_to_come_back(load: ModuleType, serve):
    with serve(CRANPM_MAX_PAGES="3") as server:
        found = asyncio.run(load.burst(server.address, ARRIVALS, quiet_seconds=0.5))
        # one place of the three is the user's own
        assert found["map"]["count"] == 2
        assert found["refused"] == ARRIVALS - 2
        assert found["failed"] == []

        async def full() -> tuple[Any, Any]:
            inside = [load.Visitor(server.address) for _ in range(3)]
            try:
                for visitor in inside:
                    await visitor.open()
                client = load.AsyncHTTPClient()
                paths = ("dashboard", "dashboard/autoload.js?bokeh-autoload-element=p")
                answers = [
                    await client.fetch(f"{server.address}/{path}", raise_error=False) for path in paths
                ]
                assert await inside[0].tile(5, 16, 11) < load.PATIENCE  # those inside go on
            finally:
                for visitor in inside:
                    visitor.close()
            return answers[0], answers[1]

        for answer in asyncio.run(_when_empty(server, load, full)):
            assert answer.code == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= 10
            assert answer.headers["Cache-Control"] == "no-store"


async def _when_empty(server: Any, load: ModuleType, work: Callable[[], Any]) -> Any:
    """Do it when all pages that were closed are seen to be."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await work()
            except load.RefusedError:
                await asyncio.sleep(0.5)


def test_pages_that_are_opened_and_closed_leave_nothing_behind(load: ModuleType, serve):
    """What a page takes is measured first, with pages that stay open; those that are closed may keep a third of it.

    On a server of its own: pages that others have closed leave room in the process's memory, and new ones would seem to
    take nothing.
    """

    async def stay(server: Any, count: int) -> float:
        before, visitors = server.megabytes, [load.Visitor(server.address) for _ in range(count)]
        for visitor in visitors:
            await visitor.open_whole()
        taken = server.megabytes - before
        for visitor in visitors:
            visitor.close()
        await asyncio.sleep(4.0)
        return float(taken / count)

    async def both(server: Any) -> tuple[float, list[tuple[int, float]]]:
        first = await load.Visitor(
            server.address
        ).open_whole()  # pays for imports and for what all pages share
        found = await stay(server, 8), await load.cycle(server, 16, warm=4, settle=4.0)
        first.close()
        return found

    with serve() as server:
        page, seen = asyncio.run(both(server))
    assert seen[-1][0] == 16
    assert page > 0, seen
    assert seen[-1][1] - seen[0][1] < 16 * page / 3, (page, seen)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites_get_no_connection(load: ModuleType, server: Any, origin: str):
    """A browser names the site that asks; only this server's own is answered (RFC 6455, section 10.2)."""

    async def ask(of: str) -> None:
        page = await AsyncHTTPClient().fetch(f"{server.address}/dashboard", request_timeout=60)
        token = re.search(r'"token":"([^"]+)"', page.body.decode())
        assert token is not None
        address = server.address.replace("http://", "ws://") + "/dashboard/ws"
        request = HTTPRequest(address, headers={"Origin": of})
        (await websocket_connect(request, subprotocols=["bokeh", token[1]])).close()

    asyncio.run(ask(server.address))
    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(ask(origin))


def test_tabs_that_are_closed_at_any_moment_leave_no_traceback(load: ModuleType, server: Any):
    """While the document is made, before the connection, before the models are sent, before and while a picture is."""

    async def gone_before_the_document(address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        stream = await TCPClient().connect(host, int(port))
        await stream.write(f"GET /dashboard?layer=today HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        await asyncio.sleep(0.02)
        stream.close()

    async def gone_after(address: str, step: str) -> None:
        tab = load.Visitor(address, "layer=today&stations=1&place=45.4642,9.19")
        await tab.connect()
        if step != "asked":
            await tab._hear()
        if step == "mounted":
            await tab._say("2", "PATCH-DOC", {"events": [load._MOUNTED]})
        tab.abandon()

    async def everything() -> None:
        here = await load.Visitor(server.address).open()
        for _ in range(3):
            await gone_before_the_document(server.address)
            for step in ("asked", "heard", "mounted"):
                await gone_after(server.address, step)
        await asyncio.sleep(4.0)  # sessions that nobody uses are thrown away meanwhile
        assert await here.tile(5, 16, 11) < load.PATIENCE
        here.close()

    asyncio.run(everything())
    said = server.log.read_text()
    at = said.find("Traceback")
    assert "Uncaught" not in said and at < 0, said[max(0, at - 800) : at + 3000]
