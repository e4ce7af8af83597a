"""What an optimiser step of a rival costs here, measured: the coin in which all rivals get the same budget."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import numpy as np
import torch

from cranpm._json import JsonObject
from cranpm._progress import duration
from cranpm.baselines.learned.blocks import FRAME_CHANNELS, FRAMES, STATIC_CHANNELS, NodeInputs
from cranpm.domain import Domain
from cranpm.memory import peak_memory
from cranpm.training.recipes.rivals import RivalRecipe
from cranpm.training.rivals.days import RivalBatch
from cranpm.training.rivals.module import node_mse

ROUNDS = 3
"""Steps that are timed, after one that is not."""


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """An optimiser step, without reading its days, and a run of such steps, without validation."""

    recipe: str
    parameters: int
    days_per_step: int
    seconds: float
    """Of the fastest step, as a clock on the wall sees it."""
    cpu_seconds: float
    """Of all threads together, in the middle one of the steps."""
    memory: int
    """Most that this process has held [bytes]."""
    steps: int
    """Of the recipe, or what its CPU minutes pay for."""

    def steps_in(self, cpu_minutes: float) -> int:
        """Steps that so many minutes pay for, at least one."""
        return max(1, int(60 * cpu_minutes / max(self.cpu_seconds, 1e-9)))

    def to_dict(self) -> JsonObject:
        """Plain values, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.recipe}: {self.parameters:,} parameters",
            f"A step of {self.days_per_step} days: {self.cpu_seconds:.2f} CPU s, {self.seconds:.2f} s here; "
            f"{self.memory / 1e9:.1f} GB",
            f"{self.steps:,} steps: {self.steps * self.cpu_seconds / 60:.0f} CPU minutes, "
            f"{duration(self.steps * self.seconds)} here, without reading days and validating",
        ]


def measure_step(recipe: RivalRecipe, batch: RivalBatch) -> StepCost:
    """Time optimiser steps on a batch; nothing that is learned by them is kept, and no random stream moves.

    Parameters
    ----------
    recipe : RivalRecipe
    batch : RivalBatch
        Of the size of its steps.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng():
        network = recipe.rival.build().to(device).train()
        optimiser = torch.optim.AdamW(network.parameters())
        batch = batch.to(device)
        timed = []
        for _ in range(1 + ROUNDS):
            wall, cpu = time.perf_counter(), time.process_time()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
                predicted = network(batch.inputs)
            loss = node_mse(predicted.float(), batch.change, batch.weight)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss.item()  # waits for a GPU
            timed.append((time.perf_counter() - wall, time.process_time() - cpu))
    cost = StepCost(
        recipe=f"{recipe.rival.title}, {recipe.rival.size}",
        parameters=sum(p.numel() for p in network.parameters()),
        days_per_step=recipe.days_per_step,
        seconds=min(wall for wall, _ in timed[1:]),
        cpu_seconds=sorted(cpu for _, cpu in timed[1:])[ROUNDS // 2],
        memory=peak_memory(),
        steps=recipe.steps,
    )
    if recipe.cpu_minutes is None:
        return cost
    return StepCost(**{**asdict(cost), "steps": cost.steps_in(recipe.cpu_minutes)})


def made_up_batch(recipe: RivalRecipe, domain: Domain) -> RivalBatch:
    """A batch of the recipe's size on a domain's nodes, of numbers by chance."""
    shape, size = domain.coarse.shape, recipe.days_per_step
    with torch.random.fork_rng():
        torch.manual_seed(0)
        inputs = NodeInputs(
            frames=torch.randn(size, FRAMES, FRAME_CHANNELS, *shape),
            static=torch.randn(size, STATIC_CHANNELS, *shape),
            elevation=1000 * torch.rand(size, *shape),
            wind=5 * torch.randn(size, 2, *shape),
            valid=torch.ones(size, *shape, dtype=torch.bool),
        )
        change = torch.randn(size, len(recipe.leads), *shape)
    days = tuple(np.datetime64("2017-01-02") + np.arange(size))
    return RivalBatch(inputs=inputs, change=change, weight=torch.ones_like(change), init_days=days)
