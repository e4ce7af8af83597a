"""From fields to tokens: unfold patches, project, and say where each token lies.

Everything here treats north-up rows: row 0 of a field, and of a token grid, is the northernmost.
"""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """Unfold square patches and project each to one token (Table S1, "Unfold + Linear"), then LayerNorm."""

    def __init__(self, channels: int, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.projection = nn.Linear(channels * patch * patch, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, fields: Tensor) -> Tensor:
        """(B, C, H, W) fields to (B, N, D) tokens, row-major from the north-west."""
        return self.norm(self.projection(unfold_patches(fields, self.patch)))

    @torch.no_grad()
    def zero_channels(self, first: int) -> None:
        """Start the channels from ``first`` on at zero weight, so that they begin as if absent."""
        self.projection.weight[:, first * self.patch**2 :] = 0.0


def unfold_patches(fields: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) to (B, N, C*patch*patch), each row one patch, channel by channel."""
    batch, channels, height, width = fields.shape
    rows, columns = height // patch, width // patch
    x = fields.reshape(batch, channels, rows, patch, columns, patch)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns, channels * patch * patch)


def fold_patches(patches: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """(B, N, C*patch*patch) back to (B, C, H, W): the inverse of `unfold_patches`."""
    rows, columns = grid
    x = patches.unflatten(1, grid).unflatten(-1, (-1, patch, patch))
    return x.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), -1, rows * patch, columns * patch)


def smooth_nodes(fields: Tensor, width: float) -> Tensor:
    """Gaussian mean of (B, C, H, W) with a standard deviation in nodes, edges held; 0 leaves fields as they are.

    Patches that are read from one token each end abruptly where the next begins; smoothed, they pass into each other.
    """
    if not width:
        return fields
    rows, columns = (_smoothing_matrix(size, width, fields.device) for size in fields.shape[-2:])
    # in full precision: weights rounded to bfloat16 would not sum to one
    # (tensors without data, made to estimate the cost of a run, know no autocast)
    with nullcontext() if fields.is_meta else torch.autocast(fields.device.type, enabled=False):
        return (rows @ fields.float() @ columns.T).to(fields.dtype)


def _smoothing_matrix(size: int, width: float, device: torch.device) -> Tensor:
    """Weights of a Gaussian mean along an axis, (size, size); rows sum to one.

    As a product of matrices the mean costs a tenth of a convolution with one channel on a CPU, forward and back.
    """
    reach = math.ceil(3 * width)
    steps = torch.arange(-reach, reach + 1, device=device)
    kernel = torch.exp(-0.5 * (steps / width).square())
    places = torch.arange(size, device=device)[:, None]
    neighbours = (places + steps).clamp(0, size - 1)
    weights = (kernel / kernel.sum()).expand(size, -1).contiguous()
    return torch.zeros(size, size, device=device).scatter_add_(1, neighbours, weights)


def token_mean(field: Tensor, patch: int, valid: Tensor | None = None) -> Tensor:
    """Mean of a field over each token's patch, over its valid cells only.

    Parameters
    ----------
    field : Tensor, shape (B, H, W)
    patch : int
        Cells along the side of a token.
    valid : Tensor of bool, shape (B, H, W), optional
        Cells that count. A token without any gets 0, and must be masked by the caller.

    Returns
    -------
    Tensor, shape (B, N)
    """
    if valid is None:
        return F.avg_pool2d(field[:, None], patch).flatten(1)
    share = F.avg_pool2d(valid.to(field.dtype)[:, None], patch).flatten(1)
    total = F.avg_pool2d(torch.where(valid, field, 0.0)[:, None], patch).flatten(1)
    return total / share.clamp_min(0.5 / patch**2)  # share is 0 or at least one cell, 1 / patch**2


def token_valid(valid: Tensor, patch: int) -> Tensor:
    """(B, H, W) valid cells to (B, N) tokens with at least one valid cell."""
    return F.max_pool2d(valid.float()[:, None], patch).flatten(1) > 0


def sincos_position(rows: int, columns: int, width: int) -> Tensor:
    """Fixed 2-D sin-cos position: first half of the features tells the row, second half the column.

    Returns
    -------
    Tensor, shape (rows*columns, width)
    """
    row_table = _sincos(torch.arange(rows, dtype=torch.float64), width // 2)
    column_table = _sincos(torch.arange(columns, dtype=torch.float64), width // 2)
    table = torch.cat(
        [row_table[:, None].expand(rows, columns, -1), column_table[None, :].expand(rows, columns, -1)],
        dim=-1,
    )
    return table.reshape(rows * columns, width).float()


def _sincos(position: Tensor, width: int) -> Tensor:
    frequency = torch.exp(-math.log(10000.0) * torch.arange(width // 2, dtype=torch.float64) / (width // 2))
    angle = position[..., None] * frequency.to(position.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def sincos_at(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    """The position of `sincos_position` at fractional rows and columns of its grid.

    Parameters
    ----------
    rows, columns : Tensor, shapes (B, n) and (B, m)

    Returns
    -------
    Tensor, shape (B, n*m, width)
    """
    row_table, column_table = (_sincos(x.double(), width // 2) for x in (rows, columns))
    shape = (len(rows), rows.shape[1], columns.shape[1], width // 2)
    pair = row_table[:, :, None].expand(shape), column_table[:, None].expand(shape)
    return torch.cat(pair, dim=-1).flatten(1, 2).float()


class Position(nn.Module):
    """Adds the fixed sin-cos position by place; tables are made once per grid shape and are not weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self._tables: dict[tuple[int, int, torch.device], Tensor] = {}

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        key = (*grid, tokens.device)
        if key not in self._tables:
            self._tables[key] = sincos_position(*grid, self.width).to(tokens.device)
        return tokens + self._tables[key].to(tokens.dtype)


def token_centres(latitude: Tensor, longitude: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Latitude and longitude of token centres.

    Parameters
    ----------
    latitude, longitude : Tensor, shapes (..., H) and (..., W)
        Coordinates of cells [degrees].

    Returns
    -------
    latitude, longitude : Tensor, shape (..., N)
        Row-major, north-west first [degrees].
    """
    rows = latitude.unflatten(-1, (-1, patch)).mean(-1)
    columns = longitude.unflatten(-1, (-1, patch)).mean(-1)
    shape = (*rows.shape, columns.shape[-1])
    return (rows[..., :, None].expand(shape).flatten(-2), columns[..., None, :].expand(shape).flatten(-2))


def place_on_axis(coordinate: Tensor, patch: int, axis: Tensor) -> Tensor:
    """Where the tokens of a tile lie on the axis of another, coarser and regular grid.

    Parameters
    ----------
    coordinate : Tensor, shape (B, S)
        Latitude or longitude of the tile's cells [degrees].
    patch : int
        Cells along the side of a token.
    axis : Tensor, shape (n,)
        Coordinates of the coarse grid [degrees]; at least two.

    Returns
    -------
    Tensor, shape (B, S / patch)
        Fractional index, 0 at the first coordinate of the axis.
    """
    centre = coordinate.unflatten(-1, (-1, patch)).mean(-1)
    return (centre - axis[0]) / (axis[1] - axis[0])
