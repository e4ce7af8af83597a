"""Level and detail of a map: what a region has in common, and what its towns and valleys add (not in the paper)."""

from __future__ import annotations

import torch
from torch import Tensor

REGION = 25
"""Side of the square a mean is taken over [fine cells], odd: a coarse cell, below which no coarse field speaks."""


def regional_mean(field: Tensor, known: Tensor | None = None) -> Tensor:
    """Mean over the known cells of a square round each cell, as far as the tile goes.

    Parameters
    ----------
    field : Tensor, shape (B, 1, S, S)
        Normalised PM2.5, any value in gaps.
    known : Tensor of bool, shape (B, 1, S, S), optional
        Cells that hold a value; None for all. A value cannot tell: 0 in network units is an everyday 15 ug m-3.

    Returns
    -------
    Tensor, shape (B, 1, S, S)
        0 where no cell of the square is known.
    """
    # running sums: their cost does not grow with the square
    values = field.float()
    counted = torch.ones_like(values) if known is None else known.expand_as(values).float()
    both = torch.cat([values * counted, counted], dim=1)
    total, count = _window_sum(_window_sum(both, -1), -2).split(1, dim=1)
    # a parallel scan may leave a last bit where nothing is known
    return torch.where(count > 0, total / count.clamp_min(1), 0.0).to(field.dtype)


def _window_sum(values: Tensor, dim: int) -> Tensor:
    """Sum over `REGION` places round each place along one dimension, as far as the tensor goes."""
    size, reach = values.shape[dim], REGION // 2
    running = torch.cat([torch.zeros_like(values.narrow(dim, 0, 1)), values.cumsum(dim)], dim)
    places = torch.arange(size, device=values.device)
    last, first = (places + reach + 1).clamp_max(size), (places - reach).clamp_min(0)
    return running.index_select(dim, last) - running.index_select(dim, first)


def detail(field: Tensor, known: Tensor | None = None) -> Tensor:
    """What a field (B, 1, S, S) has beyond its regional mean; 0 in gaps."""
    beyond = field - regional_mean(field, known)
    return beyond if known is None else torch.where(known, beyond, 0.0)
