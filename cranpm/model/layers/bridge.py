"""The cross-resolution bridge: fine tokens query coarse ones, and prefer those upwind (section 3.5)."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from cranpm.model.inputs import GlobalContext

from .attention import MASKED, FeedForward, attend, attention_weights, merge_heads, split_heads
from .bias import distance_bias, squared_distance, wind_bias, wind_direction_cosine
from .trace import Trace

REACHES = (150.0, 1200.0)
"""Reach of the first and the last head before training [km]; coarse tokens lie 220 km apart."""


def bridge_attention(queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
    """Which coarse tokens each fine token looks at (eq. 5): the formula the plain forward pass itself uses.

    Parameters
    ----------
    queries : Tensor, shape (..., heads, Nl, dh)
    keys : Tensor, shape (..., heads, Ng, dh)
    bias : Tensor, broadcastable to (..., heads, Nl, Ng), optional
        Wind bias, ``beta[:, None, None] * gamma``, plus any key mask.

    Returns
    -------
    Tensor, shape (..., heads, Nl, Ng)
        Rows sum to one.
    """
    return attention_weights(queries, keys, bias)


class TokenPlaces(NamedTuple):
    """Where the local tokens of each tile lie, and the wind there."""

    latitude: Tensor
    """(B, Nl) of their centres [degrees]."""
    longitude: Tensor
    """(B, Nl) [degrees]."""
    wind: Tensor
    """(B, 2, Nl) towards east and north [m s-1]."""

    def middle(self) -> TokenPlaces:
        """The middle of each tile and its mean wind, as one token."""
        return TokenPlaces(*(part.mean(-1, keepdim=True) for part in self))


class BridgeGeometry(NamedTuple):
    """Where keys lie of queries, shared by the layers of the bridge."""

    gamma: Tensor | None
    """(B, Nl or 1, Ng) of eq. 4; None without wind bias."""
    squared_distance: Tensor | None
    """(B, Nl, Ng) [km2]; None without reach."""
    valid: Tensor | None
    """(B, Ng) keys that may be attended to; None for all."""

    def mask(self) -> Tensor | None:
        """What hides keys that are not valid, (B, 1, 1, Ng); None when nothing is hidden."""
        return None if self.valid is None else torch.where(self.valid, 0.0, MASKED)[:, None, None, :]


class BridgeLayer(nn.Module):
    """Wind-biased cross-attention and a feed-forward net, both residual (Algorithm S1, lines 8-9)."""

    def __init__(
        self, width: int, heads: int, *, wind_biased: bool, reaching: bool, mlp_ratio: float
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm_queries = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.projection = nn.Linear(width, width)
        self.beta = nn.Parameter(torch.ones(heads)) if wind_biased else None
        # reach = exp(raw_reach) km; heads start from the nearest token to a few days of wind
        reaches = torch.logspace(math.log10(REACHES[0]), math.log10(REACHES[1]), heads)
        self.raw_reach = nn.Parameter(reaches.log()) if reaching else None
        self.norm_feed_forward = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, mlp_ratio)
        self.plain = False

    def keys_values(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """(B, Ng, Dl) context to its keys and values, each (B, h, Ng, dh); once per day, for all tiles."""
        keys, values = self.key_value(self.norm_context(context)).chunk(2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads)

    def forward(
        self,
        tokens: Tensor,
        keys: Tensor,
        values: Tensor,
        geometry: BridgeGeometry,
        trace: Trace | None = None,
        layer: int = 0,
    ) -> Tensor:
        queries = split_heads(self.query(self.norm_queries(tokens)), self.heads)  # (B, h, Nl, dh)
        bias = self.bias(geometry)
        if trace is not None:
            self._record(trace, layer, queries, keys, bias)
        batched = (len(queries), -1, -1, -1)
        plain = self.plain or (trace is not None and trace.wants("bridge_attention"))
        mixed = attend(queries, keys.expand(batched), values.expand(batched), bias, plain=plain)
        tokens = tokens + self.projection(merge_heads(mixed))
        return tokens + self.feed_forward(self.norm_feed_forward(tokens))

    @property
    def reach(self) -> Tensor | None:
        """Reach of each head [km]; None when distance is not penalised."""
        return None if self.raw_reach is None else self.raw_reach.exp()

    def bias(self, geometry: BridgeGeometry) -> Tensor | None:
        """All that is added to this layer's logits, broadcastable to (B, h, Nl, Ng)."""
        bias = None
        if geometry.gamma is not None and self.beta is not None:
            bias = wind_bias(geometry.gamma, self.beta)
        if geometry.squared_distance is not None and self.reach is not None:
            far = distance_bias(geometry.squared_distance, self.reach)
            # in place: these are the largest tensors of the bridge, and neither is needed again
            bias = far if bias is None else far.add_(bias)  # the wind's may have one row for the whole tile
        mask = geometry.mask()
        if mask is None or bias is None:
            return bias if mask is None else mask
        return bias + mask

    def _record(self, trace: Trace, layer: int, queries: Tensor, keys: Tensor, bias: Tensor | None) -> None:
        trace.record_layer("bridge_queries", layer, queries)
        trace.record_layer("bridge_keys", layer, keys)
        if self.beta is not None:
            trace.record_layer("wind_beta", layer, self.beta)
        if self.reach is not None:
            trace.record_layer("bridge_reach", layer, self.reach)
        if trace.wants("bridge_attention"):
            trace.record_layer("bridge_attention", layer, bridge_attention(queries, keys, bias))


class Bridge(nn.Module):
    """One shared projection of the coarse tokens, then successive cross-attention layers."""

    def __init__(
        self,
        global_width: int,
        width: int,
        heads: int,
        depth: int,
        *,
        wind_bias: bool,
        wind_at: str,
        reach: bool,
        mlp_ratio: float,
    ) -> None:
        super().__init__()
        self.wind_bias, self.wind_at, self.reach = wind_bias, wind_at, reach
        self.project = nn.Linear(global_width, width, bias=False)
        self.layers = nn.ModuleList(
            BridgeLayer(width, heads, wind_biased=wind_bias, reaching=reach, mlp_ratio=mlp_ratio)
            for _ in range(depth)
        )

    def prepare(self, tokens: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(B, Ng, Dg) coarse tokens to what all tiles of a day share: projected tokens, keys and values per layer."""
        context = self.project(tokens)
        pairs = [cast(BridgeLayer, layer).keys_values(context) for layer in self.layers]
        return context, tuple(keys for keys, _ in pairs), tuple(values for _, values in pairs)

    def forward(
        self, tokens: Tensor, context: GlobalContext, places: TokenPlaces, trace: Trace | None = None
    ) -> Tensor:
        """Let tiles read the continent.

        Parameters
        ----------
        tokens : Tensor, shape (B, Nl, Dl)
        context : GlobalContext
            Of each tile (batch B), or one day for all (batch 1).
        places : TokenPlaces
            Of the local tokens.
        trace : Trace, optional
            Where to record what was attended to.
        """
        geometry = self.geometry(context, places)
        if trace is not None and geometry.gamma is not None:
            trace.record("wind_gamma", geometry.gamma)
        if trace is not None and geometry.squared_distance is not None:
            trace.record("squared_distance", geometry.squared_distance)
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, context.keys[index], context.values[index], geometry, trace, index)
        return tokens

    def geometry(self, context: GlobalContext, places: TokenPlaces) -> BridgeGeometry:
        """How far upwind, and how far away, each coarse token lies of each local one (or of the tile's middle)."""
        keys = (context.latitude, context.longitude)
        squared = squared_distance(places.latitude, places.longitude, *keys) if self.reach else None
        if not self.wind_bias:
            return BridgeGeometry(None, squared, context.valid)
        origin = places.middle() if self.wind_at == "tile" else places
        return BridgeGeometry(wind_direction_cosine(*origin, *keys), squared, context.valid)
