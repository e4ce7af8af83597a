"""Blending tiles into a map: sums with separable weights, beside the plain NumPy form."""

from __future__ import annotations

import numpy as np
import torch

from cranpm.bench.ceilings import COPY, Ceilings
from cranpm.bench.figures import Bound, Figure, Label
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import time_in_turns
from cranpm.domain import PM_SCALE, plan_tiles, stitch
from cranpm.forecasting.blend import ResidualMap

_DRAWN = 8
"""Tiles that are drawn; all of a map would cost more to draw than to blend."""


def measure_blend(settings: BenchSettings, ceilings: Ceilings) -> list[Figure]:
    """The figure of one map at one lead time, from residuals on the device to a map in memory.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings

    Returns
    -------
    list of Figure
        Compared with reading every tile and today's map once and writing the result once.
    """
    device, size = settings.device, settings.tile_size
    plan = plan_tiles(settings.domain.fine.shape, size)
    torch.manual_seed(2)
    today = (20 * torch.rand(plan.shape)).to(device)
    deltas = torch.randn(_DRAWN, size, size).to(device)
    plain_today = today.cpu().numpy()
    plain_tiles = np.broadcast_to(deltas[0].cpu().numpy(), (plan.num_tiles, size, size))

    @torch.inference_mode()
    def ours() -> object:
        blended = ResidualMap(today, plan)
        for tile in plan.tiles:
            blended.add(tile, deltas[tile.index % _DRAWN])
        return blended.finish()

    def plain() -> object:
        return np.maximum(plain_today + PM_SCALE * stitch(plain_tiles, plan), 0)

    forms = {"map": ours, "NumPy on the CPU": plain, **ceilings.forms(COPY)}
    turns = time_in_turns(forms, device, seconds=settings.seconds / 2)
    least = 4.0 * (plan.num_tiles * size**2 + 2 * plan.shape[0] * plan.shape[1])
    return [
        Figure.of(
            turns,
            "map",
            Label("blend", "map", f"{plan.num_tiles} tiles into {plan.shape[0]} x {plan.shape[1]} cells"),
            bound=Bound(least, ceilings.of[COPY]),
            instead={"NumPy on the CPU": 1.0},
            detail={"bytes": least},
        )
    ]
