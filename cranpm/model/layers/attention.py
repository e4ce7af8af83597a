"""Attention with an additive bias, in a fast form and a plain twin, and the transformer block around it.

The bias is always added to the scaled logits: ``softmax(q k^T / sqrt(dh) + bias) v`` (equations 3 and 5).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASKED = -1.0e4
"""Added to the logits of a key that must not be seen. Finite, so that a window of masked keys only stays finite
(softmax of nothing but -inf is NaN), and far enough down that exp underflows to exactly 0 beside any valid key."""


def attention_weights(queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
    """The share of attention each query pays to each key.

    Parameters
    ----------
    queries : Tensor, shape (..., Nq, dh)
    keys : Tensor, shape (..., Nk, dh)
    bias : Tensor, broadcastable to (..., Nq, Nk), optional
        Added to the scaled logits; entry (i, j) is for query i, key j.

    Returns
    -------
    Tensor, shape (..., Nq, Nk)
        Rows sum to one.
    """
    logits = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
    if bias is not None:
        logits = logits + bias.to(logits.dtype)
    return logits.softmax(-1)


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None, *, plain: bool = False
) -> Tensor:
    """Attention output, by the fused kernels, or by the plain formula they must agree with.

    Parameters
    ----------
    queries, keys, values : Tensor, shapes (B, h, Nq, dh), (B, h, Nk, dh), (B, h, Nk, dh)
    bias : Tensor, broadcastable to (B, h, Nq, Nk), optional
    plain : bool
        Use ``attention_weights``.

    Returns
    -------
    Tensor, shape (B, h, Nq, dh)
    """
    if plain:
        return attention_weights(queries, keys, bias).to(values.dtype) @ values
    if bias is not None:
        bias = _fit_bias(bias, queries, keys)
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)


def _fit_bias(bias: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Bias as the fused kernels want it: in the queries' dtype, and on CUDA with rows a multiple of 8 apart.

    A float32 bias with bfloat16 queries has been silently misread by one CUDA kernel, hence always a cast.
    """
    bias = bias.to(queries.dtype)
    if bias.is_cuda and bias.shape[-1] > 1 and bias.stride(-2) % 8:
        length = bias.shape[-1]
        bias = F.pad(bias, (0, -length % 8))[..., :length]
    return bias.expand(*queries.shape[:-1], keys.shape[-2])


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) to (B, h, N, dh); ``merge_heads`` is the inverse."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, h, N, dh) to (B, N, D)."""
    return x.transpose(-3, -2).flatten(-2)


class SelfAttention(nn.Module):
    """Multi-head self-attention with an additive bias from outside."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.plain = False

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        queries, keys, values = (
            split_heads(x, self.heads) for x in self.query_key_value(tokens).chunk(3, -1)
        )
        return self.projection(merge_heads(attend(queries, keys, values, bias, plain=self.plain)))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, token by token."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.expand = nn.Linear(width, hidden)
        self.shrink = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.shrink(F.gelu(self.expand(tokens)))


class DropPath(nn.Module):
    """Skip a residual branch for whole samples in training, and scale the kept ones up to match."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.chance == 0.0:
            return branch
        keep = 1.0 - self.chance
        shape = (branch.shape[0],) + (1,) * (branch.dim() - 1)
        return branch * torch.empty(shape, dtype=branch.dtype, device=branch.device).bernoulli_(keep).div_(
            keep
        )

    def extra_repr(self) -> str:
        return f"chance={self.chance:.3f}"


def init_weights(module: nn.Module) -> None:
    """Truncated normal for linear layers (Glorot's spread); norms and convolutions keep theirs."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            # 0.02 at the paper's width of 768; narrow networks would start too quiet with that number
            nn.init.trunc_normal_(part.weight, std=(2 / (part.in_features + part.out_features)) ** 0.5)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
