"""A first lesson for the global branch alone: tomorrow's coarse composition from today's coarse fields.

Every node of every day is a target, at the cost of one global encoding: far more is learned per second about how
weather moves and changes PM2.5 than through a few tiles. The bridge and the local branch then learn from tokens that
already know. Needs the coarse fields only (CAMS itself is the target), so it works on real data too. Not in the paper.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from cranpm.data.source import DaySource
from cranpm.domain import Statistics
from cranpm.model import CranPM
from cranpm.model.parameters import learn_biases, parameter_groups
from cranpm.training.batches import CoarseChange, read_global
from cranpm.training.heads import CoarseHead
from cranpm.training.losses import known_mse


def pretrain_global(
    network: CranPM,
    source: DaySource,
    statistics: Statistics,
    init_days: Sequence[np.datetime64],
    *,
    validation_days: Sequence[np.datetime64] = (),
    leads: Sequence[int] = (1, 2, 3),
    epochs: int = 10,
    days_per_step: int = 8,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    bias_every: int = 1,
    seed: int = 1,
    autocast: bool = False,
    report: Callable[[str], None] = print,
) -> CoarseHead:
    """Train the global branch and the bridge's projection in place.

    Returns
    -------
    CoarseHead
        The readout that was trained along, to go on with.
    """
    torch.manual_seed(seed)
    if network.global_branch is None or network.bridge is None:
        raise ValueError('Nothing to teach: this network has no global branch (fusion="none").')
    days_of = _Days(source, statistics, leads, autocast)
    head = CoarseHead(network.config.local_width, network.config.global_patch, len(leads))
    taught = nn.ModuleList([network.global_branch, _projection(network), head])
    optimiser = torch.optim.AdamW(parameter_groups(taught, weight_decay), lr=learning_rate, betas=(0.9, 0.98))
    steps_per_epoch = max(1, len(init_days) // days_per_step)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps_per_epoch, pct_start=0.1, cycle_momentum=False
    )
    generator = np.random.default_rng(seed)
    started = time.perf_counter()
    for epoch in range(epochs):
        network.train()
        order = generator.permutation(len(init_days))
        errors = np.zeros(2)
        for step in range(steps_per_epoch):
            days = [init_days[i] for i in order[step * days_per_step : (step + 1) * days_per_step]]
            learn_biases(taught, step % bias_every == 0)
            loss, still = days_of.loss(network, head, days)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(taught.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            errors += float(loss.detach()), float(still)
        line = f"global branch, epoch {epoch + 1} of {epochs}: RMSE {_skill(errors):+.1%} against persistence"
        if len(validation_days):
            line += f", {_validate(network, head, days_of, validation_days):+.1%} on validation days"
        report(f"{line}, {time.perf_counter() - started:.0f} s")
    learn_biases(taught, True)
    return head


def _projection(network: CranPM) -> nn.Module:
    """The bridge's shared projection of global tokens, wherever the kind of fusion keeps it."""
    return next(module for name, module in network.bridge.named_modules() if name.endswith("project"))  # type: ignore[union-attr]


class _Days:
    """Loss of the coarse readout on days of a source."""

    def __init__(
        self, source: DaySource, statistics: Statistics, leads: Sequence[int], autocast: bool
    ) -> None:
        self._source, self._statistics, self._autocast = source, statistics, autocast
        self._changes = CoarseChange(source, leads)

    def loss(
        self, network: CranPM, head: CoarseHead, days: Sequence[np.datetime64]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error of the readout, and of persistence."""
        inputs = read_global(self._source, days, self._statistics)
        amounts, change = self._changes.read(days)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._autocast):
            context = network.encode_global(inputs)
            predicted = head(context.tokens, context.grid, amounts)
        return known_mse(predicted.float(), change), known_mse(torch.zeros_like(change), change)


@torch.no_grad()
def _validate(network: CranPM, head: CoarseHead, days_of: _Days, days: Sequence[np.datetime64]) -> float:
    network.eval()
    errors = np.zeros(2)
    for day in days:
        errors += [float(value) for value in days_of.loss(network, head, [day])]
    return _skill(errors)


def _skill(errors: np.ndarray) -> float:
    """Relative change of RMSE from persistence; negative is better."""
    return float(np.sqrt(errors[0] / errors[1]) - 1)
