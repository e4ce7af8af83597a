"""Ablations side by side: the same days, tiles and seeds for every variant, differences in pairs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from cranpm.data.errors import StoreError
from cranpm.data.store.source import DaySource
from cranpm.domain import PM_SCALE
from cranpm.domain.normalise import normalise_pm2p5
from cranpm.model import CranPM
from cranpm.model.checkpoint import Checkpoint, load_checkpoint
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationPoints, StationReader
from cranpm.training.batches.validation import ValidationBatches, validation_batches
from cranpm.training.comparison import Comparison, TrainingFacts
from cranpm.training.fit.losses import land_mse, station_loss
from cranpm.training.job import CHECKPOINT_FOLDER, STATE_FOLDER, run_job
from cranpm.training.recipes.ablations import ablation, same_recipe
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.curve import read_curves
from cranpm.training.state.options import TrainerOptions

HELD_OUT_SEED = 20260101
"""Draws the held-out tiles: the same for all variants and seeds."""


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """How often variants are trained, and on what they are held against each other.

    Raises
    ------
    ValueError
        If there is no seed, or one twice.
    """

    seeds: Sequence[int] = (1, 2, 3)
    """Of the weights and of the order of tiles, paired between variants."""
    days: int = 12
    """Held-out days of the validation split, spread over it."""
    tiles_per_day: int = 6

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"Expected different seeds, at least one; got {list(self.seeds)}.")


THREE_SEEDS = ComparisonPlan()


def compare_ablations(
    recipe: Recipe,
    data: TrainingData,
    names: Sequence[str],
    out: Path,
    *,
    reference: str = "full",
    plan: ComparisonPlan = THREE_SEEDS,
    options: TrainerOptions | None = None,
    report: Callable[[str], None] | None = None,
) -> Comparison:
    """Train every variant with every seed and score all on the same held-out tiles; a bar tells the time left.

    Parameters
    ----------
    recipe : Recipe
        What parts are taken out of.
    data : TrainingData
        From `open_world`, or of a dataset; holds days of the training and of the validation split.
    names : sequence of str
        Keys of `cranpm.training.recipes.ablations.ABLATIONS`; ``reference`` is added where it is missing.
    out : Path
        One run folder a variant and seed. A run that has its checkpoint is not trained again, one that was interrupted
        goes on; variants that are the same recipe share their runs.
    reference : str
        The variant that others are compared with.
    plan : ComparisonPlan
        Seeds of each variant, held-out days and tiles.
    options : TrainerOptions, optional
        Devices, workers, how often to validate.
    report : callable, optional
        Takes lines for people instead of the bar.

    Returns
    -------
    Comparison
        Squared errors [(ug m-3)^2] of every variant, seed and day, and the curves of validation.

    Raises
    ------
    ValueError
        If there is no such variant, fewer than two days of the validation split, or in a run's folder another recipe,
        other data, or a training that ended before its steps were done.
    TrainingStopped
        If asked to stop; the run that was under way saved its state.
    """
    names = list(dict.fromkeys([reference, *names]))
    variants = {
        name: ablation(name, recipe) for name in names
    }  # unknown names are refused before hours are spent
    stations = _stations_of(data.source)
    batches = validation_batches(
        recipe,
        data,
        days=plan.days,
        tiles_per_day=plan.tiles_per_day,
        seed=HELD_OUT_SEED,
        stations=stations,
    )
    if batches is None:
        raise ValueError("The source holds no day of the validation split, so variants cannot be scored.")
    persistence, _ = _errors(None, batches)
    if len(persistence) < 2:
        raise ValueError(
            f"Intervals need at least 2 held-out days with PM2.5, got {len(persistence)} of {plan.days} asked for. "
            f"Add days of the validation split ({'..'.join(recipe.splits.validation)}) to the data, or ask for more "
            "of them."
        )
    known = {name: same_recipe(name, recipe) for name in names}
    first_of = {name: next(n for n in names if known[n] == known[name]) for name in names}
    result = Comparison(
        seeds=tuple(plan.seeds),
        persistence=persistence,
        reference=reference,
        days=_days(batches),
        same_as={name: first for name, first in first_of.items() if first != name},
    )
    options = replace(options or TrainerOptions(), bar=False)
    runs = len(variants) * len(plan.seeds)
    with tqdm(
        total=runs,
        desc="Variants",
        unit="run",
        file=sys.stdout,
        dynamic_ncols=True,
        disable=report is not None,
    ) as bar:
        for name, variant in variants.items():
            errors, at_stations, curves, made = [], [], [], []
            for seed in plan.seeds:
                bar.set_postfix_str(f"{name}, seed {seed}")
                folder = out / f"{known[name]}-seed{seed}"
                checkpoint = _train(replace(variant, seed=seed), data, folder, options)
                of_maps, of_stations = _errors(checkpoint.network, batches)
                errors.append(of_maps)
                at_stations.append(of_stations)
                curves.append(read_curves(folder).get("validation/skill", []))
                made.append(checkpoint)
                bar.update()
                if report is not None:
                    report(f"{name}, seed {seed}: RMSE {np.sqrt(errors[-1].mean()):.3f} ug m-3")
            result.squared[name], result.curves[name] = np.stack(errors), curves
            result.trained[name] = _facts(made)
            if stations is not None:
                result.at_stations[name] = np.stack(at_stations, axis=1)
    return result


def _train(recipe: Recipe, data: TrainingData, folder: Path, options: TrainerOptions) -> Checkpoint:
    """The checkpoint of a run's folder, trained or gone on with where it is not done."""
    checkpoint = folder / CHECKPOINT_FOLDER
    begun = any((folder / STATE_FOLDER).glob("step-*"))
    if begun or checkpoint.exists():
        found = Recipe.from_dict(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
        if found != recipe:
            wanted, given = recipe.to_dict(), found.to_dict()
            differ = sorted(name for name in wanted if wanted[name] != given[name])
            raise ValueError(
                f"{folder} holds a run of another recipe (other {', '.join(differ)}). Name another folder for runs, or "
                "move it away."
            )
    if not (checkpoint / "config.json").exists():
        run_job(recipe, data, folder, options=options, resume=begun, report=lambda _line: None)
    loaded = load_checkpoint(checkpoint)
    if loaded.require_statistics().to_dict() != data.statistics.to_dict():
        raise ValueError(
            f"{folder} was trained on other data. Name another folder for runs, or move it away."
        )
    steps = int(loaded.meta.get("training", {}).get("steps", 0))
    if steps < recipe.steps:
        raise ValueError(
            f"{folder} was trained for {steps} of {recipe.steps} steps only; half-trained variants are not compared. "
            f"Go on with 'cranpm train --out {folder} --resume' and the data of before."
        )
    return loaded


def _facts(checkpoints: Sequence[Checkpoint]) -> TrainingFacts:
    training = [checkpoint.meta.get("training", {}) for checkpoint in checkpoints]
    return {
        "parameters": sum(p.numel() for p in checkpoints[0].network.parameters()),
        "steps": training[0].get("steps"),
        "minutes": [facts.get("minutes") for facts in training],
        "machine": ", ".join(sorted({str(facts.get("machine")) for facts in training})),
    }


@torch.inference_mode()
def _errors(network: CranPM | None, batches: ValidationBatches) -> tuple[np.ndarray, np.ndarray]:
    """Of a network or (None) of persistence, by day: mean squared errors of tiles, and sums at stations.

    Returns
    -------
    maps : ndarray, shape (days,)
        [(ug m-3)^2].
    stations : ndarray, shape (groups, days, 2)
        Sums of squared errors [(ug m-3)^2] and numbers of pairs.
    """
    maps, stations = [], []
    for batch in batches:
        if not bool(batch.mask.any()):  # a day without a product in its tiles
            continue
        forecast = torch.nan_to_num(normalise_pm2p5(batch.today))
        if network is not None:
            context = network.encode_global(batch.global_inputs)
            forecast = forecast + network.forecast_delta(batch.local_inputs, context, batch.day_index)
        maps.append(float(land_mse(forecast, normalise_pm2p5(batch.target), batch.mask)) * PM_SCALE**2)
        stations.append([_at_stations(forecast, batch.stations, held) for held in (False, True)])
    return np.array(maps), np.array(stations).transpose(1, 0, 2)


def _at_stations(forecast: torch.Tensor, points: StationPoints | None, held: bool) -> tuple[float, int]:
    """Sum of squared errors at the stations of one group, and their number."""
    if points is None:
        return 0.0, 0
    observed = torch.where(points.held == held, normalise_pm2p5(points.observed), torch.nan)
    number = int(torch.isfinite(observed).sum())
    mean = float(station_loss(forecast, points.rows, points.cols, observed, points.tile))
    return mean * PM_SCALE**2 * number, number


def _stations_of(source: DaySource) -> StationReader | None:
    """All stations of the data, held out or not; None where they know none."""
    try:
        stations = getattr(source, "stations", None)
    except StoreError:
        return None
    if stations is None:
        return None
    return StationReader(stations, source.domain.fine, with_held_out=True)


def _days(batches: ValidationBatches) -> tuple[str, ...]:
    """Of the batches that are scored."""
    return tuple(str(batch.groups[0].init_time) for batch in batches if bool(batch.mask.any()))
