"""Forecasts against references over many days: one pass a day, sums kept, intervals from blocks of days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from cranpm._json import JsonObject
from cranpm.verification.bootstrap import Interval, skill_interval
from cranpm.verification.structure import DATA_RANGES, known_means, mean_ssim, ssim_fields
from cranpm.verification.sums import PairSums

COARSE_CELLS = 25
"""Fine cells along one side of the 25-km means."""

GRIDS = ("1 km", "25 km")

BLOCK_DAYS = 3
"""Init days drawn together for intervals: most of a month of `days_of_each_month`, a season of a quick look."""

_Key = TypeVar("_Key")
_Score = TypeVar("_Score")

SSIM_EVERY = 4
"""Of a 1-km map every so-many-th row and column is averaged for SSIM."""

ScoreRow = JsonObject
"""Scores of one method at one lead time; the columns are told by `Scorecard.table` and
`cranpm.verification.stations.station_scores`."""

Maps = Mapping[int, np.ndarray]
"""Lead time [days] to map (H, W) [ug m-3]."""

EachSsim = Callable[[str, int, np.ndarray], None]
"""Takes a method, a lead time and a map of SSIM for each data range."""


@dataclass(kw_only=True)
class Scorecard:
    """Daily sums of every method, lead time and grid.

    ``days`` are the init days in order; ``sums[(method, lead, grid)]`` holds one `PairSums` a day, ``area[(method,
    lead)]`` one of the 1-km grid with cells weighted by area, ``ssim[(method, lead, grid)]`` the SSIM of a day's map
    for each of `DATA_RANGES`; the last two are empty where nobody asked for them.

    Parameters
    ----------
    row_weights : ndarray, shape (H,), optional
        Relative areas of cells by row (`cranpm.verification.metrics.area_weights`); given, area-weighted scores are
        kept.
    similar : bool
        Whether SSIM is kept: half a second a method, lead and day for Europe.
    block_days : int
        Init days drawn together for intervals.
    """

    days: list[np.datetime64] = field(default_factory=list)
    sums: dict[tuple[str, int, str], list[PairSums]] = field(default_factory=dict)
    area: dict[tuple[str, int], list[PairSums]] = field(default_factory=dict)
    ssim: dict[tuple[str, int, str], list[tuple[float, ...]]] = field(default_factory=dict)
    row_weights: np.ndarray | None = None
    similar: bool = False
    block_days: int = BLOCK_DAYS

    def add_day(
        self,
        init_time: np.datetime64,
        forecasts: Mapping[str, Maps],
        targets: Maps,
        land: np.ndarray,
        *,
        each_ssim: EachSsim | None = None,
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
        each_ssim : callable, optional
            Where SSIM is kept: takes method, lead and the map of SSIM at every `SSIM_EVERY`-th cell
            (`cranpm.verification.structure.ssim_fields`).
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
            weights = None
            if self.row_weights is not None:
                weights = np.broadcast_to(self.row_weights[:, None], common.shape)[common]
            for method, values in fields.items():
                chosen = {"1 km": values[common], "25 km": block_means(values, common)}
                for grid in GRIDS:
                    sums = PairSums.of(chosen[grid], reference[grid])
                    self.sums.setdefault((method, lead, grid), []).append(sums)
                if weights is not None:
                    by_area = PairSums.of(chosen["1 km"], reference["1 km"], weights=weights)
                    self.area.setdefault((method, lead), []).append(by_area)
            if self.similar:
                self._add_ssim(fields, target, common, lead, each_ssim)

    def _add_ssim(
        self,
        forecasts: Mapping[str, np.ndarray],
        target: np.ndarray,
        common: np.ndarray,
        lead: int,
        each_ssim: EachSsim | None,
    ) -> None:
        coarse = {name: block_map(field, common) for name, field in forecasts.items()}
        coarse_target = block_map(target, common)
        for name, around in ssim_fields(forecasts, target, common, every=SSIM_EVERY):
            self.ssim.setdefault((name, lead, "1 km"), []).append(known_means(around))
            if each_ssim is not None:
                each_ssim(name, lead, around)
        for name, values in mean_ssim(coarse, coarse_target, np.isfinite(coarse_target)).items():
            self.ssim.setdefault((name, lead, "25 km"), []).append(values)

    def add(self, later: Scorecard) -> None:
        """Append the days of another scorecard of the same methods."""
        if self.days and later.sums.keys() != self.sums.keys():
            raise ValueError("Scorecards of different methods, lead times or grids cannot be joined.")
        self.days += later.days
        _extend(self.sums, later.sums)
        _extend(self.area, later.area)
        _extend(self.ssim, later.ssim)

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON: what a day's scores are kept as until all days are there."""
        kept = {name: getattr(self, name).items() for name in ("sums", "area", "ssim")}
        return {
            "days": [str(day) for day in self.days],
            "block_days": self.block_days,
            "row_weights": None if self.row_weights is None else self.row_weights.tolist(),
            "similar": self.similar,
            "sums": [[*key, [part.to_dict() for part in parts]] for key, parts in kept["sums"]],
            "area": [[*key, [part.to_dict() for part in parts]] for key, parts in kept["area"]],
            "ssim": [[*key, parts] for key, parts in kept["ssim"]],
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> Scorecard:
        """Inverse of `to_dict`."""
        sums, area = (
            {tuple(key): [PairSums.from_dict(part) for part in parts] for *key, parts in values[name]}
            for name in ("sums", "area")
        )
        weights = values["row_weights"]
        return cls(
            days=[np.datetime64(day, "D") for day in values["days"]],
            block_days=values["block_days"],
            row_weights=None if weights is None else np.asarray(weights),
            similar=values["similar"],
            sums=sums,
            area=area,
            ssim={tuple(key): [tuple(part) for part in parts] for *key, parts in values["ssim"]},
        )

    def methods(self) -> list[str]:
        """Methods that were scored, in the order of their first day."""
        return list(dict.fromkeys(method for method, _, _ in self.sums))

    def rmse(self, method: str, lead: int, grid: str) -> float:
        """Pooled over all cells of all days [ug m-3]."""
        return float(PairSums.stack(self.sums[method, lead, grid]).pooled().rmse)

    def skill(self, method: str, reference: str, lead: int, grid: str) -> Interval:
        """1 - RMSE / RMSE of a reference method on the same days, with its interval over blocks of days."""
        mine, other = (PairSums.stack(self.sums[name, lead, grid]) for name in (method, reference))
        return skill_interval(mine, other, block_days=self.block_days)

    def table(self, reference: str) -> list[ScoreRow]:
        """One row a method, lead and grid: N, RMSE, MAE, bias, r and skill against ``reference`` with its interval.

        Where they were kept, also the SSIM of maps (mean of days; ``ssim_100``, ``ssim_20``), and RMSE and bias with
        cells weighted by area.
        """
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
                    **self._of_maps(method, lead, grid),
                }
            )
        return rows

    def _of_maps(self, method: str, lead: int, grid: str) -> dict[str, float]:
        found: dict[str, float] = {}
        if self.similar:
            days = np.array(self.ssim[method, lead, grid])
            days = days[np.isfinite(days).all(1)]
            means = days.mean(0) if len(days) else np.full(len(DATA_RANGES), np.nan)
            found |= {f"ssim_{r:g}": float(v) for r, v in zip(DATA_RANGES, means, strict=True)}
        if self.row_weights is not None and grid == "1 km":
            pooled = PairSums.stack(self.area[method, lead]).pooled()
            found |= {"area_rmse": float(pooled.rmse), "area_bias": float(pooled.bias)}
        return found


def _extend(daily: dict[_Key, list[_Score]], later: Mapping[_Key, list[_Score]]) -> None:
    for key, parts in later.items():
        daily.setdefault(key, []).extend(parts)


def block_means(values: np.ndarray, mask: np.ndarray, cells: int = COARSE_CELLS) -> np.ndarray:
    """Means over blocks of cells that are at least half masked in, flattened; equal masks give equal blocks."""
    means = block_map(values, mask, cells)
    return means[np.isfinite(means)]


def block_map(values: np.ndarray, mask: np.ndarray, cells: int = COARSE_CELLS) -> np.ndarray:
    """Means over blocks of cells, NaN where less than half of a block is masked in."""
    rows, cols = (n // cells for n in values.shape)
    shape = (rows, cells, cols, cells)
    inside = mask[: rows * cells, : cols * cells].reshape(shape)
    filled = np.where(inside, values[: rows * cells, : cols * cells].reshape(shape), np.float32(0))
    count = inside.sum((1, 3))
    means = filled.sum((1, 3), dtype=np.float64) / np.maximum(count, 1)
    return np.where(count >= cells * cells / 2, means, np.nan)


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
