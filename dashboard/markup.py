"""The one door through which text becomes HTML: everything is text unless this program wrote it as `Markup`.

Names of stations and checkpoints, values of a link, messages of an error: all come from elsewhere. A fragment is
written as ``Markup("<b>{}</b>").format(name)``, which escapes what it takes in, and shown in an `Html` pane, which
escapes whatever is not such a fragment. So a forgotten step shows stray brackets, and never runs a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import panel as pn
from markupsafe import Markup, escape

__all__ = ["Html", "Markup", "join", "without_paths"]

_PATH = re.compile(
    r"""(?<=['"])(?:~?/|[A-Za-z]:\\)[^'"\n]+(?=['"])"""  # in quotes, as Python names files
    r"|(?<![\w.:/])(?:~|/)[\w.@+-]+(?:/[\w.@+-]+)+"  # /srv/data/x.zarr, ~/data/x
    r"|\b[A-Za-z]:\\(?:[\w.@+ -]+\\)*[\w.@+-]+"  # C:\data\x.zarr
    r"|\bfile://\S+"
)


class Html(pn.pane.HTML):
    """A pane whose ``object`` is text, or HTML where it is a `Markup`."""

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        return super()._transform_object(str(escape("" if obj is None else obj)))


def join(parts: Iterable[Any]) -> Markup:
    """Fragments one after the other; what is no `Markup` is escaped."""
    return Markup("").join(parts)


def without_paths(text: str) -> str:
    """The text with absolute paths cut to their last part: where files lie is nobody's business in a browser."""

    def last_part(match: re.Match[str]) -> str:
        return "…/" + re.split(r"[/\\]", match.group().rstrip("/\\"))[-1]

    return _PATH.sub(last_part, text)
