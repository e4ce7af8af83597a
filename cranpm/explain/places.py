"""Places to ask about: inland, with wind, apart from each other; and what the wind is there."""

from __future__ import annotations

import numpy as np

from cranpm.domain import Domain
from cranpm.domain.grid import CELLS_PER_NODE, KM_PER_DEGREE
from cranpm.domain.interpolation import bilinear
from cranpm.forecasting.day import ForecastDay

CALM, STRONG = 2.0, 7.0
"""Wind below and above which a place is not asked about [m s-1]: there is no downwind to speak of, or a day's way ends
outside the tiles that are looked at."""
MIN_LAND = 0.85
APART = 6.0
"""Least distance between two places of one day [degrees]."""


def gaussian(
    latitude: np.ndarray, longitude: np.ndarray, lat: float, lon: float, radius: float
) -> np.ndarray:
    """A round bump of height 1, (rows, cols); ``radius`` is its standard deviation [km]."""
    north = (latitude[:, None] - lat) * KM_PER_DEGREE
    east = (longitude[None, :] - lon) * KM_PER_DEGREE * np.cos(np.deg2rad(lat))
    return np.exp(-0.5 * (north**2 + east**2) / radius**2).astype(np.float32)


def wind_over(day: ForecastDay, lat: float, lon: float, radius: float) -> np.ndarray:
    """10 m wind of day t over a puff, weighted like it, towards east and north [m s-1]."""
    box = day.domain.coarse_box
    weights = gaussian(box.lat, box.lon, lat, lon, radius)
    return (day.coarse.wind_box * weights).sum((1, 2)) / weights.sum()


def choose_places(
    day: ForecastDay, land: np.ndarray, count: int, seed: int, *, margin: float = 4.0
) -> list[tuple[float, float]]:
    """Inland places with wind, drawn by the seed and the day.

    They lie `APART` from each other, with `MIN_LAND` of land within 2.5 degrees and ``margin`` degrees inside the map.
    """
    grid = day.domain.coarse
    share = _land_share(day.domain, land)
    speed = np.hypot(*day.coarse.wind.numpy())
    near = round(margin / grid.step)
    chosen: list[tuple[float, float]] = []
    generator = np.random.default_rng([seed, int(day.init_time.astype("datetime64[D]").astype(int))])
    for place in generator.permutation(grid.rows * grid.cols):
        row, col = divmod(int(place), grid.cols)
        inside = near <= row < grid.rows - near and near <= col < grid.cols - near
        if not inside or share[row, col] < MIN_LAND or not CALM <= speed[row, col] <= STRONG:
            continue
        lat, lon = float(grid.lat[row]), float(grid.lon[col])
        if all(np.hypot(lat - a, (lon - b) * np.cos(np.deg2rad(lat))) >= APART for a, b in chosen):
            chosen.append((lat, lon))
            if len(chosen) == count:
                break
    return chosen


def _land_share(domain: Domain, land: np.ndarray) -> np.ndarray:
    """Share of land in a square of 2 x 2.5 degrees round each coarse node."""
    cells = CELLS_PER_NODE
    rows, cols = (n // cells for n in land.shape)
    blocks = land[: rows * cells, : cols * cells].reshape(rows, cells, cols, cells).mean((1, 3))
    reach = int(2.5 / domain.coarse.step)
    padded = np.pad(blocks, ((reach, reach), (reach, reach)))  # beyond the map there is no land
    total = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    side = 2 * reach + 1
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    share = sums / side**2
    grid = domain.coarse
    return bilinear(share, np.arange(grid.rows)[:, None] - 0.5, np.arange(grid.cols)[None, :] - 0.5)
