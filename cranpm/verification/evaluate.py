"""Forecasts against references over many days: one pass a day, sums kept, intervals from blocks of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cranpm.verification.bootstrap import Interval, skill_interval
from cranpm.verification.sums import PairSums

COARSE_CELLS = 25
"""Fine cells along one side of the 25-km means."""

GRIDS = ("1 km", "25 km")

BLOCK_DAYS = 3
"""Init days drawn together for intervals: most of a month of `days_of_each_month`, a season of a quick look."""

Maps = Mapping[int, np.ndarray]
"""Lead time [days] to map (H, W) [ug m-3]."""


@dataclass(kw_only=True)
class Scorecard:
    """Daily sums of every method, lead time and grid.

    ``days`` are the init days in order; ``sums[(method, lead, grid)]`` holds one `PairSums` a day.
    """

    days: list[np.datetime64] = field(default_factory=list)
    sums: dict[tuple[str, int, str], list[PairSums]] = field(default_factory=dict)

    def add_day(
        self, init_time: np.datetime64, forecasts: Mapping[str, Maps], targets: Maps, land: np.ndarray
    ) -> None:
        """Score one init day, all leads at once or one after the other.

        Parameters
        ----------
        forecasts : mapping of method to maps
            Each with the same leads as ``targets``.
        targets : mapping of lead to map
            NaN where there is no reference.
        land : ndarray of bool, shape (H, W)
            Only land counts. All methods are scored on the cells where the target and every forecast exist, so that
            no method gains by leaving out what is hard.
        """
        day = init_time.astype("datetime64[D]")
        if not self.days or self.days[-1] != day:
            self.days.append(day)
        for lead, target in targets.items():
            common = land & np.isfinite(target)
            fields = {
                method: maps[lead] for method, maps in forecasts.items()
            }  # made when asked for: ask once
            for values in fields.values():
                common &= np.isfinite(values)
            reference = {"1 km": target[common], "25 km": block_means(target, common)}
            for method, values in fields.items():
                chosen = {"1 km": values[common], "25 km": block_means(values, common)}
                for grid in GRIDS:
                    sums = PairSums.of(chosen[grid], reference[grid])
                    self.sums.setdefault((method, lead, grid), []).append(sums)

    def add(self, later: Scorecard) -> None:
        """Append the days of another scorecard of the same methods."""
        if self.days and later.sums.keys() != self.sums.keys():
            raise ValueError("Scorecards of different methods, lead times or grids cannot be joined.")
        self.days += later.days
        for key, parts in later.sums.items():
            self.sums.setdefault(key, []).extend(parts)

    def methods(self) -> list[str]:
        """Methods that were scored, in the order of their first day."""
        return list(dict.fromkeys(method for method, _, _ in self.sums))

    def rmse(self, method: str, lead: int, grid: str) -> float:
        """Pooled over all cells of all days [ug m-3]."""
        return float(PairSums.stack(self.sums[method, lead, grid]).pooled().rmse)

    def skill(self, method: str, reference: str, lead: int, grid: str) -> Interval:
        """1 - RMSE / RMSE of a reference method on the same days, with its interval over blocks of days."""
        mine, other = (PairSums.stack(self.sums[name, lead, grid]) for name in (method, reference))
        return skill_interval(mine, other, block_days=BLOCK_DAYS)

    def table(self, reference: str) -> list[dict[str, Any]]:
        """One row a method, lead and grid: N, RMSE, MAE, bias, r and skill against ``reference`` with its interval."""
        rows = []
        for (method, lead, grid), parts in self.sums.items():
            pooled = PairSums.stack(parts).pooled()
            interval = self.skill(method, reference, lead, grid)
            rows.append(
                {
                    "method": method,
                    "lead": lead,
                    "grid": grid,
                    "pairs": int(pooled.count),
                    "days": len(self.days),
                    "rmse": float(pooled.rmse),
                    "mae": float(pooled.mae),
                    "bias": float(pooled.bias),
                    "correlation": float(pooled.correlation),
                    "skill": interval.estimate,
                    "skill_low": interval.low,
                    "skill_high": interval.high,
                }
            )
        return rows


def block_means(values: np.ndarray, mask: np.ndarray, cells: int = COARSE_CELLS) -> np.ndarray:
    """Means over blocks of cells that are at least half masked in, flattened; equal masks give equal blocks."""
    rows, cols = (n // cells for n in values.shape)
    shape = (rows, cells, cols, cells)
    inside = mask[: rows * cells, : cols * cells].reshape(shape)
    filled = np.where(inside, values[: rows * cells, : cols * cells].reshape(shape), np.float32(0))
    count = inside.sum((1, 3))
    return (filled.sum((1, 3), dtype=np.float64) / np.maximum(count, 1))[count >= cells * cells / 2]


def evaluate(
    init_times: Sequence[np.datetime64],
    methods: Mapping[str, Callable[[np.datetime64], Maps]],
    targets: Callable[[np.datetime64], Maps],
    land: np.ndarray,
) -> Scorecard:
    """Score methods on init days; each method and ``targets`` turn an init day into maps by lead time."""
    card = Scorecard()
    for init in init_times:
        card.add_day(init, {name: method(init) for name, method in methods.items()}, targets(init), land)
    return card


def days_of_each_month(year: int, days: Iterable[int] = (5, 12, 19, 26)) -> list[np.datetime64]:
    """The test days: four a month by default, 48 a year."""
    days = list(days)
    return [np.datetime64(f"{year}-{month:02d}-{day:02d}") for month in range(1, 13) for day in days]
