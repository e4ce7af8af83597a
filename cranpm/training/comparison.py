"""Held-out errors of variants that were trained with the same seeds: pooled, and compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from cranpm._json import JsonObject
from cranpm.domain.resampling import bootstrap_indices, central_interval
from cranpm.training.recipes.ablations import ABLATIONS
from cranpm.training.report.curve import Curve

DRAWS = 2000
"""Redrawn sets of seeds and days."""


class TrainingFacts(TypedDict, total=False):
    """What the checkpoints of one variant say of their training."""

    parameters: int
    steps: int | None
    minutes: list[float | None]
    """Of each seed."""
    machine: str


@dataclass(kw_only=True)
class Comparison:
    """Held-out errors of variants.

    ``squared[name]`` has shape (seeds, days): mean squared error of each held-out day's tiles [(ug m-3)^2];
    ``persistence`` (days,) that of today's map; ``curves[name]`` the validation curve of each seed.
    """

    seeds: tuple[int, ...]
    persistence: np.ndarray
    squared: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    reference: str = "full"
    """The variant that others are compared with."""
    days: tuple[str, ...] = ()
    """Held-out init days."""
    same_as: dict[str, str] = field(default_factory=dict)
    """Of variants that are the same recipe as another one here: which."""
    trained: dict[str, TrainingFacts] = field(default_factory=dict)
    """Of each variant."""
    at_stations: dict[str, np.ndarray] = field(default_factory=dict)
    """Of each variant, where the data know stations: sums of squared errors [(ug m-3)^2] and numbers of pairs, shape
    (groups, seeds, days, 2), for stations that a loss may hold and for those held out."""

    def rows(self, reference: str | None = None) -> list[JsonObject]:
        """One row a variant, for a table.

        Parameters
        ----------
        reference : str, optional
            Instead of `reference`.

        Returns
        -------
        list of dict
            ``variant``, ``meaning``, ``rmse`` [ug m-3], ``below_persistence_pct``, ``change_pct`` (of RMSE against
            the reference, paired by seed and day; positive: worse without it) with ``low`` and ``high``, the 95 %
            interval of a bootstrap over seeds and days. With stations the same of each of `STATION_GROUPS`:
            ``station_rmse``, ``station_change_pct``, ...; NaN where it has no pair.
        """
        reference = self.reference if reference is None else reference
        generator = np.random.default_rng(1)
        seeds, days = self.squared[reference].shape
        pick_seeds = bootstrap_indices(seeds, DRAWS, generator)[:, :, None]
        pick_days = bootstrap_indices(days, DRAWS, generator)[:, None, :]
        result = []
        ones = np.ones((seeds, days))
        for name, squared in self.squared.items():
            maps = [(self.squared[each], ones) for each in (name, reference)]
            row = {
                "variant": name,
                "meaning": ABLATIONS[name][0] if name in ABLATIONS else "",
                "rmse": float(_rmse(squared)),
                "below_persistence_pct": float(100 * (1 - _rmse(squared) / _rmse(self.persistence))),
                **_change(maps[0], maps[1], pick_seeds, pick_days),
            }
            for number, group in enumerate(STATION_GROUPS if name in self.at_stations else ()):
                mine, other = (
                    (self.at_stations[each][number, ..., 0], self.at_stations[each][number, ..., 1])
                    for each in (name, reference)
                )
                found = {"rmse": float(_pooled(*mine)), **_change(mine, other, pick_seeds, pick_days)}
                row |= {f"{group}_{key}": value for key, value in found.items()}
            result.append(row)
        return result


STATION_GROUPS = ("station", "held_out_station")
"""Stations of blocks that a loss may hold, and those of blocks held out (`cranpm.domain.blocks.held_out`)."""

_Sums = tuple[np.ndarray, np.ndarray]
"""Sums of squared errors and their numbers, (seeds, days) each."""


def _change(mine: _Sums, other: _Sums, pick_seeds: np.ndarray, pick_days: np.ndarray) -> dict[str, float]:
    """By how much one RMSE is above another [%], with its interval; the same seeds and days are drawn for both."""
    drawn = [
        _pooled(total[pick_seeds, pick_days], count[pick_seeds, pick_days], axis=(1, 2))
        for total, count in (mine, other)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        change = 100 * (_pooled(*mine) / _pooled(*other) - 1)
        low, high = central_interval((100 * (drawn[0] / drawn[1] - 1)).tolist())
    return {"change_pct": float(change), "low": low, "high": high}


def _pooled(total: np.ndarray, count: np.ndarray, axis: tuple[int, ...] | None = None) -> np.ndarray:
    """RMSE of sums; NaN where there is no pair."""
    number = count.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, np.sqrt(total.sum(axis=axis) / number), np.nan)


def _rmse(squared: np.ndarray) -> np.ndarray:
    return np.sqrt(squared.mean())
