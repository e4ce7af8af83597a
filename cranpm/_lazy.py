"""Names of a package that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str, home: Mapping[str, str | None]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose public names live in modules that may be heavy.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    home : mapping of str to str or None
        Public name to the module that defines it; None for a sub-package of that name. No function may bear the
        name of a sub-package: Python's import statement would put the sub-package in its place.

    Returns
    -------
    tuple of callable
        To be bound to ``__getattr__`` and ``__dir__`` in the package's ``__init__``. An unknown name is an
        ``AttributeError`` that says what there is.
    """

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(_unknown(package, name, home), name=name)
        module = home[name]
        found = (
            importlib.import_module(f"{package}.{name}")
            if module is None
            else getattr(importlib.import_module(module), name)
        )
        setattr(sys.modules[package], name, found)  # the next look-up is a plain attribute
        return found

    def names() -> list[str]:
        special = {name for name in vars(sys.modules[package]) if name.startswith("__")}
        return sorted(special | set(home))

    return get, names


def _unknown(package: str, name: str, home: Mapping[str, str | None]) -> str:
    message = f"{package} has no {name!r}."
    if name.startswith("__"):
        return message  # Python's own question, not a person's
    close = difflib.get_close_matches(name, home, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return f"{message}{meant} It has: {', '.join(sorted(home))}."
