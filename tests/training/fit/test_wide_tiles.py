"""Some steps draw tiles as large as forecasts have: relative positions of all distances are learned."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.domain.tiling import TILE_SIZE
from cranpm.model import CranPM
from cranpm.model.layers.bias import relative_bucket_table
from cranpm.training.fit.loop import train, training_batches
from cranpm.training.recipes.recipes import RECIPES, get_recipe, tiny
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session


def test_every_so_many_th_step_is_wide_and_others_draw_as_before(data, quick):
    plain, mixed = quick, replace(quick, wide_tile_interval=3, tiles_per_day=5)
    before, now = (training_batches(r, data) for r in (replace(plain, tiles_per_day=5), mixed))
    for step in range(6):
        (group,) = now.groups(step)
        if step in (2, 5):
            assert (group.tile_size, len(group.tiles)) == (TILE_SIZE, 1)
            assert group.init_time == before.groups(step)[0].init_time
        else:
            assert now.groups(step) == before.groups(step)
    batch = now.batch(2)
    assert batch.today.shape == (1, TILE_SIZE, TILE_SIZE)
    assert batch.local_inputs.wind.shape[-1] == TILE_SIZE // 16


def test_as_many_cells_are_learned_from_in_a_wide_step():
    recipe = replace(tiny(), tile_size=256, tiles_per_day=8)
    assert recipe.wide_tiles_per_day * TILE_SIZE**2 == recipe.tiles_per_day * recipe.tile_size**2


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_learn_all_relative_positions_of_a_forecast(name):
    recipe = get_recipe(name)
    assert recipe.tile_size == TILE_SIZE or recipe.wide_tile_interval > 0


def test_all_entries_that_a_forecast_uses_have_learned(data, quick, tmp_path):
    """A forecast's tile has 32 x 32 tokens, so offsets of -31..31; tiles of 128 cells have 8 x 8."""
    recipe = replace(
        quick, steps=4, bias_update_interval=2, wide_tile_interval=2, average_decay=None, calibration_steps=0,
        warmup_steps=0, weight_decay=0.0,
    )  # fmt: skip
    used = relative_bucket_table(32, 32).unique()
    narrow = relative_bucket_table(8, 8).unique()
    assert len(narrow) < 0.5 * len(used)
    for wide, expected in ((2, used), (0, narrow)):
        torch.manual_seed(0)
        network = CranPM(recipe.model)
        begun = network.local_branch.elevation_block.relative_table.detach().clone()
        made = train(
            replace(recipe, wide_tile_interval=wide),
            data,
            TrainerOptions(workers=0, bar=False),
            Session(out=tmp_path / str(wide)),
            network=network,
        )
        moved = (made.local_branch.elevation_block.relative_table != begun).any(1).nonzero()[:, 0]
        assert torch.equal(moved, expected)


def test_wide_steps_are_those_in_which_biases_learn():
    with pytest.raises(
        ValueError, match=r"wide_tile_interval is 6; expected 0 for none, or a multiple of bias_update"
    ):
        replace(tiny(), bias_update_interval=4, wide_tile_interval=6)
    with pytest.raises(ValueError, match="tile_size of at most 512"):
        replace(tiny(), tile_size=1024)
