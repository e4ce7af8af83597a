"""Many who come at once: those who are here go on, and those for whom there is no room are told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ARRIVALS = 8


@pytest.fixture(scope="module")
def load(load_file: Callable[[str], ModuleType]) -> ModuleType:
    return load_file("scripts/load_page.py")


@pytest.fixture(scope="module")
def serve(
    load: ModuleType, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """Starts a server, with a quick memory for pages that are closed."""
    root = tmp_path_factory.mktemp("crowds")
    variables = {
        "CRANPM_DATA": str(data_folder),
        "CRANPM_CHECKPOINTS": str(root / "checkpoints"),
        "CRANPM_RUNS": str(root / "runs"),
        "CRANPM_REAL_DATA": "",
    }
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
