"""Pretraining of the global branch alone: tomorrow's coarse composition from today's coarse fields.

Every node of every day is a target, at the cost of one global encoding: far more is learned per second about how
weather moves and changes PM2.5 than through a few tiles. The bridge and the local branch then learn from tokens that
already know. Needs the coarse fields only (CAMS itself is the target), so it works on real data too. Not in the paper.
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cranpm.data.samples import MissingInputError
from cranpm.model import CranPM
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.model.inputs import GlobalInputs
from cranpm.model.parameters import learn_biases
from cranpm.training.batches.batches import BadSampleError, CoarseChange, read_global, to_device
from cranpm.training.batches.puffs import Puff, Puffs
from cranpm.training.batches.read_ahead import read_ahead
from cranpm.training.batches.source import TrainingData, training_days
from cranpm.training.batches.validation import validation_days
from cranpm.training.fit.auxiliary_heads import coarse_change
from cranpm.training.fit.health import refuse_non_finite
from cranpm.training.fit.losses import known_mse
from cranpm.training.fit.pretrain_state import PretrainState, skill
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.signals import TrainingStopped


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
        If more than ``recipe.max_skipped_steps`` steps in a row cannot be learned from.

    Notes
    -----
    An epoch shows every day once, in an order drawn from the seed; where ``recipe.global_days_per_step`` does not
    divide the number of days, its last step holds fewer.
    """
    torch.manual_seed(recipe.seed)
    if network.global_branch is None or network.bridge is None:
        raise ValueError('Nothing to pretrain: this network has no global branch (fusion="none").')
    saved = session.saved
    init_days = training_days(data.source, recipe)
    days_of = _Days(recipe, data, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    head = network.coarse_head or CoarseForecast.of(network.config, len(recipe.leads))
    parts = [network.global_branch, _projection(network), head]
    trained = nn.ModuleList(parts if network.transport is None else [*parts, network.transport])
    trained.to(days_of.device)
    epochs, steps_per_epoch = recipe.global_epochs, len(_groups(init_days, recipe, 0))
    stage = PretrainState(recipe, network, head, trained, epochs * steps_per_epoch)
    if saved is not None:
        stage.load_state_dict(saved.load())
    validated = validation_days(recipe, data.source, options.validation_days)
    before, started = session.seconds_spent, time.perf_counter()
    network.train()
    for epoch in range(stage.step // steps_per_epoch, epochs):
        first = stage.step - epoch * steps_per_epoch
        groups = _groups(init_days, recipe, epoch)[first:]
        with closing(read_ahead(functools.partial(days_of.read, epoch), groups)) as batches:
            for step, batch in enumerate(batches, start=first):
                learn_biases(trained, step % recipe.bias_update_interval == 0)
                if isinstance(batch, str):
                    stage.leave_out(batch)
                else:
                    stage.learn(*days_of.loss(network, head, batch), batch.what)
                ends = step + 1 == steps_per_epoch
                if ends:
                    line = f"global branch, epoch {epoch + 1} of {epochs}: "
                    line += f"RMSE {stage.ends_epoch():+.1%} against persistence"
                    line += _on_validation_days(network, head, days_of, validated)
                    session.report(f"{line}, {time.perf_counter() - started:.0f} s")
                asked = session.stop.asked is not None
                if session.states is not None and (ends or asked or stage.step % options.save_every == 0):
                    refuse_non_finite(network.state_dict().items(), f"Step {stage.step} of the global branch")
                    facts = {
                        "seconds": round(before + time.perf_counter() - started, 1),
                        "skipped": stage.health.total,
                    }
                    session.states.save(stage.state_dict(), stage.step, "global", **facts)
                if asked:
                    raise TrainingStopped(
                        f"Stopped at step {stage.step} of the global branch. Go on with --resume."
                    )
    learn_biases(trained, True)
    return head


def _groups(days: Sequence[np.datetime64], recipe: Recipe, epoch: int) -> list[list[np.datetime64]]:
    """The days of each step of an epoch, every day once, drawn from (seed, epoch)."""
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(days))
    size = recipe.global_days_per_step
    return [[days[i] for i in order[start : start + size]] for start in range(0, len(days), size)]


def _projection(network: CranPM) -> nn.Module:
    """The bridge's shared projection of global tokens, wherever the kind of fusion keeps it."""
    return next(module for name, module in network.bridge.named_modules() if name.endswith("project"))  # type: ignore[union-attr]


@dataclass(frozen=True)
class _Batch:
    """Inputs of some days, the change of coarse PM2.5 that followed, and the days in words."""

    inputs: GlobalInputs
    change: torch.Tensor
    what: str


class _Days:
    """Days of a source: reading them, and the loss of the coarse readout on them."""

    def __init__(self, recipe: Recipe, data: TrainingData, device: torch.device) -> None:
        self._source, self._statistics, self.device = data.source, data.statistics, device
        self._leads, self._autocast = recipe.leads, recipe.bfloat16
        self._changes = CoarseChange(data.source, recipe.leads)
        self._puffs = Puffs.of(recipe, data.source)

    def read(self, epoch: int | None, days: Sequence[np.datetime64]) -> _Batch | str:
        """Some days, with an epoch's puffs; or why they cannot be used."""
        puffs: list[Puff | None] = [None] * len(days)
        if self._puffs is not None and epoch is not None:
            puffs = [self._puffs.draw(epoch, day) for day in days]
        try:
            inputs = read_global(self._source, days, self._statistics, puffs)
        except (BadSampleError, MissingInputError) as error:
            return str(error)
        what = "init days " + ", ".join(str(day) for day in days)
        return _Batch(inputs, self._changes.read(days, puffs), what)

    def loss(self, network: CranPM, head: CoarseForecast, batch: _Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error of the readout, and of persistence."""
        inputs, change = to_device(batch.inputs, self.device), batch.change.to(self.device)
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
        batch = days_of.read(None, [day])
        if isinstance(batch, str):
            warnings.warn(f"Validation day {day} is left out: {batch}", stacklevel=2)
            continue
        errors += [float(value) for value in days_of.loss(network, head, batch)]
    network.train()
    return f", {skill(errors):+.1%} on validation days"
