"""What of every source is on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cranpm.data.download.providers import CUT_BY_PROVIDER, folder_of
from cranpm.data.download.receipts import Receipt, receipts
from cranpm.data.errors import DataFileError
from cranpm.data.manifest import Manifest, Source, package_files
from cranpm.domain import Domain
from cranpm.extras import how_to_install


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """One line of ``cranpm data list``."""

    id: str
    role: tuple[str, ...]
    licence: str
    size: str
    present: str
    missing: str
    checked: str


def inventory(manifest: Manifest, root: Path, domain: Domain) -> list[SourceState]:
    """Every source of the manifest: what is there, what is missing."""
    return [_state(source, root, domain) for source in manifest.sources]


def _state(source: Source, root: Path, domain: Domain) -> SourceState:
    if source.access.kind == "package":
        present, missing = _package(source)
    else:
        cut = source.access.kind in CUT_BY_PROVIDER
        found = receipts(root, source.id, domain.name if cut else None)
        present, missing = _downloads(source, found, root, domain)
    unchecked = "with a package" if source.access.kind == "package" else "not yet"
    known = sum(resource.bytes or 0 for resource in source.resources)
    size = source.size or (f"{known / 1e6:.0f} MB" if known else "?")
    if source.size_per_year:
        size = f"{source.size_per_year} a year"
    return SourceState(
        id=source.id,
        role=source.role,
        licence=source.license.name,
        size=size,
        present=present,
        missing=missing,
        checked=str(source.status.endpoint_checked or unchecked),
    )


def _package(source: Source) -> tuple[str, str]:
    try:
        files = package_files(source)
    except DataFileError:
        return "-", how_to_install()
    return f"{len(files)} file{'s' if len(files) != 1 else ''} (installed)", ""


def _downloads(source: Source, found: list[Receipt], root: Path, domain: Domain) -> tuple[str, str]:
    folder = folder_of(source, domain, root)
    broken = len(list(folder.glob(".*.part"))) if folder.is_dir() else 0
    unfinished = f"{broken} unfinished; " if broken else ""
    if not found:
        return "-", f"{unfinished}all"
    size = sum(receipt.bytes for receipt in found)
    text = f"{len(found)} files, {size / 1e6:,.1f} MB"
    if any(receipt.simulated for receipt in found):
        text += " (mock: simulated)"
    dated = [receipt for receipt in found if receipt.first is not None]
    if not dated:
        return text, unfinished.rstrip("; ")
    days = {day for receipt in dated for day in receipt.days}
    text += f", {len(days)} days {min(days)} ... {max(days)}"
    gaps = len(set(np.arange(min(days), max(days))) - days)
    return text, unfinished + (f"{gaps} days between" if gaps else "")
