"""Other ways for coarse to reach fine, for Table 3a: all else equal, the bridge's cross-attention is replaced.

Each has the interface of `Bridge`: ``prepare`` once per day, ``forward`` per batch of tiles. Every layer ends with the
bridge's residual feed-forward net.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cranpm.model.config import ModelConfig
from cranpm.model.inputs import GlobalContext

from .attention import FeedForward, SelfAttention
from .bridge import Bridge, BridgeGeometry, BridgeLayer, TokenPlaces
from .trace import Trace


def sample_context(context: GlobalContext, latitude: Tensor, longitude: Tensor) -> Tensor:
    """Coarse tokens interpolated bilinearly to places, held constant beyond the outermost centres.

    Parameters
    ----------
    context : GlobalContext
    latitude, longitude : Tensor, shape (B, Nl)
        [degrees].

    Returns
    -------
    Tensor, shape (B, Nl, Dl)
    """
    rows, columns = context.axes()
    south = 2 * (latitude - rows[0]) / (rows[-1] - rows[0]) - 1  # -1 at the first row, 1 at the last
    east = 2 * (longitude - columns[0]) / (columns[-1] - columns[0]) - 1
    maps = context.tokens.transpose(1, 2).unflatten(2, context.grid)  # (B or 1, Dl, rows, columns)
    places = torch.stack([east, south], dim=-1)[:, :, None].to(maps.dtype)  # (B, Nl, 1, 2)
    sampled = F.grid_sample(
        maps.expand(len(places), -1, -1, -1), places, padding_mode="border", align_corners=True
    )
    return sampled[..., 0].transpose(1, 2)


class SumLayer(nn.Module):
    """Feature addition: the coarse token above each fine one is added to it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor, context: GlobalContext, places: TokenPlaces) -> Tensor:
        return tokens + self.projection(sample_context(context, places.latitude, places.longitude))


class FilmLayer(nn.Module):
    """FiLM (arXiv 1709.07871): the coarse token above each fine one scales and shifts it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.modulation = nn.Linear(width, 2 * width)

    def forward(self, tokens: Tensor, context: GlobalContext, places: TokenPlaces) -> Tensor:
        scale, shift = self.modulation(sample_context(context, places.latitude, places.longitude)).chunk(
            2, -1
        )
        return tokens + self.norm(tokens) * scale + shift


class ConcatLayer(nn.Module):
    """Coarse and fine tokens side by side in one full self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_tokens = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)

    def forward(self, tokens: Tensor, context: GlobalContext, places: TokenPlaces) -> Tensor:
        coarse = self.norm_context(context.tokens).expand(len(tokens), -1, -1)
        both = torch.cat([self.norm_tokens(tokens), coarse], dim=1)
        return tokens + self.attention(both, key_mask(context, tokens.shape[1]))[:, : tokens.shape[1]]


def key_mask(context: GlobalContext, before: int) -> Tensor | None:
    """Mask (B, 1, 1, before + Ng) for coarse keys that follow ``before`` fine ones; None when all are valid."""
    if context.valid is None:
        return None
    seen = F.pad(context.valid, (before, 0), value=True)
    return BridgeGeometry(None, None, seen).mask()


class SampledFusion(nn.Module):
    """Fusion by addition, modulation or joint self-attention."""

    def __init__(
        self, global_width: int, width: int, heads: int, depth: int, *, kind: str, mlp_ratio: float
    ) -> None:
        super().__init__()
        self.project = nn.Linear(global_width, width, bias=False)
        make = {
            "sum": lambda: SumLayer(width),
            "film": lambda: FilmLayer(width),
            "concat": lambda: ConcatLayer(width, heads),
        }[kind]
        self.layers = nn.ModuleList(make() for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.feed_forwards = nn.ModuleList(FeedForward(width, mlp_ratio) for _ in range(depth))

    def prepare(self, tokens: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(B, Ng, Dg) coarse tokens to what all tiles of a day share; there are no keys to keep."""
        return self.project(tokens), (), ()

    def forward(
        self, tokens: Tensor, context: GlobalContext, places: TokenPlaces, trace: Trace | None = None
    ) -> Tensor:
        """Let tiles read the continent; arguments as in `Bridge.forward`, of which wind and trace are not used."""
        for layer, norm, feed_forward in zip(self.layers, self.norms, self.feed_forwards, strict=True):
            tokens = layer(tokens, context, places)
            tokens = tokens + feed_forward(norm(tokens))
        return tokens


class CoarseQueries(nn.Module):
    """Coarse tokens query the tile first; fine ones then sample them, or query them back.

    Nothing can be kept between tiles, since every tile changes the coarse tokens.
    """

    def __init__(self, bridge: Bridge, upward: nn.ModuleList, samplers: nn.ModuleList | None) -> None:
        super().__init__()
        self.bridge = bridge
        self.upward = upward
        self.samplers = samplers

    def prepare(self, tokens: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(B, Ng, Dg) coarse tokens to projected ones; there are no keys to keep."""
        return self.bridge.project(tokens), (), ()

    def forward(
        self, tokens: Tensor, context: GlobalContext, places: TokenPlaces, trace: Trace | None = None
    ) -> Tensor:
        """Let the continent read the tile and the tile the continent; arguments as in `Bridge.forward`."""
        geometry = self.bridge.geometry(context, places)
        coarse = context.tokens.expand(len(tokens), -1, -1)
        for index, module in enumerate(self.upward):
            upward = cast(BridgeLayer, module)
            coarse = upward(coarse, *upward.keys_values(tokens), turned(geometry))
            if self.samplers is not None:
                tokens = self.samplers[index](tokens, replace(context, tokens=coarse), places)
            else:
                back = cast(BridgeLayer, self.bridge.layers[index])
                tokens = back(tokens, *back.keys_values(coarse), geometry, trace, index)
        return tokens


def turned(geometry: BridgeGeometry) -> BridgeGeometry:
    """The geometry with coarse queries and fine keys.

    A coarse token prefers fine ones whose wind blows towards it: seen from such a one it lies downwind, hence the sign.
    Fine tokens are all valid.
    """
    gamma, squared = geometry.gamma, geometry.squared_distance
    return BridgeGeometry(
        None if gamma is None else -gamma.transpose(-2, -1),
        None if squared is None else squared.transpose(-2, -1),
        None,
    )


def build_fusion(config: ModelConfig) -> Bridge | SampledFusion | CoarseQueries | None:
    """The way from coarse to fine that the configuration asks for."""
    c = config
    depth, heads, width = c.bridge_depth, c.bridge_heads, c.local_width
    if c.fusion == "none":
        return None
    if c.fusion in ("sum", "film", "concat"):
        return SampledFusion(c.global_width, width, heads, depth, kind=c.fusion, mlp_ratio=c.mlp_ratio)
    bridge = Bridge(
        c.global_width,
        width,
        heads,
        0 if c.fusion == "coarse_queries" else depth,
        wind_bias=c.wind_bias,
        wind_at=c.wind_at,
        reach=c.bridge_reach,
        mlp_ratio=c.mlp_ratio,
    )
    if c.fusion == "cross":
        return bridge
    upward = nn.ModuleList(
        BridgeLayer(width, heads, wind_biased=c.wind_bias, reaching=c.bridge_reach, mlp_ratio=c.mlp_ratio)
        for _ in range(depth)
    )
    samplers = nn.ModuleList(SumLayer(width) for _ in range(depth))
    return CoarseQueries(bridge, upward, samplers if c.fusion == "coarse_queries" else None)
