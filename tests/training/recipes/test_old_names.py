"""Runs and checkpoints of the version before, whose fields had other names, still open."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cranpm import paths
from cranpm.domain import Statistics
from cranpm.model.config import RENAMED as MODEL_RENAMED
from cranpm.model.config import ModelConfig
from cranpm.training.recipes.recipes import RENAMED, Recipe, tiny
from cranpm.training.state import state as state_module
from cranpm.training.state.state import TrainStates


def with_old_names(recipe: Recipe) -> dict:
    old, old_model = ({new: name for name, new in names.items()} for names in (RENAMED, MODEL_RENAMED))
    values = json.loads(json.dumps(recipe.to_dict()))
    values["model"] = {old_model.get(name, name): value for name, value in values["model"].items()}
    return {old.get(name, name): value for name, value in values.items()}


def test_a_recipe_with_old_names_is_the_same_recipe():
    recipe = replace(tiny(), prior_lr_mult=5.0, bias_update_interval=4, min_lr=1e-5)
    old = with_old_names(recipe)
    assert {"prior_rate", "global_rate", "bias_every", "most_skipped", "least_learning_rate"} <= old.keys()
    assert Recipe.from_dict(old) == recipe


def test_a_state_saved_under_old_names_goes_on(tmp_path):
    recipe = tiny()
    saved = TrainStates(tmp_path, {"recipe": with_old_names(recipe)}).save({"a": 1}, 3)
    document = json.loads((saved.folder / "state.json").read_text())
    assert "bias_every" in document["recipe"] and document["seal"] == state_module._seal(document)
    present = TrainStates(tmp_path, {"recipe": recipe.to_dict()})
    newest = present.newest()
    assert newest is not None and newest.step == 3
    present.refuse_other_run(newest)
    with pytest.raises(state_module.TrainStateError, match="prior_lr_mult was 5.0, is 2.0"):
        TrainStates(tmp_path, {"recipe": replace(recipe, prior_lr_mult=2.0).to_dict()}).refuse_other_run(
            newest
        )


def test_the_released_checkpoint_was_made_under_old_names_and_opens():
    document = json.loads((paths.assets_dir() / "checkpoints" / "demo" / "config.json").read_text())
    values = document["model"]
    assert "global_climb" in values, "a checkpoint of the version before is gone from here; keep a small one"
    config = ModelConfig.from_dict(values)
    assert config.global_elevation_scale == values["global_climb"]
    assert config.coarse_predictors == values["coarse_amounts"]
    # it forecasts as it was trained: gaps told by their value, and filled with 15 ug/m3
    assert "gap_masks" not in values and config.gap_masks is False
    assert Statistics.from_dict(document["statistics"]).pm2p5_fill == 15.0
