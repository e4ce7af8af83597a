from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.domain import plan_tiles
from cranpm.explain.faithfulness import (
    FaithfulnessPlan,
    attention_of,
    equal_mass,
    hide_patches,
    rank_correlation,
    run_faithfulness,
    summarise,
)

TILE = plan_tiles((688, 688), tile_size=128, overlap=0).tiles[12]


@torch.inference_mode()
def test_a_hidden_patch_is_filled_marked_and_no_longer_looked_at(drawn, day):
    context = drawn.encode_global(day.global_inputs())
    before = attention_of(drawn, day, context, TILE)
    patch = int(before.mean(0).argmax())
    hidden = hide_patches(day, [patch], drawn.config)
    assert bool(day.coarse.valid.all()), "the day itself must not change"
    row, col = divmod(patch, 7)  # 28 nodes are 4 patches, padded to a group of 7
    assert not hidden.coarse.valid[8 * row : 8 * row + 8, 8 * col : 8 * col + 8].any()
    assert int((~hidden.coarse.valid).sum()) == 64
    assert not hidden.coarse.fields[:, ~hidden.coarse.valid].any()
    after = attention_of(drawn, hidden, drawn.encode_global(hidden.global_inputs()), TILE)
    assert before[:, patch].min() > 0
    assert after[:, patch].max() == 0
    assert after.sum(1) == pytest.approx(1, abs=1e-4)


def test_ranks_share_ties_and_know_the_sign():
    a = np.array([0.1, 0.2, 0.2, 0.9])
    assert rank_correlation(a, a**3) == 1
    assert rank_correlation(a, -a) == -1
    assert np.isnan(rank_correlation(a, np.ones(4)))


def test_equal_mass_is_gathered_outside_the_set():
    attention = np.full(100, 0.005)
    attention[:4] = 0.125  # four patches hold a half, the other 96 hold 0.48 together
    chosen = equal_mass(attention, 0.25, {0, 1, 2, 3}, np.random.default_rng(0))
    assert not set(chosen) & {0, 1, 2, 3}
    assert attention[chosen].sum() == pytest.approx(0.25, abs=0.005)
    assert len(equal_mass(attention, 0.5, {0, 1, 2, 3}, np.random.default_rng(0))) == 96, "all there are"


def test_hiding_is_measured_at_places_with_intervals(drawn, statistics, source):
    plan = FaithfulnessPlan(places=2, hidden=2, near=4, far=2)
    asked = run_faithfulness(drawn, statistics, source, source.days[2:4], [TILE], plan)
    assert len(asked) == 4
    assert all(np.isfinite([p.most_attended, p.nearest, p.equal_mass_elsewhere]).all() for p in asked)
    assert all(p.most_attended > 0 and 0 < p.mass <= 1 for p in asked)
    summary = summarise(asked)
    assert summary["places"] == 4 and summary["days"] == 2
    found = summary["rank_correlation"]
    assert -1 <= found["ci_low"] <= found["mean"] <= found["ci_high"] <= 1
