"""Counts: parameters pinned to the settled ones, operations against PyTorch's own counter."""

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
    assert count_flops(small())["per_tile"] <= 8e9
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
        {"transport": False},
        {"coarse_forecast": False},
        {"coarse_predictors": False},
        {"regional_mean": False},
        {"height_damping": False},
        {"skip": False},
        {"decoder": "convt", "fine_skip": False},
        {"previous_day": False},
    ],
)
def test_operations_counted_by_formula_are_those_torch_counts(coarse, tiles, changes):
    network = CranPM(dataclasses.replace(tiny(), **changes)).eval()
    set_plain_attention(network)  # the counter does not see the CPU's fused attention
    with torch.no_grad(), FlopCounterMode(display=False) as day:
        context = network.encode_global(coarse())
    with torch.no_grad(), FlopCounterMode(display=False) as tile:
        network.forecast_delta(tiles(), context)
    flops = count_flops(network.config, tile=128, coarse=(56, 112))
    assert day.get_total_flops() == flops["global"] + flops["bridge_keys_values"]
    assert tile.get_total_flops() == flops["per_tile"]


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
