"""What can be wrong with data, and what this program makes of it.

Every entry damages something that was right, goes through the door that the product uses, and must end in one of two
ways: refused with a named error, or repaired, which means the very values of the undamaged data and a line in the log.
Anything else is silent, and silence fails the test.
``python tests/data/corrupt_inputs/corrupt_inputs.py`` writes ``docs/results/corrupt_inputs.md``.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One corruption. ``compare`` returns (what came out, what should have) or raises."""

    group: str
    name: str
    compare: Callable[[Path], tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """ "refused", "repaired" or "silent", by what error or log line."""

    entry: Entry
    outcome: str
    kind: str
    said: str


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def verdict_of(entry: Entry, folder: Path) -> Verdict:
    """Let a damaged thing through its door and see what happens."""
    from cranpm.data.errors import DataFileError, SchemaError, StoreError
    from cranpm.data.input_ranges import ImpossibleInputError

    logger, listener = logging.getLogger("cranpm.data"), _Listener()
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        got, expected = entry.compare(folder)
    except (DataFileError, SchemaError, StoreError, ImpossibleInputError) as error:
        return Verdict(entry=entry, outcome="refused", kind=type(error).__name__, said=str(error))
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)
    same = np.allclose(
        np.asarray(got, float), np.asarray(expected, float), rtol=1e-6, atol=1e-9, equal_nan=True
    )
    if same and listener.lines:
        return Verdict(entry=entry, outcome="repaired", kind="log line", said=listener.lines[0])
    return Verdict(entry=entry, outcome="silent", kind="-", said="same values" if same else "other values")


def all_entries() -> list[Entry]:
    """Every entry."""
    import corrupt_fields
    import corrupt_places
    import corrupt_siblings
    import corrupt_station_files
    import corrupt_stores

    return [
        *corrupt_fields.ENTRIES,
        *corrupt_places.ENTRIES,
        *corrupt_siblings.ENTRIES,
        *corrupt_station_files.ENTRIES,
        *corrupt_stores.ENTRIES,
    ]


def table(verdicts: list[Verdict]) -> str:
    """Markdown: counts, then one line an entry."""
    count = {how: sum(v.outcome == how for v in verdicts) for how in ("refused", "repaired", "silent")}
    lines = [
        "# Corrupt inputs",
        "",
        "Each line is a way in which data can be wrong, and what the program makes of it. *Refused*: a named error "
        "says what was expected, what was found and what to do. *Repaired*: the values are those of the undamaged "
        "data, and a line in the log says what was done. *Silent* would be a bug. The damaged data are made, not real.",
        "",
        f"**{len(verdicts)} entries: {count['refused']} refused, {count['repaired']} repaired, "
        f"{count['silent']} silent.** "
        "Made by `.venv/bin/python tests/data/corrupt_inputs/corrupt_inputs.py`; "
        "`tests/data/corrupt_inputs/test_corrupt_inputs.py` checks every entry.",
        "",
        "| # | door | what is wrong | outcome | by | what it says (beginning) |",
        "|---|---|---|---|---|---|",
    ]
    for number, verdict in enumerate(verdicts, start=1):
        said = " ".join(verdict.said.split()).replace("|", "/")
        said = said[:110] + ("…" if len(said) > 110 else "")
        entry = verdict.entry
        lines.append(
            f"| {number} | {entry.group} | {entry.name} | {verdict.outcome} | `{verdict.kind}` | {said} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    verdicts = []
    for entry in all_entries():
        with tempfile.TemporaryDirectory() as folder:
            verdict = verdict_of(entry, Path(folder))
            verdicts.append(replace(verdict, said=verdict.said.replace(f"{folder}/", "…/")))
    out = ROOT / "docs" / "results" / "corrupt_inputs.md"
    out.write_text(table(verdicts))
    print(
        f"{out.relative_to(ROOT)}: {len(verdicts)} entries, {sum(v.outcome == 'silent' for v in verdicts)} silent"
    )


if __name__ == "__main__":
    main()
