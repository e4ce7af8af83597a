"""Does a change lie downwind? A signed statistic for maps without a single source.

Where air carries PM2.5, a wind that blows to the other side brings what lies upwind of it: the change of the forecast
must resemble today's PM2.5 seen *upwind of the new wind*, and not that seen downwind.
"""

from __future__ import annotations

import numpy as np

from cranpm.data.samples import LOCAL_PATCH, wind_at_tokens
from cranpm.domain import COARSE_CHANNELS, Domain, Tile, channel_index, fine_to_coarse
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.domain.interpolation import bilinear
from cranpm.forecasting.day import ForecastDay
from cranpm.verification.sums import PairSums

METRES_PER_NODE = 250.0 * KM_PER_DEGREE
DAY = 86400.0
FARTHEST = 18.0
"""Longest way looked upwind [coarse nodes]: 500 km."""


def token_means(values: np.ndarray) -> np.ndarray:
    """Means over a tile's tokens, (n, n); NaN where less than half of the cells are known."""
    patch = LOCAL_PATCH
    n = values.shape[-1] // patch
    blocks = values.reshape(n, patch, n, patch)
    known = np.isfinite(blocks)
    count = known.sum((1, 3))
    total = np.where(known, blocks, 0.0).sum((1, 3))
    return np.where(count >= patch * patch / 2, total / np.maximum(count, 1), np.nan)


def upwind_and_downwind(
    field: np.ndarray, domain: Domain, tile: Tile, wind_box: np.ndarray, lead: float
) -> tuple[np.ndarray, np.ndarray]:
    """What a coarse field holds one way of the wind upwind, and downwind, of each token of a tile.

    Parameters
    ----------
    field : ndarray, shape (Hc, Wc)
    wind_box : ndarray, shape (2, Hc + 1, Wc + 1)
        Wind towards east and north [m s-1].
    lead : float
        The way is wind times lead, at most 500 km.

    Returns
    -------
    upwind, downwind : ndarray, shape (n, n)
    """
    size = tile.rows.stop - tile.rows.start
    centres = np.arange(size // LOCAL_PATCH) * LOCAL_PATCH + (LOCAL_PATCH - 1) / 2
    rows = np.asarray(fine_to_coarse(tile.rows.start + centres))[:, None]
    cols = np.asarray(fine_to_coarse(tile.cols.start + centres))[None, :]
    wind = wind_at_tokens(wind_box, tile.rows.start, tile.cols.start, size)
    shrink = np.cos(np.deg2rad(domain.coarse.lat[0] - 0.25 * rows))
    north, east = wind[1] * lead * DAY / METRES_PER_NODE, wind[0] * lead * DAY / METRES_PER_NODE
    far = np.maximum(np.hypot(north, east) / FARTHEST, 1.0)
    north, east = north / far, east / far / shrink
    upwind = bilinear(field, rows + north, cols - east)  # rows grow southward
    return upwind, bilinear(field, rows - north, cols + east)


class DirectionProbe:
    """Sums of one day for the correlation of a change with today's PM2.5 upwind, and downwind, of a wind."""

    def __init__(self, day: ForecastDay, wind_box: np.ndarray) -> None:
        self.domain, self.wind_box = day.domain, wind_box
        self.field = day.coarse.fields[channel_index("pm2p5@t", COARSE_CHANNELS)].numpy()

    def of(self, tile: Tile, change: np.ndarray, lead: int) -> tuple[PairSums, PairSums]:
        """Sums for one tile's change of the forecast (S, S) [ug m-3]."""
        upwind, downwind = upwind_and_downwind(self.field, self.domain, tile, self.wind_box, lead)
        means = token_means(change)
        return PairSums.of(means, upwind), PairSums.of(means, downwind)


def displacement_score(upwind: PairSums, downwind: PairSums) -> float:
    """Correlation with the upwind side minus that with the downwind side, in [-2, 2]; positive is transport."""
    return float(upwind.correlation - downwind.correlation)
