"""Level and detail of a map: what a region has in common, and what its towns and valleys add (not in the paper)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

REGION = 25
"""Side of the square a mean is taken over [fine cells], odd: a coarse cell, below which no coarse field speaks."""


def regional_mean(field: Tensor) -> Tensor:
    """Mean over the known cells of a square round each cell, as far as the tile goes.

    Parameters
    ----------
    field : Tensor, shape (B, 1, S, S)
        Normalised PM2.5, gaps filled with exactly 0.

    Returns
    -------
    Tensor, shape (B, 1, S, S)
        0 where no cell of the square is known.
    """
    values = field.float()
    both = torch.cat([values, (values != 0).float()], dim=1)
    reach = REGION // 2
    along = F.avg_pool2d(both, (1, REGION), 1, (0, reach))
    total, count = F.avg_pool2d(along, (REGION, 1), 1, (reach, 0)).split(1, dim=1)
    # the least count is one cell of the square
    return (total / count.clamp_min(0.5 / REGION**2)).to(field.dtype)


def detail(field: Tensor) -> Tensor:
    """What a field (B, 1, S, S) has beyond its regional mean; 0 in gaps."""
    return torch.where(field != 0, field - regional_mean(field), 0.0)
