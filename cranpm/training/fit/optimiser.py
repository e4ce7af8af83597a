"""Which weights learn at which rate, and how the rate changes from step to step."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from cranpm.model.parameters import parameter_groups as decay_groups
from cranpm.training.recipes.kinds import Schedule
from cranpm.training.recipes.recipes import Recipe

GLOBAL_PARTS = ("global_branch.", "coarse_head.", "transport.")
"""In the names of the global branch's weights, within a whole network."""


def parameter_groups(
    module: nn.Module, recipe: Recipe, *, learning_rate: float, global_lr_mult: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for AdamW: weights with decay, the rest without; the priors and the global branch at their own rates.

    Parameters
    ----------
    module : Module
    recipe : Recipe
        Its ``weight_decay`` and ``prior_lr_mult``.
    learning_rate : float
        Of all weights that have none of their own.
    global_lr_mult : float
        Rate of the global branch relative to it.
    """
    own = {id(p): recipe.prior_lr_mult for name, p in module.named_parameters() if is_prior(name)}
    for name, p in module.named_parameters():
        if any(part in name for part in GLOBAL_PARTS):
            own.setdefault(id(p), global_lr_mult)
    groups = []
    for group in decay_groups(module, recipe.weight_decay):
        for rate in sorted({own.get(id(p), 1.0) for p in group["params"]}, reverse=True):
            members = [p for p in group["params"] if own.get(id(p), 1.0) == rate]
            groups.append({**group, "params": members, "lr": learning_rate * rate})
    return groups


def is_prior(name: str) -> bool:
    """Whether a parameter is the strength of a physical prior."""
    return name.rsplit(".", 1)[-1] in ("raw_alpha", "beta", "raw_reach")


def rate_factor(step: int, recipe: Schedule) -> float:
    """Learning rate relative to its peak: linear warm-up, then cosine."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    progress = min(1.0, (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps))
    floor = recipe.min_lr / recipe.learning_rate
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
