"""The smallest network that has every part: a step takes hundredths of a second.

For trying how training runs (kills, resuming, several processes), not for what is learned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cranpm.training.recipes.recipes import Recipe

SMALLEST: dict[str, int | tuple[int, ...]] = {
    "global_width": 16,
    "global_heads": 2,
    "global_depth": 1,
    "local_width": 16,
    "local_heads": 2,
    "local_depth": 1,
    "bridge_heads": 2,
    "bridge_depth": 1,
    "decoder_channels": (16, 8, 8, 4, 4),
}
"""Fields of the model; some thousand weights."""


def smallest(recipe: Recipe, **model: Any) -> Recipe:
    """A recipe with the smallest network, on one small tile a step.

    Parameters
    ----------
    **model
        Further fields of its model.

    Examples
    --------
    >>> from cranpm.training.recipes.recipes import tiny
    >>> smallest(tiny(), input_dropout=0.1).model.local_width
    16
    """
    return replace(
        recipe,
        model=replace(recipe.model, **{**SMALLEST, **model}),
        tile_size=128,
        wide_tile_interval=0,
        days_per_step=1,
        tiles_per_day=1,
        precision="32-true",
    )
