"""What is on this machine: datasets and checkpoints by name, read from their JSON only (no torch, no Zarr)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cranpm import paths
from cranpm._json import JsonObject


class NotFoundError(LookupError):
    """A dataset or checkpoint that is not there; the message says what is and how to get one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One dataset or checkpoint folder and its JSON description.

    ``damaged`` says that the description cannot be read; ``meta`` is empty then.
    """

    name: str
    path: Path = field(repr=False)
    meta: JsonObject = field(default_factory=dict, repr=False)
    damaged: bool = False

    @property
    def simulated(self) -> bool:
        """Whether it says that it holds, or was trained on, simulated data."""
        return bool(self.meta.get("simulated", False))


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What makes a folder one of a kind, and what to do when there is none."""

    name: str
    files: tuple[str, ...]
    """All must be there; the first is the description."""
    default: str
    mend: str


_DATASET = _Kind(
    name="dataset",
    files=("dataset.json",),
    default="testbed",
    mend="Build the simulated testbed with 'cranpm testbed build --days 16 --start 2022-01-03'.",
)
_CHECKPOINT = _Kind(
    name="checkpoint",
    files=("config.json", "model.safetensors"),
    default="demo",
    mend="Train one with 'cranpm train', or put its folder under ./checkpoints.",
)


def list_datasets(root: Path | None = None) -> list[Entry]:
    """Datasets of this machine: those in the data folder, or the data folder itself if it is one.

    Parameters
    ----------
    root : path, optional
        Instead of the data folder (``CRANPM_DATA``, by default ``data``).

    Returns
    -------
    list of Entry
        By name; each has ``path``, ``simulated`` and what its ``dataset.json`` says as ``meta``.

    Examples
    --------
    >>> import cranpm
    >>> [entry.name for entry in cranpm.list_datasets()]
    ['testbed']
    """
    return _entries(_DATASET, [root or paths.data_dir()])


def list_checkpoints(roots: Iterable[Path] | None = None) -> list[Entry]:
    """Checkpoints of this machine, the user's own first; nothing is opened but their ``config.json``.

    Parameters
    ----------
    roots : iterable of path, optional
        Instead of the checkpoint folder (``CRANPM_CHECKPOINTS``, by default ``checkpoints``) and those that ship
        with the package. Of two with one name the first counts.

    Returns
    -------
    list of Entry

    Examples
    --------
    >>> import cranpm
    >>> "demo" in [entry.name for entry in cranpm.list_checkpoints()]
    True
    """
    return _entries(_CHECKPOINT, roots or paths.checkpoint_roots())


def find_dataset(name: str | Path | None = None) -> Entry:
    """A dataset by name or folder; without a name the testbed, else the only one there is.

    Raises
    ------
    NotFoundError
        If there is none of that name, or its description is damaged.
    """
    return _find(_DATASET, name, list_datasets())


def find_checkpoint(name: str | Path | None = None) -> Entry:
    """A checkpoint by name or folder; without a name the demo, else the only one there is.

    Raises
    ------
    NotFoundError
        If there is none of that name, or its description is damaged.
    """
    return _find(_CHECKPOINT, name, list_checkpoints())


def _entries(kind: _Kind, roots: Iterable[Path]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for root in roots:
        candidates = [root] if _is_one(kind, root) else sorted(root.iterdir()) if root.is_dir() else []
        for folder in candidates:
            if not folder.name.startswith(".") and _is_one(kind, folder):
                found.setdefault(folder.name, _read(kind, folder))
    return list(found.values())


def _is_one(kind: _Kind, folder: Path) -> bool:
    return all((folder / file).is_file() for file in kind.files)


def _read(kind: _Kind, folder: Path) -> Entry:
    name = folder.name or folder.resolve().name  # of "." too
    try:
        meta = json.loads((folder / kind.files[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        meta = None
    if not isinstance(meta, dict):
        return Entry(name=name, path=folder, damaged=True)
    return Entry(name=name, path=folder, meta=meta)


def _find(kind: _Kind, name: str | Path | None, known: list[Entry]) -> Entry:
    if name is not None and (Path(name) / kind.files[0]).is_file():
        return _whole(kind, _read(kind, Path(name)))
    wanted = str(name) if name is not None else kind.default
    for entry in known:
        if entry.name == wanted:
            return _whole(kind, entry)
    if name is None and len(known) == 1:
        return _whole(kind, known[0])
    have = ", ".join(entry.name for entry in known) or "none"
    raise NotFoundError(f"No {kind.name} called {wanted!r} (found: {have}). {kind.mend}")


def _whole(kind: _Kind, entry: Entry) -> Entry:
    if entry.damaged:
        raise NotFoundError(
            f"{entry.name}/{kind.files[0]} is not readable JSON; the {kind.name} is damaged. {kind.mend}"
        )
    return entry
