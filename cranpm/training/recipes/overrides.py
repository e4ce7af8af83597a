"""``--set model.wind_bias=false steps=200``: single fields of a recipe by dotted name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from cranpm.baselines.learned.kinds import RivalConfig
from cranpm.domain.splits import Splits
from cranpm.model import ModelConfig
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.recipes.rivals import LeastSquaresRecipe, RivalRecipe

_Config = TypeVar("_Config", Recipe, RivalRecipe, LeastSquaresRecipe, RivalConfig, ModelConfig, Splits)
"""What holds fields: a recipe, and its parts."""

_Recipe = TypeVar("_Recipe", Recipe, RivalRecipe, LeastSquaresRecipe)


def override(recipe: _Recipe, settings: Sequence[str]) -> _Recipe:
    """A recipe with some fields set.

    Parameters
    ----------
    recipe : Recipe, RivalRecipe or LeastSquaresRecipe
    settings : sequence of str
        ``name=value``; a dot leads into the model or the splits. Values are JSON (``false``, ``[1, 2]``, ``1e-3``) or
        plain words.

    Returns
    -------
    Recipe
        A new one; what is not set stays.

    Raises
    ------
    ValueError
        For a field that there is not, a value of another type, or relations that a recipe refuses.

    Examples
    --------
    >>> from cranpm.training.recipes.recipes import tiny
    >>> override(tiny(), ["model.wind_bias=false", "steps=200", "model.scan=raster"]).model.scan
    'raster'
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(
                f"Cannot read --set {setting!r}; expected name=value, such as model.wind_bias=false."
            )
        recipe = _set(recipe, name.strip().split("."), text.strip(), name.strip())
    return recipe


def _set(owner: _Config, path: list[str], text: str, full: str) -> _Config:
    known = [f.name for f in fields(owner)]
    if path[0] not in known:
        raise ValueError(f"--set {full}: there is no field {path[0]!r}; expected one of {', '.join(known)}.")
    current = getattr(owner, path[0])
    if is_dataclass(current) and len(path) == 1:
        raise ValueError(f"--set {full} needs a field of it, such as {full}.{fields(current)[0].name}=...")
    if len(path) > 1 and not is_dataclass(current):
        raise ValueError(f"--set {full}: {path[0]!r} has no fields.")
    value = (
        _set(current, path[1:], text, full) if len(path) > 1 else _value(text, current, path[0], owner, full)
    )
    return replace(owner, **{path[0]: value})


def _value(text: str, current: object, name: str, owner: _Config, full: str) -> Any:
    """The text as the kind of value that stands there now."""
    value: object
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false", "null", "none") else text)
    except ValueError:
        value = None if text.lower() == "none" else text
    if isinstance(value, list):
        value = tuple(value)
    declared = str(next(f.type for f in fields(owner) if f.name == name))
    if value is None and "None" in declared:
        return None
    kinds: dict[str, tuple[type, ...]] = {
        "bool": (bool,),
        "int": (int,),
        "float": (int, float),
        "str": (str,),
    }
    wanted = kinds.get(declared.split("|")[0].strip(), (tuple,))
    is_flag = isinstance(value, bool)
    if not isinstance(value, wanted) or (is_flag and wanted != (bool,)):
        raise ValueError(f"--set {full}={text}: expected {declared}, such as {current!r}.")
    return float(str(value)) if declared.startswith("float") else value
