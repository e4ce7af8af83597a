"""Counting: parameters of a preset, and floating-point operations of a forward pass."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .config import ModelConfig
from .inputs import GlobalInputs, LocalInputs
from .network import CranPM, set_plain_attention
from .presets import get_preset


def describe_parameters(preset: str | ModelConfig) -> dict[str, int]:
    """Count trainable parameters by part.

    Parameters
    ----------
    preset : str or ModelConfig
        The network; it is not built in memory.

    Returns
    -------
    dict of str to int
        Each part, their sum ``trainable``, and the entries of the fixed position tables (no weights).
    """
    config = get_preset(preset) if isinstance(preset, str) else preset
    with torch.device("meta"):
        network = CranPM(config)
    parts: dict[str, nn.Module | None] = {
        "global_branch": network.global_branch,
        "local_branch": network.local_branch,
        "bridge": network.bridge,
        "decoder": network.decoder,
        "transport": network.transport,
        "coarse_head": network.coarse_head,
        "height": network.height,
    }
    counts = {
        name: sum(p.numel() for p in part.parameters()) if part is not None else 0
        for name, part in parts.items()
    }
    counts["trainable"] = sum(counts.values())
    counts["fixed_position_tables"] = _position_entries(config)
    return counts


def _position_entries(config: ModelConfig, coarse: tuple[int, int] = (168, 280), tile: int = 512) -> int:
    local = (tile // config.local_patch) ** 2 * config.local_width
    if config.fusion == "none":
        return local
    return (
        local + (coarse[0] // config.global_patch) * (coarse[1] // config.global_patch) * config.global_width
    )


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Groups for AdamW: decay for matrices and kernels; none for biases, norms, tables, embeddings, alpha, beta.

    Parameters
    ----------
    network : nn.Module
        Whose parameters are grouped.
    weight_decay : float
        Of the first group.

    Returns
    -------
    list of dict
        Two groups, as PyTorch's optimisers take them.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_kernel = name == "weight" and isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
            (decayed if is_kernel else free).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


BIAS_PARAMETERS = ("raw_alpha", "beta", "raw_reach", "relative_table")
"""Parameters that attention biases are made of (and the dampings of transport and height, eq. 2 again)."""


def learn_biases(network: nn.Module, learn: bool) -> None:
    """Let the next steps learn attention biases, or hold them.

    A bias that is held lets PyTorch use its fused attention, whose backward pass costs about half on a CPU; biases are
    few and move slowly, so that a step in four is enough for them.
    """
    for name, parameter in network.named_parameters():
        if name.rsplit(".", 1)[-1] in BIAS_PARAMETERS:
            parameter.requires_grad_(learn)


@functools.cache
def count_flops(
    config: ModelConfig, tile: int = 512, coarse: tuple[int, int] = (168, 280)
) -> Mapping[str, int]:
    """Floating-point operations of a forward pass, matrix products and convolutions only, 2 per multiply-add.

    Counted by PyTorch in a pass on its "meta" device, where tensors have shapes but no values; with plain attention,
    since the counter does not see into fused kernels.

    Parameters
    ----------
    config : ModelConfig
    tile : int
        Cells along an edge of a tile.
    coarse : tuple of int
        Rows and columns of the coarse grid.

    Returns
    -------
    mapping
        ``global`` and ``bridge_keys_values`` once per day; ``local``, ``bridge``, ``decoder`` per tile and lead, and
        their sum ``per_tile``.
    """
    with torch.device("meta"), torch.no_grad():
        network = CranPM(config).eval()
        network.check_inputs = False  # there are no values to look at
        set_plain_attention(network)
        days, tiles = _one_of_each(config, tile, coarse)
        with FlopCounterMode(display=False) as day:
            context = network.encode_global(days)
        with FlopCounterMode(display=False) as shared:
            if network.bridge is not None:
                network.bridge.prepare(torch.empty(1, math.prod(context.grid), config.global_width))
        with FlopCounterMode(display=False) as tile_pass:
            network.forecast_delta(tiles, context)
    keys_values, per_tile = shared.get_total_flops(), tile_pass.get_total_flops()
    parts = {name: sum(counts.values()) for name, counts in tile_pass.get_flop_counts().items()}
    local, bridge = parts["LocalBranch"], parts.get(type(network.bridge).__name__, 0)
    return MappingProxyType(
        {
            "global": day.get_total_flops() - keys_values,
            "bridge_keys_values": keys_values,
            "local": local,
            "bridge": bridge,
            "decoder": per_tile - local - bridge,
            "per_tile": per_tile,
        }
    )


def _one_of_each(config: ModelConfig, tile: int, coarse: tuple[int, int]) -> tuple[GlobalInputs, LocalInputs]:
    """A day and a tile without values."""
    rows, columns = coarse
    tokens = tile // config.local_patch
    day = GlobalInputs(
        fields=torch.empty(1, config.coarse_channels, rows, columns),
        elevation=torch.empty(1, rows, columns),
        wind=torch.empty(1, 2, rows, columns),
        latitude=torch.empty(rows),
        longitude=torch.empty(columns),
    )
    one = LocalInputs(
        fields=torch.empty(1, config.local_channels, tile, tile),
        elevation=torch.empty(1, tile, tile),
        wind=torch.empty(1, 2, tokens, tokens),
        latitude=torch.empty(1, tile),
        longitude=torch.empty(1, tile),
        lead=torch.ones(1, dtype=torch.long),
    )
    return day, one
