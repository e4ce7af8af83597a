"""A what-if beside its forecast: the difference of two runs, where both are whole.

A cell in the overlap of tiles is a blend of them. Where not all of a cell's tiles have been forecast anew, the blend is
another than the forecast's, and the difference would show a seam instead of the change: such cells have no value.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cranpm.domain.tiling import plan_tiles
from cranpm.plot.pyramid import Reader

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run
    from cranpm.forecasting.service.run_folder import RunStatus

MAX_TILES = 6
"""Tiles that are forecast for one view; of more in view, those nearest its middle."""


def network_parts(checkpoint: Path) -> dict[str, bool]:
    """Which parts a checkpoint's network has, by the names in its configuration; empty where it cannot be read."""
    try:
        model = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))["model"]
        parts = {name: bool(value) for name, value in model.items()}
        return parts | {"scan": model.get("scan") == "wind", "fusion": model.get("fusion") == "cross"}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


class WholeTiles:
    """Values of a what-if, read window by window; NaN where tiles are still missing.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    read : callable
        Gives the values of a window, (rows, cols) float32.
    pending : callable
        Gives the numbers of the tiles that are missing.
    """

    def __init__(self, shape: tuple[int, ...], read: Reader, pending: Callable[[], set[int]]) -> None:
        self.shape = shape[0], shape[1]
        self._read, self._pending = read, pending
        self._tiles = plan_tiles(self.shape).tiles

    def read(self, rows: slice, cols: slice) -> np.ndarray:
        """Values of a window, (rows, cols) float32."""
        missing = self._pending()  # before the values: what arrives meanwhile is only hidden a little longer
        values = self._read(rows, cols)
        top, bottom, _ = rows.indices(self.shape[0])
        left, right, _ = cols.indices(self.shape[1])
        for index in missing:
            tile = self._tiles[index]
            over = slice(max(tile.rows.start - top, 0), max(min(tile.rows.stop, bottom) - top, 0))
            along = slice(max(tile.cols.start - left, 0), max(min(tile.cols.stop, right) - left, 0))
            values[over, along] = np.nan
        return values


class ChangedForecast:
    """What is forecast with changes, where its tiles are whole; a field is made of it like of a run.

    Parameters
    ----------
    changed : Run
        With interventions; of all tiles or of some.
    base : Run
        The forecast without, done: its tiles are those that there can be.
    """

    def __init__(self, changed: Run, base: Run) -> None:
        self.changed, self.base = changed, base
        self._supported = set(base.status.done_list)

    @property
    def id(self) -> str:
        """Names both runs."""
        return f"{self.changed.id}.{self.base.id}"

    @property
    def status(self) -> RunStatus:
        """Of the run that is computed."""
        return self.changed.status

    @property
    def state(self) -> str:
        """Likewise."""
        return self.changed.state

    @property
    def version(self) -> int:
        """Likewise."""
        return self.changed.version

    def pending(self) -> set[int]:
        """Tiles of the forecast that the what-if does not have (yet)."""
        return self._supported - set(self.changed.status.done_list)

    def map(self, lead: int) -> WholeTiles:
        """The forecast with changes at one lead time [ug m-3]."""
        changed = self.changed.map(lead)
        return WholeTiles(changed.shape, changed.read, self.pending)


class WhatIf(ChangedForecast):
    """What changes: the forecast with changes minus the one without."""

    def map(self, lead: int) -> WholeTiles:
        """The difference at one lead time [ug m-3]."""
        changed, base = self.changed.map(lead), self.base.map(lead)
        if changed.shape != base.shape:
            raise ValueError(f"Maps of {changed.shape} and {base.shape} cells cannot be compared.")
        return WholeTiles(
            base.shape, lambda rows, cols: changed.read(rows, cols) - base.read(rows, cols), self.pending
        )
