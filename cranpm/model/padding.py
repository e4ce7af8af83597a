"""Maps and their coordinates, continued to whole patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(field: Tensor, multiple: int) -> Tensor:
    """Pad rows at the south and columns at the east with zeros (False) up to a multiple."""
    south, east = -field.shape[-2] % multiple, -field.shape[-1] % multiple
    return F.pad(field, (0, east, 0, south)) if south or east else field


def pad_coordinate(coordinate: Tensor, multiple: int) -> Tensor:
    """Continue a regular coordinate (..., n) by its own step up to a multiple of cells."""
    missing = -coordinate.shape[-1] % multiple
    if not missing:
        return coordinate
    step = coordinate[..., -1:] - coordinate[..., -2:-1]
    more = torch.arange(1, missing + 1, device=coordinate.device, dtype=coordinate.dtype)
    return torch.cat([coordinate, coordinate[..., -1:] + step * more], dim=-1)
