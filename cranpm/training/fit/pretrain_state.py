"""What changes while the global branch learns alone: one step of it, and how it is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from cranpm.model import CranPM
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.training.fit.health import Health
from cranpm.training.fit.optimiser import parameter_groups
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.rng import random_state, restore_random_state
from cranpm.training.state.state import TrainStateError


class PretrainState:
    """Weights, optimiser, schedule, count of steps and of those left out.

    Parameters
    ----------
    recipe : Recipe
    network : CranPM
    head : CoarseForecast
        The readout that is trained along.
    trained : Module
        The parts that learn.
    total_steps : int
        Length of the schedule: a linear warm-up over a tenth of it, then a cosine.
    """

    def __init__(
        self, recipe: Recipe, network: CranPM, head: CoarseForecast, trained: nn.Module, total_steps: int
    ) -> None:
        groups = parameter_groups(trained, recipe, learning_rate=recipe.global_learning_rate)
        self._optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            [group["lr"] for group in groups],
            total_steps=total_steps,
            pct_start=0.1,
            cycle_momentum=False,
        )
        self._parts: dict[str, nn.Module | Optimizer | LRScheduler] = {
            "network": network,
            "head": head,
            "optimiser": self._optimiser,
            "schedule": self._schedule,
        }
        self._weights = list(trained.parameters())
        self._clip = recipe.gradient_clip
        self.health = Health(recipe.max_skipped_steps, "pretraining")
        self.step = 0
        self.errors = np.zeros(2)
        """Squared errors of the readout and of persistence, summed over the steps of an epoch."""

    def learn(self, loss: torch.Tensor, still: torch.Tensor, what: str) -> None:
        """One step; left out with a warning if its gradient is not finite.

        Parameters
        ----------
        loss, still : Tensor, shape ()
            Squared error of the readout, and of persistence.
        what : str
            The days of the step, in words.
        """
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.health.clip(self._weights, self._clip)
        if not self.health.skipped:
            self.errors += float(loss.detach()), float(still)
        self._advance(what, float(loss.detach()))

    def leave_out(self, what: str) -> None:
        """A step whose days cannot be read."""
        self._optimiser.zero_grad(set_to_none=True)
        self.health.count(False)
        self._advance(what)

    def _advance(self, what: str, loss: float | None = None) -> None:
        self._optimiser.step()  # moves nothing where there is no gradient
        self._schedule.step()
        self.step += 1
        self.health.refuse_or_warn(self.step, what, loss)

    def ends_epoch(self) -> float:
        """Skill on the days of the epoch, which is forgotten."""
        result, self.errors = skill(self.errors), np.zeros(2)
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything that pre-training needs to go on exactly where it was."""
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        counts = {"step": self.step, "errors": self.errors.tolist(), "health": self.health.state_dict()}
        return parts | counts | {"random": random_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`.

        Raises
        ------
        TrainStateError
            If the state was saved by version 0.1, whose pretraining took other steps.
        """
        if "health" not in state:
            raise TrainStateError(
                "This pretraining was begun by an earlier version of cranpm, which took other steps, so that it cannot "
                "be gone on with exactly. Begin anew in another folder."
            )
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.step, self.errors = int(state["step"]), np.array(state["errors"])
        self.health.load_state_dict(state["health"])
        restore_random_state(state["random"])


def skill(errors: np.ndarray) -> float:
    """Relative change of RMSE from persistence; negative is better, NaN where no step was made."""
    return float(np.sqrt(errors[0] / errors[1]) - 1) if errors[1] else float("nan")
