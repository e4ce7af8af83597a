"""What a network is validated on while it learns, and beside others: the same tiles of validation days every time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cranpm.data.sampler import TileSampler
from cranpm.data.store.source import DaySource, init_times
from cranpm.training.batches.batches import TrainingBatch, TrainingDays
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationReader
from cranpm.training.recipes.recipes import Recipe


class ValidationBatches:
    """One batch a validation day, read once; shared out where there are several processes."""

    def __init__(self, batches: TrainingDays, number: int) -> None:
        self.batches, self._number = batches, number
        self._kept: list[TrainingBatch] = []

    def __len__(self) -> int:
        return -(-self._number // self.batches.share[1])

    def __iter__(self) -> Iterator[TrainingBatch]:
        if not self._kept:
            stream = iter(self.batches)
            self._kept = [next(stream) for _ in range(len(self))]
        yield from self._kept  # a generator: Lightning asks for an iterator long before it reads


def validation_days(recipe: Recipe, source: DaySource, days: int) -> list[np.datetime64]:
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
