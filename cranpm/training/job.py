"""A whole training run in one folder: pretraining, tiles, state, logs, curve, checkpoint.

::

    OUT/recipe.json            the resolved recipe
    OUT/train_state/           for resuming only
    OUT/csv/ tensorboard/      logs, one version for each start
    OUT/learning_curve.svg
    OUT/checkpoint/            safetensors, config.json, card.md: what forecasts open
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.domain import Statistics
from cranpm.model import CranPM
from cranpm.model.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.training.batches.source import TrainingData, training_days
from cranpm.training.fit.calibration import calibrate_head
from cranpm.training.fit.health import refuse_non_finite
from cranpm.training.fit.loop import train
from cranpm.training.fit.pretrain import pretrain_global
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.card import checkpoint_meta, write_card
from cranpm.training.report.curve import draw_learning_curve
from cranpm.training.report.step_memory import choose_micro_batch
from cranpm.training.state.lock import lock_run
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.signals import StopRequest
from cranpm.training.state.state import TrainStateError, TrainStates

STATE_FOLDER, CHECKPOINT_FOLDER = "train_state", "checkpoint"


def run_job(
    recipe: Recipe,
    data: TrainingData,
    out: Path,
    *,
    options: TrainerOptions | None = None,
    start: Checkpoint | None = None,
    resume: bool = False,
    report: Callable[[str], None] = print,
) -> CheckpointInfo | None:
    """Train into a folder and export a checkpoint.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    out : Path
        New folder, or with ``resume`` that of an earlier start.
    start : Checkpoint, optional
        Begin with its weights, and normalise by its statistics instead of the data's; a resumed run knows its own.
    report : callable
        Takes lines for people.

    Returns
    -------
    CheckpointInfo or None
        None on all processes but the first.

    Raises
    ------
    RuntimeError
        If another trainer holds the folder.
    TrainStateError
        If there is a run and ``resume`` is off, nothing to resume, or a state of another run.
    ValueError
        If ``start`` is another network than the recipe's.
    TrainingStopped
        If asked to stop; the state is saved.
    """
    options = options or TrainerOptions()
    begun = _what_it_began_with(out) if resume and start is None else _facts_of(start)
    if begun is not None:
        data = replace(data, statistics=Statistics.from_dict(begun["statistics"]))
    states = TrainStates(out / STATE_FOLDER, _identity(recipe, data, options, begun))
    if not is_first_process():  # a further process: the first one holds the lock and writes
        saved = states.newest() if resume else None
        saved = None if saved is not None and saved.stage == "global" else saved
        _fit(recipe, data, options, Session(out=out, states=states, saved=saved))
        return None
    with lock_run(out), StopRequest() as stop:
        states.clean()
        saved = states.find(resume)
        write_atomically(out / "recipe.json", json.dumps(recipe.to_dict(), indent=1) + "\n")
        if saved is not None:
            report(f"Goes on from step {saved.step} of stage '{saved.stage}'.")
        session = Session(out=out, states=states, saved=saved, stop=stop, report=report)
        network, head = None, None
        if saved is None or saved.stage == "global":
            network, head = _pretrain_stage(recipe, data, options, session, start)
            pretrained = states.newest()
            facts = {} if pretrained is None else pretrained.document
            session = replace(
                session,
                saved=None,
                seconds_before=facts.get("seconds", 0.0),
                skipped_before=facts.get("skipped", 0),
            )
        if session.saved is None or session.saved.step < recipe.steps:
            _fit(recipe, data, options, session, network, head)
        if draw_learning_curve(out, out / "learning_curve.svg"):
            report(f"Learning curve: {out / 'learning_curve.svg'}")
        if recipe.calibration_steps:
            report(f"Fits the head's constants on {recipe.calibration_steps} batches of training days.")
        return export(recipe, data, states, out / CHECKPOINT_FOLDER)


def export(recipe: Recipe, data: TrainingData, states: TrainStates, folder: Path) -> CheckpointInfo:
    """The newest state's (averaged) weights as a checkpoint.

    Raises
    ------
    TrainStateError
        If there is no state of the tile stage.
    NonFiniteError
        If a weight is not finite; an earlier checkpoint stays.
    """
    saved = states.newest()
    if saved is None or saved.stage != "tiles":
        raise TrainStateError(f"{states.folder} holds no state of a network to export; train first.")
    states.refuse_other_run(saved)
    network = CranPM(recipe.model)
    network.load_state_dict(_learned_weights(saved.load()))
    what = f"The checkpoint of step {saved.step}"
    refuse_non_finite(network.state_dict().items(), what)
    statistics = Statistics.from_dict(saved.document["statistics"])
    if recipe.calibration_steps:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        calibrate_head(network.to(device), recipe, replace(data, statistics=statistics))
        refuse_non_finite(network.state_dict().items(), f"{what}, its head calibrated,")
    days = training_days(data.source, recipe)
    began = saved.document.get("started_from")
    meta = checkpoint_meta(
        recipe,
        data.about if began is None else {**data.about, "started_from": began},
        period=f"{days[0]}..{days[-1]}",
        init_days=len(days),
        facts=saved.document | {"scores": states.scores(saved.step)},
    )
    parameters = sum(p.numel() for p in network.parameters())
    return save_checkpoint(folder, network, statistics, write_card(meta, parameters, recipe.model.name), meta)


def _learned_weights(payload: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's part of a state: averaged if an average has begun."""
    averaged = int(payload.get("averaging_state", {}).get("n_averaged", 0)) > 0
    part = "state_dict" if averaged or "current_model_state" not in payload else "current_model_state"
    prefix = "network."
    return {
        name.removeprefix(prefix): tensor for name, tensor in payload[part].items() if name.startswith(prefix)
    }


def _facts_of(start: Checkpoint | None) -> JsonObject | None:
    """Of the checkpoint that a run begins with: what it is called, and its statistics."""
    if start is None:
        return None
    training = start.meta.get("training", {})
    known = {key: training[key] for key in ("steps", "minutes", "machine") if key in training}
    name = {"hash": start.hash, "title": start.title, **known}
    return {"started_from": name, "statistics": start.require_statistics().to_dict()}


def _what_it_began_with(out: Path) -> JsonObject | None:
    """The same of a run that is resumed."""
    saved = TrainStates(out / STATE_FOLDER, {}).newest()
    if saved is None or saved.document.get("started_from") is None:
        return None
    return {part: saved.document[part] for part in ("started_from", "statistics")}


def _identity(
    recipe: Recipe, data: TrainingData, options: TrainerOptions, begun: JsonObject | None
) -> JsonObject:
    return {
        "started_from": None if begun is None else begun["started_from"],
        "recipe": recipe.to_dict(),
        "statistics": data.statistics.to_dict(),
        "data": data.fingerprint,
        "processes": options.processes,
    }


def _pretrain_stage(
    recipe: Recipe,
    data: TrainingData,
    options: TrainerOptions,
    session: Session,
    start: Checkpoint | None = None,
) -> tuple[CranPM, CoarseForecast | None]:
    """A network, its global branch pretrained where the recipe asks for it."""
    torch.manual_seed(recipe.seed)
    network = CranPM(recipe.model)
    if start is not None:
        _copy_weights(start, network)
    if not recipe.global_epochs:
        return network, None
    return network, pretrain_global(network, recipe, data, options, session)


def _copy_weights(start: Checkpoint, network: CranPM) -> None:
    """Weights of the checkpoint; factors that it does not give yet begin at zero."""
    weights = start.network.state_dict()
    ours, theirs = network.config, start.config
    # they are the last of the head's parts, the regional mean behind all others
    appended = (ours.coarse_predictors, ours.regional_mean) > (theirs.coarse_predictors, theirs.regional_mean)
    if appended and not theirs.regional_mean:
        for name in ("decoder.head.weight", "decoder.head.bias"):
            missing = len(network.state_dict()[name]) - len(weights[name])
            weights[name] = torch.cat(
                [weights[name], weights[name].new_zeros(missing, *weights[name].shape[1:])]
            )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        wanted, given = ours.to_dict(), theirs.to_dict()
        differ = ", ".join(
            f"{k} {given.get(k)} there, {v} here" for k, v in wanted.items() if given.get(k) != v
        )
        raise ValueError(
            f"Cannot begin with the weights of {start.folder}: it is another network than the recipe's ({differ}). "
            "Choose the recipe it was made with, or set these fields with --set model.NAME=VALUE."
        ) from error


def _fit(
    recipe: Recipe,
    data: TrainingData,
    options: TrainerOptions,
    session: Session,
    network: CranPM | None = None,
    head: CoarseForecast | None = None,
) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    at_once = choose_micro_batch(recipe, data.source.domain, options, device)
    if at_once is not None:
        session.report(
            f"Steps are taken in parts of {at_once} tiles, computed twice, so that they fit into the memory."
        )
    options = replace(options, micro_batch=at_once)
    train(recipe, data, options, session, network=network, coarse_head=head)


def is_first_process() -> bool:
    """Whether this process speaks for the run (others are started by it, by torchrun or by a batch system)."""
    return not getattr(rank_zero_only, "rank", 0) and not int(os.environ.get("LOCAL_RANK", "0"))
