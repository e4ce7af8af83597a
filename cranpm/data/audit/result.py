"""What an audit of a dataset found: findings in words, a value a day, thinned maps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cranpm.data.audit.findings import Finding

THIN = 8
"""Every n-th row and column goes into the report's maps."""


@dataclass
class AuditResult:
    """What an audit found; ``series`` hold one value a day, ``maps`` thinned fine fields."""

    name: str
    source: str
    title: str
    days: np.ndarray
    findings: list[Finding] = field(default_factory=list)
    series: dict[str, np.ndarray] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    extent: tuple[float, float, float, float] = (0, 0, 0, 0)

    @property
    def passed(self) -> bool:
        """Whether nothing is an error; warnings pass."""
        return not any(finding.level == "error" for finding in self.findings)

    def add(self, level: Literal["ok", "warning", "error"], what: str, found: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(level=level, what=what, found=found))

    def add_check(
        self, what: str, bad: Iterable[object], good: str, *, level: Literal["warning", "error"]
    ) -> None:
        """One finding: fine, or the list of what is not."""
        items = [str(item) for item in bad]
        more = f" ... ({len(items)} in all)" if len(items) > 4 else ""
        self.add(level if items else "ok", what, ", ".join(items[:4]) + more if items else good)
