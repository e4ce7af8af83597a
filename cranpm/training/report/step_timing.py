"""Training steps on made-up values, timed: how long a run takes on this device, before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from cranpm.domain import Domain
from cranpm.model import CranPM, GlobalInputs, LocalInputs
from cranpm.training.batches.batches import TrainingBatch, to_device
from cranpm.training.fit.auxiliary_heads import CoarseForecast
from cranpm.training.fit.module import Training
from cranpm.training.fit.pretrain import pretrain_loss
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.throughput import synchronize

ROUNDS = 2
"""Steps timed of each kind, after one that is not; the faster one counts."""


@dataclass(frozen=True, kw_only=True)
class StepTiming:
    """Seconds that steps of a recipe took here, forward, backward and update; without reading data."""

    step: float
    token_step: float
    """Of the stage that learns patch means, before the decoder takes part."""
    pretrain_day: float
    """One day of pretraining; 0 for a network without a global branch."""


def benchmark_step(
    recipe: Recipe, domain: Domain, device: torch.device, micro_batch: int | None = None
) -> StepTiming:
    """Time a step of each kind on made-up values.

    Parameters
    ----------
    recipe : Recipe
    domain : Domain
        Its coarse grid sets the cost of a day.
    device : torch.device
    micro_batch : int, optional
        Tiles whose activations are held at a time; None for all.
    """
    return StepTiming(
        # outside a trainer a module is at step 0, so its recipe says which stage that is
        step=_seconds(make_step(replace(recipe, token_steps=0), domain, device, micro_batch), device),
        token_step=_seconds(make_step(replace(recipe, token_steps=1), domain, device, micro_batch), device),
        pretrain_day=_pretrain_step_seconds(recipe, domain, device) / recipe.global_days_per_step,
    )


def make_step(
    recipe: Recipe, domain: Domain, device: torch.device, micro_batch: int | None = None
) -> Callable[[], None]:
    """A step of training on made-up values, to be called again and again: forward, backward, update.

    Parameters
    ----------
    recipe : Recipe
        With ``token_steps`` above 0 the step is of the stage that learns patch means.
    domain : Domain
    device : torch.device
    micro_batch : int, optional
        Tiles whose activations are held at a time; None for all.
    """
    batch = to_device(_made_up_batch(recipe, domain), device)
    module = Training(recipe, micro_batch=micro_batch).train().to(device)

    def loss() -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.bfloat16):
            return module.losses(batch)["loss"]

    return _step(loss, module)


def _pretrain_step_seconds(recipe: Recipe, domain: Domain, device: torch.device) -> float:
    network = CranPM(recipe.model).to(device).train()
    if network.global_branch is None or not recipe.global_epochs:
        return 0.0
    head = (network.coarse_head or CoarseForecast.of(recipe.model, len(recipe.leads))).to(device)
    inputs = to_device(made_up_days(recipe, domain, recipe.global_days_per_step), device)
    change = _made_up_change(recipe, domain, recipe.global_days_per_step).to(device)

    def loss() -> torch.Tensor:
        return pretrain_loss(network, head, inputs, change, recipe.leads, recipe.bfloat16)

    return _seconds(_step(loss, network), device)


def _step(loss: Callable[[], torch.Tensor], learner: torch.nn.Module) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1e-6)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return step


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    best = float("inf")
    for turn in range(1 + ROUNDS):
        synchronize(device)
        begun = time.perf_counter()
        step()
        synchronize(device)
        if turn:
            best = min(best, time.perf_counter() - begun)
    return best


def _made_up_batch(recipe: Recipe, domain: Domain) -> TrainingBatch:
    days, size = recipe.days_per_step, recipe.tile_size
    tiles = days * recipe.tiles_per_day
    today = 10 * torch.rand(tiles, size, size)
    return TrainingBatch(
        global_inputs=made_up_days(recipe, domain, days),
        local_inputs=made_up_tiles(recipe, domain, tiles),
        day_index=torch.arange(tiles) // recipe.tiles_per_day,
        today=today,
        target=today + torch.randn_like(today),
        mask=torch.ones_like(today, dtype=torch.bool),
        coarse_change=_made_up_change(recipe, domain, days),
        groups=(),
    )


def _made_up_change(recipe: Recipe, domain: Domain, days: int) -> torch.Tensor:
    return torch.randn(days, len(recipe.leads), *domain.coarse.shape)


def made_up_days(recipe: Recipe, domain: Domain, days: int) -> GlobalInputs:
    """Inputs of days in the shapes of a recipe and a domain, random values."""
    rows, cols = domain.coarse.shape
    return GlobalInputs(
        fields=torch.randn(days, recipe.model.coarse_channels, rows, cols),
        elevation=1000 * torch.rand(1, rows, cols),
        wind=5 * torch.randn(days, 2, rows, cols),
        latitude=torch.linspace(domain.coarse.lat[0], domain.coarse.lat[-1], rows),
        longitude=torch.linspace(domain.coarse.lon[0], domain.coarse.lon[-1], cols),
        valid=None,
    )


def made_up_tiles(recipe: Recipe, domain: Domain, tiles: int) -> LocalInputs:
    """Inputs of tiles in the shapes of a recipe, random values, all in the domain's north-west corner."""
    size, model = recipe.tile_size, recipe.model
    tokens = size // model.local_patch
    step = domain.fine.step
    return LocalInputs(
        fields=torch.randn(tiles, model.local_channels, size, size),
        elevation=1000 * torch.rand(tiles, size, size),
        wind=5 * torch.randn(tiles, 2, tokens, tokens),
        latitude=(domain.fine.lat[0] - step * torch.arange(size)).expand(tiles, size),
        longitude=(domain.fine.lon[0] + step * torch.arange(size)).expand(tiles, size),
        lead=torch.ones(tiles, dtype=torch.long),
    )
