"""From fused local tokens back to one value per fine cell (section 3.6).

Maps are kept channels-last in memory throughout: convolutions are several times faster so on a CPU, and tokens
arrive in that order anyway.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
"""Negative slope of every LeakyReLU here."""


def leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU that overwrites its input, which here is always a fresh result (large maps cost memory traffic)."""
    return F.leaky_relu(x, SLOPE, inplace=True)


def pixel_shuffle(x: Tensor) -> Tensor:
    """(B, 4C, H, W) to (B, C, 2H, 2W), as ``F.pixel_shuffle`` does, but with the four cells outermost in the channels.

    Channel ``(2*south + east) * C + c`` goes to cell (south, east) of the 2x2 block. The order of learned channels
    means nothing, and this one moves runs of C numbers where the usual one moves single ones.
    """
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, channels // 4)
    x = x.transpose(2, 3).reshape(batch, 2 * height, 2 * width, channels // 4)
    return x.permute(0, 3, 1, 2)


def pixel_unshuffle(x: Tensor) -> Tensor:
    """(B, C, 2H, 2W) to (B, 4C, H, W); the inverse of ``pixel_shuffle``."""
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    x = x.transpose(2, 3).reshape(batch, height // 2, width // 2, 4 * channels)
    return x.permute(0, 3, 1, 2)


class SkipFusion(nn.Module):
    """Joins the fused tokens with the patch embedding they came from: cat, 1x1 convolution, LeakyReLU."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * width, channels)  # a 1x1 convolution, on tokens

    def forward(self, tokens: Tensor, patches: Tensor) -> Tensor:
        return leaky_relu(self.mix(torch.cat([tokens, patches], dim=-1)))


class ResidualConv(nn.Module):
    """Conv3x3, LeakyReLU, Conv3x3, plus the input, LeakyReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(self.second(leaky_relu(self.first(x))).add_(x))


class PixelShuffleStage(nn.Module):
    """Twice the resolution: Conv3x3 to four times the channels, PixelShuffle, LeakyReLU, residual block."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels_in, 4 * channels_out, 3, padding=1)
        self.refine = ResidualConv(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.refine(leaky_relu(pixel_shuffle(self.expand(x))))


class TransposedStage(nn.Module):
    """From tokens to cells in one step (ablation R4): transposed convolution, LeakyReLU, residual block."""

    def __init__(self, channels_in: int, channels_out: int, scale: int) -> None:
        super().__init__()
        self.expand = nn.ConvTranspose2d(channels_in, channels_out, scale, stride=scale)
        self.refine = ResidualConv(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.refine(leaky_relu(self.expand(x)))


def transposed_channels(channels: tuple[int, ...]) -> int:
    """Channels of a ``TransposedStage`` with about as many parameters as the PixelShuffle stages it replaces."""
    wanted = sum(36 * a * b + 18 * b * b for a, b in itertools.pairwise(channels))
    scale = 2 ** (len(channels) - 1)
    linear = channels[0] * scale * scale
    # 18 c^2 + linear c = wanted, the positive root
    return max(4, round(((linear**2 + 72 * wanted) ** 0.5 - linear) / 36))


def apply_growth(parts: Tensor, predictors: Tensor | None) -> Tensor:
    """Residual from the head's parts: the offset, plus factors of PM2.5 on days t and t-1.

    Parameters
    ----------
    parts : Tensor, shape (B, 1 + n, ...)
    predictors : Tensor, shape (B, n, ...), or None
        Normalised PM2.5 of days t and t-1, and what the wind carries in.

    Returns
    -------
    Tensor, shape (B, ...)
    """
    if predictors is None:
        return parts[:, 0]
    # field by field: all products at once would be the largest tensor of a training step
    residual, *factors = parts.contiguous().unbind(1)
    for factor, predictor in zip(factors, predictors.unbind(1), strict=True):
        residual = residual + factor * predictor
    return residual


class Decoder(nn.Module):
    """Tokens to a map: skip fusion, upsampling, and a head that starts at zero (so Delta starts at zero).

    Parameters
    ----------
    width : int
        Features of a token.
    channels : tuple of int
        At the token grid and after each doubling.
    kind : str
        "pixelshuffle" or "convt".
    skip : bool
        Whether the patch embedding joins the tokens.
    fine_channels : int
        Fields that join the last doubling at full detail, folded 2x2 into channels; 0 for none.
    growth : int
        Fields that the head gives factors of, today's and yesterday's PM2.5 and upwind differences u_k:
        Delta = offset + a x_t + b x_{t-1} + sum c_k u_k.
    """

    def __init__(
        self,
        width: int,
        channels: tuple[int, ...],
        *,
        kind: str,
        skip: bool,
        fine_channels: int = 0,
        growth: int = 0,
    ) -> None:
        super().__init__()
        self.skip = SkipFusion(width, channels[0]) if skip else None
        self.enter = nn.Linear(width, channels[0]) if not skip and channels[0] != width else None
        self.fine_channels = fine_channels
        if kind == "pixelshuffle":
            *early, last = itertools.pairwise(channels)
            self.stages = nn.ModuleList(PixelShuffleStage(a, b) for a, b in early)
            self.stages.append(PixelShuffleStage(last[0] + 4 * fine_channels, last[1]))
            head_channels = channels[-1]
        else:
            head_channels = transposed_channels(channels)
            self.stages = nn.ModuleList(
                [TransposedStage(channels[0], head_channels, 2 ** (len(channels) - 1))]
            )
        self.head = nn.Conv2d(head_channels, 1 + growth, 1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        tokens: Tensor,
        patches: Tensor,
        grid: tuple[int, int],
        fine: Tensor | None = None,
        predictors: Tensor | None = None,
    ) -> Tensor:
        """Upsample.

        Parameters
        ----------
        tokens, patches : Tensor, shape (B, Nl, Dl)
            Fused tokens, and the patch embedding.
        grid : tuple of int
            Rows and columns of tokens.
        fine : Tensor, shape (B, fine_channels, S, S), optional
            Fields for the fine skip.
        predictors : Tensor, shape (B, growth, S, S), optional
            What the growth factors multiply.

        Returns
        -------
        Tensor, shape (B, S, S)
        """
        if self.skip is not None:
            tokens = self.skip(tokens, patches)
        elif self.enter is not None:
            tokens = self.enter(tokens)
        x = tokens.unflatten(1, grid).permute(0, 3, 1, 2)  # (B, C, R, R), channels last in memory
        *early, last = self.stages
        for stage in early:
            x = stage(x)
        if fine is not None:
            x = torch.cat([x, pixel_unshuffle(fine).to(x.dtype)], dim=1)
        return apply_growth(self.head(last(x)), predictors)
