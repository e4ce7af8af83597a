"""The days a run trains on: a dataset store, or the simulated world straight from its day files.

The second way needs torch, NumPy, lightning, safetensors and one exported geography file, nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm._progress import Progress
from cranpm.data.store.source import DaySource, init_times, source_statistics
from cranpm.domain import Statistics
from cranpm.training.recipes.kinds import DayChoice

Periods = Sequence[tuple[str, int]]
"""(first day, number of days)."""

DEMO_PERIODS: Periods = (
    ("2017-01-01", 1095),
    *((f"2021-{month}-10", 20) for month in ("01", "04", "07", "10")),
)
"""Three years to train on, and four windows of the validation year."""

DEMO_PUFFS: Periods = (("2017-01-02", 362), ("2018-01-02", 360), ("2019-01-02", 360))
"""Of these days it is known what puffs would do (`cranpm.testbed.simulation.puffs`), but those beside a new spin-up."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """A source with all that a run has to know about it."""

    source: DaySource
    statistics: Statistics
    fingerprint: JsonObject = field(default_factory=dict)
    """What must be the same to go on with a run (JSON values)."""
    about: JsonObject = field(default_factory=dict)
    """For the checkpoint's card: title, source, simulated, attribution (JSON values)."""


def open_dataset(address: str, recipe: DayChoice) -> TrainingData:
    """A dataset folder, or any address that fsspec reads.

    Raises
    ------
    ValueError
        If it holds no training day, has no statistics, or its statistics saw days outside the training split.
    """
    from cranpm.data.store.dataset import Dataset
    from cranpm.data.store.source import DatasetSource  # not where only torch and NumPy are

    dataset = Dataset.open(address)
    source = DatasetSource(dataset)
    days = training_days(source, recipe)
    statistics = dataset.statistics
    if statistics is None:
        raise ValueError(
            f"Dataset {dataset.name!r} has no channel statistics. Compute them from its training days with "
            f"'cranpm testbed statistics --data {address}'."
        )
    check_statistics(statistics, recipe)
    meta = dataset.meta
    return TrainingData(
        source=source,
        statistics=statistics,
        fingerprint={"kind": "dataset", "name": dataset.name, "hash": meta.get("hash"), **_days(days)},
        about={
            "source": dataset.source,
            "simulated": dataset.simulated,
            "dataset": {key: meta.get(key) for key in ("name", "title", "version", "hash")},
            "attribution": meta.get("attribution", ""),
        },
    )


def open_world(
    folder: Path,
    recipe: DayChoice,
    *,
    geography_file: Path | None = None,
    domain: str = "europe",
    simulate: Periods | None = None,
    puffs: Periods = (),
    device: str = "cpu",
    progress: Progress | None = None,
) -> TrainingData:
    """Days of the simulated world; those that are missing are simulated.

    Parameters
    ----------
    folder : Path
        Day files.
    recipe : Recipe
        Says which days are trained on, for the statistics, and whether puffs are.
    geography_file : Path, optional
        Of ``cranpm testbed export-geography``; without it the geography of ``domain`` is computed or read from the
        cache, which needs the installed data packages.
    domain : str
        Name of a domain, or path of a domain file; not asked for where there is a geography file.
    simulate : periods, optional
        What to simulate; by default `DEMO_PERIODS` into an empty folder, and nothing into another.
    puffs : periods
        Of which days to simulate the way of added puffs, where the recipe uses it; by default `DEMO_PUFFS` into an
        empty folder, and none into another.
    device : str
        Where to simulate.
    progress : callable, optional
        Called with days done and days in all while they are simulated.

    Returns
    -------
    TrainingData
        The days as a source, and their statistics over the training days.

    Raises
    ------
    DomainError
        If there is no such domain.
    """
    from cranpm.testbed.geography.geography import Geography, load_geography
    from cranpm.testbed.simulation.puffs import simulate_puffs
    from cranpm.testbed.simulation.world import WORLD_VERSION
    from cranpm.testbed.source import WorldSource, holds_days, simulate_days

    if geography_file is None:
        from cranpm.data.domains import find_domain

        geography = load_geography(find_domain(domain))
    else:
        geography = Geography.from_file(geography_file)
    if simulate is None and not holds_days(folder):
        simulate, puffs = DEMO_PERIODS, DEMO_PUFFS
    if simulate:
        simulate_days(geography, folder, simulate, device=device, progress=progress)
    if puffs and recipe.puff_share:
        simulate_puffs(geography, folder, puffs, device=device, progress=progress)
    source = WorldSource(geography, folder)
    days = training_days(source, recipe)
    statistics = _world_statistics(source, days, Path(folder))
    check_statistics(statistics, recipe)
    constants = source.constants
    world: JsonObject = {"version": WORLD_VERSION, "seed": constants.seed, "geography": geography.hash}
    if constants.changes:
        world |= {"name": constants.name, "constants": constants.changes}
    return TrainingData(
        source=source,
        statistics=statistics,
        fingerprint={"kind": "world", **world, **_days(days)},
        about={"source": source.name, "simulated": True, "world": world},
    )


def training_days(source: DaySource, recipe: DayChoice) -> list[np.datetime64]:
    """Init days of the training split.

    Raises
    ------
    ValueError
        If there are none, saying what the source holds and what the recipe asks for.
    """
    days = init_times(source, "train", recipe.splits, recipe.leads)
    if days:
        return days
    held = (
        f"{len(source.days)} days, {source.days[0]} to {source.days[-1]}" if len(source.days) else "no days"
    )
    first, last = recipe.splits.train
    raise ValueError(
        f"{source.name!r} holds {held}; the recipe trains on days from {first} to {last} and needs "
        f"{2 + max(recipe.leads)} of them in a row (t-1 to t+{max(recipe.leads)}). Add days, or set "
        "splits.train."
    )


def check_statistics(statistics: Statistics, recipe: DayChoice) -> None:
    """Refuse statistics that saw days outside the training split, or lack a channel.

    Raises
    ------
    ValueError, MissingStatisticsError
    """
    statistics.vectors()
    first, _, last = statistics.period.partition("..")
    start, stop = recipe.splits.train
    if first and last and (first < start or last > stop):
        raise ValueError(
            f"The channel statistics are of {statistics.period}, which is not within the training split "
            f"{start}..{stop}: validation or test days would leak into training. Compute them again from training days."
        )


def _world_statistics(source: DaySource, days: Sequence[np.datetime64], folder: Path) -> Statistics:
    """Computed once for these days and kept beside them."""
    path = folder / f"statistics-{_days(days)['days_sha256'][:12]}.json"
    if path.exists():
        kept = Statistics.from_dict(json.loads(path.read_text()))
        if kept.pm2p5_mean is not None:  # a file of version 0.1 does not know it
            return kept
    statistics = source_statistics(source, days)
    write_atomically(path, json.dumps(statistics.to_dict()))
    return statistics


def _days(days: Sequence[np.datetime64]) -> JsonObject:
    text = " ".join(str(day) for day in days)
    return {
        "init_days": len(days),
        "first": str(days[0]),
        "last": str(days[-1]),
        "days_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
