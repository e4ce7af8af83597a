"""What is on this machine: datasets and checkpoints by name, read from their JSON only (no torch, no Zarr)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cranpm import paths


class NotFoundError(LookupError):
    """A dataset or checkpoint that is not there; the message says what is and how to get one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One dataset or checkpoint folder and its JSON description."""

    name: str
    path: Path
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether it says that it holds, or was trained on, simulated data."""
        return bool(self.meta.get("simulated", False))


def list_datasets(root: Path | None = None) -> list[Entry]:
    """Datasets below the data folder, by name; each is a folder with a ``dataset.json``."""
    return _entries([root or paths.data_dir()], "dataset.json")


def list_checkpoints(roots: Iterable[Path] | None = None) -> list[Entry]:
    """Checkpoints below the checkpoint folders, the user's own first: folders with ``config.json`` and weights."""
    return _entries(roots or paths.checkpoint_roots(), "config.json", "model.safetensors")


def find_dataset(name: str | Path | None = None) -> Entry:
    """A dataset by name or path; without a name the testbed, else the only one there is.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    mend = "Build the simulated testbed with 'cranpm testbed build --days 16 --start 2022-01-03'."
    return _find("dataset", name, list_datasets(), "dataset.json", "testbed", mend)


def find_checkpoint(name: str | Path | None = None) -> Entry:
    """A checkpoint by name or path; without a name the demo.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    mend = "Train one with 'cranpm train', or put its folder under ./checkpoints."
    return _find("checkpoint", name, list_checkpoints(), "config.json", "demo", mend)


def _entries(roots: Iterable[Path], marker: str, *others: str) -> list[Entry]:
    found: dict[str, Entry] = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{marker}")):
            entry = _read(path)
            if entry is not None and all(path.with_name(name).is_file() for name in others):
                found.setdefault(entry.name, entry)
    return list(found.values())


def _read(path: Path) -> Entry | None:
    try:
        meta = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return Entry(name=path.parent.name, path=path.parent, meta=meta) if isinstance(meta, dict) else None


def _find(
    kind: str, name: str | Path | None, known: list[Entry], marker: str, default: str, mend: str
) -> Entry:
    if name is not None and (Path(name) / marker).is_file():
        entry = _read(Path(name) / marker)
        if entry is None:
            raise NotFoundError(f"{Path(name).name}/{marker} is not readable JSON; the {kind} is damaged.")
        return entry
    wanted = str(name) if name is not None else default
    for entry in known:
        if entry.name == wanted:
            return entry
    if name is None and len(known) == 1:
        return known[0]
    have = ", ".join(entry.name for entry in known) or "none"
    raise NotFoundError(f"No {kind} called {wanted!r} (found: {have}). {mend}")
