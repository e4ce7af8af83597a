"""How good is a checkpoint on a dataset? Maps and stations, beside baselines, on the same cells and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from cranpm._progress import Clock, Progress
from cranpm.baselines.maps import Maps, Method
from cranpm.data.store.source import DaySource
from cranpm.data.store.tables import COMPLEX_TERRAIN
from cranpm.domain import LEAD_DAYS, Region
from cranpm.domain.regions import list_regions
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import run_forecast
from cranpm.model.checkpoint import Checkpoint
from cranpm.verification.evaluate import BLOCK_DAYS, Scorecard, ScoreRow
from cranpm.verification.metrics import area_weights
from cranpm.verification.stations import FLAT_TERRAIN, STEEP_TERRAIN, StationPairs, station_scores

EVERYWHERE = slice(None), slice(None)
ONE_DAY = np.timedelta64(1, "D")
ALL_LAND = "all land"


def checkpoint_forecaster(
    checkpoint: Checkpoint, source: DaySource, leads: Sequence[int], device: torch.device | str = "cpu"
) -> Method:
    """A checkpoint as a method."""
    statistics = checkpoint.require_statistics()

    def forecast(init: np.datetime64) -> Maps:
        day = load_day(source, init, statistics, device)
        return run_forecast(checkpoint.network, day, leads, precision="auto").fields

    return forecast


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Scorecards of the land and of each region inside the domain, and pairs at stations (None without stations)."""

    cards: Mapping[str, Scorecard]
    pairs: pd.DataFrame | None
    stations: pd.DataFrame | None

    def rows(self, against: str, ours: str | None = None) -> list[ScoreRow]:
        """All scores as plain values: ``reference`` is "product" or "stations", ``where`` the group.

        With ``ours``, the rows of other methods tell by how much our RMSE is below theirs: ``less``, with its interval.
        """
        found = []
        for where, card in self.cards.items():
            found += [
                {"reference": "product", "where": where, **row, **_less(card, row, ours)}
                for row in card.table(against)
            ]
        if self.pairs is not None and self.stations is not None and len(self.pairs):
            methods = self.cards[ALL_LAND].methods()
            found += [
                {"reference": "stations", "grid": "1 km", **row}
                for row in station_scores(self.pairs, self.stations, methods, against, ours=ours)
            ]
        return [row for row in found if row["pairs"]]


def _less(card: Scorecard, row: ScoreRow, ours: str | None) -> dict[str, float]:
    if ours is None or row["method"] == ours or not row["pairs"]:
        return {}
    interval = card.skill(ours, row["method"], row["lead"], row["grid"])
    return {"less": interval.estimate, "less_low": interval.low, "less_high": interval.high}


def assess(
    source: DaySource,
    methods: Mapping[str, Method],
    init_days: Sequence[np.datetime64],
    leads: Sequence[int] = LEAD_DAYS,
    *,
    stations: pd.DataFrame | None = None,
    observations: pd.DataFrame | None = None,
    complexity: np.ndarray | None = None,
    block_days: int = BLOCK_DAYS,
    progress: Progress | None = None,
) -> Assessment:
    """Score methods on init days against the fine product and, where given, stations.

    A valid day that the data do not hold has no product and counts at stations only.

    Parameters
    ----------
    methods : mapping of str to callable
        Init day to maps (H, W) [ug m-3] by lead time, for all ``leads``.
    stations, observations : DataFrame, optional
        The tables of a dataset.
    complexity : ndarray, shape (H, W), optional
        Terrain complexity [m]; given, flat and complex terrain are groups of their own.
    block_days : int
        Init days drawn together for intervals.
    """
    held = set(source.days.tolist())
    missing = np.full(source.domain.fine.shape, np.nan, np.float32)
    windows = {ALL_LAND: EVERYWHERE} | {
        region.title: _window(source, region) for region in list_regions(source.domain)
    }
    masks = {where: source.land[window] for where, window in windows.items()}
    if complexity is not None:
        steep = complexity >= COMPLEX_TERRAIN
        windows |= dict.fromkeys((FLAT_TERRAIN, STEEP_TERRAIN), EVERYWHERE)
        masks |= {FLAT_TERRAIN: source.land & ~steep, STEEP_TERRAIN: source.land & steep}
    cards = {where: Scorecard(block_days=block_days) for where in windows}
    weights = area_weights(source.domain.fine)[:, 0]
    cards[ALL_LAND] = Scorecard(row_weights=weights, similar=True, block_days=block_days)
    pairs = (
        None
        if stations is None or observations is None
        else StationPairs(stations, observations, source.domain.fine)
    )
    clock = Clock(len(init_days), progress)
    for init in init_days:
        forecasts = {name: method(init) for name, method in methods.items()}
        for lead in leads:  # one lead at a time: maps of all leads and methods would not fit into memory
            valid = init + lead * ONE_DAY
            target = source.pm2p5(valid, *EVERYWHERE) if valid.astype(object) in held else missing
            fields = {name: maps[lead] for name, maps in forecasts.items()}
            for where, window in windows.items():
                cut = {name: {lead: field[window]} for name, field in fields.items()}
                each_ssim = pairs.keep_ssim if where == ALL_LAND and pairs is not None else None
                cards[where].add_day(init, cut, {lead: target[window]}, masks[where], each_ssim=each_ssim)
            if pairs is not None:
                pairs.add_day(init, {name: {lead: field} for name, field in fields.items()})
        clock.tick()
    return Assessment(cards=cards, pairs=None if pairs is None else pairs.table(), stations=stations)


def _window(source: DaySource, region: Region) -> tuple[slice, slice]:
    """Cells of a region that lies inside the domain."""
    grid = source.domain.fine
    top, left = grid.index_of(region.north, region.west)
    bottom, right = grid.index_of(region.south, region.east)
    return slice(top, bottom + 1), slice(left, right + 1)
