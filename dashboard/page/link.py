"""The link to what one page shows."""

from __future__ import annotations

from typing import Any

import panel as pn

from ..background import in_page
from ..state import State


class PageLink:
    """Keeps the browser's address that of the page's state.

    Parameters
    ----------
    state : State
    document : Document or None
        Of the page.
    """

    def __init__(self, state: State, document: Any) -> None:
        self._state, self._document = state, document

    def follow(self) -> None:
        """From now on."""
        self._state.param.watch(lambda *_: in_page(self._document, self._write), list(State.param))

    def address(self) -> str:
        """The whole of it."""
        location = pn.state.location
        base = (
            ""
            if location is None
            else f"{location.protocol}//{location.hostname}:{location.port}{location.pathname}"
        )
        return f"{base}?{self._state.to_query()}"

    def _write(self) -> None:
        if pn.state.location is not None:
            pn.state.location.search = "?" + self._state.to_query()
