"""A run as the forecast service gives it, advanced by the test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cranpm.domain import get_domain, plan_tiles
from cranpm.forecasting.service.run_folder import RunCost, RunStatus

SHAPE = get_domain("alps").fine.shape


class FakeMap:
    """A map in memory that is read like one on disk."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape = values, values.shape

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        return self.values[rows, cols].copy()


class FakeRun:
    """Starts queued; `finish_tiles` fills the map of lead time n with 10 n ug/m3."""

    number = 0

    def __init__(self) -> None:
        FakeRun.number += 1
        self.id = f"feedfacefeedface-{FakeRun.number:08x}"
        self.status = RunStatus(total_tiles=9, device="cpu")
        self.values = {lead: np.full(SHAPE, np.nan, np.float32) for lead in (1, 2, 3)}
        self.watchers: set[str] = set()
        self.position = 0
        self.expected: RunCost | None = None

    @property
    def state(self) -> str:
        return self.status.state

    @property
    def version(self) -> int:
        return len(self.status.done_list) + (1_000_000 if self.status.finished else 0)

    def map(self, lead: int) -> FakeMap:
        return FakeMap(self.values[lead])

    def watch(self, watcher: str) -> None:
        self.watchers.add(watcher)

    def leave(self, watcher: str) -> None:
        self.watchers.discard(watcher)
        if not self.watchers and not self.status.finished:
            self.become("cancelled")

    def become(self, state: str, **changes: Any) -> None:
        self.status = replace(self.status, state=state, **changes)  # type: ignore[arg-type]

    def finish_tiles(self, count: int) -> None:
        tiles = plan_tiles(SHAPE).tiles[:count]
        for lead, values in self.values.items():
            for tile in tiles:
                values[tile.rows, tile.cols] = 10.0 * lead
        done = tuple(tile.index for tile in tiles)
        state = "running" if count < 9 else "done"
        self.become(state, done_list=done, done_tiles=count, seconds_left=3.0)

    def attention(self, lead: int, lat: float, lon: float) -> dict[str, Any]:
        rng = np.random.default_rng(0)
        attention = rng.random((2, 4, 7, 7))
        grid = get_domain("alps").coarse
        return {
            "attention": attention / attention.sum((2, 3), keepdims=True),
            "wind_bias": rng.uniform(-1, 1, (2, 4, 7, 7)),
            "latitude": grid.lat.reshape(7, 8).mean(1),
            "longitude": grid.lon.reshape(7, 8).mean(1),
            "elevation_bias": -rng.random((32, 32)),
            "tile_latitude": np.linspace(47, 42, 32),
            "tile_longitude": np.linspace(6, 11, 32),
            "wind": np.array([3.0, 0.0]),
            "token_latitude": lat,
            "token_longitude": lon,
            "alpha": 2.0,
        }
