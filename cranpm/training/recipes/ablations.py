"""Table 3 as recipes: what is taken out, one name each. A variant is a configuration, never a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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


def _without_terrain(recipe: Recipe) -> Recipe:
    """No prior from terrain: neither eq. 2 nor its form in the extensions. Elevation stays a channel."""
    return _model(elevation_bias=False, height_damping=False, transport_barriers=False)(recipe)


def _wind(**kept: Any) -> Callable[[Recipe], Recipe]:
    """No prior from wind but those kept: neither scan nor bias nor transport. Wind stays a channel."""
    return _model(**{"wind_bias": False, "scan": "raster", "transport": False, **kept})


def _bridge_off(recipe: Recipe) -> Recipe:
    """No attention between the branches. Where nothing else joins them, the coarse branch has no use and goes, too."""
    model = recipe.model
    if not (model.transport or model.coarse_forecast or model.coarse_predictors):
        return _no_fusion(recipe)
    return _model(fusion="cross", bridge_depth=0, bridge_reach=False, wind_bias=False)(recipe)


def _with_smaller_steps(recipe: Recipe) -> Recipe:
    """One day a step, and as many days, tiles and pairs of them in all."""
    several = recipe.days_per_step
    counted = ("steps", "warmup_steps", "token_steps", "calibration_steps")
    more = {name: getattr(recipe, name) * several for name in counted}
    return replace(recipe, days_per_step=1, **more)


def _large_steps(recipe: Recipe) -> Recipe:
    """B: MSE alone, no day before."""
    return _without_spectrum_and_stations(_model(previous_day=False)(recipe))


def _baseline(recipe: Recipe) -> Recipe:
    """A: the same with one day a step."""
    return _with_smaller_steps(_large_steps(recipe))


ABLATIONS: dict[str, tuple[str, Callable[[Recipe], Recipe]]] = {
    "full": ("nothing taken out", lambda recipe: recipe),
    "R1": ("without cross-scale attention: no coarse branch", _no_fusion),
    "R2": ("without the elevation bias, or any prior from terrain", _without_terrain),
    "R3": ("without wind scan, wind bias and transport", _wind()),
    "R4": ("transposed convolution for the decoder", _convt),
    "R5": ("absolute map instead of its change", _absolute),
    "R6": ("without the focal frequency loss", _recipe(frequency_weight=0.0)),
    "R7": ("without the station loss", _recipe(station_weight=0.0)),
    "R8": ("without the day before", _model(previous_day=False)),
    "scan-only": ("of the priors from wind only the scan", _wind(scan="wind")),
    "bias-only": ("of the priors from wind only the bias", _wind(wind_bias=True)),
    "bridge-off": ("no attention between the branches", _bridge_off),
    "no-coarse-forecast": ("without the global branch's own forecast", _model(coarse_forecast=False)),
    "no-coarse-predictors": ("without factors of the coarse analysis", _model(coarse_predictors=False)),
    "no-regional-mean": ("without a factor of the 25-km mean", _model(regional_mean=False)),
    "no-height-damping": ("without less change on summits", _model(height_damping=False)),
    "free-paths": ("with no bound on what tokens do to a path", _model(path_freedom=None)),
    "no-transport": ("without what the wind carries in", _model(transport=False)),
    "A": ("MSE alone, one day a step, no day before (Table 3b)", _baseline),
    "B": ("A with the effective batch, as many tiles in fewer steps", _large_steps),
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


@dataclass(frozen=True, kw_only=True)
class AblationTable:
    """A part of Table 3: which variants, and the one that they are compared with."""

    title: str
    variants: tuple[str, ...]
    reference: str


TABLES: dict[str, AblationTable] = {
    "a": AblationTable(
        title="how the branches are joined",
        variants=tuple(name for name in ABLATIONS if name.startswith("fusion-")),
        reference="fusion-cross",
    ),
    "b": AblationTable(
        title="what training adds, with equal numbers of drawn tiles",
        variants=("A", "B", "C", "D"),
        reference="D",
    ),
    "c": AblationTable(
        title="what each part is worth, retrained without it",
        variants=("full", *(f"R{n}" for n in range(1, 9)), "scan-only", "bias-only", "bridge-off"),
        reference="full",
    ),
}
"""Table 3 of the paper; (c) also takes the priors from wind apart, and switches the bridge off."""


def same_recipe(name: str, recipe: Recipe) -> str:
    """The first variant that is the same recipe: what is trained once though it has several names.

    Examples
    --------
    >>> from cranpm.training.recipes.recipes import paper_small, tiny
    >>> same_recipe("D", paper_small()), same_recipe("R7", paper_small())
    ('full', 'R7')

    A recipe without station loss loses nothing with it:

    >>> same_recipe("R7", tiny())
    'full'
    """
    variant = ablation(name, recipe)
    return next(known for known in ABLATIONS if ablation(known, recipe) == variant)


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
