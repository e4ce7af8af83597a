"""From a thread back to the page that asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def in_page(document: Any, action: Callable[[], None]) -> None:
    """Do something under the lock of a page's document; at once where no browser is behind it."""
    if document is None or document.session_context is None:
        action()
    else:
        document.add_next_tick_callback(action)
