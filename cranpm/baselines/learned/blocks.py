"""What learned rivals share: their inputs on the nodes, the base that pads and crops, and a head that begins at zero.

Letters in shapes: B days, T frames (two: days t-1 and t), C channels of a frame, L lead times, H W nodes, N tokens,
D features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cranpm.domain import DAY_CHANNELS
from cranpm.model.layers.attention import FeedForward, SelfAttention
from cranpm.model.padding import pad_to_multiple

FRAME_CHANNELS = len(DAY_CHANNELS) + 2
"""Of one day: 35 coarse fields, the fine product's mean round the node, and the share of cells that it stands on."""

STATIC_CHANNELS = 3
"""Elevation, latitude, longitude."""

CHANNELS = FRAME_CHANNELS + STATIC_CHANNELS
"""Of a frame as networks read it."""

FRAMES = 2
"""Days t-1 and t."""


@dataclass(frozen=True, kw_only=True)
class NodeInputs:
    """Some init days on the coarse nodes, rows north to south: what CRAN-PM sees, at 25 km."""

    frames: Tensor
    """(B, 2, 37, H, W) days t-1 and t, normalised; gaps hold 0 (the mean)."""
    static: Tensor
    """(B, 3, H, W) normalised elevation, latitude, longitude."""
    elevation: Tensor
    """(B, H, W) [m], for TopoFlow's bias."""
    wind: Tensor
    """(B, 2, H, W) u10, v10 of day t [m s-1], for TopoFlow's scan."""
    valid: Tensor
    """(B, H, W) bool, nodes that hold real coarse values."""

    def to(self, device: torch.device | str) -> NodeInputs:
        """The same on another device."""
        return NodeInputs(**{name: tensor.to(device) for name, tensor in vars(self).items()})


class Rival(nn.Module):
    """A network from `NodeInputs` to the change of 25-km PM2.5 by each lead time.

    Subclasses give `change`; ``multiple`` is what rows and columns must be a multiple of.
    """

    multiple = 1

    def forward(self, inputs: NodeInputs) -> Tensor:
        """Changes (B, L, H, W) in network units (20 ug m-3); zero everywhere before training."""
        height, width = inputs.frames.shape[-2:]
        static = inputs.static[:, None].expand(-1, FRAMES, -1, -1, -1)
        frames = torch.cat([inputs.frames, static], dim=2)  # (B, T, C, H, W)
        return self.change(pad_to_multiple(frames, self.multiple))[..., :height, :width]

    def change(self, frames: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, L, H, W)."""
        raise NotImplementedError


def zero_head(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """A last layer that begins with no change, so that an untrained rival is persistence."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class TransformerBlock(nn.Module):
    """Self-attention over all tokens and a feed-forward net, each after a LayerNorm (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int, heads: int, ratio: float = 4.0) -> None:
        super().__init__()
        self.norm_attention, self.norm_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.feed_forward = FeedForward(width, ratio)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to the same."""
        tokens = tokens + self.attention(self.norm_attention(tokens))
        return tokens + self.feed_forward(self.norm_feed_forward(tokens))


class ConvNorm(nn.Sequential):
    """Convolution, GroupNorm, LeakyReLU; with ``up`` the convolution is transposed and doubles the grid."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        up: bool = False,
        groups: int = 1,
        norm_groups: int = 2,
    ) -> None:
        padding = kernel // 2
        layer: nn.Module
        if up:
            layer = nn.ConvTranspose2d(
                channels_in, channels_out, kernel, stride, padding, output_padding=stride // 2, groups=groups
            )
        else:
            layer = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups)
        super().__init__(layer, nn.GroupNorm(norm_groups, channels_out), nn.LeakyReLU(0.2))


def on_frames(layer: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """A layer of maps on each frame of (B, T, C, H, W)."""
    return layer(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])


def double(maps: Tensor) -> Tensor:
    """Each node becomes 2 x 2, (N, C, H, W) to (N, C, 2 H, 2 W)."""
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")
