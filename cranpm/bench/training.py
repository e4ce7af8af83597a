"""One step of training: forward, backward and update, without reading data."""

from __future__ import annotations

from dataclasses import replace

from cranpm.bench.ceilings import Ceilings
from cranpm.bench.figures import Bound, Figure, Label
from cranpm.bench.settings import BenchSettings
from cranpm.bench.timing import time_in_turns
from cranpm.model import count_flops
from cranpm.training.recipes.recipes import Recipe, get_recipe
from cranpm.training.report.step_memory import choose_micro_batch
from cranpm.training.report.step_timing import make_step
from cranpm.training.state.options import TrainerOptions

PRECISION_NAMES = {"bf16-mixed": "bfloat16", "32-true": "float32"}


QUICK_TILES = 4
"""Tiles of the step of a quick run."""


def measure_training(
    settings: BenchSettings, ceilings: Ceilings, recipe: Recipe | None = None, *, compare: bool = True
) -> list[Figure]:
    """Figures of a step of the preset's recipe, in its own precision and in the other.

    Parameters
    ----------
    settings : BenchSettings
    ceilings : Ceilings
    recipe : Recipe, optional
        Default: the one named like the preset; of a quick run `QUICK_TILES` of its first day, and smaller tiles on a
        small domain.
    compare : bool
        Whether the other precision is timed, too.

    Returns
    -------
    list of Figure
        Work as of steps taken whole; where activations do not fit into the memory, parts are computed forward twice,
        and that costs share.
    """
    device, domain = settings.device, settings.domain
    if recipe is None:
        recipe = get_recipe(settings.preset)
        recipe = replace(
            recipe, tile_size=min(recipe.tile_size, settings.tile_size), wide_tile_interval=0, token_steps=0
        )
        if settings.quick:
            recipe = replace(recipe, days_per_step=1, tiles_per_day=min(recipe.tiles_per_day, QUICK_TILES))
    kinds = {
        PRECISION_NAMES[precision]: replace(recipe, precision=precision)
        for precision in sorted(PRECISION_NAMES, key=lambda name: name != recipe.precision)
        if PRECISION_NAMES[precision] in ceilings.of and (compare or precision == recipe.precision)
    }
    parts = {name: choose_micro_batch(kind, domain, TrainerOptions(), device) for name, kind in kinds.items()}
    forms = {name: make_step(kind, domain, device, parts[name]) for name, kind in kinds.items()}
    turns = time_in_turns(
        {**forms, **ceilings.forms(*kinds)},
        device,
        seconds=settings.seconds,
        least=1 if settings.quick else 3,
    )
    flops = count_flops(recipe.model, recipe.tile_size, domain.coarse.shape)
    tiles = recipe.days_per_step * recipe.tiles_per_day
    per_day = flops["global"] + flops["bridge_keys_values"]
    work = 3.0 * (recipe.days_per_step * per_day + tiles * flops["per_tile"])
    names = list(kinds)
    return [
        Figure.of(
            turns,
            name,
            Label("training", "step", f"{recipe.model.name}, {tiles} tiles of {recipe.tile_size}, {name}"),
            bound=Bound(work, ceilings.of[name]),
            instead={other: 1.0 for other in names if other != name},
            detail={"flop": work, "tiles": tiles, "tiles_at_a_time": parts[name] or tiles},
        )
        for name in names
    ]
