"""Bring a source to this machine: what is complete is skipped, what broke off goes on, nothing is half there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import requests

from cranpm.data.domains import is_european
from cranpm.data.download.copernicus import DataStore, RequestCost, RequestRefusedError
from cranpm.data.download.download import AccessRefusedError, DownloadError, NotThereError, download
from cranpm.data.download.endpoints import endpoint, polite_session
from cranpm.data.download.progress import FetchProgress, ProgressTracker
from cranpm.data.download.providers import CUT_BY_PROVIDER, copernicus_file, folder_of, list_files
from cranpm.data.download.receipts import (
    RawFile,
    Receipt,
    days_covered,
    read_receipt,
    receipts,
    write_receipt,
)
from cranpm.data.download.request_templates import halves, with_period
from cranpm.data.files.openers import sniff
from cranpm.data.live import LIVE_TARGET
from cranpm.data.manifest import Manifest, ManifestError, Source
from cranpm.domain import EUROPE, Domain

log = logging.getLogger(__name__)

NEEDED = (
    "ghap-pm25-d1k",
    "era5-single-levels",
    "era5-pressure-levels",
    "cams-global-forecasts",
    "elevation-etopo-2022",
    "eea-stations",  # before the measurements: it says which countries have any
    "eea-measurements",
)
"""Sources that preparing a European dataset like the paper's needs."""

NEEDED_ELSEWHERE = (*NEEDED[:-2], "openaq-archive")
"""The same beyond Europe, where the EEA has no stations."""

LIVE = (LIVE_TARGET, *NEEDED[1:6], "eea-up-to-date")
"""Sources of a European dataset for days after the satellite product's end, see `cranpm.data.live`."""

STILL_COMING = np.timedelta64(14, "D")
"""Days that a file of measurements may be late: OpenAQ writes its archive every 72 hours, agencies report later."""


@dataclass(frozen=True, kw_only=True)
class FetchPlan:
    """What a fetch would do."""

    source: Source
    present: list[RawFile]
    missing: list[RawFile]
    costs: dict[str, RequestCost]

    @property
    def known_bytes(self) -> int:
        """Bytes to come of the files whose size the provider tells."""
        return sum(file.size or 0 for file in self.missing)


def choose_sources(manifest: Manifest, name: str, domain: Domain = EUROPE) -> list[Source]:
    """Sources by id or the beginning of an id ("era5"), or a set of them.

    "needed" is all that preparing a domain needs, "live" what days after the satellite product's end need.

    Parameters
    ----------
    manifest : Manifest
        From `load_manifest`.
    name : str
        An id, the beginning of one, "needed" or "live".
    domain : Domain
        Beyond Europe "needed" means other stations.

    Returns
    -------
    list of Source
        One or more. The beginning of an id does not mean packages, which are installed, not fetched.

    Raises
    ------
    ManifestError
        If none has that name.
    """
    if name == "needed":
        needed = NEEDED if is_european(domain) else NEEDED_ELSEWHERE
        return [manifest.source(source_id) for source_id in needed]
    if name == "live":
        return [manifest.source(source_id) for source_id in LIVE]
    exact = [source for source in manifest.sources if source.id == name]
    found = exact or [source for source in manifest.sources if source.id.startswith(name)]
    found = exact or [source for source in found if source.access.kind != "package"]
    if not found:
        known = ", ".join(s.id for s in manifest.sources if s.access.kind != "package")
        raise ManifestError(f"No source {name!r} to fetch; known: needed, live, {known}.")
    return found


def make_plan(
    source: Source,
    first: np.datetime64,
    last: np.datetime64,
    *,
    domain: Domain,
    root: Path,
    countries: Sequence[str] = (),
    session: requests.Session | None = None,
    estimate: bool = True,
) -> FetchPlan:
    """What is there, what is missing, and what the missing costs; nothing is requested or downloaded yet.

    Parameters
    ----------
    source : Source
        Of the manifest.
    first, last : datetime64[D]
        The period (UTC), both days included.
    domain : Domain
        What the files have to cover; a source that is cut to it keeps one folder a domain.
    root : Path
        Folder of downloads, one folder a source below it.
    countries : sequence of str
        Two-letter codes for the EEA's service; empty: those with stations in the domain.
    session : requests.Session, optional
        To ask providers for sizes and checksums with; by default a polite one, which waits and tries again.
    estimate : bool
        Whether to ask the Copernicus stores what each request costs.

    Returns
    -------
    FetchPlan
        What `fetch` takes.

    Raises
    ------
    DownloadError
        Or one of its kinds, if a provider has to be asked and does not answer as documented, or a key is missing.
    """
    session = session or polite_session()
    files = list_files(source, first, last, domain=domain, root=root, session=session, countries=countries)
    have = receipts(root, source.id, folder_of(source, domain, root).name if _is_cut(source) else None)
    missing = [file for file in files if not _is_there(file, have)]
    costs: dict[str, RequestCost] = {}
    if estimate and missing and source.access.kind == "ecmwf-datastores":
        store = DataStore(source.access.store)  # type: ignore[arg-type]
        costs = {f.path.name: store.estimate(str(source.access.dataset), f.request) for f in missing}
    present = [file for file in files if file not in missing]
    return FetchPlan(source=source, present=present, missing=missing, costs=costs)


def _is_cut(source: Source) -> bool:
    return source.access.kind in CUT_BY_PROVIDER


def _is_there(file: RawFile, have: Sequence[Receipt]) -> bool:
    if read_receipt(file.path) is not None:
        return True
    if file.first is None or file.last is None or not file.request:
        return False
    # a wider file of the same request answers too, so asking for fewer days downloads nothing
    wanted = set(np.arange(file.first, file.last + np.timedelta64(1, "D")))
    same_place = [receipt for receipt in have if receipt.request.get("area") == file.request.get("area")]
    return any(
        wanted <= days_covered(same_place, part)
        for part in (file.part, file.part.removesuffix("-end"))
    )  # fmt: skip


def fetch(
    plan: FetchPlan,
    *,
    progress: Callable[[FetchProgress], None] | None = None,
    session: requests.Session | None = None,
    patience: float = 60.0,
) -> list[Receipt]:
    """Download what a plan lacks, one file after another.

    Parameters
    ----------
    plan : FetchPlan
        From `make_plan`.
    progress : callable, optional
        Called with a `FetchProgress` whenever a file begins, moves or ends.
    session : requests.Session, optional
        To ask with; by default a polite one, which waits and tries again.
    patience : float
        Longest pause [s] between two looks at a request that waits in a store's queue.

    Returns
    -------
    list of Receipt
        One for each file that was missing: address, size, sha256.

    Raises
    ------
    DownloadError
        Or one of its kinds. What is complete stays; running again goes on from there.
    """
    _refuse_full_disk(plan)
    session = session or polite_session()
    tell = ProgressTracker(progress, len(plan.missing), plan.known_bytes)
    done: list[Receipt] = []
    store = None
    waiting = list(plan.missing)
    while waiting:
        file = waiting.pop(0)
        tell.begin(file)
        if plan.source.access.kind == "ecmwf-datastores":
            store = store or DataStore(plan.source.access.store, patience=patience)  # type: ignore[arg-type]
            dataset = str(plan.source.access.dataset)
            cost = plan.costs.get(file.path.name) or store.estimate(dataset, file.request)
            if cost.too_much:
                waiting = [*_halved(plan.source, file, cost), *waiting]
                tell.more(1)
                continue
            done.append(_from_store(store, plan.source, file, session, tell))
        else:
            done.append(_from_address(plan.source, file, endpoint(str(file.url)), session, tell))
        tell.finish(done[-1])
    return done


def _refuse_full_disk(plan: FetchPlan) -> None:
    """Before anything is asked for: a disk that is full after hours is no use to anybody."""
    if not plan.known_bytes:
        return
    folder = next(p for p in plan.missing[0].path.parents if p.is_dir())
    free = shutil.disk_usage(folder).free
    if plan.known_bytes > free:
        msg = (
            f"{plan.source.id} needs {plan.known_bytes / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB left. "
            "Choose another folder with --raw, or a shorter period."
        )
        raise DownloadError(msg)


def _from_address(
    source: Source, file: RawFile, url: str, session: requests.Session, tell: ProgressTracker
) -> Receipt:
    may_be_absent = "{lat}" in str(source.resources[0].path if source.resources else "") or (
        source.access.kind == "openaq"
    )
    receipt: list[Receipt] = []

    def accept(part: Path) -> None:
        sniff(part)  # a web page or an error message is no data
        receipt.append(write_receipt(file, part, url, source))

    try:
        download(
            url,
            file.path,
            session=session,
            hash=file.hash,
            size=file.size,
            accept=accept,
            progress=tell.bytes,
        )
    except NotThereError:
        if not may_be_absent:
            raise
        # a tile of the sea, or a day without data; a day that may still come is asked for again
        return write_receipt(file, file.path, url, source, absent=True, keep=not _may_come(file))
    return receipt[-1]


def _may_come(file: RawFile) -> bool:
    return file.last is not None and bool(file.last > np.datetime64("now", "D") - STILL_COMING)


def _from_store(
    store: DataStore, source: Source, file: RawFile, session: requests.Session, tell: ProgressTracker
) -> Receipt:
    ticket = file.path.with_name(f".{file.path.name}.request.json")
    file.path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in (1, 2):
        tell.state("waiting for the store")
        asset = store.result(str(source.access.dataset), file.request, ticket)
        try:
            tell.state("downloading")
            receipt = _from_address(source, replace(file, size=asset.size), asset.url, session, tell)
            break
        except (NotThereError, AccessRefusedError):
            ticket.unlink(missing_ok=True)  # results are kept for some days only: ask for it anew
            if attempt == 2:
                raise
    ticket.unlink(missing_ok=True)
    return receipt


def _halved(source: Source, file: RawFile, cost: RequestCost) -> list[RawFile]:
    assert file.first is not None
    assert file.last is not None
    parts = halves((file.first, file.last))
    if parts is None:
        raise RequestRefusedError(f"{file.label}: even one day is too much for the store ({cost}).")
    log.warning("%s: %s; asked for in two parts.", file.label, cost)
    return [
        copernicus_file(source, file.part, period, with_period(file.request, period), file.path.parent)
        for period in parts
    ]
