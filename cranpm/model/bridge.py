"""The cross-resolution bridge: fine tokens query coarse ones, and prefer those upwind (section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import MASKED, FeedForward, attend, attention_weights, merge_heads, split_heads
from .bias import wind_bias, wind_direction_cosine
from .inputs import GlobalContext
from .trace import Trace


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


class BridgeLayer(nn.Module):
    """Wind-biased cross-attention and a feed-forward net, both residual (Algorithm S1, lines 8-9)."""

    def __init__(self, width: int, heads: int, *, wind_biased: bool, mlp_ratio: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_queries = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.projection = nn.Linear(width, width)
        self.beta = nn.Parameter(torch.ones(heads)) if wind_biased else None
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
        gamma: Tensor | None,
        valid: Tensor | None,
        trace: Trace | None = None,
        layer: int = 0,
    ) -> Tensor:
        queries = split_heads(self.query(self.norm_queries(tokens)), self.heads)  # (B, h, Nl, dh)
        bias = self._bias(gamma, valid)
        if trace is not None:
            self._record(trace, layer, queries, keys, bias)
        batched = (len(queries), -1, -1, -1)
        plain = self.plain or (trace is not None and trace.wants("bridge_attention"))
        mixed = attend(queries, keys.expand(batched), values.expand(batched), bias, plain=plain)
        tokens = tokens + self.projection(merge_heads(mixed))
        return tokens + self.feed_forward(self.norm_feed_forward(tokens))

    def _bias(self, gamma: Tensor | None, valid: Tensor | None) -> Tensor | None:
        bias = None if gamma is None or self.beta is None else wind_bias(gamma, self.beta)
        if valid is not None:
            mask = torch.where(valid, 0.0, MASKED)[:, None, None, :]
            bias = mask if bias is None else bias + mask
        return bias

    def _record(self, trace: Trace, layer: int, queries: Tensor, keys: Tensor, bias: Tensor | None) -> None:
        trace.record_layer("bridge_queries", layer, queries)
        trace.record_layer("bridge_keys", layer, keys)
        if self.beta is not None:
            trace.record_layer("wind_beta", layer, self.beta)
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
        mlp_ratio: float,
    ) -> None:
        super().__init__()
        self.wind_bias, self.wind_at = wind_bias, wind_at
        self.project = nn.Linear(global_width, width, bias=False)
        self.layers = nn.ModuleList(
            BridgeLayer(width, heads, wind_biased=wind_bias, mlp_ratio=mlp_ratio) for _ in range(depth)
        )

    def prepare(self, tokens: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(B, Ng, Dg) coarse tokens to what all tiles of a day share: projected tokens, keys and values per layer."""
        context = self.project(tokens)
        pairs = [layer.keys_values(context) for layer in self.layers]
        return context, tuple(keys for keys, _ in pairs), tuple(values for _, values in pairs)

    def forward(
        self,
        tokens: Tensor,
        context: GlobalContext,
        latitude: Tensor,
        longitude: Tensor,
        wind: Tensor,
        trace: Trace | None = None,
    ) -> Tensor:
        """Let tiles read the continent.

        Parameters
        ----------
        tokens : Tensor, shape (B, Nl, Dl)
        context : GlobalContext
            Of each tile (batch B), or one day for all (batch 1).
        latitude, longitude : Tensor, shape (B, Nl)
            Centres of the local tokens [degrees].
        wind : Tensor, shape (B, 2, Nl)
            Wind towards east and north at the local tokens [m s-1].
        """
        gamma = self.gamma(context, latitude, longitude, wind) if self.wind_bias else None
        if trace is not None and gamma is not None:
            trace.record("wind_gamma", gamma)
        for index, layer in enumerate(self.layers):
            tokens = layer(
                tokens, context.keys[index], context.values[index], gamma, context.valid, trace, index
            )
        return tokens

    def gamma(self, context: GlobalContext, latitude: Tensor, longitude: Tensor, wind: Tensor) -> Tensor:
        """How far upwind each coarse token lies of each local one (or of the tile's middle), (B, Nl or 1, Ng)."""
        if self.wind_at == "tile":
            latitude, longitude, wind = (x.mean(-1, keepdim=True) for x in (latitude, longitude, wind))
        return wind_direction_cosine(latitude, longitude, wind, context.latitude, context.longitude)
