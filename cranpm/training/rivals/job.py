"""A rival's whole training in one folder, in the layout of every run here (`cranpm.training.job`).

::

    OUT/recipe.json            the resolved recipe
    OUT/train_state/           for resuming only
    OUT/csv/ tensorboard/      logs, one version for each start
    OUT/validations.json       figures of each validation; best.safetensors: the weights of the best
    OUT/learning_curve.svg
    OUT/checkpoint/            rival.safetensors, rival.json, card.md: what ``cranpm score --rival`` opens
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cranpm import __version__
from cranpm._files import write_atomically
from cranpm._json import JsonObject
from cranpm.baselines.learned.checkpoint import RivalCheckpoint, save_rival
from cranpm.baselines.least_squares import LeastSquares, fit_least_squares
from cranpm.domain.resampling import consecutive_runs
from cranpm.training.batches.source import TrainingData, training_days
from cranpm.training.batches.validation import validation_days
from cranpm.training.fit.health import refuse_non_finite
from cranpm.training.fit.loop import Loaders, batch_loader, begin_training, fit_module
from cranpm.training.fit.progress import Pace
from cranpm.training.recipes.rivals import LeastSquaresRecipe, RivalRecipe
from cranpm.training.report.curve import draw_learning_curve
from cranpm.training.rivals.card import rival_card, rival_meta
from cranpm.training.rivals.cost import measure_step
from cranpm.training.rivals.days import NodeMeans, RivalDays, ValidationDays
from cranpm.training.rivals.module import KeepBest, RivalTraining
from cranpm.training.state.lock import lock_run
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.signals import StopRequest
from cranpm.training.state.state import TrainStateError, TrainStates

STATE_FOLDER, CHECKPOINT_FOLDER, LEAST_SQUARES_FILE = "train_state", "checkpoint", "least_squares.json"

VALIDATIONS_AT_LEAST = 20
"""Of a run, to choose the best weights from, unless it has fewer than ten steps for each."""


def run_rival_job(
    recipe: RivalRecipe,
    data: TrainingData,
    out: Path,
    *,
    options: TrainerOptions | None = None,
    resume: bool = False,
    means: NodeMeans | None = None,
    report: Callable[[str], None] = print,
) -> RivalCheckpoint:
    """Train a rival into a folder and export its best weights.

    Parameters
    ----------
    recipe : RivalRecipe
    data : TrainingData
    out : Path
        New folder, or with ``resume`` that of an earlier start.
    options : TrainerOptions, optional
        One process only.
    resume : bool
        Go on exactly where the run stopped.
    means : NodeMeans, optional
        Of the fine product at the nodes; by default those in the cache.
    report : callable
        Takes lines for people.

    Raises
    ------
    RuntimeError
        If another trainer holds the folder.
    TrainStateError
        If there is a run and ``resume`` is off, nothing to resume, or a state of another run.
    TrainingStopped
        If asked to stop; the state is saved.
    """
    options = options or TrainerOptions()
    if options.processes != 1:
        raise ValueError(
            f"Rivals train in one process, got {options.processes}. They are small; start several runs side by side."
        )
    means = means or NodeMeans(data)
    with lock_run(out), StopRequest() as stop:
        recipe = _with_steps(recipe, data, means, out, resume, report)
        states = TrainStates(out / STATE_FOLDER, _identity(recipe, data))
        states.clean()
        saved = states.find(resume)
        write_atomically(out / "recipe.json", json.dumps(recipe.to_dict(), indent=1) + "\n")
        best = KeepBest(out, recipe.patience, 0 if saved is None else saved.step)
        if saved is None or (saved.step < recipe.steps and not best.exhausted):
            if saved is not None:
                report(f"Goes on from step {saved.step} of {recipe.steps}.")
            session = Session(out=out, states=states, saved=saved, stop=stop, report=report)
            _fit(recipe, data, means, options, session, best)
        if draw_learning_curve(out, out / "learning_curve.svg"):
            report(f"Learning curve: {out / 'learning_curve.svg'}")
        return export_rival(recipe, data, out)


def export_rival(recipe: RivalRecipe, data: TrainingData, out: Path) -> RivalCheckpoint:
    """The weights of the best validation, or the newest where nothing was validated, as a checkpoint.

    Raises
    ------
    TrainStateError
        If there is no state yet.
    NonFiniteError
        If a weight is not finite; an earlier checkpoint stays.
    """
    states = TrainStates(out / STATE_FOLDER, _identity(recipe, data))
    saved = states.newest()
    if saved is None:
        raise TrainStateError(f"{states.folder} holds no state of a network to export; train first.")
    states.refuse_other_run(saved)
    best = KeepBest(out, recipe.patience, saved.step)
    network = recipe.rival.build()
    weights = best.weights()
    if weights is None:
        prefix = "network."
        payload = saved.load()["state_dict"]
        weights = {name.removeprefix(prefix): t for name, t in payload.items() if name.startswith(prefix)}
    network.load_state_dict(weights)
    refuse_non_finite(network.state_dict().items(), f"The checkpoint of step {saved.step}")
    meta = rival_meta(recipe, data, saved, best)
    parameters = sum(p.numel() for p in network.parameters())
    return save_rival(
        out / CHECKPOINT_FOLDER,
        recipe.rival,
        network,
        data.statistics,
        recipe.leads,
        meta=meta,
        card=rival_card(meta, parameters),
    )


def run_least_squares(
    recipe: LeastSquaresRecipe, data: TrainingData, out: Path, report: Callable[[str], None] = print
) -> Path:
    """Fit least squares on training days and write its one file."""
    days = consecutive_runs(training_days(data.source, recipe), recipe.days, recipe.leads)
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if done % 20 == 0 or done == len(days):
            report(f"least squares: {done} of {len(days)} days")

    if (out / LEAST_SQUARES_FILE).exists():
        raise ValueError(f"{out / LEAST_SQUARES_FILE} is there already. Name another folder with --out.")
    fit: LeastSquares = fit_least_squares(
        data.source, days, leads=recipe.leads, stride=recipe.stride, fitted=tell
    )
    training = {**fit.training, "split": list(recipe.splits.train), "code": __version__}
    return replace(fit, training=training).save(out / LEAST_SQUARES_FILE)


def _with_steps(
    recipe: RivalRecipe,
    data: TrainingData,
    means: NodeMeans,
    out: Path,
    resume: bool,
    report: Callable[[str], None],
) -> RivalRecipe:
    """The recipe with the steps that its budget pays for; a resumed run keeps those it began with."""
    if recipe.cpu_minutes is None:
        return recipe
    kept = out / "recipe.json"
    if resume and kept.is_file():
        return replace(recipe, steps=int(json.loads(kept.read_text())["steps"]))
    cost = measure_step(recipe, _days(recipe, data, means).batch(0))
    steps = cost.steps_in(recipe.cpu_minutes)
    report(
        f"{recipe.cpu_minutes:g} CPU minutes pay for {steps:,} steps of {cost.cpu_seconds:.2f} CPU seconds "
        f"({cost.seconds:.2f} s here)."
    )
    return replace(recipe, steps=steps)


def _fit(
    recipe: RivalRecipe,
    data: TrainingData,
    means: NodeMeans,
    options: TrainerOptions,
    session: Session,
    best: KeepBest,
) -> None:
    begin_training(recipe.seed)
    module = RivalTraining(recipe)
    days = _days(recipe, data, means)
    days.first_step = 0 if session.saved is None else session.saved.step
    chosen = validation_days(recipe, data.source, options.validation_days)
    # a budget of few, dear steps shall still be validated often enough to choose from
    validate_every = min(options.validate_every, max(10, recipe.steps // VALIDATIONS_AT_LEAST))
    fit_module(
        module,
        recipe,
        replace(options, validate_every=validate_every, devices=1, nodes=1),
        session,
        Loaders(
            batch_loader(days, options.workers, recipe.seed, prefetch=2),
            ValidationDays(days, chosen) if chosen else None,
        ),
        pace=Pace(),
        further=[best],
    )


def _days(recipe: RivalRecipe, data: TrainingData, means: NodeMeans) -> RivalDays:
    return RivalDays(
        data,
        means,
        training_days(data.source, recipe),
        recipe.leads,
        days_per_step=recipe.days_per_step,
        seed=recipe.seed,
    )


def _identity(recipe: RivalRecipe, data: TrainingData) -> JsonObject:
    return {
        "rival recipe": recipe.to_dict(),
        "statistics": data.statistics.to_dict(),
        "data": data.fingerprint,
    }
