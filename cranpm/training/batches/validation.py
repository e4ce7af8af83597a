"""What a network is validated on while it learns, and beside others: the same tiles of validation days every time."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator

import numpy as np

from cranpm.data.sampler import TileSampler
from cranpm.data.samples import MissingInputError
from cranpm.data.store.source import DaySource, init_times
from cranpm.training.batches.batches import BadSampleError, TrainingBatch, TrainingDays
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationReader
from cranpm.training.recipes.kinds import DayChoice
from cranpm.training.recipes.recipes import Recipe


class ValidationBatches:
    """One batch a validation day, read once; shared out where there are several processes.

    The days and their tiles are the same whatever the number of processes: process r of n reads days r, r + n, ...
    Processes go through their batches side by side, so that one with fewer repeats one of its own, which is recognised
    by its number (``batch.groups[0].index``) and counts once. A day that cannot be used is left out, not replaced.

    Parameters
    ----------
    batches : TrainingDays
        One day a step; the first ``number`` are read.
    number : int
    """

    def __init__(self, batches: TrainingDays, number: int) -> None:
        self._batches, self._number = batches, number
        self._kept: list[TrainingBatch] = []
        self.share = (0, 1)
        """(rank, world size)."""

    def __len__(self) -> int:
        """Batches of each process, where none is left out."""
        return -(-self._number // self.share[1])

    def __iter__(self) -> Iterator[TrainingBatch]:
        if not self._kept:
            self._kept = self._read()
        yield from self._kept  # a generator: Lightning asks for an iterator long before it reads

    def _read(self) -> list[TrainingBatch]:
        rank, size = self.share
        own = range(rank, self._number, size)
        kept = [batch for day in own if (batch := self._day(day)) is not None]
        if not kept:  # all of its own are left out, or there are more processes than days
            others = (self._day(day) for day in range(self._number) if day not in own)
            kept = list(itertools.islice((batch for batch in others if batch is not None), 1))
        if not kept:
            raise BadSampleError(f"None of the {self._number} validation days can be used; see the warnings.")
        return kept if size == 1 else kept + (len(self) - len(kept)) * kept[:1]

    def _day(self, index: int) -> TrainingBatch | None:
        group = self._batches.sampler.group(0, index)
        try:
            return self._batches.read((group,))
        except (BadSampleError, MissingInputError) as error:
            warnings.warn(f"Validation day {group.init_time} is left out: {error}", stacklevel=2)
            return None


def validation_days(recipe: DayChoice, source: DaySource, days: int) -> list[np.datetime64]:
    """At most so many init days of the validation split, spread over it from its first to its last."""
    held = init_times(source, "validation", recipe.splits, recipe.leads)
    return [held[i] for i in np.linspace(0, len(held) - 1, min(days, len(held))).astype(int)]


def validation_batches(
    recipe: Recipe,
    data: TrainingData,
    *,
    days: int,
    tiles_per_day: int = 6,
    seed: int | None = None,
    stations: StationReader | None = None,
) -> ValidationBatches | None:
    """Batches of the recipe's validation split; None where the source holds no such day.

    Parameters
    ----------
    days : int
        At most so many, spread over the split.
    tiles_per_day : int
        Drawn anywhere on land, hotspots or not.
    seed : int, optional
        Of the tiles; that of the recipe by default.
    stations : StationReader, optional
        Also read what these stations observed.
    """
    chosen = validation_days(recipe, data.source, days)
    if not chosen:
        return None
    sampler = TileSampler(
        chosen,
        data.source.land,
        data.source.domain.fine,
        tile_size=recipe.tile_size,
        tiles_per_day=tiles_per_day,
        hotspot_ratio=0.0,
        seed=recipe.seed if seed is None else seed,
        leads=recipe.leads,
    )
    return ValidationBatches(
        TrainingDays(data.source, sampler, data.statistics, days_per_step=1, stations=stations), len(chosen)
    )
