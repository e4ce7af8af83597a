"""PM2.5 as a tracer: emitted, blown over Europe, stopped by mountains, mixed, washed out.

Two layers up to 1800 m: the mixed layer, whose depth breathes with the day, and the air above. Hourly
semi-Lagrangian steps (bicubic) on the 0.1-degree lattice. Shapes: (P, Q) lattice, (R, C) coarse nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from cranpm.testbed.simulation.emissions import EmissionConfig, Emissions
from cranpm.testbed.simulation.flow import EARTH_RADIUS
from cranpm.testbed.simulation.surface import Surface
from cranpm.testbed.simulation.weather import Forcing, Weather


@dataclass(frozen=True, kw_only=True)
class ChemistryConfig:
    """Constants of mixing and loss."""

    emissions: EmissionConfig = field(default_factory=EmissionConfig)
    top: float = 1800.0
    """Top of the upper layer [m]."""
    background: tuple[float, float] = (3.5, 2.3)
    """Air from outside, in the mixed layer and above [ug m-3]."""
    low_life: float = 12.0
    """Life in a very deep mixed layer [days]; deposition shortens it by (1 + 300 m / depth)."""
    high_life: float = 7.0
    """Life above the mixed layer [days]."""
    rain_scavenging: float = 0.06
    """Share washed out per day and mm/day."""
    barrier_softness: float = 85.0
    """Height over which a barrier closes [m]."""
    high_depth: float = 1500.0
    """Depth against which barriers block the upper layer [m]."""


@dataclass(frozen=True, kw_only=True)
class TracerState:
    """Concentrations (2, 1, P, Q) [ug m-3], mixed layer first, and its depth (P, Q) [m]."""

    air: torch.Tensor
    depth: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class TracerDay:
    """Daily means on the lattice: PM2.5 of the mixed layer [ug m-3] and inverse depth [m-1]."""

    pm2p5: torch.Tensor
    inverse_depth: torch.Tensor


class Tracer:
    """Moves the tracer through one day of weather."""

    def __init__(
        self, surface: Surface, weather: Weather, *, seed: int, config: ChemistryConfig | None = None
    ) -> None:
        self.config = config = config or ChemistryConfig()
        self.surface, self.weather = surface, weather
        self.emissions = Emissions(surface, seed=seed, config=config.emissions)
        device, (rows, cols) = surface.device, surface.shape
        self._background = torch.tensor(config.background, device=device).reshape(2, 1, 1, 1)
        y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, cols), indexing="ij")
        self._base = torch.stack([x, y], -1).to(device)[None]  # (1, P, Q, 2) in grid_sample coordinates
        cr, cc = surface.coarse.shape
        y, x = torch.meshgrid(torch.linspace(-1, 1, cr), torch.linspace(-1, 1, cc), indexing="ij")
        self._coarse_base = torch.stack([x, y], -1).to(device)[None]
        degrees = 180 / np.pi / EARTH_RADIUS
        lat = torch.from_numpy(np.deg2rad(surface.coarse.lat)).float().to(device)[:, None]
        width, height = (cc - 1) * surface.coarse.step, (cr - 1) * surface.coarse.step
        # metres towards east and north -> grid_sample coordinates (rows run south)
        self._per_metre = torch.stack(
            [2 * degrees / width / torch.cos(lat), torch.full_like(lat, -2 * degrees / height)]
        )
        self._lattice_solar = torch.from_numpy(surface.lon / 15.0).float().to(device)
        self._coarse_solar = torch.from_numpy(surface.coarse.lon / 15.0).float().to(device)

    def first_guess(self, day: int) -> TracerState:
        """A plausible sky to start a spin-up from."""
        level = 0.6 * self.surface.to_lattice(self.surface.land)[None, None]
        air = self._background + torch.cat([8 * level, 3 * level])
        return TracerState(air=air, depth=torch.full(self.surface.shape, 500.0, device=self.surface.device))

    @staticmethod
    def _sun(hour: float, solar: torch.Tensor) -> torch.Tensor:
        """Share of the day's growth of the mixed layer, by local solar time: up from 7, gone at 19."""
        local = torch.remainder(hour + solar, 24.0)
        return torch.sin(torch.clamp((local - 7.0) / 12.0, 0, 1) * torch.pi).clamp_min(0) ** 0.8

    def _departure(self, forcing: Forcing, hour: float, seconds: float) -> torch.Tensor:
        """Where air was an hour ago, in grid_sample coordinates on the lattice, shape (2, P, Q, 2)."""
        depth = forcing.night_depth + forcing.day_growth * self._sun(hour, self._coarse_solar)
        u = torch.stack([forcing.low[0], forcing.high[0]])
        v = torch.stack([forcing.low[1], forcing.high[1]])
        depths = torch.stack([depth, torch.full_like(depth, self.config.high_depth)])
        u, v = self.weather.dam(u, v, depths, self.config.barrier_softness)
        shift = torch.stack([u, v], 1) * self._per_metre * seconds  # (2, 2, R, C)
        middle = self._coarse_base - 0.5 * shift.permute(0, 2, 3, 1)
        shift = F.grid_sample(shift, middle, mode="bilinear", padding_mode="border", align_corners=True)
        return self._base - self.surface.to_lattice(shift).permute(0, 2, 3, 1)

    def day(
        self, day: int, state: TracerState, forcing: Forcing | None = None, known_until: int | None = None
    ) -> tuple[TracerDay, TracerState]:
        """One day, 00 to 24 UTC, from the state at its start.

        Other weather may be given, and emissions limited to what is known on a day (`Emissions.day`): oracles.
        """
        config, surface = self.config, self.surface
        forcing = forcing or self.weather.forcing(day)
        temperature, speed = forcing.temperature[:4].mean(0), forcing.speed[:4].mean(0)
        emission = self.emissions.day(day, temperature, speed, known_until)
        air, depth = state.air, state.depth
        total, inverse = torch.zeros_like(depth), torch.zeros_like(depth)
        for step in range(8):
            now = forcing.blend(step // 2, 0.25 + 0.5 * (step % 2))
            departure = self._departure(now, 3.0 * step + 1.5, 3600.0)
            night, growth, rain = surface.to_lattice(torch.stack([now.night_depth, now.day_growth, now.rain]))
            washed = rain * (config.rain_scavenging / 24)
            keep_high = torch.exp(-(washed + 1 / (24 * config.high_life)))
            for hour in range(3 * step, 3 * step + 3):
                new_depth = (night + growth * self._sun(hour + 0.5, self._lattice_solar)).clamp(120.0, 1650.0)
                air = self._background + F.grid_sample(
                    air - self._background,
                    departure,
                    mode="bicubic",
                    padding_mode="zeros",
                    align_corners=True,
                )
                low, high = air[0, 0].clamp_min(0.1), air[1, 0].clamp_min(0.1)
                # a growing layer takes in air from above; a collapsing one leaves its air there
                taken, left = torch.relu(new_depth - depth), torch.relu(depth - new_depth)
                mixed = (low * (new_depth - taken) + high * taken) / new_depth
                above = config.top - new_depth
                high = (high * (above - left) + low * left) / above
                per_depth = 1 / new_depth
                loss = (1 + 300.0 * per_depth) / (24 * config.low_life) + washed
                low = (mixed + emission * per_depth) * torch.exp(-loss)
                air, depth = torch.stack([low, high * keep_high])[:, None], new_depth
                total += low
                inverse += per_depth
        return TracerDay(pm2p5=total / 24, inverse_depth=inverse / 24), TracerState(air=air, depth=depth)
