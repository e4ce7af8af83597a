"""Puffs added to some of the days that are learned from, with what the simulated air is known to do with it.

Only a source that knows their responses (`cranpm.testbed.simulation.puffs`) has such days; real stores have not, and
train without. Inputs of day t and targets change by the same simulation, day t-1 stays. Not in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from cranpm.data.samples import CoarseSample
from cranpm.data.store.source import DaySource
from cranpm.domain import COARSE_CHANNELS, PM_SCALE, Statistics, channel_index
from cranpm.domain.grid import fine_to_coarse
from cranpm.domain.interpolation import bilinear
from cranpm.training.recipes.recipes import Recipe

COMPANIONS = {"pm10": 1.35, "co": 5.5}
"""What comes along with each ug m-3 of PM2.5 [ug m-3], on half of the days, so that its absence marks no puff."""

STRENGTHS = (0.25, 1.5)
"""Least and largest factor of a day's response: the simulator's air is linear in what it carries to within a
hundredth (tests/testbed), so that the same day shows another amount in each epoch."""


@dataclass(frozen=True, kw_only=True)
class Puff:
    """By how much PM2.5 is higher: ``response`` (4, Hc + 1, Wc + 1) [ug m-3] on day t and one to three days later."""

    response: np.ndarray
    with_companions: bool

    def on_coarse(self, sample: CoarseSample, statistics: Statistics) -> CoarseSample:
        """Coarse inputs that hold the puffs of day t."""
        fields = sample.fields.clone()
        rows, cols = fields.shape[-2:]
        added = torch.from_numpy(self.response[0, :rows, :cols])
        amounts = {"pm2p5": 1.0, **(COMPANIONS if self.with_companions else {})}
        for name, amount in amounts.items():
            fields[channel_index(f"{name}@t", COARSE_CHANNELS)] += added * (amount / statistics.std[name])
        return replace(sample, fields=fields)

    def on_tile(self, days_later: int, row: int, col: int, size: int) -> np.ndarray:
        """What a tile has more on day t or later, (size, size) [ug m-3]."""
        rows, cols = fine_to_coarse(row + np.arange(size)), fine_to_coarse(col + np.arange(size))
        return bilinear(self.response[days_later], rows[:, None], cols[None, :])

    def on_change(self, change: torch.Tensor, leads: tuple[int, ...]) -> torch.Tensor:
        """Changes of coarse PM2.5 (leads, Hc, Wc) in network units, the puffs' included."""
        rows, cols = change.shape[-2:]
        added = torch.from_numpy(self.response[:, :rows, :cols] / PM_SCALE)
        return change + added[list(leads)] - added[0]


class Puffs:
    """Which days get puffs: drawn from (seed, epoch, day), so that any draw can be named again."""

    def __init__(self, source: DaySource, share: float, seed: int) -> None:
        self._source, self._share, self._seed = source, share, seed

    @classmethod
    def of(cls, recipe: Recipe, source: DaySource) -> Puffs | None:
        """None where the recipe wants none, or the source has none."""
        if not recipe.puff_share or not hasattr(source, "puff_response"):
            return None
        return cls(source, recipe.puff_share, recipe.seed)

    def draw(self, epoch: int, day: np.datetime64) -> Puff | None:
        """The puffs of a day in an epoch; None on most."""
        number = int(day.astype("datetime64[D]").astype(int))
        generator = np.random.default_rng([self._seed, epoch, number])
        wanted, companions = generator.random() < self._share, generator.random() < 0.5
        response = self._source.puff_response(day) if wanted else None  # type: ignore[attr-defined]
        if response is None:
            return None
        strength = np.float32(generator.uniform(*STRENGTHS))
        return Puff(response=strength * response, with_companions=companions)
