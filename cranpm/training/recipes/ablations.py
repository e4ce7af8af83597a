"""Table 3 as recipes: what is taken out, one name each. A variant is a configuration, never a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cranpm.training.recipes.recipes import Recipe


def _model(**changes: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, model=replace(recipe.model, **changes))


def _recipe(**changes: Any) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, **changes)


_NO_COARSE_FACTORS = {"transport": False, "coarse_forecast": False, "coarse_predictors": False}
_NO_COARSE_BRANCH = {"fusion": "none", "height_damping": False, **_NO_COARSE_FACTORS}


def _no_fusion(recipe: Recipe) -> Recipe:
    """No coarse branch, so neither its pretraining nor its auxiliary loss."""
    without = _model(local_position="tile", bridge_reach=False, **_NO_COARSE_BRANCH)(recipe)
    return replace(without, global_epochs=0, coarse_weight=0.0)


def _absolute(recipe: Recipe) -> Recipe:
    """The head gives the map itself; factors of today's map or a share of the change would bring the delta back."""
    change = _model(
        output="absolute", growth=False, regional_mean=False, height_damping=False, **_NO_COARSE_FACTORS
    )
    return change(replace(recipe, token_steps=0, calibration_steps=0))


def _convt(recipe: Recipe) -> Recipe:
    """One transposed convolution; the fine skip belongs to the last doubling it replaces."""
    return _model(decoder="convt", fine_skip=False)(recipe)


def _without_spectrum_and_stations(recipe: Recipe) -> Recipe:
    return replace(recipe, frequency_weight=0.0, station_weight=0.0)


def _baseline(recipe: Recipe) -> Recipe:
    """A: MSE alone, one day a step, no day before."""
    return replace(_without_spectrum_and_stations(_model(previous_day=False)(recipe)), days_per_step=1)


ABLATIONS: dict[str, tuple[str, Callable[[Recipe], Recipe]]] = {
    "full": ("nothing taken out", lambda recipe: recipe),
    "R1": ("without cross-scale attention: no coarse branch", _no_fusion),
    "R2": ("without the elevation bias", _model(elevation_bias=False)),
    "R3": (
        "without wind scan, wind bias and transport",
        _model(wind_bias=False, scan="raster", transport=False),
    ),
    "R4": ("transposed convolution for the decoder", _convt),
    "R5": ("absolute map instead of its change", _absolute),
    "R6": ("without the focal frequency loss", _recipe(frequency_weight=0.0)),
    "R7": ("without the station loss", _recipe(station_weight=0.0)),
    "R8": ("without the day before", _model(previous_day=False)),
    "scan-only": ("wind scan, but no wind bias", _model(wind_bias=False)),
    "bias-only": ("wind bias, but raster order", _model(scan="raster")),
    "no-coarse-forecast": ("without the global branch's own forecast", _model(coarse_forecast=False)),
    "no-coarse-predictors": ("without factors of the coarse analysis", _model(coarse_predictors=False)),
    "no-regional-mean": ("without a factor of the 25-km mean", _model(regional_mean=False)),
    "no-height-damping": ("without less change on summits", _model(height_damping=False)),
    "free-paths": ("with no bound on what tokens do to a path", _model(path_freedom=None)),
    "no-transport": ("without what the wind carries in", _model(transport=False)),
    "A": ("MSE alone, one day a step, no day before (Table 3b)", _baseline),
    "B": (
        "A with the effective batch",
        lambda recipe: replace(_baseline(recipe), days_per_step=recipe.days_per_step),
    ),
    "C": (
        "B with the focal frequency loss",
        lambda recipe: _model(previous_day=False)(replace(recipe, station_weight=0.0)),
    ),
    "D": ("C with stations and the day before: the full recipe", lambda recipe: recipe),
    "fusion-none": ("no coarse branch (Table 3a)", _no_fusion),
    **{
        f"fusion-{kind}": (what, _model(fusion=kind, bridge_reach=False))
        for kind, what in (
            ("sum", "coarse tokens added (Table 3a)"),
            ("film", "coarse tokens scale and shift (Table 3a)"),
            ("concat", "concatenation and self-attention (Table 3a)"),
            ("coarse_queries", "coarse queries fine (Table 3a)"),
            ("bidirectional", "both directions (Table 3a)"),
            ("cross", "fine queries coarse, without reach: ours (Table 3a)"),
        )
    },
}
"""Name -> what it means, and how it changes a recipe."""


def ablation(name: str, recipe: Recipe) -> Recipe:
    """A recipe with one part taken out or replaced (Table 3).

    Parameters
    ----------
    name : str
        A key of `ABLATIONS`, such as "R3".
    recipe : Recipe
        What to take it out of.

    Examples
    --------
    >>> from cranpm.training.recipes.recipes import tiny
    >>> ablation("R3", tiny()).model.scan
    'raster'
    """
    if name not in ABLATIONS:
        raise ValueError(f"Unknown ablation {name!r}; expected one of {', '.join(ABLATIONS)}.")
    return ABLATIONS[name][1](recipe)
