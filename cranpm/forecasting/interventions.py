"""Counterfactual inputs of a day, and a network with a prior switched: what the forecast would have been if.

Everything is pure: a changed day is a new `ForecastDay` that shares what did not change, and `switched` puts back the
very objects it took away. In a day ``coarse.wind``, ``coarse.wind_box``, ``coarse.elevation`` and ``elevation`` feed
the priors (scan, biases, transport, height), ``coarse.fields`` and ``channel_maps`` the input channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from cranpm.data.samples import CoarseSample
from cranpm.domain import COARSE_CHANNELS, DAY_CHANNELS, Statistics, channel_index
from cranpm.domain.channels import LEVELS
from cranpm.domain.grid import CELLS_PER_NODE
from cranpm.domain.normalise import (
    denormalise_elevation,
    normalise_elevation,
    normalise_latitude,
    normalise_longitude,
)
from cranpm.forecasting.day import ForecastDay
from cranpm.forecasting.intervention_names import HIDDEN_GROUPS, SWITCHES, Step, parse_steps
from cranpm.model import CranPM
from cranpm.model.branches import ElevationBlock, GlobalBranch
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.model.extensions.height import HeightDamping
from cranpm.model.extensions.transport import Transport
from cranpm.model.layers.bridge import BridgeLayer
from cranpm.model.layers.windscan import WindScan

Steps = Iterable[tuple[str, float]]

WIND_BLOCK = 8
"""Coarse nodes along the side of a block that a random wind turns as one (2 degrees, one coarse token)."""

TERRAIN_BLOCK = 4
"""Coarse nodes along the side of a block of scrambled terrain (1 degree)."""

WIND_PAIRS = (("u10", "v10"), *((f"u_{level}", f"v_{level}") for level in LEVELS))


def intervene(day: ForecastDay, steps: Steps, statistics: Statistics) -> ForecastDay:
    """The day as it would have been; steps that switch the network are left to `switched`.

    Parameters
    ----------
    day : ForecastDay
        Not changed.
    steps : iterable of (name, value)
        See `cranpm.forecasting.intervention_names`; done in order.
    statistics : Statistics
        Those the day was normalised with: winds are turned in m/s.

    Raises
    ------
    UnknownInterventionError
        For a step that nobody knows.
    """
    for step in parse_steps(steps):
        if step.name.startswith("wind_") and step.name not in SWITCHES:
            day = _change_wind(day, step, statistics)
        elif step.name.startswith("terrain_"):
            day = _change_terrain(day, step)
        elif step.name.startswith("hide_"):
            day = _hide(day, HIDDEN_GROUPS[step.name.removeprefix("hide_")], step.value)
        elif step.name == "previous_day":
            day = _previous_day(day, step.value)
        elif step.name == "place_random":
            day = _random_place(day, int(step.value))
    return day


def _change_wind(day: ForecastDay, step: Step, statistics: Statistics) -> ForecastDay:
    coarse = day.coarse
    angle, factor = _wind_change(step, coarse.wind_box.shape[-2:])
    if step.priors:
        box = np.stack(_turned(coarse.wind_box[0], coarse.wind_box[1], angle, factor)).astype(np.float32)
        rows, cols = coarse.wind.shape[-2:]
        coarse = replace(coarse, wind_box=box, wind=torch.from_numpy(box[:, :rows, :cols].copy()))
    if step.channels:
        coarse = replace(coarse, fields=_turned_channels(coarse, angle, factor, statistics))
    return replace(day, coarse=coarse)


def _wind_change(step: Step, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Angle [radians, anticlockwise] at each node of the coarse box, and factor of the speed."""
    if step.name == "wind_scale":
        return np.zeros(shape), step.value
    if step.name == "wind_turn":
        return np.full(shape, math.radians(step.value)), 1.0
    blocks = tuple(-(-n // WIND_BLOCK) for n in shape)
    drawn = np.random.default_rng(int(step.value)).uniform(0, 2 * math.pi, blocks)
    return np.kron(drawn, np.ones((WIND_BLOCK, WIND_BLOCK)))[: shape[0], : shape[1]], 1.0


def _turned(
    east: np.ndarray, north: np.ndarray, angle: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    angle = angle[: east.shape[-2], : east.shape[-1]]
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    return east * cos - north * sin, east * sin + north * cos


def _turned_channels(
    coarse: CoarseSample, angle: np.ndarray, factor: float, statistics: Statistics
) -> torch.Tensor:
    """Winds of all levels on both days, turned in m/s; a gap holds the mean wind and is turned like it."""
    fields = coarse.fields.numpy().copy()
    for day in ("t", "t-1"):
        for pair in WIND_PAIRS:
            places = [channel_index(f"{name}@{day}", COARSE_CHANNELS) for name in pair]
            east, north = (fields[i] * statistics.std[n] + statistics.mean[n] for i, n in zip(places, pair))
            for i, n, wind in zip(places, pair, _turned(east, north, angle, factor)):
                fields[i] = (wind - statistics.mean[n]) / statistics.std[n]
    return torch.from_numpy(fields)


def _change_terrain(day: ForecastDay, step: Step) -> ForecastDay:
    seen = day.channel_maps.get("elevation")
    maps = dict(day.channel_maps)
    if step.channels:
        before = day.elevation if seen is None else denormalise_elevation(seen)
        maps["elevation"] = normalise_elevation(_reshaped(day, before, step))
    elif seen is None:
        maps["elevation"] = normalise_elevation(day.elevation)  # the channel stays as it was
    if not step.priors:
        return replace(day, channel_maps=maps)
    coarse = replace(day.coarse, elevation=_reshaped(day, day.coarse.elevation, step))
    elevation = _reshaped(day, day.elevation, step)
    return replace(day, coarse=coarse, elevation=elevation, channel_maps=maps)


def _reshaped(day: ForecastDay, elevation: torch.Tensor, step: Step) -> torch.Tensor:
    if step.name == "terrain_scale":
        return elevation * step.value
    if step.name == "terrain_flatten":
        land = elevation != 0
        mean = elevation[land].mean() if bool(land.any()) else elevation.new_zeros(())
        return torch.where(land, elevation + step.value * (mean - elevation), elevation)
    # whole blocks of the fine grid, which may end sooner: fine and coarse terrain must be scrambled alike
    rows, cols = (n // (TERRAIN_BLOCK * CELLS_PER_NODE) for n in day.domain.fine.shape)
    fine = elevation.shape == day.domain.fine.shape
    block = TERRAIN_BLOCK * CELLS_PER_NODE if fine else TERRAIN_BLOCK
    return _scrambled(elevation, block, (rows, cols), int(step.value))


def _scrambled(field: torch.Tensor, block: int, counts: tuple[int, int], seed: int) -> torch.Tensor:
    """Rows and columns of blocks in a random order; a rest at the south and east that fills no block stays."""
    result = field
    for axis, count in enumerate(counts):
        order = torch.from_numpy(np.random.default_rng([seed, axis]).permutation(count))
        index = (order[:, None] * block + torch.arange(block)).flatten()
        rest = torch.arange(count * block, field.shape[axis])
        result = result.index_select(axis, torch.cat([index, rest]).to(field.device))
    return result


def _hide(day: ForecastDay, group: tuple[str, ...], share: float) -> ForecastDay:
    fields = day.coarse.fields.clone()
    for index, channel in enumerate(DAY_CHANNELS):
        if any(channel.name == name or (name[-1] == "_" and channel.name.startswith(name)) for name in group):
            for place in (index, index + len(DAY_CHANNELS)):
                fields[place] *= 1 - share  # 0 is the normalised mean
    return replace(day, coarse=replace(day.coarse, fields=fields))


def _previous_day(day: ForecastDay, share: float) -> ForecastDay:
    count = len(DAY_CHANNELS)
    fields = day.coarse.fields.clone()
    fields[count:] += share * (fields[:count] - fields[count:])
    before = day.pm2p5 if share == 1 else day.pm2p5_before + share * (day.pm2p5 - day.pm2p5_before)
    return replace(day, coarse=replace(day.coarse, fields=fields), pm2p5_before=before)


def _random_place(day: ForecastDay, seed: int) -> ForecastDay:
    generator = np.random.default_rng(seed)
    fine, device = day.domain.fine, day.device
    latitude = torch.from_numpy(generator.permutation(fine.lat).astype(np.float32)).to(device)
    longitude = torch.from_numpy(generator.permutation(fine.lon).astype(np.float32)).to(device)
    maps = {
        "latitude": normalise_latitude(latitude)[:, None].expand(fine.shape),
        "longitude": normalise_longitude(longitude)[None].expand(fine.shape),
    }
    return replace(day, channel_maps={**day.channel_maps, **maps})


@contextmanager
def switched(network: CranPM, steps: Steps) -> Iterator[CranPM]:
    """The network with its priors scaled or switched off for the length of a ``with``; afterwards as it was, exactly.

    Parameters outside the switched ones are not touched, and those are replaced, never written to.
    """
    kept: list[tuple[nn.Module, str, object]] = []

    def put(module: nn.Module, name: str, value: object) -> None:
        kept.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    try:
        for step in parse_steps(steps):
            for module in list(network.modules()):
                _switch(module, step, put)
        yield network
    finally:
        for module, name, value in reversed(kept):
            setattr(module, name, value)


_STRONG: dict[str, type] = {
    "coarse_forecast": CoarseForecast,
    "height_damping": HeightDamping,
}
"""Modules whose effect is multiplied by their ``strength``."""


def _switch(module: nn.Module, step: Step, put: Callable[[nn.Module, str, object], None]) -> None:
    off = step.value == 0
    if step.name == "elevation_bias" and isinstance(module, ElevationBlock) and module.alpha is not None:
        # the inverse of softplus: alpha becomes alpha times the factor
        wanted = module.alpha.detach().double() * step.value
        put(module, "raw_alpha", None if off else _parameter(wanted.expm1().log(), module.raw_alpha))
    elif step.name == "wind_bias" and isinstance(module, BridgeLayer) and module.beta is not None:
        put(module, "beta", None if off else _parameter(module.beta * step.value, module.beta))
    elif step.name == "bridge_reach" and isinstance(module, BridgeLayer) and module.raw_reach is not None:
        reach = module.raw_reach
        put(module, "raw_reach", None if off else _parameter(reach + math.log(step.value), reach))
    elif isinstance(module, _STRONG.get(step.name, ())):
        put(module, "strength", getattr(module, "strength") * step.value)  # noqa: B009  a module's number, to mypy too
    elif step.name == "transport" and isinstance(module, Transport):
        put(module, "length", module.length * step.value)
    elif step.name == "bridge_off" and isinstance(module, CranPM) and step.value:
        put(module, "bridge_off", True)
    elif step.name == "scan_raster" and isinstance(module, GlobalBranch) and step.value:
        put(module, "scan", WindScan(module.scan.size, "raster").to(module.scan.table.device))


def _parameter(values: torch.Tensor, like: torch.Tensor | None) -> nn.Parameter:
    assert like is not None
    return nn.Parameter(values.detach().to(like.dtype), requires_grad=False)
