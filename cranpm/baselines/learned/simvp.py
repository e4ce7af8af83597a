"""SimVP (Gao et al. 2022, arXiv 2206.05099): convolutions only: encoder, translator of inception modules, decoder.

The two days enter stacked as channels, so that the translator's channels are those of one frame (hid_S, not T x hid_S):
with hid_S 64, hid_T 256, N_S 4 and N_T 3 that gives the 4.9 M parameters of the CRAN-PM paper's table.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cranpm.baselines.learned.blocks import CHANNELS, FRAMES, ConvNorm, Rival, zero_head

KERNELS = (3, 5, 7, 11)
"""Of an inception module, side by side."""

GROUPS = 8
"""Of its convolutions."""


@dataclass(frozen=True, kw_only=True)
class SimVPConfig:
    """Names of the paper in brackets."""

    spatial: int = 64
    """Channels of encoder and decoder (hid_S)."""
    temporal: int = 256
    """Channels of the translator (hid_T)."""
    spatial_depth: int = 4
    """Convolutions of the encoder, and of the decoder; every second one halves or doubles the grid (N_S)."""
    temporal_depth: int = 3
    """Inception modules on the way in, and on the way out (N_T)."""
    leads: int = 3


SIZES = {
    "paper": SimVPConfig(),
    "small": SimVPConfig(spatial=24, temporal=96, temporal_depth=2),
    "tiny": SimVPConfig(spatial=8, temporal=16, temporal_depth=2),
}


class SimVP(Rival):
    """Encoder, translator, decoder with one skip."""

    def __init__(self, config: SimVPConfig) -> None:
        super().__init__()
        c = config
        strides = [1 + index % 2 for index in range(c.spatial_depth)]  # 1, 2, 1, 2
        self.multiple = 2 ** (c.spatial_depth // 2)
        self.encoder = nn.ModuleList(
            ConvNorm(FRAMES * CHANNELS if index == 0 else c.spatial, c.spatial, stride=stride)
            for index, stride in enumerate(strides)
        )
        self.translator = Translator(c.spatial, c.temporal, c.temporal_depth)
        self.decoder = nn.ModuleList(
            ConvNorm(c.spatial, c.spatial, stride=stride, up=True) for stride in strides[:0:-1]
        )
        self.join = ConvNorm(2 * c.spatial, c.spatial, up=True)
        self.head = zero_head(nn.Conv2d(c.spatial, c.leads, kernel_size=1))

    def change(self, frames: Tensor) -> Tensor:
        """See `Rival`."""
        maps = frames.flatten(1, 2)
        skip: Tensor | None = None
        for layer in self.encoder:
            maps = layer(maps)
            skip = maps if skip is None else skip
        maps = self.translator(maps)
        for layer in self.decoder:
            maps = layer(maps)
        assert skip is not None
        return self.head(self.join(torch.cat([maps, skip], dim=1)))


class Translator(nn.Module):
    """Inception modules in two rows, those of the second also reading what their mirror image in the first gave."""

    def __init__(self, channels: int, hidden: int, depth: int) -> None:
        super().__init__()
        middle = hidden // 2
        self.way_in = nn.ModuleList(
            Inception(channels if index == 0 else hidden, middle, hidden) for index in range(depth)
        )
        self.way_out = nn.ModuleList(
            Inception(
                hidden if index == 0 else 2 * hidden, middle, channels if index == depth - 1 else hidden
            )
            for index in range(depth)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, D, H, W) to the same."""
        kept = []
        for module in self.way_in:
            maps = module(maps)
            kept.append(maps)
        kept.pop()  # the last one is what the way out begins with
        for index, module in enumerate(self.way_out):
            maps = module(maps if index == 0 else torch.cat([maps, kept.pop()], dim=1))
        return maps


class Inception(nn.Module):
    """A 1x1 convolution, then grouped ones of several sizes, summed."""

    def __init__(self, channels_in: int, middle: int, channels_out: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels_in, middle, kernel_size=1)
        self.wide = nn.ModuleList(
            ConvNorm(middle, channels_out, kernel=kernel, groups=GROUPS, norm_groups=GROUPS)
            for kernel in KERNELS
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, D, H, W), channels changed."""
        maps = self.narrow(maps)
        return torch.stack([layer(maps) for layer in self.wide]).sum(0)
