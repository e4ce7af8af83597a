"""What a run will cost is told before it is spent, from steps timed on this machine where they fit."""

from __future__ import annotations

import json
from dataclasses import replace

import torch

from cranpm.domain import EUROPE, domain_from_corner
from cranpm.model import count_flops
from cranpm.training.recipes.ablations import ablation
from cranpm.training.recipes.recipes import paper, tiny
from cranpm.training.report.cost import EXPECTED_SHARE, estimate_cost
from cranpm.training.report.step_timing import StepTiming, benchmark_step

DOMAIN = domain_from_corner("mini", "Mini", north=48.0, west=6.0, coarse_rows=14, coarse_cols=14)


def test_the_cost_is_told_before_it_is_spent(tmp_path, cranpm):
    result = cranpm("--recipe", "tiny", "--domain", "alps", "--out", tmp_path / "x", "--dry-run", "--json")
    cost = json.loads(result.output)
    assert cost["samples"] == 150 * 2 * 4
    assert cost["parameters"] > 500_000 and cost["seconds"] > 0 and cost["matmul_rate"] > 1e8
    assert cost["memory_peak"] > cost["memory_weights"] + cost["memory_activations"]
    assert cost["measured"] and 0 < cost["expected_share"] < 1
    assert not (tmp_path / "x").exists()


def test_the_cost_of_days_that_are_not_simulated_yet(tmp_path, monkeypatch, cranpm):
    timed = StepTiming(step=2.0, token_step=0.5, pretrain_day=3.0)
    monkeypatch.setattr("cranpm.training.report.cost.benchmark_step", lambda *_asked: timed)
    world = ["--world", tmp_path / "none", "--domain", "alps"]
    asked = ["--recipe", "tiny", *world, "--out", tmp_path / "x", "--dry-run"]
    result = cranpm(*asked, "--simulate", "2017-01-01:90", "--simulate", "2021-01-10:20", "--json")
    cost = json.loads(result.output)
    assert cost["seconds"] == 40 * 0.5 + 110 * 2  # patch means first, then maps
    assert cost["pretrain_seconds"] == 14 * 86 * 3  # 90 days but the first and the last three
    assert not (tmp_path / "none").exists()
    refused = cranpm(*asked)
    assert refused.exit_code != 0 and "say which to simulate" in " ".join(refused.output.split())


def test_no_step_is_tried_that_would_not_fit():
    cost = estimate_cost(paper(), EUROPE, measured=True, device="cpu")
    assert not cost.measured and cost.expected_share == EXPECTED_SHARE["cpu"]
    assert "expected" in " ".join(cost.lines())


def test_a_trial_step_of_each_kind():
    short = replace(tiny(), tile_size=128, tiles_per_day=2)
    timed = benchmark_step(short, DOMAIN, torch.device("cpu"))
    assert min(timed.step, timed.token_step, timed.pretrain_day) > 0
    assert (
        benchmark_step(ablation("R1", short), DOMAIN, torch.device("cpu")).pretrain_day == 0
    )  # no global branch


def test_twice_the_tiles_cost_twice_the_tiles():
    recipe = replace(tiny(), token_steps=0)
    once = estimate_cost(recipe, DOMAIN)
    twice = estimate_cost(replace(recipe, tiles_per_day=2 * recipe.tiles_per_day), DOMAIN)
    days = 3 * recipe.days_per_step  # forward once, backward twice
    flops = count_flops(recipe.model, recipe.tile_size, DOMAIN.coarse.shape)
    tiles = recipe.days_per_step * recipe.tiles_per_day
    assert twice.flops_per_step - once.flops_per_step == 3 * tiles * flops["per_tile"]
    assert (
        once.flops_per_step
        == days * (flops["global"] + flops["bridge_keys_values"]) + 3 * tiles * flops["per_tile"]
    )
    assert 1.5 < twice.memory_activations / once.memory_activations < 2
