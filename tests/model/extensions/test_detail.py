"""Level and detail: means of what is known, nothing from gaps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.model import tiny
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
    field[..., 30:] = 0.0
    made = regional_mean(field)
    torch.testing.assert_close(made[0, 0, 32, 25], field[0, 0, 20:45, 13:30].mean())
    assert (made[..., 30 + REGION :] == 0).all()
    assert (detail(field)[..., 30:] == 0).all()


def test_detail_and_mean_are_the_whole():
    field = 1 + torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(detail(field) + regional_mean(field), field)


def test_it_is_one_of_the_fields_with_factors():
    assert tiny().head_predictors == replace(tiny(), regional_mean=False).head_predictors + 1
    with pytest.raises(ValueError, match="regional_mean needs growth"):
        replace(tiny(), growth=False, transport=False, coarse_forecast=False, coarse_predictors=False)
