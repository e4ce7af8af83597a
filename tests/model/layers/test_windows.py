"""Windows, shifts and positions against slow obvious twins."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cranpm.model.inputs import GlobalContext
from cranpm.model.layers.attention import attend, attention_weights
from cranpm.model.layers.decoder import pixel_shuffle, pixel_unshuffle, transposed_channels
from cranpm.model.layers.embed import (
    sincos_at,
    sincos_position,
    token_centres,
    token_mean,
    unfold_patches,
)
from cranpm.model.layers.fusion import sample_context
from cranpm.model.layers.swin import SwinBlock, window_partition, window_unite
from cranpm.model.padding import pad_coordinate


def test_uniting_windows_undoes_partition():
    tokens = torch.randn(2, 6 * 9, 4)
    windows = window_partition(tokens, (6, 9), 3)
    assert windows.shape == (2, 6, 9, 4)
    assert torch.equal(windows[0, 1, 0], tokens[0, 3])  # second window starts at row 0, column 3
    assert torch.equal(window_unite(windows, (6, 9), 3), tokens)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("grid", [(8, 12), (4, 8)])
def test_windowed_attention_equals_full_attention_with_a_mask(grid, shifted):
    """Twin: every token attends to those of its own (shifted) window of the true grid, nothing comes round the edge."""
    torch.manual_seed(0)
    window, width, heads = 4, 16, 2
    block = SwinBlock(width, heads, window, shifted=shifted, mlp_ratio=2.0, drop_path=0.0).eval()
    torch.nn.init.normal_(block.relative_table)
    tokens = torch.randn(2, grid[0] * grid[1], width)
    row, column = (x.flatten() for x in torch.meshgrid(*map(torch.arange, grid), indexing="ij"))
    shift_rows = (
        2 if shifted and grid[0] > window else 0
    )  # one window spans an axis: nothing to shift along it
    shift_columns = 2 if shifted else 0
    label = (row - shift_rows).div(window, rounding_mode="floor") * 100
    label = label + (column - shift_columns).div(window, rounding_mode="floor")
    together = label[:, None] == label[None, :]
    dr, dc = row[:, None] - row[None, :], column[:, None] - column[None, :]  # query minus key
    index = (dr + window - 1).clamp(0, 6) * 7 + (dc + window - 1).clamp(0, 6)
    bias = block.relative_table[index].permute(2, 0, 1).masked_fill(~together, -torch.inf)
    expected = tokens + block.attention(block.norm_attention(tokens), bias[None])
    expected = expected + block.feed_forward(block.norm_feed_forward(expected))
    torch.testing.assert_close(block(tokens, grid), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 10, 12), (1, 1, 1, 12), (1, 3, 1, 12)])
def test_fused_attention_equals_the_formula(shape):
    q, k, v = torch.randn(2, 3, 10, 16), torch.randn(2, 3, 12, 16), torch.randn(2, 3, 12, 16)
    bias = torch.randn(shape) * 3
    torch.testing.assert_close(attend(q, k, v, bias), attend(q, k, v, bias, plain=True), atol=1e-5, rtol=1e-4)
    assert torch.allclose(attention_weights(q, k, bias).sum(-1), torch.ones(2, 3, 10))


def test_fused_attention_casts_a_float_bias_for_bfloat16_queries():
    q, k, v = (torch.randn(1, 2, 8, 16, dtype=torch.bfloat16) for _ in range(3))
    bias = torch.randn(1, 2, 8, 8) * 3
    exact = attend(q.float(), k.float(), v.float(), bias, plain=True)
    torch.testing.assert_close(attend(q, k, v, bias).float(), exact, atol=0.03, rtol=0.03)


def test_unfolding_is_a_strided_convolution():
    fields, weight = torch.randn(1, 3, 8, 12), torch.randn(5, 3, 4, 4)
    by_convolution = F.conv2d(fields, weight, stride=4).flatten(2).transpose(1, 2)
    torch.testing.assert_close(
        unfold_patches(fields, 4) @ weight.flatten(1).T, by_convolution, atol=1e-4, rtol=1e-4
    )


def test_pixel_shuffle_is_torchs_with_channels_in_another_order():
    x = torch.randn(2, 12, 4, 6)
    usual = x.unflatten(1, (4, 3)).transpose(1, 2).flatten(1, 2)  # cell outermost to cell innermost
    assert torch.equal(pixel_shuffle(x), F.pixel_shuffle(usual, 2))
    assert torch.equal(pixel_unshuffle(pixel_shuffle(x)), x)


def test_the_transposed_decoder_has_the_parameters_of_the_one_it_replaces():
    c = transposed_channels((512, 256, 128, 64, 32))
    # 1x1 head and biases aside: 16*16*512*c + 18 c^2 against 7.83 M
    assert 16 * 16 * 512 * c + 18 * c * c == pytest.approx(7.83e6, rel=0.02)


def test_token_means_count_valid_cells_only():
    field = torch.tensor([[[1.0, 3.0], [5.0, 1000.0]]])
    valid = torch.tensor([[[True, True], [True, False]]])
    assert token_mean(field, 2).item() == pytest.approx(1009 / 4)
    assert token_mean(field, 2, valid).item() == pytest.approx(3.0)
    assert token_mean(field, 2, torch.zeros_like(valid)).item() == 0.0


def test_tokens_are_numbered_from_the_north_west():
    latitude, longitude = token_centres(
        torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([10.0, 11.0, 12.0, 13.0]), 2
    )
    assert latitude.tolist() == [2.5, 2.5, 0.5, 0.5]
    assert longitude.tolist() == [10.5, 12.5, 10.5, 12.5]
    assert pad_coordinate(torch.tensor([3.0, 2.0, 1.0]), 4).tolist() == [3.0, 2.0, 1.0, 0.0]


def test_positions_are_unique_and_agree_between_grid_and_place():
    table = sincos_position(21, 35, 64)
    assert len(torch.unique(table, dim=0)) == 735
    at = sincos_at(torch.arange(21.0)[None], torch.arange(35.0)[None], 64)[0]
    torch.testing.assert_close(at, table)


def test_sampling_the_context_is_exact_on_ramps_and_held_outside():
    rows, columns = torch.tensor([50.0, 48.0, 46.0]), torch.tensor([10.0, 12.0, 14.0, 16.0])
    latitude, longitude = (x.flatten() for x in torch.meshgrid(rows, columns, indexing="ij"))
    ramp = (3 * latitude + longitude)[None, :, None]
    context = GlobalContext(tokens=ramp, latitude=latitude, longitude=longitude, valid=None, grid=(3, 4))
    places = torch.tensor([[47.3, 50.0, 60.0]]), torch.tensor([[13.1, 10.0, 0.0]])
    # inside 3*47.3 + 13.1 = 155; at the corner 160, and beyond it still
    torch.testing.assert_close(
        sample_context(context, *places).flatten(), torch.tensor([155.0, 160.0, 160.0])
    )
