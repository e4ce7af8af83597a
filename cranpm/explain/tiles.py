"""Forecasts of single tiles under a change, and which tiles and days a battery looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from cranpm.data.store.source import DaySource, init_times
from cranpm.domain import Domain, Splits, Statistics, Tile, TilePlan
from cranpm.domain.resampling import subsample_evenly
from cranpm.forecasting.day import ForecastDay
from cranpm.forecasting.interventions import intervene, switched
from cranpm.model import CranPM, GlobalContext

Steps = Iterable[tuple[str, float]]
TileForecast = Callable[[Tile], np.ndarray]
"""A tile to its forecast, (leads, S, S) [ug m-3], NaN where there is no support."""

MIN_LAND = 0.3
"""Share of land below which a tile is not worth its cost."""

MIN_BARRIER = 0.25
"""Share of cells near barriers that makes a tile one of the mountains."""


@contextmanager
def forecasts_if(
    network: CranPM,
    day: ForecastDay,
    statistics: Statistics,
    steps: Steps = (),
    *,
    leads: Sequence[int],
    context: GlobalContext | None = None,
) -> Iterator[TileForecast]:
    """Forecast tiles of a day as it would have been; the continent is encoded once for all of them.

    Parameters
    ----------
    context : GlobalContext, optional
        Of the unchanged day, taken again where the change leaves the global branch alone.
    """
    steps = tuple(steps)
    changed = intervene(day, steps, statistics)
    with switched(network, steps), torch.inference_mode():
        same = changed.coarse is day.coarse and not any(
            name in ("elevation_bias", "scan_raster", "transport") for name, _ in steps
        )
        if context is None or not same:
            context = network.encode_global(changed.global_inputs())
        today = context
        yield lambda tile: forecast_tile(network, changed, today, tile, leads)


def encode(network: CranPM, day: ForecastDay) -> GlobalContext:
    """The global branch of a day, for `forecasts_if` to use again."""
    with torch.inference_mode():
        return network.encode_global(day.global_inputs())


def forecast_tile(
    network: CranPM, day: ForecastDay, context: GlobalContext, tile: Tile, leads: Sequence[int]
) -> np.ndarray:
    """One tile on its own, not blended with its neighbours; negative values are clipped to 0."""
    inputs = day.local_inputs([tile])
    delta = network.forecast_delta(replace(inputs, lead=torch.tensor(leads, device=day.device)), context)
    today = day.pm2p5[tile.rows, tile.cols]
    return (today + network.config.residual_scale * delta.float()).clamp_min(0).cpu().numpy()


def choose_tiles(plan: TilePlan, land: np.ndarray, count: int, seed: int = 0) -> list[Tile]:
    """Every k-th tile with enough land, from a start that the seed draws: spread over the map, the same every time."""
    shares = {tile.index: land[tile.rows, tile.cols].mean() for tile in plan.tiles}
    return _every_kth([t for t in plan.tiles if shares[t.index] >= MIN_LAND], count, seed)


def choose_mountain_tiles(plan: TilePlan, barriers: np.ndarray, count: int, seed: int = 0) -> list[Tile]:
    """Every k-th tile with enough cells near barriers; fewer, or none, where the map has few."""
    shares = {tile.index: barriers[tile.rows, tile.cols].mean() for tile in plan.tiles}
    return _every_kth([t for t in plan.tiles if shares[t.index] >= MIN_BARRIER], count, seed)


def _every_kth(tiles: list[Tile], count: int, seed: int) -> list[Tile]:
    if len(tiles) <= count:
        return tiles
    if not count:
        return []
    step = len(tiles) / count
    start = np.random.default_rng(seed).uniform(0, step)
    return [tiles[int(start + step * i) % len(tiles)] for i in range(count)]


def choose_days(source: DaySource, count: int, leads: Sequence[int]) -> tuple[list[np.datetime64], str]:
    """Held-out init days spread evenly over what there is, and which split they are of.

    Test days where there are any, else validation days, both together when one has too few; days of no split (their
    like may have been trained on) only when nothing else is held.

    Raises
    ------
    LookupError
        If no day has the day before and the days after.
    """
    splits = Splits()
    held = {name: init_times(source, name, splits, leads) for name in ("validation", "test")}
    days, name = sorted(held["validation"] + held["test"]), "validation and test"
    if not days:
        days, name = init_times(source, "train", splits, leads), "train"
    if not days:
        raise LookupError(
            f"No init day with the day before and {max(leads)} days after it in this data. Build more days."
        )
    return subsample_evenly(days, count), name


def block_days(days: Sequence[np.datetime64]) -> int:
    """Init days drawn together for intervals: 1 where days lie five or more apart, 3 where they follow each other."""
    gaps = np.diff(np.sort(np.asarray(days, dtype="datetime64[D]"))).astype(int)
    wanted = 1 if not len(gaps) or np.median(gaps) >= 5 else 3
    return max(1, min(wanted, len(days) // 2))


def neighbourhood(domain: Domain, lat: float, lon: float, size: int) -> list[Tile]:
    """3 x 3 tiles edge to edge round a place, which lies in the middle one (pushed inward at the edge of the map)."""
    middle = domain.fine.index_of(lat, lon)
    starts = []
    for place, length in zip(middle, domain.fine.shape, strict=True):
        fits = min(3, length // size)
        first = int(np.clip(place - size * fits // 2, 0, length - size * fits))
        starts.append([first + size * i for i in range(fits)])
    return [
        Tile(index=-1, row=i, col=j, rows=slice(r, r + size), cols=slice(c, c + size))
        for i, r in enumerate(starts[0])
        for j, c in enumerate(starts[1])
    ]
