"""Audit of the station files of a dataset: what was left out, what is preliminary, what nobody could check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast, get_args

from cranpm.data.audit.findings import Finding
from cranpm.data.stations.account import Kind, StationAccount, Tally, in_words, preliminary_in_words
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.provenance import PROVENANCE, read_provenance


def check_station_files(dataset: Dataset) -> Iterator[Finding]:
    """Findings of the readers, as they stand in ``provenance.json``; none about a dataset that was not prepared."""
    provenance = read_provenance(dataset.root)
    if "sources" in dataset.meta and not provenance:
        found = f"no {PROVENANCE}: preparing did not come to its end; run the same command again"
        yield Finding(level="warning", what="provenance", found=found)
    if "stations" not in provenance:
        return
    account = StationAccount.from_dict(provenance["stations"])
    for kind in get_args(Kind):
        yield _left_out(account, kind)
    preliminary = account.preliminary
    yield Finding(
        level="warning" if preliminary else "ok",
        what="preliminary station values",
        found=preliminary_in_words(preliminary) if preliminary else "none is marked so",
    )
    yield Finding(level="ok", what="noticed in station files", found=_words(account.noticed))
    yield Finding(
        level="ok", what="what station files do not tell", found="; ".join(account.not_checked) or "nothing"
    )


def _left_out(account: StationAccount, kind: Kind) -> Finding:
    left_out = account.left_out.get(kind, {})
    level = cast(Literal["ok", "warning"], "warning" if account.unusual(kind) else "ok")
    read = f" of {account.read[kind]}" if kind in account.read else ""
    what = {"stations": "stations left out", "days": "days of stations left out"}.get(
        kind, f"station {kind} left out"
    )
    total = sum(tally.count for tally in left_out.values())
    return Finding(
        level=level, what=what, found=f"{total}{read}: {in_words(left_out)}" if left_out else f"0{read}"
    )


def _words(tallies: dict[str, Tally]) -> str:
    return in_words(tallies) or "nothing"
