"""What the readers of station files did not take, what they noticed and what they could not check: one account for all.

It ends in ``provenance.json`` ("stations") and in ``cranpm data check``. A reason is a noun phrase that follows its
count: "3 codes instead of values".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from cranpm._json import JsonObject
from cranpm.data.errors import DataFileError, NoPM25Error, NotThisProductError, TimeAxisError, UnitsError

log = logging.getLogger(__name__)

Kind = Literal["files", "rows", "days", "stations"]
"""What can be left out: files, rows of files, days of stations, and stations or sampling points."""

INVALID = "values marked invalid by the network"
TWICE = "rows that stand there twice"
SUPERSEDED = "values of hours that stand there twice, less verified"
TOO_FEW_HOURS = "days with fewer valid hours than a mean needs"
NO_PM25 = "files without PM2.5"
ROUTINE = frozenset({INVALID, TOO_FEW_HOURS, NO_PM25})
"""Reasons that sound files have too: told, but no cause for a warning."""

_EXAMPLES = 3
_FILE_REASONS: tuple[tuple[type[DataFileError], str], ...] = (
    (NoPM25Error, NO_PM25),
    (NotThisProductError, "files that hold something else than was asked for"),
    (UnitsError, "files in units that PM2.5 does not have"),
    (TimeAxisError, "files whose times cannot be placed"),
    (DataFileError, "files that cannot be read"),
)


@dataclass
class Tally:
    """How many, and the first few of them in words."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, count: int, example: str = "") -> None:
        """Count more of them; the first few examples are kept."""
        self.count += count
        if example and len(self.examples) < _EXAMPLES and example not in self.examples:
            self.examples.append(example)

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return {"count": self.count, "examples": self.examples}


@dataclass
class StationAccount:
    """The account of all station files that were read for one purpose.

    ``left_out`` and ``noticed`` hold a `Tally` by reason; ``not_checked`` what no file of the kind tells;
    ``read`` how many of each kind were looked at.
    """

    left_out: dict[Kind, dict[str, Tally]] = field(default_factory=dict)
    noticed: dict[str, Tally] = field(default_factory=dict)
    not_checked: list[str] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    preliminary: dict[str, int | str] = field(default_factory=dict)

    def looked_at(self, kind: Kind, count: int = 1) -> None:
        """Count what was looked at."""
        self.read[kind] = self.read.get(kind, 0) + count

    def leave_out(self, kind: Kind, reason: str, count: int, example: str = "") -> None:
        """Count what was left out, by its reason."""
        if count:
            self.left_out.setdefault(kind, {}).setdefault(reason, Tally()).add(count, example)

    def leave_out_file(self, name: str, error: DataFileError) -> None:
        """A file that was refused, by what it was refused for."""
        reason = next(words for kind, words in _FILE_REASONS if isinstance(error, kind))
        self.leave_out("files", reason, 1, str(error) if name in str(error) else f"{name}: {error}")

    def notice(self, what: str, count: int, example: str = "") -> None:
        """Something that was mended, or is worth a look, and stays in."""
        if count:
            self.noticed.setdefault(what, Tally()).add(count, example)

    def could_not_check(self, what: str) -> None:
        """Say once what a file of this kind does not tell."""
        if what not in self.not_checked:
            self.not_checked.append(what)

    def unusual(self, kind: Kind) -> dict[str, Tally]:
        """What was left out for other reasons than sound files have."""
        return {why: n for why, n in self.left_out.get(kind, {}).items() if why not in ROUTINE}

    def sentences(self) -> list[str]:
        """What a person should know after reading; nothing if all was as usual."""
        said = []
        for kind in self.left_out:
            if unusual := self.unusual(kind):
                said.append(f"Left out: {in_words(unusual)}.")
        if self.preliminary:
            said.append(f"Preliminary: {preliminary_in_words(self.preliminary)}.")
        return said

    def to_dict(self) -> JsonObject:
        """As it stands in ``provenance.json``."""
        return {
            "read": self.read,
            "left_out": {
                kind: {reason: tally.to_dict() for reason, tally in reasons.items()}
                for kind, reasons in self.left_out.items()
            },
            "noticed": {what: tally.to_dict() for what, tally in self.noticed.items()},
            "not_checked": self.not_checked,
            "preliminary": self.preliminary,
        }

    @classmethod
    def from_dict(cls, document: JsonObject) -> StationAccount:
        """From ``provenance.json``; what is not there is empty."""
        left_out = document.get("left_out", {})
        return cls(
            left_out={kind: _tallies(reasons) for kind, reasons in left_out.items()},
            noticed=_tallies(document.get("noticed", {})),
            not_checked=list(document.get("not_checked", [])),
            read=dict(document.get("read", {})),
            preliminary=dict(document.get("preliminary", {})),
        )


def in_words(tallies: dict[str, Tally]) -> str:
    """``3 codes instead of values (such as a.csv: 985.0); 1 ...``."""
    return "; ".join(
        f"{tally.count} {reason}" + (f" (such as {tally.examples[0]})" if tally.examples else "")
        for reason, tally in tallies.items()
    )


def preliminary_in_words(preliminary: dict[str, int | str]) -> str:
    """``12 of 99 daily means, of 4 sampling points, hold values that ... from 2023-10-01 00:00 UTC on``."""
    return (
        f"{preliminary['days']} of {preliminary['of']} daily means, of {preliminary['sampling_points']} sampling "
        f"points, hold values that the network has not verified, from {preliminary['from']} UTC on"
    )


def _tallies(document: JsonObject) -> dict[str, Tally]:
    return {
        why: Tally(count=int(entry["count"]), examples=list(entry["examples"]))
        for why, entry in document.items()
    }


class FileRows:
    """The rows of one file on their way through a reader's checks; what goes is counted by reason.

    A check that no row passes refuses the file; one that some rows fail leaves those out.
    """

    def __init__(self, table: pd.DataFrame, name: str, account: StationAccount | None) -> None:
        self.table = table.reset_index(drop=True)
        self.name = name
        self._shared = account
        self.account = StationAccount() if account is None else account
        self._gone: dict[str, int] = {}

    def leave_out(self, bad: pd.Series | np.ndarray, reason: str, show: Iterable[str] = ()) -> None:
        """Drop rows; ``show`` names the columns that the example consists of."""
        mask = np.asarray(bad, dtype=bool)
        if not mask.any():
            return
        first = self.table[mask].iloc[0]
        example = ", ".join(str(first[column]) for column in show)
        self.account.leave_out("rows", reason, int(mask.sum()), f"{self.name}: {example}" if example else "")
        self._gone[reason] = self._gone.get(reason, 0) + int(mask.sum())
        self.table = self.table[~mask].reset_index(drop=True)

    def demand(
        self, good: pd.Series | np.ndarray, reason: str, refusal: DataFileError, show: Iterable[str] = ()
    ) -> None:
        """Drop the rows that are not good; if none is, the file is something else and is refused."""
        mask = np.asarray(good, dtype=bool)
        if mask.size and not mask.any():
            raise refusal
        self.leave_out(~mask, reason, show)

    def notice(self, what: str, count: int, example: str = "") -> None:
        """As `StationAccount.notice`, for this file."""
        if count:
            self.account.notice(what, count, f"{self.name}: {example}" if example else self.name)
            self._log(logging.INFO, "%s: %d %s.", self.name, count, what)

    def tell(self) -> None:
        """Log what was left out; a reader of many files tells it once, for all of them."""
        if self._gone:
            why = "; ".join(f"{count} {reason}" for reason, count in self._gone.items())
            level = logging.INFO if set(self._gone) <= ROUTINE else logging.WARNING
            self._log(level, "%s: left out %s.", self.name, why)

    def _log(self, level: int, message: str, *values: object) -> None:
        log.log(level if self._shared is None else logging.DEBUG, message, *values)
