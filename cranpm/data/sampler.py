"""Which tiles a training step sees: drawn from (seed, epoch, index), so that any draw can be named again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cranpm.domain import LEAD_DAYS, REGIONS, Grid
from cranpm.domain.regions import HOTSPOT_REGIONS

POSITION_STEP = 16
"""Tiles start on multiples of the local patch, as they do in forecasts."""

LEAST_LAND = 0.1
"""Share of land of a tile that may be drawn."""


@dataclass(frozen=True, kw_only=True)
class TileDraw:
    """One training sample: init day, first row and column of the tile, lead time [days]."""

    init_time: np.datetime64
    row: int
    col: int
    lead: int


@dataclass(frozen=True, kw_only=True)
class DayGroup:
    """Tiles of one init day that share one global encoding; ``index`` counts groups within the epoch."""

    epoch: int
    index: int
    init_time: np.datetime64
    tile_size: int
    """Cells along one side of each."""
    tiles: tuple[TileDraw, ...]


class TileSampler:
    """Draws day groups.

    Parameters
    ----------
    init_times : sequence of datetime64
        Days that forecasts may start from (already restricted to one split).
    land : ndarray of bool, shape (H, W)
        Fine land mask.
    grid : Grid
        Fine grid.
    tile_size : int
        Cells along one side.
    tiles_per_day : int
        Tiles that share one global encoding.
    hotspot_ratio : float
        Share of tiles whose centre lies in a hotspot region (Table S3: 0.5).

    Raises
    ------
    ValueError
        If there is no init day, or no tile with enough land (`LEAST_LAND`).
    """

    def __init__(
        self,
        init_times: Sequence[np.datetime64],
        land: np.ndarray,
        grid: Grid,
        *,
        tile_size: int,
        tiles_per_day: int,
        hotspot_ratio: float,
        seed: int,
        leads: Sequence[int] = LEAD_DAYS,
    ) -> None:
        if not len(init_times):
            raise ValueError(
                "No init days to draw from: the store is shorter than t-1 .. t+3, or the split is empty."
            )
        self.init_times = np.array(init_times, dtype="datetime64[D]")
        self.tile_size, self.tiles_per_day, self.seed = tile_size, tiles_per_day, seed
        self.leads, self.hotspot_ratio = tuple(leads), hotspot_ratio
        positions = _positions_with_land(land, tile_size, LEAST_LAND)
        if not len(positions):
            raise ValueError(f"No tile of {tile_size} cells holds {LEAST_LAND:.0%} land.")
        self._positions = positions
        centre_lat = grid.lat[positions[:, 0] + tile_size // 2]
        centre_lon = grid.lon[positions[:, 1] + tile_size // 2]
        boxes = [REGIONS[name] for name in HOTSPOT_REGIONS]
        hot = np.zeros(len(positions), dtype=bool)
        for box in boxes:
            inside_lat = (box.south <= centre_lat) & (centre_lat <= box.north)
            hot |= inside_lat & (box.west <= centre_lon) & (centre_lon <= box.east)
        self._hot = positions[hot]

    def __len__(self) -> int:
        """Day groups in an epoch: every init day once."""
        return len(self.init_times)

    def group(self, epoch: int, index: int) -> DayGroup:
        """The ``index``-th day group of an epoch; the same arguments always give the same group."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.init_times))
        init = self.init_times[order[index % len(order)]]
        rng = np.random.default_rng([self.seed, epoch, index])
        tiles = []
        for _ in range(self.tiles_per_day):
            hot = len(self._hot) and rng.random() < self.hotspot_ratio
            pool = self._hot if hot else self._positions
            row, col = pool[rng.integers(len(pool))]
            tiles.append(
                TileDraw(init_time=init, row=int(row), col=int(col), lead=int(rng.choice(self.leads)))
            )
        return DayGroup(
            epoch=epoch, index=index, init_time=init, tile_size=self.tile_size, tiles=tuple(tiles)
        )


def _positions_with_land(land: np.ndarray, size: int, least: float) -> np.ndarray:
    """First cells (row, col) of all tiles on the position grid that hold enough land, shape (N, 2)."""
    total = np.zeros((land.shape[0] + 1, land.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = land.cumsum(0, dtype=np.int64).cumsum(1)
    rows = np.arange(0, land.shape[0] - size + 1, POSITION_STEP)
    cols = np.arange(0, land.shape[1] - size + 1, POSITION_STEP)
    r, c = np.meshgrid(rows, cols, indexing="ij")
    inside = total[r + size, c + size] - total[r, c + size] - total[r + size, c] + total[r, c]
    return np.stack([r, c], axis=-1)[inside >= least * size * size]
