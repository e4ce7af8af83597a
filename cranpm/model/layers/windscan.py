"""The order in which a group's tokens are read: upwind first (section 3.3, Algorithm S1 line 3).

Three words: a *window* is what Swin attention looks at, a *group* is 7x7 tokens that share one wind, a *sector* is
one of 16 compass directions. Groups coincide with the unshifted windows.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import torch
from torch import Tensor, nn

NUM_SECTORS = 16


class ScanOrder(NamedTuple):
    """Reading order of every group: ``order[b, g, s]`` is the place within the group of slot s."""

    sectors: Tensor  # (B, G) int
    order: Tensor  # (B, G, n) slot -> place
    inverse: Tensor  # (B, G, n) place -> slot


def nearest_sector(wind: Tensor) -> Tensor:
    """The compass sector nearest to where the wind blows to.

    Parameters
    ----------
    wind : Tensor, shape (B, 2, G)
        Wind towards east and north.

    Returns
    -------
    Tensor of int, shape (B, G)
        0 for wind towards east, 4 north, 8 west, 12 south. No wind at all counts as 0.

    Examples
    --------
    >>> nearest_sector(torch.tensor([[[1.0, 0.0, -1.0, 0.0], [0.1, 1.0, 0.0, -1.0]]]))
    tensor([[ 0,  4,  8, 12]])
    """
    angle = torch.atan2(wind[:, 1], wind[:, 0])
    return torch.round(angle * (NUM_SECTORS / (2 * math.pi))).long() % NUM_SECTORS


def upwind_orders(size: int) -> Tensor:
    """Places of a group from the most upwind to the most downwind, for each sector.

    Returns
    -------
    Tensor of int, shape (16, size*size)
        Places are row-major with row 0 in the north; ties keep row-major order.

    Examples
    --------
    Wind towards north is read from the southern row up:

    >>> upwind_orders(3)[4].tolist()
    [6, 7, 8, 3, 4, 5, 0, 1, 2]
    """
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    east, north = column.flatten().double(), -row.flatten().double()
    angle = torch.arange(NUM_SECTORS).double() * (2 * math.pi / NUM_SECTORS)
    downwind = angle.cos()[:, None] * east + angle.sin()[:, None] * north  # (16, n), grows along the wind
    # Rounded, so that places abreast of each other tie exactly and the stable sort keeps them row-major.
    return torch.argsort((downwind * 1e6).round(), dim=-1, stable=True)


class WindScan(nn.Module):
    """Picks each group's reading order by one gather from a [16, n] table (no host synchronisation)."""

    table: Tensor
    inverse_table: Tensor

    def __init__(self, size: int, scan: str) -> None:
        super().__init__()
        self.size = size
        if scan == "wind":
            table = upwind_orders(size)
        elif scan == "raster":
            table = torch.arange(size * size).expand(NUM_SECTORS, -1)
        else:  # one fixed order, whatever the wind: destroys the direction, keeps the shuffle
            places = list(range(size * size))
            random.Random(20260101).shuffle(places)
            table = torch.tensor(places).expand(NUM_SECTORS, -1)
        self.register_buffer("table", table.contiguous(), persistent=False)
        self.register_buffer("inverse_table", table.argsort(-1), persistent=False)

    def forward(self, wind: Tensor) -> ScanOrder:
        """(B, 2, G) mean wind of each group to its reading order."""
        sectors = nearest_sector(wind)
        return ScanOrder(sectors, self.table[sectors], self.inverse_table[sectors])


def wind_shuffle(groups: Tensor, scan: ScanOrder) -> Tensor:
    """(B, G, n, D) tokens by place to tokens by slot, upwind first; ``wind_unshuffle`` is the inverse."""
    return groups.gather(2, scan.order[..., None].expand_as(groups))


def wind_unshuffle(groups: Tensor, scan: ScanOrder) -> Tensor:
    """(B, G, n, D) tokens by slot back to tokens by place."""
    return groups.gather(2, scan.inverse[..., None].expand_as(groups))
