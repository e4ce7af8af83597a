"""A step in parts: the same losses and the same gradient as the step in one, in less memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cranpm.data.store.source import source_statistics
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.loop import train, training_batches
from cranpm.training.fit.module import Training
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session


@pytest.fixture(scope="module")
def station_data(make_world) -> TrainingData:
    world = make_world().with_stations()
    return TrainingData(source=world, statistics=source_statistics(world, world.days))


def every_part(recipe: Recipe, **changes: object) -> Recipe:
    """A recipe with all terms of the loss, without dropout (which draws anew for each part)."""
    model = replace(recipe.model, drop_path=0.0, input_dropout=0.0, transport=True, coarse_forecast=True)
    terms = {"frequency_weight": 0.1, "station_weight": 0.1, "coarse_weight": 0.5, "hotspot_weight": 1.0}
    sizes = {"days_per_step": 3, "tiles_per_day": 2, "token_steps": 0, "precision": "32-true"}
    return replace(recipe, model=model, **(terms | sizes | changes))


def gradients(recipe: Recipe, data: TrainingData, micro_batch: int | None) -> tuple[dict, dict]:
    torch.manual_seed(recipe.seed)
    module = Training(recipe, micro_batch=micro_batch).train()
    for parameter in module.parameters():  # heads begin at zero and would pass no gradient on
        torch.nn.init.normal_(parameter, std=0.05) if not parameter.any() else None
    terms = module.losses(training_batches(recipe, data).batch(0))
    terms["loss"].backward()
    return terms, {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("token_steps", [0, 1])
def test_parts_have_the_gradient_of_the_whole(station_data, quick, at_once, token_steps):
    recipe = every_part(quick, token_steps=token_steps)
    expected, whole = gradients(recipe, station_data, None)
    found, parts = gradients(recipe, station_data, at_once)
    assert found.keys() == expected.keys() and parts.keys() == whole.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-5), name
    size = torch.cat([gradient.flatten() for gradient in whole.values()]).norm()
    for name, gradient in whole.items():
        # float32 sums in another order
        assert (parts[name] - gradient).norm() < 1e-4 * gradient.norm() + 1e-6 * size, name


def kept_bytes(recipe: Recipe, data: TrainingData, micro_batch: int | None) -> int:
    """What a forward pass keeps for the backward one."""
    module, seen, held = Training(recipe, micro_batch=micro_batch).train(), {}, []
    batch = training_batches(recipe, data).batch(0)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module.losses(batch)
    return sum(seen.values())


def test_parts_keep_inputs_and_no_activations(station_data, quick):
    recipe = every_part(quick)
    assert kept_bytes(recipe, station_data, 1) < 0.3 * kept_bytes(recipe, station_data, None)


def test_a_run_in_parts_learns_what_a_run_in_one_does(station_data, quick, tmp_path):
    recipe = every_part(quick, steps=3, station_weight=0.0)

    def weights(micro_batch: int | None) -> torch.Tensor:
        options = TrainerOptions(workers=0, bar=False, micro_batch=micro_batch)
        network = train(recipe, station_data, options, Session(out=tmp_path / str(micro_batch)))
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    whole, parts = weights(None), weights(2)
    assert (parts - whole).abs().max() < 1e-5
