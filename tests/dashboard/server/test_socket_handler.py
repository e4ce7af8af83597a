"""What a browser learns of an error, and what it does not."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from bokeh.protocol import Protocol
from cranpm.dashboard.server.socket_handler import SocketHandler
from panel.io.server import WSHandler


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Messages that went out."""
    messages: list[Any] = []

    async def send(self: WSHandler, message: Any) -> None:
        messages.append(message)

    monkeypatch.setattr(WSHandler, "send_message", send)
    return messages


def handler(*, closed: bool = False) -> SocketHandler:
    made = SocketHandler.__new__(SocketHandler)
    made.connection, made.ws_connection = None, None if closed else object()
    return made


def error_message() -> Any:
    """As Bokeh makes it of an exception in a callback."""
    try:
        raise RuntimeError(f"cannot read {__file__}")
    except RuntimeError as error:
        return Protocol().create("ERROR", "1", repr(error))


def test_an_error_says_nothing_of_the_code_to_the_browser_and_everything_to_the_log(
    sent: list[Any], caplog: pytest.LogCaptureFixture
):
    message = error_message()
    assert __file__ in message.content_json and "Traceback" in message.content_json  # what Bokeh would send
    with caplog.at_level(logging.ERROR):
        asyncio.run(handler().send_message(message))
    (told,) = sent
    assert told.msgtype == "ERROR" and told.header["reqid"] == "1"
    assert __file__ not in told.content_json and "Traceback" not in told.content_json
    assert __file__ in caplog.text


def test_nothing_is_sent_to_a_closed_tab(sent: list[Any]):
    asyncio.run(handler(closed=True).send_message(error_message()))
    assert sent == []
