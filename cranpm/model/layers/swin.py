"""Swin blocks: attention within windows, every other block with the windows shifted by half (arXiv 2103.14030).

Unshifted windows of the global branch are the wind groups, and may be read in scan order.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from .attention import MASKED, DropPath, FeedForward, SelfAttention
from .windscan import ScanOrder, wind_shuffle, wind_unshuffle


def window_partition(tokens: Tensor, grid: tuple[int, int], window: int) -> Tensor:
    """(B, N, ...) tokens of a grid to (B, G, n, ...) windows, both row-major; ``window_unite`` is the inverse."""
    rows, columns = grid
    x = tokens.reshape(tokens.shape[0], rows // window, window, columns // window, window, *tokens.shape[2:])
    return x.transpose(2, 3).reshape(tokens.shape[0], -1, window * window, *tokens.shape[2:])


def window_unite(windows: Tensor, grid: tuple[int, int], window: int) -> Tensor:
    """(B, G, n, ...) windows to (B, N, ...) tokens of a grid."""
    rows, columns = grid
    x = windows.reshape(
        windows.shape[0], rows // window, columns // window, window, window, *windows.shape[3:]
    )
    return x.transpose(2, 3).reshape(windows.shape[0], rows * columns, *windows.shape[3:])


def roll_grid(tokens: Tensor, grid: tuple[int, int], shift: tuple[int, int]) -> Tensor:
    """(B, N, ...) tokens rolled cyclically by (rows, columns): positive is southward, eastward."""
    if shift == (0, 0):
        return tokens
    return tokens.unflatten(1, grid).roll(shift, dims=(1, 2)).flatten(1, 2)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept, and perhaps needed by a backward pass later
def shifted_window_mask(
    grid: tuple[int, int], window: int, shift: tuple[int, int], device: torch.device
) -> Tensor:
    """Which tokens of a shifted window were strangers before the roll joined opposite edges.

    Returns
    -------
    Tensor, shape (G, n, n)
        0 where query and key are true neighbours, ``MASKED`` where they only meet through the roll.
    """
    side = [torch.arange(size) // window * 2 for size in grid]  # window number before any shift, doubled
    for axis in (0, 1):
        if shift[axis]:
            side[axis][-shift[axis] :] += 1  # these came round from the other edge
    label = (side[0][:, None] * (2 * grid[1] + 2) + side[1][None, :]).reshape(1, -1)
    label = window_partition(label, grid, window)[0]  # (G, n)
    return ((label[:, :, None] != label[:, None, :]).float() * MASKED).to(device)


def relative_index(window: int) -> Tensor:
    """Row of the relative bias table for each (query, key) pair of a window, shape (n, n)."""
    place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    offset = place[:, :, None] - place[:, None, :] + window - 1  # (2, n, n), 0 .. 2*window-2
    return offset[0] * (2 * window - 1) + offset[1]


class SwinBlock(nn.Module):
    """One block of windowed attention and feed-forward net, both residual and pre-normalised."""

    relative_index: Tensor

    def __init__(
        self, width: int, heads: int, window: int, *, shifted: bool, mlp_ratio: float, drop_path: float
    ) -> None:
        super().__init__()
        self.window = window
        self.shifted = shifted
        self.norm_attention = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.relative_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.norm_feed_forward = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, mlp_ratio)
        self.drop_path = DropPath(drop_path)
        nn.init.trunc_normal_(self.relative_table, std=0.02)
        self.register_buffer("relative_index", relative_index(window), persistent=False)

    def forward(
        self,
        tokens: Tensor,
        grid: tuple[int, int],
        scan: ScanOrder | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Mix tokens within windows.

        Parameters
        ----------
        tokens : Tensor, shape (B, N, D)
        grid : tuple of int
            Rows and columns of tokens.
        scan : ScanOrder, optional
            Reading order of each window; the relative bias then acts on slots along the wind.
        valid : Tensor of bool, shape (B, N), optional
            Tokens that may be attended to.
        """
        tokens = tokens + self.drop_path(
            self._window_attention(self.norm_attention(tokens), grid, scan, valid)
        )
        return tokens + self.drop_path(self.feed_forward(self.norm_feed_forward(tokens)))

    def _window_attention(
        self, tokens: Tensor, grid: tuple[int, int], scan: ScanOrder | None, valid: Tensor | None
    ) -> Tensor:
        shift = self._shift(grid)
        windows = window_partition(roll_grid(tokens, grid, (-shift[0], -shift[1])), grid, self.window)
        if valid is not None:
            valid = window_partition(roll_grid(valid, grid, (-shift[0], -shift[1])), grid, self.window)
        if scan is not None:
            windows = wind_shuffle(windows, scan)
            valid = None if valid is None else valid.gather(2, scan.order)
        mixed = self.attention(windows.flatten(0, 1), self._bias(grid, shift, valid, batch=len(tokens)))
        mixed = mixed.unflatten(0, windows.shape[:2])
        if scan is not None:
            mixed = wind_unshuffle(mixed, scan)
        return roll_grid(window_unite(mixed, grid, self.window), grid, shift)

    def _shift(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Half a window, but nothing along an axis that one window spans."""
        rows, columns = (self.window // 2 if self.shifted and size > self.window else 0 for size in grid)
        return rows, columns

    def _bias(
        self, grid: tuple[int, int], shift: tuple[int, int], valid: Tensor | None, batch: int
    ) -> Tensor:
        bias = self.relative_table[self.relative_index].permute(2, 0, 1)[None]  # (1, h, n, n)
        if shift != (0, 0):
            mask = shifted_window_mask(grid, self.window, shift, bias.device)
            bias = (bias + mask[:, None]).repeat(batch, 1, 1, 1)  # (B*G, h, n, n)
        if valid is not None:
            bias = bias + torch.where(valid.flatten(0, 1), 0.0, MASKED)[:, None, None, :]
        return bias
