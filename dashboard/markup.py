"""The one door through which text becomes HTML: everything is text unless this program wrote it as `Markup`.

Names of stations and checkpoints, values of a link, messages of an error: all come from elsewhere. A fragment is
written as ``Markup("<b>{}</b>").format(name)``, which escapes what it takes in, and shown in an `Html` pane, which
escapes whatever is not such a fragment. So a forgotten step shows stray brackets, and never runs a script.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import panel as pn
from bokeh.document import Document
from markupsafe import Markup, escape

__all__ = ["Html", "Markup", "join", "latitude", "longitude", "signed", "table", "without_paths"]

_PATH = re.compile(
    r"""(?<=['"])(?:~?/|[A-Za-z]:\\)[^'"\n]+(?=['"])"""  # in quotes, as Python names files
    r"|(?<![\w.:/])(?:~|/)[\w.@+-]+(?:/[\w.@+-]+)+"  # /srv/data/x.zarr, ~/data/x
    r"|\b[A-Za-z]:\\(?:[\w.@+ -]+\\)*[\w.@+-]+"  # C:\data\x.zarr
    r"|\bfile://\S+"
)


class Html(pn.pane.HTML):
    """A pane whose ``object`` is text, or HTML where it is a `Markup`."""

    def _transform_object(self, obj: object) -> dict[str, Any]:
        return super()._transform_object(str(escape("" if obj is None else obj)))

    def _get_properties(self, doc: Document | None) -> dict[str, Any]:
        # in a tab that is not shown a pane is in no document; Panel would point its style sheets at its own site
        return super()._get_properties(doc or pn.state.curdoc)


def join(parts: Iterable[str]) -> Markup:
    """Fragments one after the other; what is no `Markup` is escaped."""
    return Markup("").join(parts)


_TABLE = Markup(
    "<table class='cranpm-table' style='border-collapse:collapse;font-size:12px;width:100%;"
    "font-variant-numeric:tabular-nums;color:var(--mui-palette-text-primary)'>"
    "<caption style='text-align:left;padding:6px 0 3px;font-weight:600'>{}</caption>"
    "<thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
)
_RULE = "border-bottom:1px solid var(--mui-palette-divider)"
_HEAD = Markup(
    f"<th scope='col' style='text-align:{{}};padding:2px 6px 2px 0;font-weight:500;{_RULE};"
    "color:var(--mui-palette-text-secondary)'>{}</th>"
)
_NAME_CELL = Markup(
    f"<th scope='row' style='text-align:left;font-weight:400;padding:3px 6px 3px 0;{_RULE}'>{{}}</th>"
)
_CELL = Markup(f"<td style='text-align:right;padding:3px 6px 3px 0;{_RULE}'>{{}}</td>")
_ROW = Markup("<tr>{}</tr>")


def latitude(value: float, digits: int) -> str:
    """“45.464° N”."""
    return f"{abs(value):.{digits}f}° {'S' if value < 0 else 'N'}"


def longitude(value: float, digits: int) -> str:
    """“9.190° E”."""
    return f"{abs(value):.{digits}f}° {'W' if value < 0 else 'E'}"


def signed(value: float, digits: int) -> str:
    """“+1.2”, “−1.2”; a dash where there is no number."""
    return f"{value:+.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def table(caption: object, columns: Iterable[object], rows: Iterable[Iterable[object]]) -> Markup:
    """A small table; the first column names the rows, the others hold numbers."""
    head = join(_HEAD.format("right" if i else "left", name) for i, name in enumerate(columns))
    body = join(
        _ROW.format(join((_CELL if i else _NAME_CELL).format(value) for i, value in enumerate(row)))
        for row in rows
    )
    return _TABLE.format(caption, head, body)


def without_paths(text: str) -> str:
    """The text with absolute paths cut to their last part: where files lie is nobody's business in a browser."""

    def last_part(match: re.Match[str]) -> str:
        return "…/" + re.split(r"[/\\]", match.group().rstrip("/\\"))[-1]

    return _PATH.sub(last_part, text)
