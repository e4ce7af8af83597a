"""Readouts that exist in training only: what tokens already know of tomorrow, before a decoder draws it."""

from __future__ import annotations

import torch
from torch import nn

from cranpm.model.decoder import apply_growth


class TokenHead(nn.Module):
    """Reads the mean change of its patch from a fused token, as the decoder's head would."""

    def __init__(self, width: int, patch: int, growth: tuple[int, ...]) -> None:
        super().__init__()
        self.patch, self.growth = patch, growth
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 1 + len(growth))
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
        """Tokens (B, Nl, Dl) and local fields (B, 5, S, S) to mean changes (B, Nl)."""
        amounts = None
        if self.growth:
            amounts = nn.functional.avg_pool2d(fields[:, self.growth], self.patch).flatten(2)
        return apply_growth(self.read(self.norm(tokens)).transpose(1, 2), amounts)


class CoarseHead(nn.Module):
    """Reads the change of coarse PM2.5 at the nodes of each global token's patch, for every lead at once."""

    def __init__(self, width: int, patch: int, leads: int) -> None:
        super().__init__()
        self.patch, self.leads = patch, leads
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, leads * 3 * patch * patch)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: torch.Tensor, grid: tuple[int, int], amounts: torch.Tensor) -> torch.Tensor:
        """Tokens (B, Ng, Dl) and coarse PM2.5 of t and t-1 (B, 2, Hc, Wc) to changes (B, leads, Hc, Wc)."""
        rows, cols = grid
        parts = (
            self.read(self.norm(tokens))
            .unflatten(1, grid)
            .unflatten(-1, (3, self.leads, self.patch, self.patch))
        )
        parts = parts.permute(0, 3, 4, 1, 5, 2, 6).reshape(
            len(tokens), 3, self.leads, rows * self.patch, cols * self.patch
        )
        return apply_growth(parts[..., : amounts.shape[-2], : amounts.shape[-1]], amounts[:, :, None])
