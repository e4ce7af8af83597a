"""Ablations side by side: the same days, tiles and seeds for every variant, differences in pairs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from cranpm.domain import PM_SCALE
from cranpm.domain.normalise import normalise_pm2p5
from cranpm.domain.resampling import bootstrap_indices, central_interval
from cranpm.model import CranPM
from cranpm.model.checkpoint import load_checkpoint
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.validation import ValidationBatches, validation_batches
from cranpm.training.fit.losses import land_mse
from cranpm.training.job import CHECKPOINT_FOLDER, run_job
from cranpm.training.recipes.ablations import ABLATIONS, ablation
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.report.curve import Curve, read_curves
from cranpm.training.state.options import TrainerOptions

HELD_OUT_SEED = 20260101
"""Draws the held-out tiles: the same for all variants and seeds."""

DRAWS = 2000
"""Redrawn sets of seeds and days."""


@dataclass(kw_only=True)
class Comparison:
    """Held-out errors of variants.

    ``squared[name]`` has shape (seeds, days): mean squared error of each held-out day's tiles [(ug m-3)^2];
    ``persistence`` (days,) that of today's map; ``curves[name]`` the validation curve of each seed.
    """

    seeds: tuple[int, ...]
    persistence: np.ndarray
    squared: dict[str, np.ndarray] = field(default_factory=dict)
    curves: dict[str, list[Curve]] = field(default_factory=dict)

    def rows(self, reference: str = "full") -> list[dict[str, Any]]:
        """One row a variant, for a table.

        Returns
        -------
        list of dict
            ``variant``, ``meaning``, ``rmse`` [ug m-3], ``below_persistence_pct``, ``change_pct`` (of RMSE against
            the reference, paired by seed and day; positive: worse without it) with ``low`` and ``high``, the 95 %
            interval of a bootstrap over seeds and days.
        """
        generator = np.random.default_rng(1)
        seeds, days = self.squared[reference].shape
        pick_seeds = bootstrap_indices(seeds, DRAWS, generator)[:, :, None]
        pick_days = bootstrap_indices(days, DRAWS, generator)[:, None, :]
        result = []
        for name, squared in self.squared.items():
            change = 100 * (_rmse(squared) / _rmse(self.squared[reference]) - 1)
            drawn = [
                _rmse(part[pick_seeds, pick_days], axis=(1, 2)) for part in (squared, self.squared[reference])
            ]
            low, high = central_interval(100 * (drawn[0] / drawn[1] - 1))
            result.append(
                {
                    "variant": name,
                    "meaning": ABLATIONS[name][0] if name in ABLATIONS else "",
                    "rmse": float(_rmse(squared)),
                    "below_persistence_pct": float(100 * (1 - _rmse(squared) / _rmse(self.persistence))),
                    "change_pct": float(change),
                    "low": low,
                    "high": high,
                }
            )
        return result


def _rmse(squared: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    return np.sqrt(squared.mean(axis=axis))


def compare_ablations(
    recipe: Recipe,
    data: TrainingData,
    names: Sequence[str],
    out: Path,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    days: int = 12,
    tiles_per_day: int = 6,
    options: TrainerOptions | None = None,
) -> Comparison:
    """Train every variant with every seed and score all on the same held-out tiles; a bar tells the time left.

    Parameters
    ----------
    recipe : Recipe
        What parts are taken out of.
    data : TrainingData
        From `open_world`, or of a dataset; holds days of the training and of the validation split.
    names : sequence of str
        Keys of `cranpm.training.recipes.ablations.ABLATIONS`; "full" is added where it is missing.
    out : Path
        One run folder a variant and seed; a run that has its checkpoint is not trained again.
    seeds : sequence of int
        Of the weights and of the order of tiles, paired between variants.
    days, tiles_per_day : int
        Held-out days of the validation split, spread over it, and tiles of each.
    options : TrainerOptions, optional
        Devices, workers, how often to validate.

    Returns
    -------
    Comparison
        Squared errors [(ug m-3)^2] of every variant, seed and day, and the curves of validation.

    Raises
    ------
    ValueError
        If there is no such variant, or no day of the validation split.
    """
    names = list(dict.fromkeys(["full", *names]))
    variants = {
        name: ablation(name, recipe) for name in names
    }  # unknown names are refused before hours are spent
    batches = validation_batches(recipe, data, days=days, tiles_per_day=tiles_per_day, seed=HELD_OUT_SEED)
    if batches is None:
        raise ValueError("The source holds no day of the validation split, so variants cannot be scored.")
    result = Comparison(seeds=tuple(seeds), persistence=_squared_errors(None, batches))
    options = replace(options or TrainerOptions(), bar=False)
    runs = len(variants) * len(seeds)
    with tqdm(total=runs, desc="Variants", unit="run", file=sys.stdout, dynamic_ncols=True) as bar:
        for name, variant in variants.items():
            errors, curves = [], []
            for seed in seeds:
                bar.set_postfix_str(f"{name}, seed {seed}")
                folder = out / f"{name}-seed{seed}"
                if not (folder / CHECKPOINT_FOLDER / "config.json").exists():
                    run_job(
                        replace(variant, seed=seed), data, folder, options=options, report=lambda _line: None
                    )
                errors.append(_squared_errors(load_checkpoint(folder / CHECKPOINT_FOLDER).network, batches))
                curves.append(read_curves(folder).get("validation/skill", []))
                bar.update()
            result.squared[name], result.curves[name] = np.stack(errors), curves
    return result


@torch.inference_mode()
def _squared_errors(network: CranPM | None, batches: ValidationBatches) -> np.ndarray:
    """Mean squared error of each day's tiles, of a network or (None) of persistence [(ug m-3)^2]."""
    errors = []
    for batch in batches:
        if not bool(batch.mask.any()):  # a day without a product in its tiles
            continue
        forecast = torch.nan_to_num(normalise_pm2p5(batch.today))
        if network is not None:
            context = network.encode_global(batch.global_inputs)
            forecast = forecast + network.forecast_delta(batch.local_inputs, context, batch.day_index)
        errors.append(float(land_mse(forecast, normalise_pm2p5(batch.target), batch.mask)) * PM_SCALE**2)
    return np.array(errors)
