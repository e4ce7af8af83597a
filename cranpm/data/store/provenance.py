"""``provenance.json`` of a dataset: the receipt of every file that it was made of, and what the readers found in them.

A key with a slash is a receipt (``source/file``); one without is a reader's account ("stations").
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from cranpm._files import write_atomically
from cranpm._json import JsonObject

log = logging.getLogger(__name__)

PROVENANCE = "provenance.json"


def read_provenance(root: str | Path) -> JsonObject:
    """All entries; empty if the dataset has none, or a file that is no JSON, which is said."""
    path = Path(root) / PROVENANCE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): what it held is lost, it is written anew.", path, error)
        return {}
    return found if isinstance(found, dict) else {}


def update_provenance(root: str | Path, entries: JsonObject) -> None:
    """Put entries in, those of the same key anew; all others stay."""
    kept = {**read_provenance(root), **entries}
    write_atomically(Path(root) / PROVENANCE, json.dumps(kept, indent=1, sort_keys=True).encode())
