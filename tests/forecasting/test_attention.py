from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.domain import plan_tiles
from cranpm.forecasting.attention import AttentionNotRecordedError, AttentionRecorder, read_attention
from cranpm.forecasting.engine import TileSelection, run_forecast
from cranpm.model import Trace

PLACE = (44.9, 12.3)


@pytest.fixture(scope="module")
def recorded(drawn, day, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    plan = plan_tiles(day.domain.fine.shape)
    recorder = AttentionRecorder(folder, plan, day)
    run_forecast(drawn, day, (2,), tiles=TileSelection(plan=plan), recorder=recorder)
    recorder.close()
    return folder, plan


def test_the_recorded_look_is_the_attention_of_the_pass_that_made_the_map(recorded, drawn, day):
    folder, plan = recorded
    look = read_attention(folder, 2, *PLACE, day.domain)
    # the same tile once more through the network, its attention read out of the plain formula
    tile = plan.tiles[look["tile"]]
    trace = Trace("bridge_attention", "wind_gamma", "wind_beta")
    with torch.inference_mode():
        drawn.forecast_delta(
            day.local_inputs([tile], 2), drawn.encode_global(day.global_inputs()), trace=trace
        )
    row, col = day.domain.fine.index_of(*PLACE)
    token = (row - tile.rows.start) // 16 * 32 + (col - tile.cols.start) // 16
    assert look["token"] == token
    expected = trace["bridge_attention"][:, 0, :, token].reshape(look["attention"].shape).numpy()
    # queries are kept in half precision: relative error of logits about 1e-3
    assert np.abs(look["attention"] - expected).max() < 5e-3 * expected.max()
    bias = trace["wind_beta"][:, :, None] * trace["wind_gamma"][0, token]
    assert np.allclose(look["wind_bias"], bias.reshape(look["wind_bias"].shape).numpy(), atol=1e-5)


def test_attention_sums_to_one_and_spares_padded_tokens(recorded, day):
    look = read_attention(recorded[0], 2, *PLACE, day.domain)
    assert np.allclose(look["attention"].sum((-2, -1)), 1, atol=1e-5)
    # 28 coarse columns are padded to 56: token columns 4.. hold nothing real (28 / 8 = 3.5)
    assert look["attention"].shape[-2:] == (7, 7)
    assert look["attention"][..., 4:].max() == 0
    assert look["valid"].shape == (7, 7)
    assert look["valid"][:, :4].all() and look["valid"].sum() == 28


def test_looking_uphill_costs_attention_and_wind_is_read_at_the_place(recorded, day):
    look = read_attention(recorded[0], 2, *PLACE, day.domain)
    assert look["elevation_bias"].shape == (32, 32)
    row = int(np.abs(look["tile_latitude"] - look["token_latitude"]).argmin())
    col = int(np.abs(look["tile_longitude"] - look["token_longitude"]).argmin())
    higher = look["elevation"] > look["elevation"][row, col]
    assert (look["elevation_bias"][higher] < 0).all() and (look["elevation_bias"][~higher] == 0).all()
    assert np.isfinite(look["wind"]).all()
    assert abs(look["token_latitude"] - PLACE[0]) <= 0.08 + 1e-6


def test_what_height_leaves_is_that_of_the_pass(recorded, drawn, day):
    folder, plan = recorded
    look = read_attention(folder, 2, *PLACE, day.domain)
    with torch.inference_mode():
        share = drawn.damping_factor(
            day.local_inputs([plan.tiles[look["tile"]]], 2), drawn.encode_global(day.global_inputs())
        )
    expected = share[0].reshape(32, 16, 32, 16).mean((1, 3)).numpy()
    assert np.allclose(look["height_damping"], expected, atol=1e-5)
    assert look["height_damping"].min() < 1


def test_the_airs_way_is_the_one_the_run_took(recorded, drawn, day):
    path = read_attention(recorded[0], 2, *PLACE, day.domain)["path"]
    assert path[0].tolist() == [0.0, *PLACE]
    assert path[1:, 0].tolist() == [12, 24, 36, 48]  # up to the lead time of two days
    with torch.inference_mode():
        paths = drawn.encode_global(day.global_inputs()).paths[0]
    grid = day.domain.coarse
    row, col = round(grid.row_of(PLACE[0])), round(grid.col_of(PLACE[1]))
    node = read_attention(recorded[0], 2, grid.lat[row], grid.lon[col], day.domain)["path"]
    assert np.allclose(node[1:, 1], grid.lat[0] - grid.step * paths[:4, 0, row, col].numpy(), atol=1e-3)
    assert np.allclose(node[1:, 2], grid.lon[0] + grid.step * paths[:4, 1, row, col].numpy(), atol=1e-3)


def test_a_place_without_a_forecast_says_so(recorded, day):
    with pytest.raises(AttentionNotRecordedError, match="no forecast"):
        read_attention(recorded[0], 1, *PLACE, day.domain)
