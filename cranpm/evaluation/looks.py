"""The log of looks at final days: a line a set, appended by the command itself, so that repeated looks are visible."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from cranpm import paths
from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.domain import LEAD_DAYS

COLUMNS = (
    *("date", "revision", "checkpoint", "checkpoint_hash", "protocol", "set", "init_days"),
    *(
        f"{name}_t{lead}"
        for lead in LEAD_DAYS
        for name in (
            "rmse",
            "persistence_rmse",
            "best_rival",
            "best_rival_rmse",
            "less",
            "less_low",
            "less_high",
        )
    ),
)
"""``less``: by how much the checkpoint's RMSE (1 km, all land) is below the best rival's, with its interval."""


class LooksError(ValueError):
    """A log that cannot be gone on with; the message says what to do."""


def default_log() -> Path:
    """``docs/results/final_looks.csv`` in a checkout.

    Raises
    ------
    LooksError
        Outside a checkout, where there is no log that is committed.
    """
    top = paths.checkout()
    if top is None:
        raise LooksError("Outside a checkout there is no log of looks; name one with --log FILE.csv.")
    return top / "docs" / "results" / "final_looks.csv"


def read_looks(path: Path) -> list[dict[str, str]]:
    """Lines of a log, oldest first; none where it is not there yet.

    Raises
    ------
    LooksError
        If the file holds other columns.
    """
    if not path.exists():
        return []
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise LooksError(
            f"{path} has other columns than a log of looks ({', '.join(COLUMNS[:6])}, ...). Looks are not written "
            "over; move it away, or name another with --log."
        )
    return list(reader)


def count_looks(path: Path, protocol: str) -> int:
    """Looks at a protocol so far; one adds a line for each of its sets."""
    lines = [look for look in read_looks(path) if look["protocol"] == protocol]
    first = lines[0]["set"] if lines else ""
    return sum(look["set"] == first for look in lines)


def append_looks(path: Path, looks: Sequence[JsonObject]) -> None:
    """Add lines at the end of a log; those that are there stay, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        known = read_looks(path)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*known, *looks])
        write_atomically(path, text.getvalue())
