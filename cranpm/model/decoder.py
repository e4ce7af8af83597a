"""From fused local tokens back to one value per fine cell (section 3.6)."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Negative slope of every LeakyReLU here."""


class SkipFusion(nn.Module):
    """Joins the fused tokens with the patch embedding they came from: cat, 1x1 convolution, LeakyReLU."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * width, channels)  # a 1x1 convolution, on tokens

    def forward(self, tokens: Tensor, patches: Tensor) -> Tensor:
        return F.leaky_relu(self.mix(torch.cat([tokens, patches], dim=-1)), SLOPE)


class ResidualConv(nn.Module):
    """Conv3x3, LeakyReLU, Conv3x3, plus the input, LeakyReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.first(x), SLOPE)
        return F.leaky_relu(self.second(y) + x, SLOPE)


class PixelShuffleStage(nn.Module):
    """Twice the resolution: Conv3x3 to four times the channels, PixelShuffle, LeakyReLU, residual block."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels_in, 4 * channels_out, 3, padding=1)
        self.refine = ResidualConv(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.refine(F.leaky_relu(F.pixel_shuffle(self.expand(x), 2), SLOPE))


class TransposedStage(nn.Module):
    """From tokens to cells in one step (ablation R4): transposed convolution, LeakyReLU, residual block.

    Channels are chosen so that the decoder has as many parameters as the stages it replaces.
    """

    def __init__(self, channels_in: int, channels_out: int, scale: int) -> None:
        super().__init__()
        self.expand = nn.ConvTranspose2d(channels_in, channels_out, scale, stride=scale)
        self.refine = ResidualConv(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.refine(F.leaky_relu(self.expand(x), SLOPE))


def transposed_channels(channels: tuple[int, ...]) -> int:
    """Channels of a ``TransposedStage`` with about as many parameters as the PixelShuffle stages it replaces."""
    wanted = sum(36 * a * b + 18 * b * b for a, b in itertools.pairwise(channels))
    scale = 2 ** (len(channels) - 1)
    linear = channels[0] * scale * scale
    # 18 c^2 + linear c = wanted, the positive root
    return max(4, round(((linear**2 + 72 * wanted) ** 0.5 - linear) / 36))


class Decoder(nn.Module):
    """Tokens to a map: skip fusion, upsampling, and a head that starts at zero (so Delta starts at zero)."""

    def __init__(self, width: int, channels: tuple[int, ...], *, kind: str, skip: bool) -> None:
        super().__init__()
        self.skip = SkipFusion(width, channels[0]) if skip else None
        self.enter = nn.Linear(width, channels[0]) if not skip and channels[0] != width else None
        if kind == "pixelshuffle":
            stages = [PixelShuffleStage(a, b) for a, b in itertools.pairwise(channels)]
            last = channels[-1]
        else:
            last = transposed_channels(channels)
            stages = [TransposedStage(channels[0], last, 2 ** (len(channels) - 1))]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Conv2d(last, 1, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B, Nl, Dl) tokens and patch embeddings to a (B, S, S) map."""
        if self.skip is not None:
            tokens = self.skip(tokens, patches)
        elif self.enter is not None:
            tokens = self.enter(tokens)
        x = tokens.unflatten(1, grid).permute(0, 3, 1, 2)  # (B, C, R, R), channels last in memory
        return self.head(self.stages(x))[:, 0]
