"""The page itself as an answer: made in its turn, while there is room, with a nonce on its own scripts."""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panel.io.server import AutoloadJsHandler, DocHandler
from tornado.web import Finish

from .full_page import FULL, full_page, retry_seconds
from .headers import content_policy
from .turns import TURNS, FullError, house

if TYPE_CHECKING:
    from collections.abc import Callable

    from bokeh.server.session import ServerSession
    from bokeh.server.views.session_handler import SessionHandler

_SCRIPT = re.compile(r"<script(?=[\s>])")
_HEAD = re.compile(r"<head[^>]*>")

STATIC = Path(__file__).parent.parent / "static"


async def in_turn(handler: SessionHandler, make: Callable[[], Any]) -> ServerSession:
    """A new session, made in its turn.

    Raises
    ------
    FullError
        If there is no room; the answer then has status 503, and lacks its words.
    """
    try:
        with house().arrival(handler.application_context.sessions):
            async with TURNS.turn():
                session: ServerSession = await make()
                return session
    except FullError:
        handler.set_status(503)
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("Retry-After", str(retry_seconds()))
        raise


class PageHandler(DocHandler):
    """Serves a page; stands in for Panel's handler.

    Everything in the document comes from Panel's and Bokeh's templates, and what the page shows is JSON in it, so
    that its script tags are known to be theirs. What is put into the page later gets no nonce and does not run.
    """

    async def get_session(self) -> ServerSession:  # type: ignore[override]
        """A new session, or a page that says that there is no room, and tries again."""
        try:
            return await in_turn(self, super().get_session)
        except FullError:
            self.set_header("Content-Type", "text/html; charset=utf-8")
            dark = {"1": True, "0": False}.get(self.get_query_argument("dark", ""))
            # not by this class's `write`: the page has no scripts
            super().write(full_page(house().max_pages, retry_seconds(), dark=dark))
            raise Finish from None

    def write(self, chunk: str | bytes | dict[str, Any]) -> None:
        if isinstance(chunk, str):
            nonce = secrets.token_urlsafe(16)
            self.set_header("Content-Security-Policy", content_policy(nonce))
            chunk = _HEAD.sub(lambda head: head.group() + _first_of_all(), chunk, count=1)
            chunk = _SCRIPT.sub(f'<script nonce="{nonce}"', chunk)
        super().write(chunk)


class AutoloadHandler(AutoloadJsHandler):
    """Serves the script that puts a page into another; stands in for Panel's handler."""

    async def get_session(self) -> ServerSession:  # type: ignore[override]
        """A new session, or a script that says in the console that there is no room."""
        try:
            return await in_turn(self, super().get_session)
        except FullError:
            self.set_header("Content-Type", "application/javascript")
            self.write(f'console.warn("{FULL}")')
            raise Finish from None


@lru_cache(maxsize=1)
def _first_of_all() -> str:
    """What stands before all else in a page: scripts that watch the connection and the parts that later ones make."""
    style, *scripts = (
        (STATIC / name).read_text(encoding="utf-8") for name in ("page.css", "connection.js", "mounting.js")
    )
    return "".join([f"\n<style>{style}</style>", *(f"\n<script>{script}</script>" for script in scripts)])
