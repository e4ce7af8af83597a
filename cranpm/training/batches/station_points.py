"""Which stations lie in a tile, and what they say: targets of the station loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cranpm.data.sampler import TileDraw
from cranpm.data.store.station_days import StationDays
from cranpm.domain import Grid
from cranpm.domain.blocks import held_out


@dataclass(kw_only=True)
class StationPoints:
    """K station values in the tiles of a batch.

    ``rows``, ``cols`` (K,) fractional cells within the tile (integers are cell centres); ``observed`` (K,)
    [ug m-3] on the valid day, NaN where missing; ``tile`` (K,) int64; ``held`` (K,) bool, True where the station's
    block is held out.
    """

    rows: torch.Tensor
    cols: torch.Tensor
    observed: torch.Tensor
    tile: torch.Tensor
    held: torch.Tensor


class StationReader:
    """Finds station values in tiles.

    Parameters
    ----------
    stations : StationDays
    grid : Grid
        Fine grid.
    with_held_out : bool
        Whether stations of held-out blocks are read too. Training never does; validation reports both groups.
    """

    def __init__(self, stations: StationDays, grid: Grid, *, with_held_out: bool = False) -> None:
        self.held = held_out(stations.latitude, stations.longitude)
        self._use = np.flatnonzero(np.ones_like(self.held) if with_held_out else ~self.held)
        self._stations = stations
        self._rows, self._cols = grid.row_of(stations.latitude), grid.col_of(stations.longitude)

    @property
    def used(self) -> np.ndarray:
        """Ids of the stations that may be read."""
        return self._stations.station_id[self._use]

    def read(self, tiles: Sequence[TileDraw], size: int) -> StationPoints:
        """Values on each tile's valid day at the stations inside it."""
        parts: dict[str, list[np.ndarray]] = {
            name: [] for name in ("rows", "cols", "observed", "tile", "held")
        }
        for number, tile in enumerate(tiles):
            rows, cols = self._rows[self._use] - tile.row, self._cols[self._use] - tile.col
            inside = (rows >= 0) & (rows <= size - 1) & (cols >= 0) & (cols <= size - 1)
            values = self._stations.on(tile.init_time + np.timedelta64(tile.lead, "D"))[self._use]
            chosen = inside & np.isfinite(values)
            parts["rows"].append(rows[chosen].astype(np.float32))
            parts["cols"].append(cols[chosen].astype(np.float32))
            parts["observed"].append(values[chosen])
            parts["tile"].append(np.full(int(chosen.sum()), number, dtype=np.int64))
            parts["held"].append(self.held[self._use][chosen])
        return StationPoints(**{name: torch.from_numpy(np.concatenate(part)) for name, part in parts.items()})
