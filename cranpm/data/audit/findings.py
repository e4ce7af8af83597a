"""One line of an audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at and what was found; an "error" makes the check fail."""

    level: Literal["ok", "warning", "error"]
    what: str
    found: str
