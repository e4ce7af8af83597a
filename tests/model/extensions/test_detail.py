"""Level and detail: means of what is known, nothing from gaps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.model import ModelConfig, tiny
from cranpm.model.extensions.detail import REGION, detail, regional_mean


def test_the_mean_is_that_of_the_square_round_each_cell():
    torch.manual_seed(0)
    field = 1 + torch.rand(2, 1, 64, 64)
    made, reach = regional_mean(field), REGION // 2
    for row, column in ((0, 0), (5, 40), (32, 32), (63, 63)):
        square = field[
            :, :, max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ]
        torch.testing.assert_close(made[..., row, column], square.mean((-2, -1)))


def test_gaps_count_for_nothing():
    torch.manual_seed(0)
    field = 1 + torch.rand(1, 1, 64, 64)
    known = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    known[..., 30:] = False
    field[..., 30:] = -0.3  # whatever fills a gap
    made = regional_mean(field, known)
    torch.testing.assert_close(made[0, 0, 32, 25], field[0, 0, 20:45, 13:30].mean())
    assert (made[..., 30 + REGION :] == 0).all()
    assert (detail(field, known)[..., 30:] == 0).all()


def test_fifteen_micrograms_are_a_value_like_others():
    """Zero in network units; half of a checkerboard of 15 and 35 ug m-3 is 25 in the mean: 0.5."""
    field = torch.zeros(1, 1, 64, 64)
    field[..., ::2, ::2] = field[..., 1::2, 1::2] = 1.0
    # 313 of the 625 cells of a square whose middle is 35 ug m-3, 312 of the others
    assert regional_mean(field)[0, 0, 32, 32] == pytest.approx(313 / 625)
    assert regional_mean(field)[0, 0, 32, 33] == pytest.approx(312 / 625)
    assert detail(field)[0, 0, 32, 33] == pytest.approx(-312 / 625)


def test_a_network_of_version_01_takes_fifteen_micrograms_for_a_gap_still(build, coarse, tiles):
    """Its forecasts stay what they were; a new one is told what is known."""
    inputs = tiles()
    fields = inputs.fields.clone()
    fields[:, 0, :64] = 0.0
    inputs = replace(inputs, fields=fields)
    made = {}
    for masks in (False, True):
        network = build(gap_masks=masks)
        with torch.no_grad():
            made[masks] = network.predictors(inputs, network.encode_global(coarse()))[:, -1]
    torch.testing.assert_close(made[True], regional_mean(fields[:, :1])[:, 0])
    torch.testing.assert_close(made[False], regional_mean(fields[:, :1], fields[:, :1] != 0)[:, 0])
    assert not torch.allclose(made[True], made[False])
    assert ModelConfig.from_dict({}).gap_masks is False and tiny().gap_masks is True


def test_detail_and_mean_are_the_whole():
    field = 1 + torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(detail(field) + regional_mean(field), field)


def test_it_is_one_of_the_fields_with_factors():
    assert tiny().head_predictors == replace(tiny(), regional_mean=False).head_predictors + 1
    with pytest.raises(ValueError, match="regional_mean needs growth"):
        replace(tiny(), growth=False, transport=False, coarse_forecast=False, coarse_predictors=False)
