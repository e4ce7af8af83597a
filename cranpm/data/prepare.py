"""From downloads to a dataset: missing days in parallel, appended one by one, statistics from training days only."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from cranpm._files import check_output
from cranpm._progress import Clock, Progress
from cranpm.data.build_day import DatasetRecipe, StaticFields, make_day
from cranpm.data.domains import is_european, option_of
from cranpm.data.errors import MissingSourceError, UnfinishedError
from cranpm.data.field_files import describe, refuse_other_files
from cranpm.data.live import LIVE_LABEL, SHIFT
from cranpm.data.manifest import load_manifest
from cranpm.data.readers.elevation import static_fields
from cranpm.data.station_tables import OPENAQ, write_observations
from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import Dataset, DatasetWriter
from cranpm.data.store.encoded_day import EncodedDay, day_bytes
from cranpm.data.store.provenance import update_provenance
from cranpm.data.store.source import DatasetSource, source_statistics
from cranpm.domain import Statistics
from cranpm.domain.splits import Splits

log = logging.getLogger(__name__)

VERSION = "1"
"""Edition of the preparation; raise it when the same downloads would give other values."""


def prepare_dataset(
    recipe: DatasetRecipe,
    start: str,
    end: str,
    out: str | Path,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    statistics_of: str | Path | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Make a dataset, or add the days of a period to it; days that it holds are left alone.

    Parameters
    ----------
    recipe : DatasetRecipe
        The downloads, the domain, and which source each field comes from.
    start, end : str
        The period (UTC), both days included: "2022-01-01".
    out : path
        Folder of the dataset; made if it is not there.
    workers : int
        Processes of a local Dask cluster; 0 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler to use instead; its workers need the same downloads at the same path.
    statistics_of : path, optional
        A dataset whose channel statistics are taken over, for periods or domains that nothing is trained on.
    progress : callable, optional
        Called with days done, days in all and seconds left after each day.

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    MissingSourceError
        If downloads are missing, saying which and how to get them; nothing is written then.
    DataFileError
        If any file is something else than its name in ``raw`` says; nothing is written then either.
    UnfinishedError
        If stations, statistics or provenance cannot be written. The others are, and so are the days; the same command
        makes up for what is missing. A day that fails raises its own error, after all this was written for the days
        before it.
    """
    out = Path(out)
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    if not days.size:
        raise ValueError(f"The period {start} to {end} has no day; its end lies before its start.")
    exists = (out / "dataset.json").exists()
    held = Dataset.open(out).days if exists else days[:0]
    missing = [day for day in days if day not in held]
    _refuse_missing(recipe, missing)  # before anything is created
    check_output(out, size=len(missing) * day_bytes(recipe.domain), overwrite=True)
    refuse_other_files(recipe, missing)
    taken = None if statistics_of is None else _statistics_of(statistics_of)
    with _writer(recipe, out) as writer:
        if not (out / "static.zarr").exists():
            terrain: dict[str, Any] = static_fields(recipe.domain, _elevation_files(recipe))
            writer.write_static(**terrain)
        stored = Dataset.open(out).static
        static = StaticFields(
            coarse_elevation=np.asarray(stored["coarse_elevation"]),
            land=np.asarray(stored["land"]).astype(bool),
        )
        clock = Clock(len(missing), progress)
        try:
            for encoded in _encoded(recipe, missing, static, workers, scheduler):
                writer.append_encoded(encoded)
                clock.tick()
        except Exception:
            if writer.days.size:
                _, undone = _complete(recipe, writer, taken)
                for name, problem in undone.items():
                    log.warning("%s of the days that are there: not written (%s).", name, problem)
            raise
        summary = [f"{len(missing)} days prepared, {len(days) - len(missing)} were there: {out}"]
        said, undone = _complete(recipe, writer, taken)
    if undone:
        what = "; ".join(f"{name}: {problem}" for name, problem in undone.items())
        msg = (
            f"All {len(days)} days are in {out}, but not all that belongs to them. {what} "
            "Mend that and run the same command again: it leaves the days alone and makes the rest anew."
        )
        raise UnfinishedError(msg) from next(iter(undone.values()))
    return summary + said


def _complete(
    recipe: DatasetRecipe, writer: DatasetWriter, taken: Statistics | None
) -> tuple[list[str], dict[str, Exception]]:
    """Stations, statistics and provenance of the days that a dataset holds, each whatever becomes of the others.

    Returns
    -------
    said : list of str
        What was done, in sentences.
    undone : dict
        What could not be written, and why.
    """
    steps: dict[str, Callable[[], list[str]]] = {
        "stations": lambda: write_observations(writer, recipe.raw, recipe.domain),
        "statistics": lambda: _statistics(writer, taken),
        "provenance": lambda: _write_provenance(recipe, writer),
    }
    said: list[str] = []
    undone: dict[str, Exception] = {}
    for name, step in steps.items():
        try:
            said += step()
        except Exception as error:
            log.debug("%s cannot be written", name, exc_info=True)
            undone[name] = error
    return said, undone


def _writer(recipe: DatasetRecipe, out: Path) -> DatasetWriter:
    if (out / "dataset.json").exists():
        writer = DatasetWriter.open(out)
        digest = _digest(recipe)
        if writer.meta["hash"] != digest:
            writer.close()
            msg = (
                f"{out} was prepared from other sources, for another domain or by another edition. "
                "Choose another folder."
            )
            raise ValueError(msg)
        return writer
    manifest, mock = load_manifest(), _is_mock(recipe)
    years = sorted({str(r.first)[:4] for r in recipe.found[recipe.target]} or {"0000"})
    stations = "eea-measurements" if is_european(recipe.domain) else OPENAQ
    names = tuple(dict.fromkeys((*recipe.sources, stations, "geography-land-mask")))
    title = f"{recipe.domain.title}: {manifest.source(recipe.target).title}"
    described = DatasetDescription(
        name=out.name,
        title=f"Mock providers (simulated): {recipe.domain.title}" if mock else title,
        source="mock providers (simulated)" if mock else _label(recipe),
        simulated=mock,
        version=VERSION,
        hash=_digest(recipe),
        attribution=" ".join(manifest.attributions(names, int(years[-1]))),
        more={"sources": list(recipe.sources), **({"shift": SHIFT} if recipe.is_live else {})},
    )
    return DatasetWriter.create(out, recipe.domain, described)


def _label(recipe: DatasetRecipe) -> str:
    stations = "EEA" if is_european(recipe.domain) else "OpenAQ"
    return f"{LIVE_LABEL}; ERA5, CAMS" if recipe.is_live else f"GHAP, ERA5, CAMS, {stations}"


def _is_mock(recipe: DatasetRecipe) -> bool:
    return any(receipt.simulated for found in recipe.found.values() for receipt in found)


def _digest(recipe: DatasetRecipe) -> str:
    facts = [VERSION, recipe.domain.to_dict(), recipe.sources, _is_mock(recipe)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _refuse_missing(recipe: DatasetRecipe, days: list[np.datetime64]) -> None:
    lacking = recipe.missing(days)
    if not lacking:
        return
    lines = []
    for name, without in lacking.items():
        source = name.split(" ")[0]
        span = f" for {len(without)} days, {min(without)} to {max(without)}" if without else ""
        period = (
            f" --start {min(without)} --end {max(without)}"
            if without
            else f" --start {days[0]} --end {days[-1]}"
        )
        lines.append(f"{name}{span}: cranpm data fetch {source}{period}{option_of(recipe.domain)}")
    raise MissingSourceError("Downloads are missing. " + "; ".join(lines))


def _elevation_files(recipe: DatasetRecipe) -> list[Path]:
    return [receipt.path for receipt in recipe.found[recipe.elevation]]


def _encoded(
    recipe: DatasetRecipe,
    days: list[np.datetime64],
    static: StaticFields,
    workers: int,
    scheduler: str | None,
) -> Iterator[EncodedDay]:
    """Days in order; a few are worked on ahead, never all, so that memory stays small."""
    if scheduler is None and (workers == 0 or len(days) < 2):
        yield from (make_day(recipe, day, static) for day in days)
        return
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"distributed.worker.daemon": False})
    if scheduler is None:
        place: Any = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
    else:
        place = scheduler
    with Client(place) as client:
        shared = client.scatter(static, broadcast=True)
        ahead = 2 * max(len(client.scheduler_info()["workers"]), 1)
        waiting: list[tuple[np.datetime64, Future]] = []
        left = list(days)
        while left or waiting:
            while left and len(waiting) < ahead:
                day = left.pop(0)
                waiting.append((day, client.submit(make_day, recipe, day, shared, pure=False)))
            yield waiting.pop(0)[1].result()
    if scheduler is None:
        place.close()


def _statistics_of(path: str | Path) -> Statistics:
    """Another dataset's statistics, looked for before hours are spent."""
    found = Dataset.open(path).statistics
    if found is None:
        raise ValueError(f"{path} has no statistics to take over.")
    return found


def _statistics(writer: DatasetWriter, taken: Statistics | None) -> list[str]:
    """Channel statistics: of the training days, or another dataset's; never of days that scores are taken on."""
    if taken is not None:
        writer.write_statistics(taken)
        return [f"Statistics taken over from another dataset ({taken.period})."]
    source = DatasetSource(Dataset.open(writer.root))
    training = training_days(source.days)
    if not training:
        held = "" if not source.days.size else f" ({source.days[0]} to {source.days[-1]})"
        return [
            f"No statistics: no day{held} lies in the training years. Take them over with --statistics-of."
        ]
    writer.write_statistics(source_statistics(source, training))
    return [f"Statistics from {len(training)} training days, {training[0]} to {training[-1]}."]


def training_days(days: np.ndarray) -> list[np.datetime64]:
    """Days that statistics may be computed from: those of the training years."""
    first, last = (np.datetime64(day, "D") for day in Splits().train)
    return [day for day in days if first <= day <= last]


def _write_provenance(recipe: DatasetRecipe, writer: DatasetWriter) -> list[str]:
    """The receipt of every download that any day of the dataset was made of, and what the file says of itself."""
    used = [
        receipt
        for found in recipe.found.values()
        for receipt in found
        if receipt.first is None or any(receipt.covers(day) for day in writer.days)
    ]
    entries = {r.name: r.described() | describe(recipe, r, writer.days) for r in used}
    update_provenance(writer.root, entries)
    since = [entry["preliminary"]["from"] for entry in entries.values() if "preliminary" in entry]
    if not since or np.datetime64(min(since)) > writer.days[-1] + np.timedelta64(1, "D"):
        return []
    return [f"Preliminary: ERA5T from {min(since)} UTC on, which ECMWF may still revise."]
