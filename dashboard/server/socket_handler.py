"""The connection of a page: made in its turn, no word of where code lies, no fuss when a tab is closed."""

from __future__ import annotations

import logging
from typing import Any

import panel as pn
from bokeh.protocol.message import Message
from bokeh.util.token import get_session_id
from panel.io.server import WSHandler

from ..background import failed, hold
from .full_page import FULL
from .turns import TURNS, FullError, house

log = logging.getLogger(__name__)

TRY_AGAIN_LATER = 1013  # RFC 6455's registry of close codes


class SocketHandler(WSHandler):
    """The WebSocket of one tab; stands in for Panel's handler."""

    async def _async_open(self, token: str) -> None:
        """Find the token's session, or make it anew where it has been forgotten."""
        context = self.application_context
        session_id = get_session_id(token)
        if any(session.id == session_id for session in context.sessions):
            await super()._async_open(token)
        else:
            try:
                with house().arrival(context.sessions):
                    async with TURNS.turn():
                        await super()._async_open(token)
            except FullError:
                self.close(TRY_AGAIN_LATER, FULL)
        if self.connection is None or self.connection._session is None:  # none, or one that has ended already
            return
        house().came(self.connection.session)
        if self.ws_connection is None:
            # closed while the session was looked for: `on_close` knew no connection, and nobody else would end it
            self.application.client_lost(self.connection)  # type: ignore[attr-defined]
            self.connection = None  # or an `on_close` that comes after all would end it again, and fail

    async def _handle(self, message: Message[Any]) -> Any | None:
        """Answer it; a page whose document is asked for is on its way from here on."""
        document = None
        if message.msgtype == "PULL-DOC-REQ" and self.connection is not None:
            document = self.connection.session.document
            hold(document)
        answer = await super()._handle(message)
        if document is not None:
            # Until a page reports that it is ready, Panel (1.9) takes its document for one that is still to be sent as
            # a whole, and drops what changes in it: what a click does that comes before that report would get lost.
            pn.state._connected[document] = True
        return answer

    async def send_message(self, message: Message[Any]) -> None:
        """Send it, unless nobody is there any more; of an error, only that there was one."""
        if self.ws_connection is None:
            return
        if message.msgtype == "ERROR":
            log.error("Told the browser of an error: %s", message.content["text"])
            message = type(message)(
                message.header, message.metadata, {"text": "an error of this program", "traceback": None}
            )
            if self.connection is not None and self.connection._session is not None:
                failed(self.connection.session.document, None)
        await super().send_message(message)

    def _internal_error(self, message: str) -> None:
        log.error("The connection is closed: %s", message)
        self.close(1011, "an error of this program")

    def _protocol_error(self, message: str) -> None:
        log.warning("The connection is closed: %s", message)
        self.close(1002, "not understood")
