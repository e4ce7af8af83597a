"""Days and worlds on which nothing may be chosen: which they are, and how they come into being.

What is scored here is quoted; so nothing of it is simulated, plotted or scored but by ``cranpm evaluate``, which
writes every look into a log (`cranpm.evaluation.looks`).
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from cranpm._json import JsonObject
from cranpm._progress import StageProgress
from cranpm.data.domains import find_domain
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.source import DatasetSource, DaySource
from cranpm.domain import LEAD_DAYS, Domain, Splits
from cranpm.domain.resampling import consecutive_runs
from cranpm.testbed.build import build_testbed
from cranpm.testbed.simulation.constants import DEFAULT_SEED, WorldConstants
from cranpm.testbed.simulation.world_files import find_world

ONE_DAY = np.timedelta64(1, "D")

MIN_DAYS = 2
"""Init days of a set: an interval redraws them."""


@dataclass(frozen=True, kw_only=True)
class FinalWorld:
    """Init days of one world, in windows of the seasons.

    Attributes
    ----------
    world : str
        Its constants, by name (`cranpm.testbed.simulation.world_files.find_world`).
    seed : int
        Of its weather, emissions and noise.
    starts : tuple of str
        First init day of each window.
    init_days : int
        Of each window.
    every : int
        Days from one to the next.
    """

    world: str
    seed: int
    starts: tuple[str, ...]
    init_days: int = 4
    every: int = 5

    @property
    def name(self) -> str:
        """A word for folders and tables."""
        return f"{self.world}-{self.seed}"

    @property
    def days(self) -> list[np.datetime64]:
        """All init days."""
        return [
            np.datetime64(start, "D") + k * self.every for start in self.starts for k in range(self.init_days)
        ]

    @property
    def windows(self) -> list[tuple[np.datetime64, int]]:
        """First day and number of days that are read: from the day before the first init day to the last lead."""
        days = (self.init_days - 1) * self.every + 2 + max(LEAD_DAYS)
        return [(np.datetime64(start, "D") - ONE_DAY, days) for start in self.starts]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Sets of final days. The worlds' days are of different years, so that a date names one day of one world.

    Attributes
    ----------
    name : str
    domain : str or Domain
    sets : mapping of str to tuple of FinalWorld
    fit_days : int
        Training days of world 1 (2017 to 2020) that rivals are fitted on.
    logged : bool
        Whether a look counts and is written down.
    """

    name: str
    sets: Mapping[str, tuple[FinalWorld, ...]]
    domain: str | Domain = "europe"
    fit_days: int = 72
    logged: bool = True
    splits: Splits = field(default_factory=Splits)

    def __post_init__(self) -> None:
        for name, worlds in self.sets.items():
            number = sum(len(world.days) for world in worlds)
            if number < MIN_DAYS:
                raise ValueError(
                    f"Set {name!r} of protocol {self.name!r} has {number} init day; intervals need {MIN_DAYS} at least."
                )
        spans = sorted(
            (start, start + days * ONE_DAY) for world in self.worlds for start, days in world.windows
        )
        for (_, end), (start, _) in itertools.pairwise(spans):
            if start < end:
                raise ValueError(
                    f"Windows of protocol {self.name!r} overlap at {start}; a date must name one day."
                )

    @property
    def worlds(self) -> list[FinalWorld]:
        """All worlds of all sets."""
        return [world for worlds in self.sets.values() for world in worlds]

    @property
    def needed_days(self) -> list[np.datetime64]:
        """Every day that is read."""
        return [
            start + k * ONE_DAY for world in self.worlds for start, days in world.windows for k in range(days)
        ]

    def to_dict(self) -> JsonObject:
        """What it is, as plain values."""
        domain = self.domain if isinstance(self.domain, str) else self.domain.name
        sets = {name: [asdict(world) for world in worlds] for name, worlds in self.sets.items()}
        return {"name": self.name, "domain": domain, "fit_days": self.fit_days, "sets": sets}

    @property
    def identity(self) -> str:
        """A hash of all that decides which days are scored and what rivals are fitted on."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


FINAL = Protocol(
    name="final",
    sets={
        "final A": (
            FinalWorld(
                world="world-1", seed=660431, starts=("2023-01-12", "2023-04-12", "2023-07-12", "2023-10-12")
            ),
            FinalWorld(
                world="world-1", seed=780652, starts=("2024-01-12", "2024-04-12", "2024-07-12", "2024-10-10")
            ),
            FinalWorld(
                world="world-1", seed=910873, starts=("2025-01-08", "2025-04-08", "2025-07-07", "2025-10-05")
            ),
        ),
        "final B": (
            FinalWorld(
                world="shifted",
                seed=20261137,
                starts=("2026-01-03", "2026-04-03", "2026-07-02", "2026-10-20"),
            ),
        ),
    },
)
"""48 init days of three other seeds of world 1, and 16 of the shifted world, in four seasons of years after training.

Each window lies within one spin-up of its world.
"""

DEVELOPMENT = Protocol(
    name="development",
    logged=False,
    sets={
        "development": (
            FinalWorld(
                world="world-1",
                seed=DEFAULT_SEED,
                starts=("2022-01-12", "2022-04-12", "2022-07-12", "2022-10-12"),
            ),
        ),
    },
)
"""16 init days of world 1 with its own seed, in four seasons of a year that nothing is fitted on: anything may be
chosen on them, so that nothing of them is quoted and a look is none."""

QUICK = Protocol(
    name="quick",
    domain="alps",
    fit_days=8,
    logged=False,
    sets={
        "quick A": (FinalWorld(world="world-1", seed=3, starts=("2023-02-08",), init_days=2, every=1),),
        "quick B": (FinalWorld(world="shifted", seed=4, starts=("2024-02-03",), init_days=2, every=1),),
    },
)
"""The same command on a region, to see that all of it runs: no figure to quote, and no look."""

PROTOCOLS = {protocol.name: protocol for protocol in (FINAL, DEVELOPMENT, QUICK)}


def fit_runs(protocol: Protocol) -> list[np.datetime64]:
    """Training days of world 1 that rivals are fitted on, in runs."""
    first, last = (np.datetime64(day, "D") for day in protocol.splits.train)
    # the first day of a split has no day before it
    return consecutive_runs(list(np.arange(first + 1, last + 1)), protocol.fit_days, LEAD_DAYS)


def build_worlds(
    protocol: Protocol, work: Path, *, cache_dir: Path | None = None, progress: StageProgress | None = None
) -> tuple[dict[str, Dataset], Dataset]:
    """Simulate what is missing.

    Returns
    -------
    worlds : dict of str to Dataset
        By name.
    training : Dataset
        Days of world 1 that rivals are fitted on.
    """
    domain = protocol.domain if isinstance(protocol.domain, Domain) else find_domain(protocol.domain)
    runs = fit_runs(protocol)
    breaks = [k for k in range(1, len(runs)) if runs[k] - runs[k - 1] > ONE_DAY]
    parts = [runs[a:b] for a, b in itertools.pairwise([0, *breaks, len(runs)])]
    tasks: list[tuple[str, WorldConstants, list[tuple[np.datetime64, int]]]] = [
        # with the day before the first, which least squares reads
        ("training", find_world(), [(part[0] - ONE_DAY, len(part) + 1) for part in parts]),
        *((w.name, find_world(w.world, seed=w.seed), w.windows) for w in protocol.worlds),
    ]
    total = sum(days for _, _, windows in tasks for _, days in windows)
    made, done = {}, 0
    for name, world, windows in tasks:
        folder = work / domain.name / name
        for start, days in windows:

            def tell(
                stage: str, d: int, n: int, left: float | None, of: str = name, so_far: int = done
            ) -> None:
                if progress is not None:
                    progress(f"{of}: {stage}", so_far + d, total, None)

            build_testbed(folder, start, days, domain, world=world, progress=tell, cache_dir=cache_dir)
            done += days
        made[name] = Dataset.open(folder)
    training = made.pop("training")
    return made, training


class JoinedDays:
    """Days of several datasets of one domain as one source; each day is of one of them."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        sources = [DatasetSource(dataset) for dataset in datasets]
        self._of: dict[datetime.date, tuple[Dataset, DaySource]] = {}
        for dataset, source in zip(datasets, sources, strict=True):
            self._of |= dict.fromkeys(source.days.tolist(), (dataset, source))
        first = sources[0]
        self.name, self.simulated, self.domain = first.name, first.simulated, first.domain
        self.land, self.elevation, self.coarse_elevation = first.land, first.elevation, first.coarse_elevation
        self.days = np.array(sorted(self._of), dtype="datetime64[D]")

    def _part(self, day: np.datetime64) -> tuple[Dataset, DaySource]:
        return self._of[day.astype("datetime64[D]").astype(object)]

    def coarse(self, day: np.datetime64) -> np.ndarray:
        """See `cranpm.data.store.source.DaySource`."""
        return self._part(day)[1].coarse(day)

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        """See `cranpm.data.store.source.DaySource`."""
        return self._part(day)[1].pm2p5(day, rows, cols)

    def cams(self, day: np.datetime64) -> np.ndarray:
        """See `cranpm.baselines.cams.CoarseForecasts`."""
        return self._part(day)[0].cams(day)

    def cams_forecast(self, day: np.datetime64) -> np.ndarray:
        """See `cranpm.baselines.cams.CoarseForecasts`."""
        return self._part(day)[0].cams_forecast(day)
