from __future__ import annotations

import pytest
import torch

from cranpm.training.fit.losses import focal_frequency_loss, land_mse, station_loss, token_mse


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 48, 65)])
def test_focal_frequency_loss_equals_the_published_package(shape):
    package = pytest.importorskip("focal_frequency_loss")
    torch.manual_seed(0)
    forecast, target = torch.randn(shape), torch.randn(shape)
    expected = package.FocalFrequencyLoss(loss_weight=1.0, alpha=1.0)(forecast[:, None], target[:, None])
    assert focal_frequency_loss(forecast, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_equal_fields_have_no_spectrum_error_and_a_finite_gradient():
    field = torch.randn(1, 32, 32, requires_grad=True)
    loss = focal_frequency_loss(field, field.detach())
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(field.grad).all()


@pytest.mark.parametrize("loss", [land_mse, focal_frequency_loss])
def test_what_lies_outside_the_mask_changes_nothing(loss):
    torch.manual_seed(1)
    forecast, target = torch.randn(2, 32, 32), torch.randn(2, 32, 32)
    mask = torch.rand(2, 32, 32) < 0.6
    before = loss(forecast, target, mask)
    target[~mask] = torch.nan
    forecast = torch.where(mask, forecast, 1e3)
    assert torch.equal(loss(forecast, target, mask), before) and torch.isfinite(before)


def test_land_error_is_the_mean_over_land_cells():
    forecast, target = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 3.0], [9.0, 9.0]]])
    mask = torch.tensor([[[True, True], [False, False]]])
    assert land_mse(forecast, target, mask).item() == (1 + 9) / 2
    # weight 3 on the second cell: (1 * 1 + 9 * 3) / 4
    assert land_mse(forecast, target, mask, torch.tensor([[[1.0, 3.0], [1.0, 1.0]]])).item() == 7


def test_stations_read_the_forecast_between_cells_and_skip_gaps():
    ramp = torch.arange(8.0)[None, :, None].expand(1, 8, 8).contiguous()
    rows, cols = torch.tensor([2.5, 6.0]), torch.tensor([3.25, 1.0])
    observed = torch.tensor([4.5, torch.nan])
    # the ramp is 2.5 at row 2.5: error 2, squared 4; the second station has no observation
    assert station_loss(ramp, rows, cols, observed, torch.zeros(2, dtype=torch.long)).item() == 4.0
    assert (
        station_loss(ramp, rows, cols, observed * torch.nan, torch.zeros(2, dtype=torch.long)).item() == 0.0
    )


def test_patch_means_count_only_cells_with_support():
    target = torch.zeros(1, 4, 4)
    target[0, :2, :2] = torch.tensor([[3.0, torch.nan], [5.0, torch.nan]])
    mask = torch.isfinite(target)
    # patches of 2 x 2: the first has mean (3 + 5) / 2 = 4 on half its cells, the others 0 on all
    change = torch.tensor([[1.0, 0.0, 0.0, 2.0]])
    # (0.5 * (1 - 4)^2 + 1 * 0 + 1 * 0 + 1 * 2^2) / 3.5
    assert token_mse(change, target, mask).item() == pytest.approx((4.5 + 4) / 3.5)
