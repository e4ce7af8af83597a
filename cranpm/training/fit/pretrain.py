"""Pretraining of the global branch alone: tomorrow's coarse composition from today's coarse fields.

Every node of every day is a target, at the cost of one global encoding: far more is learned per second about how
weather moves and changes PM2.5 than through a few tiles. The bridge and the local branch then learn from tokens that
already know. Needs the coarse fields only (CAMS itself is the target), so it works on real data too. Not in the paper.
"""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from cranpm.data.store.source import init_times
from cranpm.model import CranPM
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.model.inputs import GlobalInputs
from cranpm.model.parameters import learn_biases, parameter_groups
from cranpm.training.batches.batches import CoarseChange, read_global, to_device
from cranpm.training.batches.puffs import Puff, Puffs
from cranpm.training.batches.source import TrainingData
from cranpm.training.fit.auxiliary_heads import coarse_change
from cranpm.training.fit.health import NonFiniteError, refuse_non_finite
from cranpm.training.fit.losses import known_mse
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.rng import random_state, restore_random_state
from cranpm.training.state.session import Session
from cranpm.training.state.signals import TrainingStopped

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")

PRETRAIN_DAYS = 4
"""Days of one step."""
VALIDATION_STRIDE = 6
"""Every so many-th day of the validation split is looked at after each pass."""
MOST_SKIPPED = 5
"""Steps in a row that may be left out because their gradient is not finite."""


def pretrain_global(
    network: CranPM, recipe: Recipe, data: TrainingData, options: TrainerOptions, session: Session
) -> CoarseForecast:
    """Train the global branch and the bridge's projection in place.

    Parameters
    ----------
    network : CranPM
    recipe : Recipe
        Its ``global_epochs`` passes are made over the days of its training split.
    data : TrainingData
    options : TrainerOptions
    session : Session
        Its ``saved`` state, if there is one, is of this stage.

    Returns
    -------
    CoarseForecast
        The readout that was trained along, to go on with.

    Raises
    ------
    ValueError
        If the network has no global branch.
    TrainingStopped
        If asked to stop.
    NonFiniteError
        If more than `MOST_SKIPPED` steps in a row cannot be learned from.
    """
    seed, weight_decay = 1, 0.05
    torch.manual_seed(seed)
    if network.global_branch is None or network.bridge is None:
        raise ValueError('Nothing to teach: this network has no global branch (fusion="none").')
    source, states, saved, stop = data.source, session.states, session.saved, session.stop
    init_days, validation_days = (
        init_times(source, split, recipe.splits, recipe.leads) for split in ("train", "validation")
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    days_of = _Days(recipe, data, device)
    puffs = Puffs.of(recipe, source)
    epochs, days_per_step, learning_rate = recipe.global_epochs, PRETRAIN_DAYS, recipe.global_learning_rate
    head = network.coarse_head or CoarseForecast.of(network.config, len(recipe.leads))
    parts = [network.global_branch, _projection(network), head]
    taught = nn.ModuleList(parts if network.transport is None else [*parts, network.transport]).to(device)
    optimiser = torch.optim.AdamW(parameter_groups(taught, weight_decay), lr=learning_rate, betas=(0.9, 0.98))
    steps_per_epoch = max(1, len(init_days) // days_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps_per_epoch, pct_start=0.1, cycle_momentum=False
    )
    stage = _PretrainState(network, head, optimiser, schedule)
    if saved is not None:
        stage.restore(saved.load())
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(init_days)) for _ in range(epochs)]
    before = 0.0 if saved is None else saved.document.get("seconds", 0.0)
    started = time.perf_counter()
    network.train()
    for epoch in range(stage.step // steps_per_epoch, epochs):
        first = stage.step - epoch * steps_per_epoch
        groups = [
            [init_days[i] for i in orders[epoch][step * days_per_step : (step + 1) * days_per_step]]
            for step in range(first, steps_per_epoch)
        ]
        read = functools.partial(_read_with_puffs, days_of, puffs, epoch)
        with closing(read_ahead(read, groups)) as batches:
            for step, batch in enumerate(batches, start=first):
                learn_biases(taught, step % recipe.bias_update_interval == 0)
                stage.learn(taught, *days_of.loss(network, head, *batch))
                ends = step + 1 == steps_per_epoch
                if ends:
                    line = f"global branch, epoch {epoch + 1} of {epochs}: "
                    line += f"RMSE {stage.ends_epoch():+.1%} against persistence"
                    line += _on_validation_days(network, head, days_of, validation_days[::VALIDATION_STRIDE])
                    session.report(f"{line}, {time.perf_counter() - started:.0f} s")
                asked = stop.asked is not None
                if states is not None and (ends or asked or stage.step % options.save_every == 0):
                    refuse_non_finite(network.state_dict().items(), f"Step {stage.step} of the global branch")
                    seconds = round(before + time.perf_counter() - started, 1)
                    states.save(stage.state(), stage.step, "global", seconds=seconds)
                if asked:
                    raise TrainingStopped(
                        f"Stopped at step {stage.step} of the global branch. Go on with --resume."
                    )
    learn_biases(taught, True)
    return head


def read_ahead(
    read: Callable[[_Item], _Read], items: Iterable[_Item], depth: int = 2
) -> Generator[_Read, None, None]:
    """What ``read`` makes of each item, in order; the next ones are read by a thread while this one is used."""
    waiting: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="days")
    try:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_with_puffs(
    days_of: _Days, puffs: Puffs | None, epoch: int, days: Sequence[np.datetime64]
) -> tuple[GlobalInputs, torch.Tensor]:
    return days_of.read(days, [None if puffs is None else puffs.draw(epoch, day) for day in days])


class _PretrainState:
    """What changes while the global branch learns, and how it is kept."""

    def __init__(
        self,
        network: CranPM,
        head: CoarseForecast,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        self._parts: dict[str, Any] = {
            "network": network,
            "head": head,
            "optimiser": optimiser,
            "schedule": schedule,
        }
        self._optimiser, self._schedule = optimiser, schedule
        self.step = self.skipped = 0
        self.errors = np.zeros(2)

    def learn(self, taught: nn.Module, loss: torch.Tensor, still: torch.Tensor) -> None:
        """One step; left out if its gradient is not finite."""
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(taught.parameters(), 1.0)
        finite = bool(torch.isfinite(norm))
        if finite:
            self._optimiser.step()
            self.errors += float(loss.detach()), float(still)
        self.skipped = 0 if finite else self.skipped + 1
        if self.skipped > MOST_SKIPPED:
            raise NonFiniteError(
                f"{self.skipped} steps in a row of the global branch had a gradient that is not finite, the last at "
                f"step {self.step}. Lower the learning rate, or look for damaged days in the source."
            )
        self._schedule.step()
        self.step += 1

    def ends_epoch(self) -> float:
        """Skill on the days of the epoch, which is forgotten."""
        skill, self.errors = _skill(self.errors), np.zeros(2)
        return skill

    def state(self) -> dict[str, Any]:
        parts = {name: part.state_dict() for name, part in self._parts.items()}
        return parts | {"step": self.step, "errors": self.errors.tolist(), "random": random_state()}

    def restore(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self.step, self.errors = int(state["step"]), np.array(state["errors"])
        restore_random_state(state["random"])


def _projection(network: CranPM) -> nn.Module:
    """The bridge's shared projection of global tokens, wherever the kind of fusion keeps it."""
    return next(module for name, module in network.bridge.named_modules() if name.endswith("project"))  # type: ignore[union-attr]


class _Days:
    """Loss of the coarse readout on days of a source."""

    def __init__(self, recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self._source, self._statistics = data.source, data.statistics
        self._leads, self._autocast, self._device = recipe.leads, recipe.bfloat16, device
        self._changes = CoarseChange(data.source, recipe.leads)

    def read(
        self, days: Sequence[np.datetime64], puffs_of_days: Sequence[Puff | None] = ()
    ) -> tuple[GlobalInputs, torch.Tensor]:
        """Inputs of some days, and the changes of coarse PM2.5 that follow."""
        return read_global(self._source, days, self._statistics, puffs_of_days), self._changes.read(
            days, puffs_of_days
        )

    def loss(
        self, network: CranPM, head: CoarseForecast, inputs: GlobalInputs, change: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error of the readout, and of persistence."""
        inputs, change = to_device(inputs, self._device), change.to(self._device)
        loss = pretrain_loss(network, head, inputs, change, self._leads, self._autocast)
        return loss, known_mse(torch.zeros_like(change), change)


def pretrain_loss(
    network: CranPM,
    head: CoarseForecast,
    inputs: GlobalInputs,
    change: torch.Tensor,
    leads: Sequence[int],
    autocast: bool,
) -> torch.Tensor:
    """Squared error of what the global tokens of some days say of the coarse change (D, leads, Hc, Wc)."""
    with torch.autocast(change.device.type, dtype=torch.bfloat16, enabled=autocast):
        context = network.encode_global(inputs)
        predicted = coarse_change(network, head, inputs, context, leads)
    return known_mse(predicted.float(), change)


@torch.no_grad()
def _on_validation_days(
    network: CranPM, head: CoarseForecast, days_of: _Days, days: Sequence[np.datetime64]
) -> str:
    """Skill on other days in words; nothing without days."""
    if not len(days):
        return ""
    network.eval()
    errors = np.zeros(2)
    for day in days:
        errors += [float(value) for value in days_of.loss(network, head, *days_of.read([day]))]
    network.train()
    return f", {_skill(errors):+.1%} on validation days"


def _skill(errors: np.ndarray) -> float:
    """Relative change of RMSE from persistence; negative is better."""
    return float(np.sqrt(errors[0] / errors[1]) - 1)
