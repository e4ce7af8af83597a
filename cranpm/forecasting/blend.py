"""Blending tiles of the residual into one map; today's PM2.5 is added once, after blending."""

from __future__ import annotations

import numpy as np
import torch

from cranpm.domain import PM_SCALE, Tile, TilePlan

_BAND = 128
"""Rows that are finished at a time: what lies between the sums and the result then stays in a CPU's cache."""


class ResidualMap:
    """Weighted sum of residual tiles over a map.

    Parameters
    ----------
    pm2p5 : Tensor, shape (H, W)
        Today's PM2.5 [ug m-3], NaN where there is no support.
    plan : TilePlan
        Supplies the blend weights, which sum to one.
    out : ndarray, shape (H, W), optional
        Receives the forecast as tiles arrive; filled with NaN here.
    """

    def __init__(self, pm2p5: torch.Tensor, plan: TilePlan, out: np.ndarray | None = None) -> None:
        if out is not None and (out.shape != plan.shape or out.dtype != np.float32):
            raise ValueError(f"Output map must be float32 {plan.shape}, got {out.dtype} {out.shape}.")
        device = pm2p5.device
        self.plan = plan
        self.pm2p5 = pm2p5
        self.sum = torch.zeros(plan.shape, device=device)
        self.weight = torch.zeros(plan.shape, device=device)
        self.row_weights = torch.from_numpy(plan.row_weights).to(device)
        self.col_weights = torch.from_numpy(plan.col_weights).to(device)
        self.out = out
        if out is not None:
            out[...] = np.nan

    def add(self, tile: Tile, delta: torch.Tensor) -> None:
        """Add one tile's residual (S, S) in network units."""
        weight = self.row_weights[tile.row][:, None] * self.col_weights[tile.col][None, :]
        self.sum[tile.rows, tile.cols].addcmul_(weight, delta)
        self.weight[tile.rows, tile.cols] += weight

    def forecast(self, rows: slice, cols: slice) -> torch.Tensor:
        """Forecast of a window from the tiles added so far [ug m-3], before clipping; NaN where none covers it."""
        # 0 / 0 = NaN marks cells that no tile has reached; where tiles agree on zero, x_t stays bit for bit
        return self.pm2p5[rows, cols] + PM_SCALE * (self.sum[rows, cols] / self.weight[rows, cols])

    def refresh(self, tile: Tile) -> None:
        """Bring the output map up to date where a tile has just been added."""
        if self.out is not None:
            values = self.forecast(tile.rows, tile.cols).clamp_(min=0)
            self.out[tile.rows, tile.cols] = values.cpu().numpy()

    def finish(self) -> tuple[np.ndarray, int]:
        """The whole map, clipped at zero, and how many cells were below zero."""
        result = np.empty(self.plan.shape, dtype=np.float32) if self.out is None else self.out
        negative = 0
        for start in range(0, len(result), _BAND):
            rows = slice(start, start + _BAND)
            values = self.forecast(rows, slice(None))
            negative += int((values < 0).sum())
            result[rows] = values.clamp_(min=0).cpu().numpy()
        return result, negative
