"""Settings of the server, from variables of its environment; docs/reference/settings.md lists them."""

from __future__ import annotations

import os

DEFAULTS: dict[str, tuple[int, str]] = {
    "CRANPM_MAX_PAGES": (100, "how many pages may be open at once"),
    "CRANPM_FIELD_CACHE_MB": (600, "megabytes that fields may take"),  # six of Europe; a visitor looks at two
}
"""Variable, what holds without it, and what it is."""


def whole_number(variable: str) -> int:
    """A setting that is a number from 1 on.

    Raises
    ------
    ValueError
        If the variable holds something else.
    """
    default, meaning = DEFAULTS[variable]
    text = os.environ.get(variable, "").strip() or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"{variable}: expected {meaning}, a whole number from 1 on, got {text!r}.")
    return int(text)


def check() -> None:
    """Read every setting, so that a wrong one is told when the server starts.

    Raises
    ------
    ValueError
        Naming the first that is wrong.
    """
    for variable in DEFAULTS:
        whole_number(variable)
