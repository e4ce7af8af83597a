"""The frame that every page stands in: header, columns, colours."""

from __future__ import annotations

from collections.abc import Mapping
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


def on_phone(headers: Mapping[str, str | list[str]]) -> bool:
    """Whether a browser says that it is a phone's, where the column of controls would cover the map.

    Parameters
    ----------
    headers : mapping of str to str, or to a list of it
        Of its request. Chromium sends ``Sec-CH-UA-Mobile``; every browser of a phone has "Mobi" in its ``User-Agent``.
    """
    told = {name.lower(): "".join(value) for name, value in headers.items()}
    return told.get("sec-ch-ua-mobile") == "?1" or "Mobi" in told.get("user-agent", "")


def _busy_followers() -> list[Watcher]:
    return list(pn.state.param.watchers.get("busy", {}).get("value", []))
