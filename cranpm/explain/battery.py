"""The physics battery: the same days and tiles under every intervention, change of forecast and of RMSE with intervals.

Tiles stand for themselves (not blended), so that a battery costs what its tiles cost; the global branch runs once a day
and change. Today's errors and changes are kept as sums, one a day, and intervals come from redrawn blocks of days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from cranpm._progress import Clock, Progress
from cranpm.data.store.source import DaySource
from cranpm.domain import Statistics, Tile
from cranpm.explain.direction import DirectionProbe, displacement_score
from cranpm.explain.interventions import CATALOGUE, Intervention
from cranpm.explain.tiles import block_days, encode, forecasts_if
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.interventions import intervene
from cranpm.model import CranPM
from cranpm.verification.bootstrap import Interval, block_bootstrap
from cranpm.verification.sums import PairSums

BASE = "none"
LAND, NEAR_BARRIERS = "land", "near barriers > 700 m"
WIND_TURNS = ("wind flip", "wind rotate 90")
"""Interventions that the direction of the change is tested for."""


class BatteryRow(TypedDict):
    """What an intervention does to a region's forecasts of one lead time; what cannot be told is NaN, null in JSON."""

    intervention: str
    form: str
    region: str
    lead: int
    rmse_change_pct: float | None
    ci_low: float | None
    ci_high: float | None
    rmse: float
    base_rmse: float
    forecast_change_rms: float
    forecast_change_max: float
    pairs: int
    days: int


class DirectionRow(TypedDict):
    """Where the change by a turned wind lies at one lead time; what cannot be told is NaN, null in JSON."""

    intervention: str
    form: str
    lead: int
    score: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(kw_only=True)
class Battery:
    """Sums of a battery. Keys are (label, region, lead); each list holds one entry a day.

    ``errors`` pairs forecasts with targets, ``changes`` changed forecasts with unchanged ones, ``largest`` is the
    largest change of a cell [ug m-3]; ``direction`` pairs changes with PM2.5 upwind and downwind of the new wind.
    """

    days: list[np.datetime64] = field(default_factory=list)
    leads: tuple[int, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    tiles: dict[str, list[int]] = field(default_factory=dict)
    errors: dict[tuple[str, str, int], list[PairSums]] = field(default_factory=dict)
    changes: dict[tuple[str, str, int], list[PairSums]] = field(default_factory=dict)
    largest: dict[tuple[str, str, int], float] = field(default_factory=dict)
    direction: dict[tuple[str, int], list[tuple[PairSums, PairSums]]] = field(default_factory=dict)

    def rmse_change(self, label: str, region: str, lead: int) -> Interval:
        """Change of RMSE against the targets [per cent]; positive: the intervention hurts."""
        changed, base = (PairSums.stack(self.errors[name, region, lead]) for name in (label, BASE))
        return self._interval(lambda a, b: 100 * (float(a.rmse / b.rmse) - 1), changed, base)

    def displacement(self, label: str, lead: int) -> Interval:
        """`displacement_score` over all days."""
        upwind, downwind = zip(*self.direction[label, lead])
        return self._interval(
            displacement_score, PairSums.stack(list(upwind)), PairSums.stack(list(downwind))
        )

    def _interval(self, statistic: Callable[..., float], *daily: PairSums) -> Interval:
        if len(self.days) < 2:  # one day has no spread to draw from
            estimate = float(statistic(*(part.pooled() for part in daily)))
            return Interval(estimate=estimate, low=np.nan, high=np.nan, level=0.95, days=1, block_days=1)
        return block_bootstrap(statistic, *daily, block_days=block_days(self.days))

    def rows(self) -> list[BatteryRow]:
        """One row an intervention, region and lead."""
        rows: list[BatteryRow] = []
        for intervention in self.interventions:
            for (label, region, lead), parts in self.changes.items():
                if label != intervention.label:
                    continue
                change = PairSums.stack(parts).pooled()
                base = PairSums.stack(self.errors[BASE, region, lead]).pooled()
                if not change.count:
                    continue
                interval = self.rmse_change(label, region, lead)
                rows.append(
                    {
                        "intervention": intervention.name,
                        "form": intervention.form,
                        "region": region,
                        "lead": lead,
                        "rmse_change_pct": interval.estimate,
                        "ci_low": interval.low,
                        "ci_high": interval.high,
                        "rmse": float(base.rmse) * (1 + interval.estimate / 100),
                        "base_rmse": float(base.rmse),
                        "forecast_change_rms": float(change.rmse),
                        "forecast_change_max": self.largest[label, region, lead],
                        "pairs": int(change.count),
                        "days": len(self.days),
                    }
                )
        return rows

    def direction_rows(self) -> list[DirectionRow]:
        """One row a wind turn, form and lead: positive when the change lies downwind of the new wind."""
        rows: list[DirectionRow] = []
        for intervention in self.interventions:
            for lead in self.leads:
                if (intervention.label, lead) in self.direction:
                    found = self.displacement(intervention.label, lead)
                    rows.append(
                        {
                            "intervention": intervention.name,
                            "form": intervention.form,
                            "lead": lead,
                            "score": found.estimate,
                            "ci_low": found.low,
                            "ci_high": found.high,
                        }
                    )
        return rows


@dataclass(frozen=True, kw_only=True)
class BatteryPlan:
    """What a battery does on each day, and where it is scored."""

    tiles: Sequence[Tile]
    """Scored as "land"; see `cranpm.explain.tiles.choose_tiles`."""
    mountain_tiles: Sequence[Tile] = ()
    """Further tiles on which only regional interventions (terrain) are run; scored near barriers alone."""
    barriers: np.ndarray | None = None
    """Cells near barriers higher than 700 m, (H, W) bool."""
    leads: tuple[int, ...] = (1,)
    """Lead times [days]."""
    interventions: tuple[Intervention, ...] = CATALOGUE

    @property
    def further_tiles(self) -> list[Tile]:
        """Mountain tiles that are not among the others."""
        return [tile for tile in self.mountain_tiles if tile not in self.tiles]

    @property
    def steps(self) -> int:
        """Forecasts of a tile that a day takes."""
        regional = sum(i.regional for i in self.interventions)
        return len(self.tiles) * (1 + len(self.interventions)) + len(self.further_tiles) * (1 + regional)


def run_battery(
    network: CranPM,
    statistics: Statistics,
    source: DaySource,
    days: Sequence[np.datetime64],
    plan: BatteryPlan,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Battery:
    """Run every intervention on the same days and tiles."""
    battery = Battery(leads=plan.leads, interventions=plan.interventions)
    tiles, further = list(plan.tiles), plan.further_tiles
    battery.tiles = {"land": [t.index for t in tiles], "mountains": [t.index for t in further]}
    masks = {LAND: source.land}
    if plan.barriers is not None:
        masks[NEAR_BARRIERS] = plan.barriers & source.land
    clock = Clock(plan.steps * len(days), progress)
    for init in days:
        day = load_day(source, init, statistics, device)
        battery.days.append(day.init_time)
        _OneDay(battery, network, statistics, day, source, masks, clock).run(tiles, further)
    return battery


class _OneDay:
    """All interventions of one day."""

    def __init__(
        self,
        battery: Battery,
        network: CranPM,
        statistics: Statistics,
        day: ForecastDay,
        source: DaySource,
        masks: Mapping[str, np.ndarray],
        clock: Clock,
    ) -> None:
        self.battery, self.network, self.statistics, self.day = battery, network, statistics, day
        self.source, self.masks, self.clock = source, masks, clock
        self.context = encode(network, day)
        self.base: dict[tuple[int, int], np.ndarray] = {}
        self.targets: dict[tuple[int, int], list[np.ndarray]] = {}

    def run(self, tiles: list[Tile], extra: list[Tile]) -> None:
        self._unchanged(tiles, extra)
        for intervention in self.battery.interventions:
            self._changed(intervention, tiles, extra if intervention.regional else [])

    def _unchanged(self, tiles: list[Tile], extra: list[Tile]) -> None:
        sums = _Sums()
        with forecasts_if(
            self.network, self.day, self.statistics, leads=self.battery.leads, context=self.context
        ) as at:
            for tile in (*tiles, *extra):
                self.base[_place(tile)] = at(tile)
                self.targets[_place(tile)] = [
                    self.source.pm2p5(self.day.init_time + np.timedelta64(lead, "D"), tile.rows, tile.cols)
                    for lead in self.battery.leads
                ]
                for region, lead, where in self._regions(tile, in_land=tile not in extra):
                    sums.add((BASE, region, lead), self._errors(tile, lead, self.base[_place(tile)], where))
                self.clock.tick()
        sums.into(self.battery.errors)

    def _changed(self, intervention: Intervention, tiles: list[Tile], extra: list[Tile]) -> None:
        errors, changes, label = _Sums(), _Sums(), intervention.label
        probe = self._probe(intervention)
        ways: dict[tuple[str, int], tuple[PairSums, PairSums]] = {}
        with forecasts_if(
            self.network,
            self.day,
            self.statistics,
            intervention.steps,
            leads=self.battery.leads,
            context=self.context,
        ) as at:
            for tile in (*tiles, *extra):
                forecast = at(tile)
                difference = forecast - self.base[_place(tile)]
                for region, lead, where in self._regions(tile, in_land=tile not in extra):
                    if region == NEAR_BARRIERS and not intervention.regional:
                        continue
                    position, key = self.battery.leads.index(lead), (label, region, lead)
                    errors.add(key, self._errors(tile, lead, forecast, where))
                    changes.add(
                        key, PairSums.of(forecast[position][where], self.base[_place(tile)][position][where])
                    )
                    change = np.abs(difference[position][where])
                    largest = float(np.nanmax(change)) if np.isfinite(change).any() else 0.0
                    self.battery.largest[key] = max(self.battery.largest.get(key, 0.0), largest)
                for position, lead in enumerate(self.battery.leads if probe else ()):
                    assert probe is not None
                    found = probe.of(tile, difference[position], lead)
                    before = ways.get((label, lead))
                    ways[label, lead] = (
                        found if before is None else (before[0] + found[0], before[1] + found[1])
                    )
                self.clock.tick()
        errors.into(self.battery.errors)
        changes.into(self.battery.changes)
        for way, pair in ways.items():
            self.battery.direction.setdefault(way, []).append(pair)

    def _probe(self, intervention: Intervention) -> DirectionProbe | None:
        if intervention.name not in WIND_TURNS:
            return None
        name, value = intervention.steps[0]
        turned = intervene(self.day, [(f"{name.split('/')[0]}/priors", value)], self.statistics)
        return DirectionProbe(self.day, turned.coarse.wind_box)

    def _regions(self, tile: Tile, in_land: bool):
        for region, mask in self.masks.items():
            where = mask[tile.rows, tile.cols]
            if (region != LAND or in_land) and where.any():
                for lead in self.battery.leads:
                    yield region, lead, where

    def _errors(self, tile: Tile, lead: int, forecast: np.ndarray, where: np.ndarray) -> PairSums:
        position = self.battery.leads.index(lead)
        return PairSums.of(forecast[position][where], self.targets[_place(tile)][position][where])


def _place(tile: Tile) -> tuple[int, int]:
    return tile.rows.start, tile.cols.start


class _Sums:
    """Adds up tiles of one day."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, int], PairSums] = {}

    def add(self, key: tuple[str, str, int], part: PairSums) -> None:
        self._parts[key] = part if key not in self._parts else self._parts[key] + part

    def into(self, store: dict[tuple[str, str, int], list[PairSums]]) -> None:
        for key, part in self._parts.items():
            store.setdefault(key, []).append(part)
