"""Downloaded files: where they lie, and the receipt that makes a file count as complete.

::

    ROOT/<source>/<domain>/<name>                 ERA5 and CAMS: cut to the domain by the provider
    ROOT/<source>/<name>                          whole files: GHAP months, elevation, stations
    .../.<name>.receipt.json                      address or request, sha256, bytes, first and last day, licence

A file without a receipt, or of another length than its receipt says, is not there.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cranpm import paths
from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.data.download.download import file_hash
from cranpm.data.download.endpoints import is_mock
from cranpm.data.manifest import Source


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One file to have.

    ``part`` names which of a source's requests it answers ("surface", "precipitation"); ``first`` and ``last`` are the
    UTC days it covers, None for what does not change with time.
    """

    source: str
    path: Path
    part: str = "file"
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    url: str | None = None
    hash: str | None = None
    size: int | None = None
    request: JsonObject = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Source and file name, for people."""
        return f"{self.source}/{self.path.name}"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was fetched: enough to say where every byte came from."""

    path: Path
    source: str
    part: str
    url: str
    sha256: str
    bytes: int
    first: np.datetime64 | None
    last: np.datetime64 | None
    fetched: str
    request: JsonObject
    absent: bool = False
    """True for a tile of the sea, which the provider does not have."""

    @property
    def simulated(self) -> bool:
        """Whether it came from a stand-in server on this machine: simulated."""
        return is_mock(self.url)

    def covers(self, day: np.datetime64) -> bool:
        """Whether the file holds a day; one without a period holds all."""
        return self.first is None or self.last is None or bool(self.first <= day <= self.last)

    @property
    def name(self) -> str:
        """``source/file``, as ``provenance.json`` calls it."""
        return f"{self.source}/{self.path.name}"

    def described(self) -> JsonObject:
        """As it stands in ``provenance.json``."""
        return {
            "url": self.url,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "fetched": self.fetched,
            "request": self.request,
        }

    @property
    def days(self) -> list[np.datetime64]:
        """Days it covers, [] for what does not change with time."""
        if self.first is None or self.last is None:
            return []
        return list(np.arange(self.first, self.last + np.timedelta64(1, "D")))


def raw_dir() -> Path:
    """Default folder of downloads."""
    return paths.data_dir() / "raw"


def write_receipt(
    file: RawFile, content: Path, url: str, source: Source, *, absent: bool = False, keep: bool = True
) -> Receipt:
    """Note what was fetched; written before the file is put in place, so that no file lacks one.

    ``keep=False`` notes nothing: for a file that the provider does not have yet.
    """
    size = 0 if absent else content.stat().st_size
    document = {
        "source": file.source,
        "part": file.part,
        "url": url,
        "request": file.request,
        "sha256": "" if absent else file_hash(content),
        "bytes": size,
        "first": None if file.first is None else str(file.first),
        "last": None if file.last is None else str(file.last),
        "fetched": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "licence": source.license.name,
        "absent": absent,
    }
    if keep:
        write_atomically(receipt_path(file.path), json.dumps(document, indent=2).encode())
    receipt = _parse(file.path, document)
    assert receipt is not None
    return receipt


def receipt_path(path: Path) -> Path:
    """Where the receipt of a file lies: hidden, beside it."""
    return path.with_name(f".{path.name}.receipt.json")


def read_receipt(path: Path) -> Receipt | None:
    """The receipt of a file, None unless the file is there and as long as it says."""
    try:
        document = json.loads(receipt_path(path).read_text())
    except (OSError, ValueError):
        return None
    receipt = _parse(path, document)
    if receipt is None or receipt.absent:
        return receipt
    try:
        return receipt if path.stat().st_size == receipt.bytes else None
    except OSError:
        return None


def receipts(root: Path, source: str, domain: str | None = None) -> list[Receipt]:
    """All complete files of a source, sorted by name; ``domain`` where the provider cuts to it."""
    folder = root / source if domain is None else root / source / domain
    names = sorted(folder.glob(".*.receipt.json"))
    found = (read_receipt(folder / name.name[1 : -len(".receipt.json")]) for name in names)
    return [receipt for receipt in found if receipt is not None]


def days_covered(found: Iterable[Receipt], part: str) -> set[np.datetime64]:
    """Days that one part of a source covers."""
    days: set[np.datetime64] = set()
    for receipt in found:
        if receipt.part == part:
            days.update(receipt.days)
    return days


def _parse(path: Path, document: JsonObject) -> Receipt | None:
    try:
        first, last = (
            None if document[key] is None else np.datetime64(document[key], "D") for key in ("first", "last")
        )
        return Receipt(
            path=path,
            first=first,
            last=last,
            **{k: document[k] for k in ("source", "part", "url", "sha256", "bytes", "fetched", "request")},
            absent=bool(document.get("absent", False)),
        )
    except (KeyError, TypeError, ValueError):
        return None
