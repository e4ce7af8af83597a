"""All constants of a world's physics in one place: what is another world is other values, not other code.

The defaults are world 1. A file (`cranpm.testbed.simulation.world_files`) names what differs from it.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from cranpm._json import JsonObject
from cranpm.testbed.simulation.chemistry import ChemistryConfig
from cranpm.testbed.simulation.weather import WeatherConfig

DEFAULT_SEED = 20260101
WORLD_1 = "world-1"
"""Name of the world with the default constants."""

_Config = TypeVar("_Config")

_POSITIVE = frozenset(
    "valley_height low_life high_life top high_depth barrier_softness stability_frequency mean primary_cap "
    "secondary_cap chemistry_memory max_wavenumber slow_wavenumber peak_wavelength streamfunction_std memory "
    "forcing_memory slow_memory history max_tilt".split()
)
"""Constants that something is divided by: zero is no value of them."""


class WorldConstantsError(ValueError):
    """Constants that no world has; the message says which."""


@dataclass(frozen=True, kw_only=True)
class DownscalingConfig:
    """From the lattice to fine maps."""

    valley_height: float = 350.0
    """Depth below the surroundings that a valley counts in full for [m]."""
    valley_limit: float = 0.8
    """Most that a valley, or a ridge, counts for."""
    valley_contrast: float = 0.15
    """What a full valley holds more than its surroundings on a stirred day, as a share of them."""
    valley_pooling: float = 0.45
    """What it holds more besides on a stagnant day."""


@dataclass(frozen=True, kw_only=True)
class InstrumentConfig:
    """What instruments add to the truth."""

    fine_noise: float = 0.030
    """Relative retrieval noise of the fine product, some 3 km wide."""
    broad_noise: float = 0.035
    """The same, some 15 km wide."""
    floor_noise: float = 0.20
    """Absolute retrieval noise [ug m-3]."""
    complex_terrain_bias: float = 0.15
    """Share of PM2.5 that the retrieval misses where elevation varies by 300 m or more within 25 km."""
    cloud_level: float = 2.8
    """Broad noise (standard deviations) beyond which the product has no value: about 0.3 % of land."""
    analysis_error: float = 0.10
    """Relative error of the CAMS-like analysis, some 2 degrees wide."""
    forecast_error: float = 0.06
    """What each day of lead adds to the relative error of the CAMS-like forecast."""
    station_noise: float = 0.12
    """Relative error of a station's daily mean."""


@dataclass(frozen=True, kw_only=True)
class WorldConstants:
    """A world: its name, its seed and its physics."""

    name: str = WORLD_1
    title: str = "World 1"
    seed: int = DEFAULT_SEED
    """Another seed is another weather, other emissions, other noise."""
    weather: WeatherConfig = field(default_factory=WeatherConfig)
    chemistry: ChemistryConfig = field(default_factory=ChemistryConfig)
    downscaling: DownscalingConfig = field(default_factory=DownscalingConfig)
    instruments: InstrumentConfig = field(default_factory=InstrumentConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**64:
            raise WorldConstantsError(f"seed is {self.seed}; expected 0 .. 2**64 - 1.")
        if self.name == WORLD_1 and self.changes:
            raise WorldConstantsError(
                f"{WORLD_1!r} is the world with the constants of the code; one with other values of "
                f"{', '.join(_names(self.changes))} needs a name of its own."
            )

    @property
    def changes(self) -> JsonObject:
        """What differs from world 1 by part, besides name and seed; empty for world 1."""
        parts = ("weather", "chemistry", "downscaling", "instruments")
        return {name: inside for name in parts if (inside := _differences(getattr(self, name)))}

    def to_dict(self) -> JsonObject:
        """Name, title, seed, and what differs from world 1: plain values for JSON."""
        return {"name": self.name, "title": self.title, "seed": self.seed, **self.changes}

    @classmethod
    def from_dict(cls, values: JsonObject) -> WorldConstants:
        """Inverse of `to_dict`; what is not named is as in world 1.

        Raises
        ------
        WorldConstantsError
            For a constant that there is none of, or a value that it cannot have; the message names it.
        """
        return _changed(cls(), values, "")


def _differences(config: Any) -> JsonObject:
    """Values of a part that are not its defaults."""
    usual = type(config)()
    found: JsonObject = {}
    for name in (f.name for f in fields(config)):
        ours = getattr(config, name)
        if is_dataclass(ours):
            if inside := _differences(ours):
                found[name] = inside
        elif ours != getattr(usual, name):
            found[name] = list(ours) if isinstance(ours, tuple) else ours
    return found


def _names(changes: JsonObject, prefix: str = "") -> list[str]:
    return [
        full
        for name, value in changes.items()
        for full in (_names(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"])
    ]


def _changed(config: _Config, values: object, where: str) -> _Config:
    """A configuration with some values, of its parts too."""
    if not isinstance(values, dict):
        raise WorldConstantsError(
            f"{where.rstrip('.') or 'A world'} is {values!r}; expected names and values."
        )
    known = {f.name for f in fields(config)}  # type: ignore[arg-type]
    unknown = sorted(str(name) for name in set(values) - known)
    if unknown:
        raise WorldConstantsError(
            f"There is no constant {where}{unknown[0]}; expected one of {', '.join(sorted(known))}."
        )
    made = {name: _value(getattr(config, name), value, f"{where}{name}") for name, value in values.items()}
    return dataclasses.replace(config, **made)  # type: ignore[type-var]


def _value(usual: Any, value: Any, where: str) -> Any:
    if is_dataclass(usual):
        return _changed(usual, value, f"{where}.")
    if isinstance(usual, tuple):
        if not isinstance(value, list | tuple) or len(value) != len(usual):
            raise WorldConstantsError(
                f"{where} is {value!r}; expected {len(usual)} numbers, such as {list(usual)}."
            )
        return tuple(_value(one, other, where) for one, other in zip(usual, value, strict=True))
    if isinstance(usual, str):
        if not isinstance(value, str) or not value.strip():
            raise WorldConstantsError(f"{where} is {value!r}; expected a word.")
        return value
    whole, name = isinstance(usual, int), where.rpartition(".")[2]
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    # every constant of world 1 is a strength, a scale or a share: zero switches off, less has no meaning
    if not number or not math.isfinite(value) or value < 0 or (value == 0 and name in _POSITIVE):
        kind = "whole number" if whole else "number"
        least = "more than 0" if name in _POSITIVE else "0 or more"
        raise WorldConstantsError(f"{where} is {value!r}; expected a {kind}, {least}, such as {usual}.")
    return type(usual)(value)
