"""Earthformer (Gao et al. 2022, arXiv 2207.05833): attention within cuboids of space-time, joined by global vectors.

The axial pattern: cuboids are lines along time, along rows and along columns, in turn. Eight global vectors are read by
every cuboid, and read all of them. Two levels, joined by patch merging; the decoder asks at each place for the three
lead times and reads what the encoder kept there (cross-attention along time, "cross 1x1"). Positions are fixed sines of
the place and learned vectors of the time, so that no weight is tied to one grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cranpm.baselines.learned.blocks import CHANNELS, FRAMES, ConvNorm, Rival, double, on_frames, zero_head
from cranpm.model.layers.attention import FeedForward, attend, merge_heads, split_heads
from cranpm.model.layers.embed import sincos_position

AXES = (1, 2, 3)
"""Time, rows, columns of (B, T, H, W, D)."""

LEVELS = 2


@dataclass(frozen=True, kw_only=True)
class EarthformerConfig:
    """Base units 376 with two axial blocks a level: 61 M parameters."""

    width: int = 376
    """Features of a token, on both levels (base units)."""
    heads: int = 4
    depth: int = 2
    """Axial blocks of each level of the encoder; the decoder has one."""
    global_vectors: int = 8
    leads: int = 3


SIZES = {
    "paper": EarthformerConfig(),
    "small": EarthformerConfig(width=64, depth=1),
    "tiny": EarthformerConfig(width=16, heads=2, depth=1, global_vectors=2),
}


class Earthformer(Rival):
    """Stem, two levels down, two levels up, head."""

    multiple = 8  # the stem quarters the grid, merging halves it

    def __init__(self, config: EarthformerConfig) -> None:
        super().__init__()
        c, width = config, config.width
        self.leads = c.leads
        self.stem = nn.Sequential(
            ConvNorm(CHANNELS, width // 4),
            Merge(width // 4, width // 2),
            ConvNorm(width // 2, width // 2),
            Merge(width // 2, width),
        )
        self.time_in = nn.Parameter(0.02 * torch.randn(FRAMES, 1, 1, width))
        self.time_out = nn.Parameter(0.02 * torch.randn(LEVELS, c.leads, 1, 1, width))
        self.vectors = nn.Parameter(0.02 * torch.randn(c.global_vectors, width))
        self.down = nn.ModuleList(Axial(width, c.heads, c.depth, update=True) for _ in range(LEVELS))
        self.merge = Merge(width, width)
        self.up = nn.ModuleList(Axial(width, c.heads, 1, update=False) for _ in range(LEVELS))
        self.cross = nn.ModuleList(CrossAttention(width, c.heads) for _ in range(LEVELS))
        self.rise = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.grow = nn.ModuleList(
            [ConvNorm(width, width // 2), ConvNorm(width // 2, width // 4), ConvNorm(width // 4, width // 4)]
        )
        self.head = zero_head(nn.Conv2d(width // 4, 1, kernel_size=1))

    def change(self, frames: Tensor) -> Tensor:
        """See `Rival`."""
        tokens = on_frames(self.stem, frames).movedim(2, -1)  # (B, T, H, W, D)
        tokens = tokens + self.time_in + place(tokens)
        vectors = self.vectors.expand(len(tokens), -1, -1)
        memory = []
        for level, block in enumerate(self.down):
            if level:
                tokens = on_frames(self.merge, tokens.movedim(-1, 2)).movedim(2, -1)
            tokens, vectors = block(tokens, vectors)
            memory.append(tokens)
        asked = torch.zeros_like(memory[-1][:, :1]).expand(-1, self.leads, -1, -1, -1)
        for level in reversed(range(LEVELS)):
            if level < LEVELS - 1:
                asked = on_frames(self.rise, on_frames(double, asked.movedim(-1, 2))).movedim(2, -1)
            asked = asked + self.time_out[level] + place(asked)
            asked, _ = self.up[level](asked, vectors)
            asked = self.cross[level](asked, memory[level], vectors)
        maps = asked.movedim(-1, 2).flatten(0, 1)
        for index, layer in enumerate(self.grow):
            maps = layer(double(maps) if index else maps)
        return self.head(maps).unflatten(0, asked.shape[:2])[:, :, 0]


def place(tokens: Tensor) -> Tensor:
    """Fixed sines of row and column, (H, W, D)."""
    rows, columns, width = tokens.shape[-3:]
    return sincos_position(rows, columns, width).to(tokens).reshape(rows, columns, width)


class Merge(nn.Sequential):
    """2 x 2 nodes become one: folded into channels, normalised, projected."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.PixelUnshuffle(2),
            nn.GroupNorm(1, 4 * channels_in),
            nn.Conv2d(4 * channels_in, channels_out, kernel_size=1, bias=False),
        )


class Axial(nn.Module):
    """Attention along time, rows and columns in turn, ``depth`` times."""

    def __init__(self, width: int, heads: int, depth: int, *, update: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CuboidAttention(width, heads, axis, update) for _ in range(depth) for axis in AXES
        )

    def forward(self, tokens: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, H, W, D) and (B, G, D) to the same."""
        for layer in self.layers:
            tokens, vectors = layer(tokens, vectors)
        return tokens, vectors


class CuboidAttention(nn.Module):
    """Attention along one axis, each line also reading the global vectors; these then read all tokens.

    Parameters
    ----------
    axis : int
        Of (B, T, H, W, D).
    update : bool
        Whether the global vectors learn from the tokens.
    """

    def __init__(self, width: int, heads: int, axis: int, update: bool) -> None:
        super().__init__()
        self.axis, self.heads = axis, heads
        self.norm, self.norm_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.projection = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, 4.0)
        self.vectors = GlobalVectors(width, heads) if update else None

    def forward(self, tokens: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, H, W, D) and (B, G, D) to the same."""
        lines = self.norm(tokens).movedim(self.axis, -2)
        shape = lines.shape
        queries, keys, values = (
            split_heads(x.flatten(0, -3), self.heads) for x in self.query_key_value(lines).chunk(3, -1)
        )
        if self.vectors is not None:
            more = self.vectors.for_cuboids(vectors)  # twice (B, h, G, dh)
            count = len(queries) // len(vectors)
            keys, values = (
                torch.cat([own, theirs.repeat_interleave(count, 0)], dim=-2)
                for own, theirs in zip((keys, values), more, strict=True)
            )
        mixed = merge_heads(attend(queries, keys, values)).reshape(shape).movedim(-2, self.axis)
        result = tokens + self.projection(mixed)
        if self.vectors is not None:
            vectors = self.vectors(vectors, self.norm(tokens))
        return result + self.feed_forward(self.norm_feed_forward(result)), vectors


class GlobalVectors(nn.Module):
    """The global vectors' own weights: what they show to cuboids, and how they read all tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.shown = nn.Linear(width, 2 * width, bias=False)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.projection = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, 4.0)

    def for_cuboids(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, (B, h, G, dh)."""
        keys, values = self.shown(self.norm(vectors)).chunk(2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads)

    def forward(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        """(B, G, D), having read the normalised tokens (B, T, H, W, D)."""
        queries = split_heads(self.query(self.norm(vectors)), self.heads)
        keys, values = (split_heads(x, self.heads) for x in self.key_value(tokens.flatten(1, 3)).chunk(2, -1))
        vectors = vectors + self.projection(merge_heads(attend(queries, keys, values)))
        return vectors + self.feed_forward(self.norm_feed_forward(vectors))


class CrossAttention(nn.Module):
    """Lead times ask, at each place, what the encoder kept of the days there; they read the global vectors, too."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_memory, self.norm_vectors = (nn.LayerNorm(width) for _ in range(3))
        self.norm_feed_forward = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.shown = nn.Linear(width, 2 * width, bias=False)
        self.projection = nn.Linear(width, width)
        self.feed_forward = FeedForward(width, 4.0)

    def forward(self, asked: Tensor, memory: Tensor, vectors: Tensor) -> Tensor:
        """(B, L, H, W, D), from (B, T, H, W, D) and (B, G, D)."""
        lines, kept = (x.movedim(1, -2) for x in (self.norm(asked), self.norm_memory(memory)))
        queries = split_heads(self.query(lines).flatten(0, 2), self.heads)
        own = self.key_value(kept).flatten(0, 2).chunk(2, -1)
        theirs = self.shown(self.norm_vectors(vectors)).chunk(2, -1)
        count = len(queries) // len(vectors)
        keys, values = (
            split_heads(torch.cat([mine, shown.repeat_interleave(count, 0)], dim=-2), self.heads)
            for mine, shown in zip(own, theirs, strict=True)
        )
        mixed = merge_heads(attend(queries, keys, values)).reshape(lines.shape).movedim(-2, 1)
        asked = asked + self.projection(mixed)
        return asked + self.feed_forward(self.norm_feed_forward(asked))
