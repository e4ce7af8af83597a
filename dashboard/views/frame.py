"""The frame that every page stands in: header, columns, colours."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from param.parameterized import Watcher

from ..theme import PAGE_SX, THEME


def page_frame(**parts: Any) -> pmui.Page:
    """A page in the colours of this program.

    Panel's page follows the busy state that all pages of the process share, whether it shows it or not, and that state
    then holds the page for ever: 1.5 MB each. Nothing here shows it, so a page does not begin to follow.
    """
    followers = _busy_followers()
    page = pmui.Page(title="", theme_config=THEME, sx=PAGE_SX, busy_indicator=None, **parts)
    for watcher in _busy_followers():
        if watcher not in followers:
            pn.state.param.unwatch(watcher)
    return page


def _busy_followers() -> list[Watcher]:
    return list(pn.state.param.watchers.get("busy", {}).get("value", []))
