"""The whole network: persistence at birth, physics that acts, masks that hold, switches that switch."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cranpm.domain.normalise import PM_SCALE
from cranpm.model import CranPM, add_residual, bridge_attention, paper, set_plain_attention, small, tiny
from cranpm.model.extensions.detail import regional_mean
from cranpm.model.extensions.transport import at_cells

ABLATIONS = {
    "R1 no cross-scale attention": {
        "fusion": "none",
        "height_damping": False,
        "transport": False,
        "coarse_forecast": False,
        "coarse_predictors": False,
    },
    "no transport": {"transport": False},
    "no coarse forecast": {"coarse_forecast": False},
    "no coarse predictors": {"coarse_predictors": False},
    "no height damping": {"height_damping": False},
    "no regional mean": {"regional_mean": False},
    "R2 no elevation bias": {"elevation_bias": False},
    "R3 no wind bias": {"wind_bias": False},
    "R3 no wind scan": {"scan": "raster"},
    "R4 transposed convolution": {"decoder": "convt", "fine_skip": False},
    "R5 absolute": {"output": "absolute"},
    "R8 no day before": {"previous_day": False},
    "random scan": {"scan": "random"},
    "shuffle in all blocks": {"shuffle_in": "all"},
    "wind per tile": {"wind_at": "tile"},
    "katabatic sign": {"elevation_sign": -1},
    "no skip": {"skip": False},
    "no fine skip": {"fine_skip": False},
    "bridge without reach": {"bridge_reach": False},
    "position by tile": {"local_position": "tile"},
    "sum": {"fusion": "sum"},
    "FiLM": {"fusion": "film"},
    "concat and self-attention": {"fusion": "concat"},
    "coarse queries fine": {"fusion": "coarse_queries"},
    "bidirectional": {"fusion": "bidirectional"},
}


def relative(a, b):
    """Norm of a difference over the norm of the second."""
    return ((a - b).norm() / b.norm()).item()


def test_an_untrained_network_is_persistence_bit_for_bit(coarse, tiles, run):
    torch.manual_seed(0)
    network = CranPM(tiny()).eval()
    today = torch.rand(2, 128, 128) * 80
    delta = run(network, coarse(), tiles(2))
    assert torch.equal(add_residual(today, delta, network.config.residual_scale), today)


def test_a_constant_factor_of_the_coarse_analysis_brings_it_to_the_map(build, coarse, tiles):
    """Of each tile's own day, and of day t or t-1 as the factor says."""
    network = build(height_damping=False)
    torch.nn.init.zeros_(network.decoder.head.weight)
    global_inputs, local_inputs = coarse(2), tiles(3)
    day = torch.tensor([1, 0, 1])
    context = network.encode_global(global_inputs)
    for place, channel in zip((-3, -2), network.config.coarse_pm2p5_channels):
        torch.nn.init.zeros_(network.decoder.head.bias)
        network.decoder.head.bias.data[place] = 0.5
        delta = network.forecast_delta(local_inputs, context, day)
        expected = at_cells(
            global_inputs.fields[day, channel][:, None],
            (global_inputs.latitude, global_inputs.longitude),
            local_inputs.latitude,
            local_inputs.longitude,
        )
        assert torch.allclose(delta, 0.5 * expected[:, 0], atol=1e-5)


def test_a_constant_factor_of_the_regional_mean_brings_it_to_the_map(build, coarse, tiles):
    network = build(height_damping=False)
    torch.nn.init.zeros_(network.decoder.head.weight)
    torch.nn.init.zeros_(network.decoder.head.bias)
    network.decoder.head.bias.data[-1] = 0.5  # the last of the head's parts
    inputs = tiles(2)
    delta = network.forecast_delta(inputs, network.encode_global(coarse(2)))
    torch.testing.assert_close(delta, 0.5 * regional_mean(inputs.fields[:, :1])[:, 0])


def test_the_residual_is_scaled_as_pm2p5_is_normalised():
    assert {config.residual_scale for config in (paper(), small(), tiny())} == {PM_SCALE}
    assert add_residual(torch.tensor(10.0), torch.tensor(0.5)) == 20.0


def test_the_day_before_starts_as_if_absent(coarse, tiles):
    network = CranPM(tiny())
    global_inputs, local_inputs = coarse(), tiles()
    fields = global_inputs.fields.clone()
    fields[:, 35:] += 1.0
    assert torch.equal(network.global_branch.embed(fields), network.global_branch.embed(global_inputs.fields))
    fields = local_inputs.fields.clone()
    fields[:, 4] += 1.0
    assert torch.equal(network.local_branch.embed(fields), network.local_branch.embed(local_inputs.fields))


@pytest.mark.parametrize("shuffle_in", ["unshifted", "all"])
def test_wind_that_feeds_only_the_scan_changes_the_forecast(build, coarse, tiles, run, shuffle_in):
    inputs = coarse()
    turned = dataclasses.replace(inputs, wind=-inputs.wind)
    network = build(shuffle_in=shuffle_in, transport=False)
    assert relative(run(network, turned, tiles()), run(network, inputs, tiles())) > 1e-2
    raster = build(shuffle_in=shuffle_in, transport=False, scan="raster")  # and by nothing else than the scan
    assert torch.equal(run(raster, turned, tiles()), run(raster, inputs, tiles()))


def test_wind_and_terrain_that_feed_only_transport_change_the_forecast(build, coarse, tiles, run):
    inputs = coarse()
    turned = dataclasses.replace(inputs, wind=-inputs.wind)
    flat = dataclasses.replace(inputs, elevation=torch.zeros_like(inputs.elevation))
    only = {"scan": "raster", "elevation_bias": False, "height_damping": False}
    network, without = build(**only), build(**only, transport=False)
    for changed in (turned, flat):
        assert relative(run(network, changed, tiles()), run(network, inputs, tiles())) > 1e-3
        assert torch.equal(run(without, changed, tiles()), run(without, inputs, tiles()))


def test_wind_that_feeds_only_the_bias_changes_the_forecast(build, coarse, tiles, run):
    inputs = tiles()
    turned = dataclasses.replace(inputs, wind=-inputs.wind)
    network, without = build(), build(wind_bias=False)
    assert relative(run(network, coarse(), turned), run(network, coarse(), inputs)) > 1e-2
    assert torch.equal(run(without, coarse(), turned), run(without, coarse(), inputs))


@pytest.mark.parametrize("branch", ["coarse", "fine"])
def test_terrain_that_feeds_only_the_bias_changes_the_forecast(build, coarse, tiles, run, branch):
    global_inputs, local_inputs = coarse(), tiles()
    flat_global = dataclasses.replace(global_inputs, elevation=torch.zeros_like(global_inputs.elevation))
    flat_local = dataclasses.replace(local_inputs, elevation=torch.zeros_like(local_inputs.elevation))
    flat = (flat_global, local_inputs) if branch == "coarse" else (global_inputs, flat_local)
    other = {"transport": False, "height_damping": False}
    network, without = build(**other), build(**other, elevation_bias=False)
    assert relative(run(network, *flat), run(network, global_inputs, local_inputs)) > 1e-3
    assert torch.equal(run(without, *flat), run(without, global_inputs, local_inputs))


@pytest.mark.parametrize("changes", ABLATIONS.values(), ids=ABLATIONS.keys())
def test_every_switch_changes_the_forecast(build, coarse, tiles, run, changes):
    usual = run(build(), coarse(), tiles())
    switched = run(build(**changes), coarse(), tiles())
    assert torch.isfinite(switched).all()
    assert relative(switched, usual) > 1e-3


def test_lead_times_have_their_own_embedding(build, coarse, tiles, run):
    deltas = [
        run(build(), coarse(), dataclasses.replace(tiles(), lead=torch.tensor([lead]))) for lead in (1, 2, 3)
    ]
    assert relative(deltas[0], deltas[1]) > 1e-3
    assert relative(deltas[1], deltas[2]) > 1e-3


def test_leads_of_one_tile_asked_together_are_those_asked_alone(build, coarse, tiles, run):
    network, inputs = build(), tiles(1)
    together = run(network, coarse(), dataclasses.replace(inputs, lead=torch.tensor([1, 2, 3])))
    alone = [run(network, coarse(), dataclasses.replace(inputs, lead=torch.tensor([n]))) for n in (1, 2, 3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_an_absolute_network_returns_the_change_from_today(build, coarse, tiles, run):
    inputs = tiles()
    map_itself = run(build(height_damping=False), coarse(), inputs)  # the same weights, read as a change
    change = run(build(output="absolute", height_damping=False), coarse(), inputs)
    torch.testing.assert_close(change + inputs.fields[:, 0], map_itself, atol=1e-5, rtol=1e-5)


def test_fused_and_plain_attention_give_one_forecast(build, coarse, tiles, run):
    network = build()
    fused = run(network, coarse(), tiles(2))
    set_plain_attention(network)
    assert relative(run(network, coarse(), tiles(2)), fused) < 1e-4


def test_what_lies_in_masked_cells_changes_nothing(build, coarse, tiles, run):
    network, inputs = build(), coarse()
    valid = torch.ones(1, 56, 112, dtype=torch.bool)
    valid[:, 20:40, 50:] = False  # whole tokens and parts of others
    junk = ~valid[:, None]
    changed = dataclasses.replace(
        inputs,
        fields=torch.where(junk, 1e3, inputs.fields),
        wind=torch.where(junk, -50.0, inputs.wind),
        elevation=torch.where(junk[:, 0], 5e3, inputs.elevation),
        valid=valid,
    )
    masked = run(network, dataclasses.replace(inputs, valid=valid), tiles())
    assert torch.equal(run(network, changed, tiles()), masked)
    assert relative(masked, run(network, inputs, tiles())) > 1e-3  # and the mask did hide something


@pytest.mark.parametrize("shuffle_in", ["unshifted", "all"])
def test_a_size_off_the_56_cell_raster_is_padded_with_masked_tokens(build, coarse, tiles, run, shuffle_in):
    network, inputs = build(shuffle_in=shuffle_in), coarse(rows=60, columns=100)
    by_network = run(network, inputs, tiles())
    full = coarse(rows=112, columns=112, seed=9)  # anything at all beyond the 60 x 100 cells
    fields, elevation, wind = full.fields.clone(), full.elevation.clone(), full.wind.clone()
    fields[..., :60, :100], elevation[..., :60, :100] = inputs.fields, inputs.elevation
    wind[..., :60, :100] = inputs.wind
    valid = torch.zeros(1, 112, 112, dtype=torch.bool)
    valid[:, :60, :100] = True
    by_hand = dataclasses.replace(full, fields=fields, elevation=elevation, wind=wind, valid=valid)
    assert torch.equal(run(network, by_hand, tiles()), by_network)


def test_a_mask_that_hides_nothing_costs_nothing(build, coarse, tiles, run):
    network, inputs = build(), coarse()
    masked = dataclasses.replace(inputs, valid=torch.ones(1, 56, 112, dtype=torch.bool))
    assert network.encode_global(masked).valid is None
    assert torch.equal(run(network, masked, tiles()), run(network, inputs, tiles()))


def test_tiles_of_several_days_share_contexts(build, coarse, tiles, run):
    network, days, batch = build(), coarse(days=2), tiles(4)
    index = torch.tensor([0, 1, 1, 0])
    together = run(network, days, batch, day_index=index)
    for position, day in enumerate(index.tolist()):
        one_day = dataclasses.replace(days, fields=days.fields[day : day + 1], wind=days.wind[day : day + 1])
        one_tile = type(batch)(
            **{k: v[position : position + 1] for k, v in vars(batch).items() if v is not None}
        )
        alone = run(network, one_day, one_tile)
        # float32 in another batch order, relative to fields of order one
        torch.testing.assert_close(together[position : position + 1], alone, atol=1e-3, rtol=1e-3)


def test_one_day_serves_all_tiles_without_a_copy(build, coarse):
    network = build()
    context = network.encode_global(coarse())
    assert context.of_tiles(None, 4) is context
    assert context.of_tiles(torch.zeros(4, dtype=torch.long), 4) is context


def test_gradients_reach_every_parameter(build, coarse, tiles):
    network = build().train()
    network(coarse(), tiles(3)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_network_that_forecast_in_inference_mode_can_still_be_trained(build, coarse, tiles):
    network = build()
    sizes = {
        "rows": 112,
        "columns": 56,
    }  # of no other test, so that tables kept between calls are made in this one
    with torch.inference_mode():
        network(coarse(**sizes), tiles(size=256))
    network.train()(coarse(**sizes), tiles(size=256)).square().mean().backward()


def test_alpha_starts_at_two_and_stays_positive():
    block = CranPM(tiny()).global_branch.elevation_block
    assert block.alpha.item() == pytest.approx(2.0)
    block.raw_alpha.data.fill_(-10.0)
    assert block.alpha.item() > 0.0


def test_the_kept_relative_bias_follows_its_table(build, coarse, tiles, run):
    network = build()
    before = run(network, coarse(), tiles())
    with torch.no_grad():
        network.local_branch.elevation_block.relative_table.mul_(-1.0)
    assert relative(run(network, coarse(), tiles()), before) > 1e-3


def test_bfloat16_stays_near_float32(build, coarse, tiles, run):
    network = build()
    exact = run(network, coarse(), tiles())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = run(network, coarse(), tiles())
    assert relative(rough.float(), exact) < 0.1


def test_a_trace_holds_the_tensors_of_the_run(build, coarse, tiles, run):
    network = build()
    names = "sectors order wind_gamma wind_beta squared_distance bridge_reach bridge_queries bridge_keys"
    names += " bridge_attention local_elevation_bias local_alpha global_elevation_bias global_alpha delta"
    trace = network.new_trace(*names.split())
    delta = run(network, coarse(), tiles(2), trace=trace)
    assert torch.equal(trace["delta"], delta)
    assert trace["sectors"].shape == (1, 2)
    assert trace["order"].shape == (1, 2, 49)
    assert trace["bridge_queries"].shape == (2, 2, 4, 64, 16)  # layers, tiles, heads, tokens, features
    assert trace["bridge_keys"].shape == (2, 1, 4, 98, 16)
    assert trace["local_elevation_bias"].shape == (2, 64, 64)
    assert trace["global_elevation_bias"].min() >= -10
    beta, reach = (trace[name][:, None, :, None, None] for name in ("wind_beta", "bridge_reach"))
    gamma, squared = (trace[name][None, :, None] for name in ("wind_gamma", "squared_distance"))
    bias = beta * gamma - 0.5 * squared / reach**2
    again = bridge_attention(trace["bridge_queries"], trace["bridge_keys"], bias)
    torch.testing.assert_close(again, trace["bridge_attention"])
    assert relative(delta, run(network, coarse(), tiles(2))) < 1e-4  # looking does not change the forecast


def test_a_trace_refuses_what_it_cannot_hold(build):
    with pytest.raises(ValueError, match="Nothing called wind_gama"):
        build().new_trace("wind_gama")
    with pytest.raises(KeyError, match="not asked for"):
        build().new_trace("wind_gamma")["sectors"]
