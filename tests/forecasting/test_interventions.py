"""What-ifs change what they name and nothing else, on a network whose weights, head included, are drawn at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.domain import COARSE_CHANNELS, channel_index, plan_tiles
from cranpm.forecasting.intervention_names import UnknownInterventionError, parse_steps
from cranpm.forecasting.interventions import intervene, switched
from cranpm.model import tiny

WIND_STEPS = [("wind_turn", 180), ("wind_scale", 0), ("wind_random", 3)]
TERRAIN_STEPS = [("terrain_scale", 0), ("terrain_flatten", 1), ("terrain_scramble", 3)]
OTHERS = [("hide_cams", 1), ("hide_t", 1), ("previous_day", 1), ("place_random", 2)]


def small_tile(day):
    """128 cells a side are enough for every layer and cost a sixteenth."""
    return plan_tiles(day.domain.fine.shape, tile_size=128).tiles[45]


@torch.inference_mode()
def delta(network, day):
    return network.forecast_delta(
        day.local_inputs([small_tile(day)]), network.encode_global(day.global_inputs())
    )


def inputs_of(day):
    coarse, local = day.global_inputs(), day.local_inputs([small_tile(day)])
    return {
        "coarse fields": coarse.fields, "scan wind": coarse.wind, "coarse elevation": coarse.elevation,
        "fields": local.fields, "bias wind": local.wind, "elevation": local.elevation,
    }  # fmt: skip


def changed(before, after) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("step", WIND_STEPS, ids=lambda step: step[0])
def test_a_wind_changed_for_the_priors_leaves_every_channel_bit_for_bit(day, statistics, step):
    name, value = step
    before = inputs_of(day)
    assert changed(before, inputs_of(intervene(day, [(f"{name}/priors", value)], statistics))) == {
        "scan wind", "bias wind",
    }  # fmt: skip
    assert changed(before, inputs_of(intervene(day, [(f"{name}/channels", value)], statistics))) == {
        "coarse fields"
    }
    both = intervene(day, [step], statistics)
    assert changed(before, inputs_of(both)) == {"scan wind", "bias wind", "coarse fields"}
    assert changed(before, inputs_of(day)) == set(), "the day itself must not change"


@pytest.mark.parametrize("step", TERRAIN_STEPS, ids=lambda step: step[0])
def test_terrain_changed_for_the_priors_leaves_the_elevation_channel(day, statistics, step):
    name, value = step
    before = inputs_of(day)
    priors = inputs_of(intervene(day, [(f"{name}/priors", value)], statistics))
    channels = inputs_of(intervene(day, [(f"{name}/channels", value)], statistics))
    assert changed(before, priors) == {"coarse elevation", "elevation"}
    assert changed(before, channels) == {"fields"}
    assert torch.equal(channels["fields"][:, (0, 2, 3, 4)], before["fields"][:, (0, 2, 3, 4)])
    assert changed(before, inputs_of(day)) == set()


@pytest.mark.parametrize("step", OTHERS, ids=lambda step: step[0])
def test_hiding_reaches_channels_only(day, statistics, step):
    before = inputs_of(day)
    assert changed(before, inputs_of(intervene(day, [step], statistics))) <= {"coarse fields", "fields"}


def test_a_reversed_wind_is_the_opposite_in_metres_per_second_on_every_level_and_day(day, statistics):
    both = intervene(day, [("wind_turn", 180)], statistics)
    for name in ("u10@t", "v_500@t", "u_1000@t-1"):
        index, plain = channel_index(name, COARSE_CHANNELS), name.split("@")[0]
        mean, std = statistics.mean[plain], statistics.std[plain]
        u, turned = (d.coarse.fields[index] * std + mean for d in (day, both))
        assert torch.allclose(turned, -u, atol=1e-4)
    assert np.allclose(both.coarse.wind_box, -day.coarse.wind_box, atol=1e-5)
    quarter = intervene(day, [("wind_turn", 90)], statistics).coarse.wind_box
    # anticlockwise: a wind towards east turns towards north
    assert np.allclose(quarter[1], day.coarse.wind_box[0], atol=1e-5)


def test_steps_compose_and_undo_each_other(day, statistics):
    twice = intervene(day, [("wind_turn", 180), ("wind_turn/priors", 180)], statistics)
    assert np.allclose(twice.coarse.wind_box, day.coarse.wind_box, atol=1e-5)
    assert not torch.equal(twice.coarse.fields, day.coarse.fields)
    apart = intervene(day, [("terrain_scale/priors", 0), ("terrain_scale/channels", 0)], statistics)
    together = intervene(day, [("terrain_scale", 0)], statistics)
    assert changed(inputs_of(apart), inputs_of(together)) == set()


def test_fine_and_coarse_terrain_are_scrambled_alike(day, statistics):
    scrambled = intervene(day, [("terrain_scramble", 5)], statistics)
    # the value of a node stands for 25 x 25 cells; mark one block of 4 x 4 nodes and see where it goes
    marked = replace(
        day,
        elevation=torch.zeros_like(day.elevation),
        coarse=replace(day.coarse, elevation=torch.zeros_like(day.coarse.elevation)),
    )
    marked.elevation[200:300, 300:400], marked.coarse.elevation[8:12, 12:16] = 1.0, 1.0
    moved = intervene(marked, [("terrain_scramble", 5)], statistics)
    row, col = (int(i.min()) for i in moved.elevation.nonzero(as_tuple=True))
    coarse_row, coarse_col = (int(i.min()) for i in moved.coarse.elevation.nonzero(as_tuple=True))
    assert (row, col) == (25 * coarse_row, 25 * coarse_col) != (200, 300)
    assert torch.equal(
        scrambled.elevation.sort(0)[0].sort(1)[0].sum(), day.elevation.sort(0)[0].sort(1)[0].sum()
    )


def test_reversing_the_wind_of_the_priors_alone_changes_the_forecast(day, statistics, drawn):
    reversed_ = delta(drawn, intervene(day, [("wind_turn/priors", 180)], statistics))
    assert (reversed_ - delta(drawn, day)).abs().max() > 1e-4


def test_a_network_without_biases_is_unmoved_by_the_terrain_of_the_priors(
    day, statistics, draw_network, drawn
):
    network = draw_network(replace(tiny(), elevation_bias=False, transport=False, height_damping=False))
    for step in TERRAIN_STEPS:
        flat = intervene(day, [(f"{step[0]}/priors", step[1])], statistics)
        assert torch.equal(delta(network, flat), delta(network, day))
    flat = intervene(day, [("terrain_scale/priors", 0)], statistics)
    assert not torch.equal(delta(drawn, flat), delta(drawn, day))


def test_on_a_calm_day_the_wind_bias_gives_nothing_to_switch_off(day, statistics, drawn):
    calm = intervene(day, [("wind_scale/priors", 0)], statistics)
    before = delta(drawn, calm)
    with switched(drawn, [("wind_bias", 0)]):
        without = delta(drawn, calm)
        assert not torch.allclose(delta(drawn, day), before, atol=1e-6), "the scan still sees the wind"
    # zeros added to the logits, or no bias at all: the same but for rounding
    assert torch.allclose(without, before, atol=1e-5)


def test_a_raster_scan_does_not_know_the_wind(day, statistics, drawn):
    turned = intervene(day, [("wind_turn/priors", 90)], statistics)
    with switched(drawn, [("scan_raster", 1), ("wind_bias", 0), ("transport", 0)]):
        assert torch.equal(delta(drawn, turned), delta(drawn, day))
    with switched(drawn, [("wind_bias", 0), ("transport", 0)]):
        assert not torch.equal(delta(drawn, turned), delta(drawn, day))


def test_without_its_priors_of_terrain_a_network_sees_terrain_in_its_channels_alone(day, statistics, drawn):
    flat = intervene(day, [("terrain_scale/priors", 0)], statistics)
    switches = [("elevation_bias", 0), ("height_damping", 0), ("transport", 0)]
    with switched(drawn, switches):
        assert torch.equal(delta(drawn, flat), delta(drawn, day))
    for on in range(2):  # each of the first two alone brings it back
        with switched(drawn, [step for place, step in enumerate(switches) if place != on]):
            assert not torch.equal(delta(drawn, flat), delta(drawn, day))


def test_the_coarse_forecast_can_be_switched_off(day, drawn):
    with switched(drawn, [("coarse_forecast", 0)]):
        without = delta(drawn, day)
    assert not torch.equal(without, delta(drawn, day))


def test_after_a_switch_the_network_is_the_same_object_for_object(day, drawn):
    before = {name: (id(p), p.detach().clone()) for name, p in drawn.named_parameters()}
    forecast = delta(drawn, day)
    steps = [("elevation_bias", 0), ("wind_bias", 0.5), ("bridge_reach", 2.0), ("scan_raster", 1)]
    steps += [("height_damping", 0), ("coarse_forecast", 0.5)]
    with switched(drawn, steps):
        assert not torch.equal(delta(drawn, day), forecast)
    with pytest.raises(ZeroDivisionError), switched(drawn, steps):
        _ = 1 / 0
    after = dict(drawn.named_parameters())
    assert set(after) == set(before)
    assert all(
        id(after[name]) == kept and torch.equal(after[name], was) for name, (kept, was) in before.items()
    )
    assert torch.equal(delta(drawn, day), forecast)


def test_a_factor_scales_the_strength_itself(drawn):
    alpha, beta = drawn.local_branch.elevation_block.alpha, drawn.bridge.layers[0].beta
    with switched(drawn, [("elevation_bias", 1.5), ("wind_bias", 3)]):
        assert torch.allclose(drawn.local_branch.elevation_block.alpha, 1.5 * alpha, atol=1e-5)
        assert torch.allclose(drawn.bridge.layers[0].beta, 3 * beta)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("wind_flop", 1), "Unknown intervention 'wind_flop'; expected one of wind_turn"),
        (("wind_turn/sideways", 1), "has the forms priors, channels, both, got 'sideways'"),
        (("hide_cams/priors", 1), "has no forms"),
        (("hide_cams", 2), "a share from 0 to 1, got 2"),
        (("wind_turn", float("nan")), "a finite number"),
        (("elevation_bias", -1), "zero or more"),
        (("coarse_forecast", -1), "zero or more"),
    ],
)
def test_what_makes_no_sense_is_refused(step, message):
    with pytest.raises(UnknownInterventionError, match=message):
        parse_steps([step])
