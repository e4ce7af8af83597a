"""`scripts/scaling.py`: its three forms are the attention they are called, and what it derives is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts/scaling.py"


@pytest.fixture(scope="module")
def scaling(load_file) -> ModuleType:
    return load_file("scripts/scaling.py")


@torch.inference_mode()
def test_plain_and_fused_are_the_same_attention(scaling):
    layer = scaling.Layer()
    tokens = torch.randn(300, scaling.CONFIG.local_width)
    plain, fused = (layer.whole(tokens, plain=plain) for plain in (True, False))
    assert (plain - fused).abs().max() < 1e-5 < plain.std()


@torch.inference_mode()
def test_a_tile_sees_itself_and_the_coarse_tokens_and_no_other_tile(scaling):
    layer, side = scaling.Layer(), 64
    tokens = torch.randn(side * side, scaling.CONFIG.local_width)
    coarse = torch.randn(50, scaling.CONFIG.local_width)
    before = layer.tiled(tokens, coarse, side).view(side, side, -1)
    tokens.view(side, side, -1)[-1, -1] += 10  # in the last tile alone
    after = layer.tiled(tokens, coarse, side).view(side, side, -1)
    assert torch.equal(after[0, 0], before[0, 0])
    assert not torch.equal(after[-1, -2], before[-1, -2])
    assert not torch.equal(layer.tiled(tokens, coarse + 1, side).view(side, side, -1)[0, 0], after[0, 0])


def test_memory_of_the_plain_form_is_that_of_its_logits():
    """Logits and their softmax: 8 heads x 2048^2 numbers of 4 bytes, twice; tiles hold one tile's."""
    peaks = {}
    for form in ("plain", "tiles"):
        command = [sys.executable, SCRIPT, "--form", form, "--side", "64"]
        peaks[form] = json.loads(subprocess.check_output(command, text=True))["peak_bytes"]
    logits = 8 * 4096**2 * 4
    assert 2 * logits <= peaks["plain"] < 2.3 * logits
    assert peaks["tiles"] < 0.2 * peaks["plain"]


def test_europe_is_carried_on_from_the_largest_size(scaling):
    rows = [
        {"form": form, "tokens": n, "tiles": n // 1024, "peak_bytes": float(n**p), "cpu_seconds": float(n**p)}
        for n in (1024, 4096)
        for form, p in (("plain", 2), ("fused", 2), ("tiles", 1))
    ]
    assert scaling.growth(rows, "plain", "peak_bytes") == pytest.approx(2)
    europe = scaling.at_europe(rows)
    assert europe["tokens"] == 262 * 437 and europe["tiles"] == 160
    assert europe["plain_bytes"] == pytest.approx(europe["tokens"] ** 2)
    assert europe["tiles_cpu_seconds"] == pytest.approx(160 * 1024)
    assert europe["logits_bytes_of_12_heads_bfloat16"] == pytest.approx(315e9, rel=0.01)


def test_a_year_on_paper_follows_from_the_counted_operations(scaling):
    europe = scaling.on_paper((4192, 6992), (168, 280), dollars=2.0)
    assert europe["coarse_tokens"] == 735 and europe["tiles"] == 160
    assert europe["tflop_day"] == pytest.approx(3 * 160 * 0.135 + 0.093, rel=0.01)  # 135 GFLOP a tile
    # at the paper's pace a map of 126 tiles takes 1.8 s: 365 days x 3 leads x 160 tiles on 64 GPUs
    assert europe["hours_at_papers_pace"] == pytest.approx(365 * 3 * 160 / 126 * 1.8 / 3600 / 64, rel=0.02)
    assert europe["dollars_at_goal"] == pytest.approx(europe["hours_at_goal"] * 64 * 2)
    earth = scaling.on_paper(scaling.EARTH_FINE, scaling.EARTH_COARSE, dollars=2.0)
    assert earth["tiles"] > 3000 and earth["share_of_bridge"] > 3 * europe["share_of_bridge"]
