"""ClimaX (Nguyen et al. 2023, arXiv 2301.10343): a token for each variable and patch, joined by attention, then a ViT.

Every variable has its own patch embedding; at each place one learned query attends to the tokens of all variables and
sums them up. The lead time is added, and each lead time is a pass through the transformer. The query is learned and the
same everywhere, so its product with the key projection is learned as one matrix: the same functions, fewer weights.
The head is one linear layer, with which the counts meet the 57 M of the CRAN-PM paper's table.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cranpm.baselines.learned.blocks import CHANNELS, FRAMES, Rival, TransformerBlock, zero_head
from cranpm.model.layers.attention import init_weights, merge_heads, split_heads
from cranpm.model.layers.embed import Position, fold_patches, unfold_patches


@dataclass(frozen=True, kw_only=True)
class ClimaXConfig:
    """Width 768, eight blocks: 57 M parameters."""

    width: int = 768
    heads: int = 12
    depth: int = 8
    patch: int = 4
    """Nodes along the side of a token."""
    leads: int = 3


SIZES = {
    "paper": ClimaXConfig(),
    "small": ClimaXConfig(width=96, heads=4, depth=4, patch=8),
    "tiny": ClimaXConfig(width=16, heads=2, depth=1, patch=8),
}


class ClimaX(Rival):
    """Variables to tokens, tokens to changes."""

    def __init__(self, config: ClimaXConfig) -> None:
        super().__init__()
        c = config
        self.multiple, self.patch, self.leads = c.patch, c.patch, c.leads
        self.variables = VariableTokens(c.width, c.patch)
        self.sum_up = SumUp(c.width, c.heads)
        self.position = Position(c.width)
        self.lead_time = nn.Parameter(0.02 * torch.randn(c.leads, c.width))
        self.blocks = nn.ModuleList(TransformerBlock(c.width, c.heads) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.width)
        self.head = nn.Linear(c.width, c.patch**2)
        init_weights(self)
        zero_head(self.head)

    def change(self, frames: Tensor) -> Tensor:
        """See `Rival`."""
        grid = frames.shape[-2] // self.patch, frames.shape[-1] // self.patch
        tokens = self.position(self.sum_up(self.variables(frames)), grid)  # (B, N, D)
        tokens = (tokens[:, None] + self.lead_time[:, None]).flatten(0, 1)  # (B L, N, D)
        for block in self.blocks:
            tokens = block(tokens)
        maps = fold_patches(self.head(self.norm(tokens)), grid, self.patch)
        return maps.unflatten(0, (-1, self.leads))[:, :, 0]


class VariableTokens(nn.Module):
    """A patch embedding and a vector for each variable, and a vector for each of the two days."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.weight = nn.Parameter(torch.randn(CHANNELS, patch**2, width) / patch)
        self.variable = nn.Parameter(0.02 * torch.randn(CHANNELS, width))
        self.day = nn.Parameter(0.02 * torch.randn(FRAMES, width))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, N, T C, D)."""
        patches = unfold_patches(frames.flatten(0, 1), self.patch)  # (B T, N, C p p)
        patches = patches.unflatten(-1, (CHANNELS, -1)).unflatten(0, frames.shape[:2])
        tokens = torch.einsum("btncp,cpd->bntcd", patches, self.weight)
        return (tokens + self.variable + self.day[:, None]).flatten(2, 3)


class SumUp(nn.Module):
    """Attention of one learned query over the variables of a place."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, heads, bias=False)
        self.value = nn.Linear(width, width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, V, D) to (B, N, D)."""
        tokens = self.norm(tokens)
        weights = self.score(tokens).softmax(dim=2).transpose(-1, -2)[..., None, :]  # (B, N, h, 1, V)
        mixed = weights @ split_heads(self.value(tokens), self.heads)  # (B, N, h, 1, dh)
        return self.projection(merge_heads(mixed)[..., 0, :])
