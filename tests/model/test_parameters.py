"""Counts: parameters pinned to the settled ones, operations against a real pass and against formulas."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cranpm.model import (
    CranPM,
    count_flops,
    describe_parameters,
    paper,
    parameter_groups,
    set_plain_attention,
    small,
    tiny,
)


def test_the_papers_network_has_94_301_455_parameters_and_524_800_for_the_skip():
    without = describe_parameters(dataclasses.replace(paper(), skip=False))
    assert without["trainable"] == 94_301_455
    assert describe_parameters("paper")["trainable"] == 94_301_455 + 524_800  # 1024*512 + 512
    assert without["fixed_position_tables"] == 1_088_768  # 735*768 + 1024*512
    assert without["global_branch"] == 60_173_941


def test_the_papers_network_costs_what_the_performance_page_says():
    flops = count_flops(dataclasses.replace(paper(), skip=False))
    assert flops["global"] + flops["bridge_keys_values"] == pytest.approx(92.8e9, rel=1e-3)
    assert flops["local"] == pytest.approx(42.8e9, rel=1e-3)
    assert flops["bridge"] == pytest.approx(13.8e9, rel=2e-3)
    assert flops["decoder"] == pytest.approx(77.3e9, rel=1e-3)


def test_the_demo_network_is_small():
    assert describe_parameters("small")["trainable"] * 4 < 16e6  # bytes of float32
    assert count_flops(small())["per_tile"] == pytest.approx(7.85e9, rel=1e-3)  # the page's three digits
    assert describe_parameters("tiny")["trainable"] < 1e6


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "fusion": "none",
            "transport": False,
            "coarse_forecast": False,
            "coarse_predictors": False,
            "height_damping": False,
        },
        {"decoder": "convt", "fine_skip": False},
    ],
)
def test_operations_counted_without_values_are_those_of_a_real_pass(coarse, tiles, changes):
    network = CranPM(dataclasses.replace(tiny(), **changes)).eval()
    set_plain_attention(network)  # the counter does not see into fused attention
    with torch.no_grad(), FlopCounterMode(display=False) as day:
        context = network.encode_global(coarse())
    with torch.no_grad(), FlopCounterMode(display=False) as tile:
        network.forecast_delta(tiles(), context)
    flops = count_flops(network.config, tile=128, coarse=(56, 112))
    assert day.get_total_flops() == flops["global"] + flops["bridge_keys_values"]
    assert tile.get_total_flops() == flops["per_tile"]


def test_operations_are_those_of_the_formulas_of_a_transformer():
    """Two operations per multiply-add: derived here by hand for the local branch and the bridge of ``tiny``."""
    c, tile, coarse = tiny(), 128, (56, 112)
    flops = count_flops(c, tile, coarse)
    fine = (tile // c.local_patch) ** 2  # 64 tokens, and 28 on the coarse grid
    nodes = (coarse[0] // c.global_patch) * (coarse[1] // c.global_patch)
    d, hidden = c.local_width, int(c.mlp_ratio * c.local_width)
    embed = 2 * fine * c.local_channels_read * c.local_patch**2 * d
    block = 2 * fine * (3 * d * d + d * d + 2 * d * hidden)  # queries, keys, values; projection; feed-forward
    full, windows = 4 * fine * fine * d, 4 * fine * c.local_window**2 * d  # q k^T, and weights times v
    assert flops["local"] == embed + (1 + c.local_depth) * block + full + c.local_depth * windows
    layer = 2 * fine * (d * d + d * d + 2 * d * hidden) + 4 * fine * nodes * d  # fine queries, coarse keys
    assert flops["bridge"] == c.bridge_depth * layer
    assert (
        flops["bridge_keys_values"] == 2 * nodes * c.global_width * d + c.bridge_depth * 2 * nodes * 2 * d * d
    )
    assert flops["per_tile"] == flops["local"] + flops["bridge"] + flops["decoder"]


def test_weight_decay_leaves_physics_norms_and_tables_alone():
    network = CranPM(tiny())
    decayed, free = parameter_groups(network, 0.05)
    names = {id(p): name for name, p in network.named_parameters()}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    assert len(decayed["params"]) + len(free["params"]) == len(names)
    free_names = {names[id(p)] for p in free["params"]}
    assert all(p.dim() > 1 for p in decayed["params"])
    for part in ("raw_alpha", "beta", "raw_reach", "relative_table", "lead_embedding", "norm", "bias"):
        assert all(name in free_names for name in names.values() if part in name), part
