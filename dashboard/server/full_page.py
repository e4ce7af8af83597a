"""The answer when no more pages fit: plain HTML, for nothing may be built for it. It tries again by itself."""

from __future__ import annotations

import random
from functools import lru_cache
from string import Template

from .plain_page import plain_template

FULL = "This server has as many pages open as it may."


def retry_seconds() -> int:
    """When to try again: not the same for all, so that those who were refused together do not come back together."""
    return random.randint(4, 8)


def full_page(max_pages: int, seconds: int, *, dark: bool | None) -> str:
    """HTML that says why there is no page, what to do, and tries again after so many seconds.

    Parameters
    ----------
    dark : bool or None
        Theme of the link that was asked for; None is the browser's own.
    """
    theme = {True: "dark", False: "light", None: ""}[dark]
    return _template().substitute(seconds=seconds, pages=max_pages, full=FULL, theme=theme)


@lru_cache(maxsize=1)
def _template() -> Template:
    return Template(plain_template("full.html"))
