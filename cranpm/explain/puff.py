"""An inserted puff: PM2.5 added to a patch of today's inputs must come out downwind in the forecast.

The puff enters where a real one would be seen: the fine PM2.5 of day t and the coarse CAMS PM2.5 of day t, by the same
amount. Day t-1 is left alone. The response is the forecast with the puff minus the forecast without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import torch

from cranpm._progress import Clock, Progress
from cranpm.data.datasets import DataLike, open_source
from cranpm.data.store.source import DaySource
from cranpm.domain import COARSE_CHANNELS, Statistics, Tile, channel_index
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.explain.places import choose_places, gaussian, wind_over
from cranpm.explain.tiles import forecasts_if, neighbourhood
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.model import CranPM
from cranpm.verification.bootstrap import bootstrap_by_day

AMOUNT, RADIUS = 30.0, 60.0
"""Peak [ug m-3] and standard deviation [km] of the puff."""
FAINT = 0.1
"""Share of the largest response below which a cell is not counted: a wide faint background would pull the centroid."""

AS_IT_WAS = "as it was"
WINDS: dict[str, tuple[tuple[str, float], ...]] = {
    AS_IT_WAS: (),
    "wind flip, both": (("wind_turn/both", 180.0),),
    "wind flip, priors": (("wind_turn/priors", 180.0),),
}
"""Winds under which the response is looked at; displacements are always measured against the true wind."""


@dataclass(frozen=True, kw_only=True)
class Puff:
    """PM2.5 added round a place [degrees]: its peak [ug m-3] and its standard deviation [km]."""

    lat: float
    lon: float
    amount: float = AMOUNT
    radius: float = RADIUS

    def share(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Its share of the peak on a grid, (rows, cols)."""
        return gaussian(latitude, longitude, self.lat, self.lon, self.radius)


@dataclass(frozen=True, kw_only=True)
class PuffPlan:
    """Which puffs are inserted on each day, and under what."""

    places: int
    """Places a day."""
    leads: tuple[int, ...] = (1,)
    """Lead times [days]."""
    winds: tuple[str, ...] = tuple(WINDS)
    """Names of `WINDS`."""
    margin: float = 4.0
    """Distance of the places from the rim of the domain [degrees]."""
    tile_size: int = 512
    """Cells along the side of a tile."""
    seed: int = 0
    """Of the places."""
    keep: bool = False
    """Whether responses are kept as maps."""


def add_puff(day: ForecastDay, puff: Puff, statistics: Statistics) -> ForecastDay:
    """The day with PM2.5 added round a place, in the fine and the coarse inputs of day t; ``day`` is not changed."""
    fine, coarse = day.domain.fine, day.domain.coarse
    # 5 standard deviations away nothing is left: a window instead of 29 million exponentials
    near = 5 * puff.radius / KM_PER_DEGREE
    rows = _near(fine.lat, puff.lat, near)
    cols = _near(fine.lon, puff.lon, near / np.cos(np.deg2rad(puff.lat)))
    bump = torch.from_numpy(puff.share(fine.lat[rows], fine.lon[cols])).to(day.device)
    pm2p5 = day.pm2p5.clone()
    pm2p5[rows, cols] += puff.amount * bump
    fields = day.coarse.fields.clone()
    added = puff.amount / statistics.std["pm2p5"] * puff.share(coarse.lat, coarse.lon)
    fields[channel_index("pm2p5@t", COARSE_CHANNELS)] += torch.from_numpy(added.astype(np.float32))
    return replace(day, pm2p5=pm2p5, coarse=replace(day.coarse, fields=fields))


def _near(coordinate: np.ndarray, centre: float, reach: float) -> slice:
    inside = np.flatnonzero(np.abs(coordinate - centre) <= reach)
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def centroid(weights: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Centre of non-negative weights (rows, cols), (latitude, longitude) [degrees]; NaN where there are none.

    Examples
    --------
    >>> centroid(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([46.0, 45.0]), np.array([8.0, 9.0])).tolist()
    [45.5, 9.0]
    """
    total = weights.sum(dtype=np.float64)
    if not total > 0:
        return np.array([np.nan, np.nan])
    rows, cols = weights.sum(1, dtype=np.float64), weights.sum(0, dtype=np.float64)
    return np.array([(rows * latitude).sum(), (cols * longitude).sum()]) / total


def displacement(
    response: np.ndarray, puff: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> np.ndarray:
    """How far the response's centre lies from the puff's, (towards east, towards north) [km].

    Only the positive part of either above `FAINT` of its peak counts, and of the puff only cells that have a forecast,
    so that a coast shifts neither against the other.
    """
    known = np.isfinite(response)
    there, here = (centroid(_core(np.where(known, w, 0.0)), latitude, longitude) for w in (response, puff))
    north, east = (there - here) * KM_PER_DEGREE
    return np.array([east * np.cos(np.deg2rad(here[0])), north])


def _core(values: np.ndarray) -> np.ndarray:
    """Values above a share of the largest; nothing where nothing is positive."""
    least = FAINT * max(float(values.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return np.where(values >= least, values, 0.0)


@dataclass(frozen=True, kw_only=True)
class PuffResponse:
    """The answer to one puff.

    ``lead`` [days]; ``response`` (rows, cols) [ug m-3] on ``latitude`` and ``longitude``; ``moved`` towards east and
    north [km]; ``wind`` at the place on day t, towards east and north [m s-1].
    """

    init_time: np.datetime64
    lat: float
    lon: float
    lead: int
    under: str
    wind: np.ndarray
    moved: np.ndarray
    peak: float
    response: np.ndarray | None = None
    latitude: np.ndarray | None = None
    longitude: np.ndarray | None = None

    @property
    def cosine(self) -> float:
        """Of the angle between displacement and wind; NaN when nothing moved."""
        return cosine_between(self.moved, self.wind)

    @property
    def path(self) -> float:
        """Wind times lead [km]."""
        return float(np.linalg.norm(self.wind)) * 86.4 * self.lead

    @property
    def along(self) -> float:
        """Displacement along the wind [km]."""
        return float(self.moved @ self.wind / np.linalg.norm(self.wind))


def cosine_between(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two vectors; NaN if one has no length."""
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else float("nan")


def puff_responses(
    network: CranPM,
    day: ForecastDay,
    statistics: Statistics,
    puff: Puff,
    *,
    leads: Sequence[int],
    under: str = AS_IT_WAS,
    tile_size: int = 512,
    keep: bool = False,
) -> list[PuffResponse]:
    """Insert a puff and see where it comes out, over 3 x 3 tiles round the place, one response a lead.

    Parameters
    ----------
    under : str
        The wind under which both forecasts are made, of `WINDS`.
    keep : bool
        Also return the response as a map.

    Raises
    ------
    ValueError
        If there is no such wind.
    """
    if under not in WINDS:
        raise ValueError(f"Puffs are looked at under {', '.join(map(repr, WINDS))}; got {under!r}.")
    domain = day.domain
    tiles = neighbourhood(domain, puff.lat, puff.lon, tile_size)
    with_puff = add_puff(day, puff, statistics)
    maps = []
    for inputs in (day, with_puff):
        with forecasts_if(network, inputs, statistics, WINDS[under], leads=leads) as at:
            maps.append(_mosaic(tiles, at))
    rows = slice(tiles[0].rows.start, tiles[-1].rows.stop)
    cols = slice(tiles[0].cols.start, tiles[-1].cols.stop)
    latitude, longitude = domain.fine.lat[rows], domain.fine.lon[cols]
    bump = puff.share(latitude, longitude)
    wind = wind_over(day, puff.lat, puff.lon, puff.radius)
    found = []
    for lead, response in zip(leads, maps[1] - maps[0], strict=True):
        moved = displacement(response, bump, latitude, longitude)
        found.append(
            PuffResponse(
                init_time=day.init_time, lat=puff.lat, lon=puff.lon, lead=lead, under=under,
                wind=wind, moved=moved, peak=float(np.nanmax(response)),
                response=response if keep else None,
                latitude=latitude if keep else None, longitude=longitude if keep else None,
            )
        )  # fmt: skip
    return found


def _mosaic(tiles: Sequence[Tile], at: Callable[[Tile], np.ndarray]) -> np.ndarray:
    """(leads, rows, cols) of tiles edge to edge."""
    columns = tiles[-1].col + 1
    values = [at(tile) for tile in tiles]
    return np.concatenate(
        [np.concatenate(values[i : i + columns], axis=-1) for i in range(0, len(values), columns)], axis=-2
    )


def run_puffs(
    network: CranPM,
    statistics: Statistics,
    data: DataLike | DaySource,
    days: Sequence[np.datetime64],
    plan: PuffPlan,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[PuffResponse]:
    """Puffs at places of each day, under the true wind and under reversed ones.

    Parameters
    ----------
    network : CranPM
        In eval mode.
    statistics : Statistics
        Of the checkpoint.
    data : str, path, Dataset or DaySource
        As `cranpm.open_dataset` takes it, or a source of days; must hold each day and the day before.
    days : sequence of datetime64
        Init days.
    plan : PuffPlan
        How many places of each day, which leads and winds; fewer places where not enough land has enough wind.
    device : str
        Where the network is.
    progress : callable, optional
        Told days done, days in all and the seconds that the rest will take.

    Returns
    -------
    list of PuffResponse
        One for each day, place, wind and lead time; displacements towards east and north [km].
    """
    found: list[PuffResponse] = []
    source, clock = open_source(data), Clock(len(days), progress)
    for init in days:
        day = load_day(source, init, statistics, device)
        for lat, lon in choose_places(day, source.land, plan.places, plan.seed, margin=plan.margin):
            for under in plan.winds:
                found += puff_responses(
                    network, day, statistics, Puff(lat=lat, lon=lon),
                    leads=plan.leads, under=under, tile_size=plan.tile_size, keep=plan.keep,
                )  # fmt: skip
        clock.tick()
    return found


class PuffRow(TypedDict):
    """How puffs went with one wind at one lead time; what cannot be told is NaN, null in JSON."""

    wind: str
    lead: int
    puffs: int
    days: int
    cosine: float | None
    cosine_low: float | None
    cosine_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    mean_displacement_km: float
    mean_path_km: float
    mean_peak: float


def summarise(responses: Sequence[PuffResponse]) -> list[PuffRow]:
    """Mean cosine and displacement over wind x lead with intervals, one row a wind and lead."""
    rows: list[PuffRow] = []
    for under in dict.fromkeys(r.under for r in responses):
        for lead in sorted({r.lead for r in responses}):
            group = [r for r in responses if (r.under, r.lead) == (under, lead)]
            days = [r.init_time for r in group]
            cosine = bootstrap_by_day(np.mean, np.array([r.cosine for r in group]), days=days)
            along, path = np.array([r.along for r in group]), np.array([r.path for r in group])
            ratio = bootstrap_by_day(lambda a, b: a.mean() / b.mean(), along, path, days=days)
            rows.append(
                {
                    "wind": under, "lead": lead, "puffs": len(group), "days": len(set(days)),
                    "cosine": cosine.estimate, "cosine_low": cosine.low, "cosine_high": cosine.high,
                    "ratio": ratio.estimate, "ratio_low": ratio.low, "ratio_high": ratio.high,
                    "mean_displacement_km": float(np.nanmean(along)), "mean_path_km": float(path.mean()),
                    "mean_peak": float(np.mean([r.peak for r in group])),
                }
            )  # fmt: skip
    return rows
