from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.domain import plan_tiles
from cranpm.explain.direction import token_means
from cranpm.explain.faithfulness import (
    FaithfulnessPlan,
    TileFaith,
    attention_of,
    equal_mass,
    hide_patches,
    rank_correlation,
    run_faithfulness,
    summarise,
)
from cranpm.explain.tiles import forecast_tile
from cranpm.forecasting.interventions import switched
from cranpm.model import ModelInputError, Trace

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
    assert len(asked) == 8 and {p.hidden_at for p in asked} == {"input", "bridge"}
    assert all(np.isfinite([p.most_attended, p.nearest, p.equal_mass_elsewhere]).all() for p in asked)
    assert all(p.most_attended > 0 and 0 < p.mass <= 1 for p in asked)
    summary = summarise(asked)
    assert summary["places"] == 4 and summary["days"] == 2
    assert summary["input"]["mass"] == summary["bridge"]["mass"]
    assert summary["bridge"]["bridge_off"]["mean"] > 0
    found = summary["bridge"]["rank_correlation"]
    assert -1 <= found["ci_low"] <= found["mean"] <= found["ci_high"] <= 1


@torch.inference_mode()
def test_hidden_at_the_bridge_only_keys_and_values_are_gone(drawn, day):
    """Attention goes elsewhere; all that the day's encoding says stays, bit for bit."""
    context = drawn.encode_global(day.global_inputs())
    before = attention_of(drawn, day, context, TILE)
    patch = int(before.mean(0).argmax())
    hidden = context.without([patch])
    after = attention_of(drawn, day, hidden, TILE)
    assert after[:, patch].max() == 0 and after.sum(1) == pytest.approx(1, abs=1e-4)
    # in the first layer the rest keeps its proportions: the logits are those they were
    seen = [Trace("bridge_attention") for _ in range(2)]
    for trace, part in zip(seen, (context, hidden), strict=True):
        drawn.forecast_delta(day.local_inputs([TILE]), part, trace=trace)
    first = [trace["bridge_attention"][0, 0] for trace in seen]
    first[0][..., patch] = 0
    torch.testing.assert_close(first[1], first[0] / first[0].sum(-1, keepdim=True), atol=1e-5, rtol=1e-4)
    for name in ("tokens", "upwind", "change", "pm2p5"):
        assert getattr(hidden, name) is getattr(context, name)
    with pytest.raises(ModelInputError, match="All 49 coarse tokens would be hidden"):
        context.without(range(49))


@torch.inference_mode()
def test_hiding_at_the_input_does_more_than_hiding_at_the_bridge(drawn, day):
    """With the bridge off, the input still reaches the map by transport and coarse forecast; attention does not."""
    context = drawn.encode_global(day.global_inputs())
    faith = TileFaith(drawn, day, TILE, context)
    with switched(drawn, [("bridge_off", 1)]):
        off = TileFaith.__new__(TileFaith)
        off.__dict__.update(faith.__dict__)
        off.before = _forecast(drawn, day, context)
        patches = [int(i) for i in np.argsort(faith.distance.mean(0))[:6]]
        assert np.nanmax(off.change(patches, "bridge")) == 0
        assert np.nanmax(off.change(patches, "input")) > 0
    assert np.nanmax(faith.change(patches, "bridge")) > 0


def _forecast(network, day, context):
    return token_means(forecast_tile(network, day, context, TILE, (1,))[0]).ravel()


@torch.inference_mode()
def test_the_bridge_is_switched_off_and_on_again(drawn, day):
    context = drawn.encode_global(day.global_inputs())
    inputs = day.local_inputs([TILE])
    before = drawn.forecast_delta(inputs, context)
    with switched(drawn, [("bridge_off", 1)]):
        assert drawn.bridge_off
        tokens, _ = drawn.fuse(inputs, context)
        alone, _ = drawn.local_branch(
            inputs.fields, inputs.elevation, inputs.lead, None, drawn._place(inputs, context)
        )
        assert torch.equal(tokens, alone)
        assert not torch.equal(drawn.forecast_delta(inputs, context), before)
    with switched(drawn, [("bridge_off", 0)]):
        assert torch.equal(drawn.forecast_delta(inputs, context), before)
    assert not drawn.bridge_off and torch.equal(drawn.forecast_delta(inputs, context), before)
