"""Who comes next: pages are made one at a time, after the tiles of those who are here; a full house says so.

All of Python runs in the server's one loop. Twenty arrivals at once would be made in one go, and the tiles of everybody
else would wait until the last of them is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from weakref import WeakSet

from bokeh.document import Document
from bokeh.server.session import ServerSession

from ..background import in_page
from ..settings import whole_number

PATIENCE = 0.1  # seconds that a page waits for tiles before it is made all the same
LONGEST_DELAY = 20.0  # seconds that a step which can wait leaves others the way
LONGEST_STEP = 5.0  # seconds after which a step whose page went away meanwhile keeps nobody waiting any more
ON_THE_WAY = 20.0  # seconds in which a browser that has the document connects, or is taken not to come


class Turns:
    """One heavy step of a page after the other; before each, tiles that are under way are answered."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._lock = asyncio.Lock()
        self._patience = patience
        self._answering = 0
        self._arriving = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Something small is under way for somebody who is already here."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; the block is a step without which somebody has no map yet."""
        self._arriving += 1
        try:
            async with self._lock:
                await self._let_tiles_go_first()
                yield
        finally:
            self._arriving -= 1

    @asynccontextmanager
    async def later_turn(self) -> AsyncIterator[None]:
        """Wait until nobody waits for a map any more; the block is a step of a page that shows its map already."""
        end = asyncio.get_running_loop().time() + LONGEST_DELAY
        while self._arriving and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        async with self._lock:
            await self._let_tiles_go_first()
            yield

    async def _let_tiles_go_first(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience
        await asyncio.sleep(0.001)  # so that requests that came meanwhile are read
        while self._answering and loop.time() < end:
            await asyncio.sleep(0.005)


class FullError(RuntimeError):
    """There is no room for another page."""


class House:
    """How many pages are open, and whether there is room for another.

    Parameters
    ----------
    max_pages : int
    """

    def __init__(self, max_pages: int) -> None:
        self.max_pages = max_pages
        self._arriving = 0
        self._came: WeakSet[ServerSession] = WeakSet()

    @contextmanager
    def arrival(self, sessions: Iterable[ServerSession]) -> Iterator[None]:
        """While a page is made, it takes up room already.

        Raises
        ------
        FullError
            If there is none.
        """
        if self.pages(sessions) >= self.max_pages:
            raise FullError(f"{self.max_pages} pages are open.")
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def came(self, session: ServerSession) -> None:
        """The browser of this session has connected."""
        self._came.add(session)

    def pages(self, sessions: Iterable[ServerSession]) -> int:
        """Pages that somebody looks at, that are on their way to a browser, or that are being made.

        Bokeh keeps a session for a while after its tab is closed; such a one takes nobody's place.
        """
        return self._arriving + sum(
            session.connection_count > 0
            or (session not in self._came and session.milliseconds_since_last_unsubscribe < 1000 * ON_THE_WAY)
            for session in sessions
        )


TURNS = Turns()

_STEPS: set[asyncio.Task[None]] = set()
"""Steps that wait for their turn; asyncio itself does not keep them."""


def after_arrivals(document: Document | None, step: Callable[[], None]) -> None:
    """Do a heavy step in a page that shows its map already, once nobody waits for a map; at once without a document.

    Called in the server's loop.
    """
    if document is None:
        step()
        return
    task = asyncio.get_running_loop().create_task(_in_later_turn(document, step))
    _STEPS.add(task)
    task.add_done_callback(_STEPS.discard)


async def _in_later_turn(document: Document, step: Callable[[], None]) -> None:
    async with TURNS.later_turn():
        done = asyncio.Event()

        def do() -> None:
            try:
                step()
            finally:
                done.set()

        in_page(document, do)
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), LONGEST_STEP)


@lru_cache(maxsize=1)
def house() -> House:
    """That of this server, with ``CRANPM_MAX_PAGES`` places."""
    return House(whole_number("CRANPM_MAX_PAGES"))
