"""Counting: parameters of a preset, and floating-point operations of a forward pass."""

from __future__ import annotations

import torch
from torch import nn

from .config import ModelConfig
from .extensions.transport import nodes_over
from .layers.decoder import transposed_channels
from .network import CranPM
from .presets import get_preset


def describe_parameters(preset: str | ModelConfig) -> dict[str, int]:
    """Trainable parameters by part, their total, and the entries of the fixed position tables (no weights)."""
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
    """Groups for AdamW: decay for matrices and kernels; none for biases, norms, tables, embeddings, alpha, beta."""
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


def count_flops(config: ModelConfig, tile: int = 512, coarse: tuple[int, int] = (168, 280)) -> dict[str, int]:
    """Floating-point operations of a forward pass, matrix products and convolutions only, 2 per multiply-add.

    By formula, since PyTorch's counter misses the CPU's fused attention.

    Returns
    -------
    dict
        ``global`` and ``bridge_keys_values`` once per day; ``local``, ``bridge``, ``decoder`` per tile and lead, and
        their sum ``per_tile``.
    """
    c = config
    rows, columns = (-(-size // c.global_multiple) * c.global_window for size in coarse)  # padded
    ng, nl = rows * columns, (tile // c.local_patch) ** 2
    flops = {"global": 0, "bridge_keys_values": 0, "local": 0, "bridge": 0, "decoder": _decoder_flops(c, nl)}
    flops["local"] = _branch_flops(
        nl,
        c.local_channels_read * c.local_patch**2,
        c.local_width,
        c.local_depth,
        c.local_window,
        c.mlp_ratio,
    )
    if c.fusion != "none":
        d = c.local_width
        flops["global"] = _branch_flops(
            ng,
            c.coarse_channels_read * c.global_patch**2,
            c.global_width,
            c.global_depth,
            c.global_window,
            c.mlp_ratio,
        )
        flops["bridge_keys_values"] = 2 * ng * c.global_width * d
        flops["global"] += 2 * ng * d * c.global_patch**2 * _node_values(c)
        flops["global"] += _smoothing_flops(c, rows * c.global_patch, columns * c.global_patch)
        if c.fusion == "cross":  # keys and values of the coarse tokens, once per day
            flops["bridge_keys_values"] += c.bridge_depth * 2 * ng * 2 * d * d
        flops["bridge"] = c.bridge_depth * _fusion_flops(c.fusion, nl, ng, d, int(c.mlp_ratio * d))
        coarse_fields = c.head_predictors - len(c.growth_channels) - c.regional_mean
        flops["decoder"] += _to_cells_flops(coarse_fields, tile) if coarse_fields else 0
        flops["decoder"] += _to_cells_flops(1, tile) if c.height_damping else 0
    flops["per_tile"] = flops["local"] + flops["bridge"] + flops["decoder"]
    return flops


def _node_values(config: ModelConfig) -> int:
    """Numbers read from tokens for each coarse node: corrections of its path, and parts of the coarse forecast."""
    parts = 1 + len(config.coarse_pm2p5_channels) + config.transport_points
    return 2 * config.transport + config.num_leads * parts * config.coarse_forecast


def _smoothing_flops(config: ModelConfig, rows: int, columns: int) -> int:
    """Two matrix products of each field that is read from tokens (`embed.smooth_nodes`)."""
    if not config.node_smoothing:
        return 0
    return 2 * _node_values(config) * rows * columns * (rows + columns)


def _to_cells_flops(fields: int, tile: int) -> int:
    """Bilinear interpolation of coarse fields to a tile's cells, as two matrix products (`transport.at_cells`)."""
    nodes = nodes_over(tile)
    return 2 * fields * nodes * tile * (nodes + tile)


def _branch_flops(tokens: int, patch_values: int, width: int, depth: int, window: int, ratio: float) -> int:
    embed = 2 * tokens * patch_values * width
    block = 2 * tokens * (4 * width * width + 2 * int(ratio * width) * width)  # qkv, projection, feed-forward
    full_attention = 4 * tokens * tokens * width  # q k^T and weights v
    window_attention = 4 * tokens * window * window * width
    return embed + (1 + depth) * block + full_attention + depth * window_attention


def _fusion_flops(fusion: str, fine: int, coarse: int, width: int, hidden: int) -> int:
    """Of one layer, per tile."""
    square = 2 * width * width  # of one token through one width x width matrix
    feed_forward = 4 * hidden * width
    attention = 4 * fine * coarse * width
    query = (
        fine * (2 * square + feed_forward) + attention
    )  # fine queries coarse: queries, projection, feed-forward
    upward = (
        coarse * (2 * square + feed_forward) + attention + fine * 2 * square
    )  # coarse queries fine, and its keys
    both = fine + coarse
    return {
        "cross": query,
        "sum": fine * (square + feed_forward),
        "film": fine * (2 * square + feed_forward),
        "concat": both * 4 * square + 4 * both * both * width + fine * feed_forward,
        "coarse_queries": upward + fine * square,
        "bidirectional": upward + query + coarse * 2 * square,
    }[fusion]


def _decoder_flops(config: ModelConfig, tokens: int) -> int:
    channels, width = config.decoder_channels, config.local_width
    total = 4 * tokens * width * channels[0] if config.skip else 0
    if not config.skip and channels[0] != width:
        total = 2 * tokens * width * channels[0]
    cells, parts = tokens, 1 + config.head_predictors
    if config.decoder == "convt":
        last, cells = transposed_channels(channels), tokens * config.local_patch**2
        return total + 2 * cells * channels[0] * last + 36 * cells * last * last + 2 * cells * last * parts
    inputs = [*channels[:-2], channels[-2] + 4 * len(config.fine_channels)]
    for before, after in zip(inputs, channels[1:], strict=True):
        total += 2 * 9 * cells * before * 4 * after  # 3x3 to four times the channels, before the shuffle
        cells *= 4
        total += 2 * (2 * 9 * cells * after * after)  # two 3x3 after it
    return total + 2 * cells * channels[-1] * parts
