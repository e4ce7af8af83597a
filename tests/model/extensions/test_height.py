"""Height damping: eq. 2's form, of the tile's own day and place, and nothing below the region's height."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.model import tiny
from cranpm.model.extensions.height import HeightDamping
from cranpm.model.extensions.transport import at_cells


def test_the_factor_is_exp_of_minus_alpha_km():
    damping = HeightDamping().requires_grad_(False)
    elevation = torch.tensor([[[300.0, 800.0, 1300.0]]])
    share = damping(elevation, torch.full_like(elevation, 800.0))
    torch.testing.assert_close(share, torch.tensor([[[1.0, 1.0, float(torch.exp(-0.5 * damping.alpha))]]]))
    assert float(damping.alpha) == pytest.approx(2.0, rel=1e-6)
    damping.strength = 0.0
    assert torch.equal(damping(elevation, torch.zeros_like(elevation)), torch.ones_like(elevation))


def test_the_map_is_damped_where_a_tile_stands_above_its_own_days_region(build, coarse, tiles):
    """Three tiles of two days that differ in their coarse terrain."""
    torch.manual_seed(0)
    network, plain = build(), build(height_damping=False)
    weights = network.state_dict()
    weights.pop("height.raw_alpha")
    plain.load_state_dict(weights)
    global_inputs, inputs = coarse(2), tiles(3)
    terrain = 1500 * torch.rand(2, *global_inputs.fields.shape[-2:])
    global_inputs = replace(global_inputs, elevation=terrain)
    day = torch.tensor([1, 0, 1])
    axes = (global_inputs.latitude, global_inputs.longitude)
    region = at_cells(terrain[day][:, None], axes, inputs.latitude, inputs.longitude)[:, 0]
    with torch.inference_mode():
        share = torch.exp(-network.height.alpha * (inputs.elevation - region).relu() / 1000.0)
        made = network(global_inputs, inputs, day)
        undamped = plain(global_inputs, inputs, day)
    assert float(share.min()) < 0.9 and float(share.max()) == 1.0
    torch.testing.assert_close(made, undamped * share)


def test_several_leads_of_one_tile_share_one_factor(build, coarse, tiles):
    network, inputs = build(), tiles(1)
    with torch.inference_mode():
        context = network.encode_global(coarse(1))
        together = network.forecast_delta(replace(inputs, lead=torch.tensor([1, 2, 3])), context)
        for lead in (1, 2, 3):
            alone = network.forecast_delta(replace(inputs, lead=torch.tensor([lead])), context)
            torch.testing.assert_close(together[lead - 1 : lead], alone, rtol=1e-4, atol=1e-6)


def test_alpha_is_learned(build, coarse, tiles):
    network, inputs = build(), tiles(1)
    inputs = replace(inputs, elevation=inputs.elevation + 1000.0)
    network(coarse(1), inputs).square().sum().backward()
    assert float(network.height.raw_alpha.grad) < 0  # more damping, smaller change


def test_it_needs_a_coarse_branch():
    with pytest.raises(ValueError, match="height_damping needs a coarse branch"):
        replace(tiny(), fusion="none", transport=False, coarse_forecast=False, coarse_predictors=False)
