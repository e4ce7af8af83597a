"""What an ablation takes out is out, wherever a network holds it; and what is compared is alike in all else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.domain import domain_from_corner
from cranpm.model import CranPM
from cranpm.model.presets import SMALL_SIZE
from cranpm.training.recipes.ablations import ablation
from cranpm.training.recipes.recipes import RECIPES, get_recipe
from cranpm.training.report.step_timing import made_up_days, made_up_tiles

DOMAIN = domain_from_corner("corner", "Corner", north=48.0, west=6.0, coarse_rows=56, coarse_cols=56)
SMALL_RECIPES = [name for name in RECIPES if name != "paper"]


@pytest.fixture(scope="module")
def changes(draw_network):
    """``changes(recipe, name, "elevation")``: whether priors read that field, channels left as they are."""

    def moved(recipe, name, field):
        recipe = replace(ablation(name, get_recipe(recipe)), tile_size=128, wide_tile_interval=0)
        network: CranPM = draw_network(recipe.model)
        torch.manual_seed(3)
        days, tiles = made_up_days(recipe, DOMAIN, 1), made_up_tiles(recipe, DOMAIN, 1)
        found = {}
        turn = torch.neg if field == "wind" else (lambda x: x.flip(-1))
        with torch.no_grad():
            before = network(days, tiles)
            for part, given in (
                ("global", (replace(days, **{field: turn(getattr(days, field))}), tiles)),
                ("local", (days, replace(tiles, **{field: turn(getattr(tiles, field))}))),
            ):
                found[part] = not torch.equal(before, network(*given))
        return found

    return moved


@pytest.mark.parametrize("recipe", SMALL_RECIPES)
def test_without_priors_from_terrain_none_is_left(changes, recipe):
    assert changes(recipe, "R2", "elevation") == {"global": False, "local": False}
    assert changes(recipe, "full", "elevation") == {"global": True, "local": True}


@pytest.mark.parametrize("recipe", SMALL_RECIPES)
def test_of_the_priors_from_wind_those_are_left_that_the_name_says(changes, recipe):
    """The scan reads the coarse wind, the bias the tile's; transport, too, would read the coarse one."""
    assert changes(recipe, "R3", "wind") == {"global": False, "local": False}
    assert changes(recipe, "scan-only", "wind") == {"global": True, "local": False}
    assert changes(recipe, "bias-only", "wind") == {"global": False, "local": True}
    assert changes(recipe, "full", "wind") == {"global": True, "local": True}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["scan-only", "bias-only", "R3"])
def test_transport_is_a_prior_from_wind(recipe, name):
    assert not ablation(name, get_recipe(recipe)).model.transport


@pytest.mark.parametrize("recipe", RECIPES)
def test_table_3b_compares_equal_numbers_of_tiles(recipe):
    """The steps differ in size, not what is drawn in all of them."""
    drawn = {}
    for name in "ABCD":
        row = ablation(name, get_recipe(recipe))
        drawn[name] = (
            row.steps * row.days_per_step * row.tiles_per_day,
            row.warmup_steps * row.days_per_step,
            row.token_steps * row.days_per_step,
            row.calibration_steps * row.days_per_step,
        )
    assert len(set(drawn.values())) == 1, drawn
    a, b = (ablation(name, get_recipe(recipe)) for name in "AB")
    assert a.days_per_step == 1 < b.days_per_step == get_recipe(recipe).days_per_step


@pytest.mark.parametrize("recipe", SMALL_RECIPES)
def test_with_the_bridge_off_no_token_reads_another_branch(recipe, draw_network):
    changed = replace(ablation("bridge-off", get_recipe(recipe)), tile_size=128, wide_tile_interval=0)
    network = draw_network(changed.model)
    tiles = made_up_tiles(changed, DOMAIN, 1)
    contexts = [network.encode_global(made_up_days(changed, DOMAIN, 1)) for _ in range(2)]
    with torch.no_grad():
        tokens = [network.fuse(tiles, context)[0] for context in contexts]
    assert torch.equal(*tokens)


def test_the_papers_network_at_the_demos_size_has_nothing_of_its_own():
    """All of Table S1, narrower: fields other than widths, depths, heads and the name are the paper's."""
    sizes = {"name", *SMALL_SIZE}
    ours, theirs = (get_recipe(name).model.to_dict() for name in ("paper-small", "paper"))
    assert {name for name in ours if ours[name] != theirs[name]} == sizes
    demo = get_recipe("small").model.to_dict()
    assert all(ours[name] == demo[name] for name in sizes - {"name"})
    recipe = get_recipe("paper-small")
    beyond = (
        "global_epochs",
        "token_steps",
        "coarse_weight",
        "puff_share",
        "calibration_steps",
        "hotspot_weight",
    )
    assert not any(getattr(recipe, name) for name in beyond) and recipe.average_decay is None
    assert (recipe.frequency_weight, recipe.station_weight, recipe.hotspot_ratio) == (0.1, 0.1, 0.5)
    network = CranPM(recipe.model)
    assert network.transport is network.height is network.coarse_head is None
