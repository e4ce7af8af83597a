"""Weather on the coarse grid: 30 ERA5-like channels and what moves its PM2.5.

Everything is diagnosed from one streamfunction, so the fields agree with each other: geopotential is in balance
with the wind, temperature is the thickness between levels, the surface wind is the geostrophic one slowed and turned
by friction and dammed by terrain, rain falls where air turns, warms or climbs. Shapes: T instants, R rows, C columns.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch

from cranpm.testbed.simulation.climate import ZONAL_LEVELS, ZonalClimate, saturation_humidity, season_phase
from cranpm.testbed.simulation.flow import EARTH_RADIUS, Flow, FlowConfig
from cranpm.testbed.simulation.surface import Surface, face_to_node

GRAVITY, GAS_CONSTANT = 9.80665, 287.05


@dataclass(frozen=True, kw_only=True)
class WeatherConfig:
    """Constants of the diagnosed fields."""

    flow: FlowConfig = field(default_factory=FlowConfig)
    sea_slowing: float = 0.80
    """10 m wind as a share of the geostrophic wind over sea."""
    land_slowing: float = 0.50
    """The same over land."""
    rain_threshold: float = 1.5
    """Lifting index (standard deviations) above which it rains."""
    rain_rate: float = 10.5
    """Rain at an index of one above the threshold, at 10 g/kg of water [mm day-1]."""
    stability_frequency: float = 0.012
    """Brunt-Vaisala frequency of the air that must climb a barrier [s-1]."""
    low_surface: float = 0.5
    """Share of the 10 m wind in the wind that moves the mixed layer."""
    low_925: float = 0.24
    """Share of the wind at 925 hPa in it."""
    high_925: float = 0.42
    """Share of the wind at 925 hPa in the wind that moves the air above."""
    high_850: float = 0.34
    """Share of the wind at 850 hPa in it."""


@dataclass(frozen=True, kw_only=True)
class Forcing:
    """What the tracer needs at one or several instants; tensors of shape (..., R, C).

    Winds are towards east (u) and north (v) [m s-1]; `low` moves the mixed layer, `high` the air above it.
    """

    low: torch.Tensor
    """(..., 2, R, C)"""
    high: torch.Tensor
    """(..., 2, R, C)"""
    night_depth: torch.Tensor
    """Mixed-layer depth without sun [m]."""
    day_growth: torch.Tensor
    """What the sun adds to it at noon [m]."""
    rain: torch.Tensor
    """[mm day-1]"""
    stagnation: torch.Tensor
    """0 (stirred) to 1 (calm anticyclone)."""
    temperature: torch.Tensor
    """At 2 m [K]."""
    speed: torch.Tensor
    """Stirring wind speed: 10 m wind and the free air above [m s-1]."""

    def at(self, index: slice | int) -> Forcing:
        """The same at some of the instants."""
        return Forcing(**{name: value[index] for name, value in vars(self).items()})

    def blend(self, start: int, share: float) -> Forcing:
        """Between instants ``start`` and ``start + 1``."""
        return Forcing(
            **{name: torch.lerp(value[start], value[start + 1], share) for name, value in vars(self).items()}
        )


class Weather:
    """Weather of any day, the same whatever day was asked first.

    Parameters
    ----------
    surface : Surface
        Terrain and land on the coarse grid.
    seed : int
        Names the world.
    """

    def __init__(self, surface: Surface, *, seed: int, config: WeatherConfig | None = None) -> None:
        self.config = config = config or WeatherConfig()
        self.surface, self.device = surface, surface.device
        self._climate = ZonalClimate(surface.coarse.lat, self.device)
        self.flow = Flow(
            surface.coarse.lat, surface.coarse.lon, seed=seed, device=self.device, config=config.flow
        )
        lat = torch.from_numpy(np.deg2rad(surface.coarse.lat)).float().to(self.device)[:, None]
        self._lat = lat
        self._coriolis = 2 * 7.292e-5 * torch.sin(lat)
        self._slowing = config.sea_slowing + (config.land_slowing - config.sea_slowing) * surface.land
        self._turn = torch.deg2rad(12 + 18 * surface.land)
        # winds on pressure levels that lie inside a mountain are extrapolations: nearly calm in ERA5
        self._inside = torch.stack(
            [
                torch.exp(-torch.clamp(surface.elevation - 0.6 * height, min=0) / 600)
                for height in ZONAL_LEVELS.height
            ]
        )
        self._step = np.deg2rad(surface.coarse.step) * EARTH_RADIUS
        self._instants: OrderedDict[int, tuple[Forcing, torch.Tensor]] = OrderedDict()

    # ------------------------------------------------------------------ public
    def era5(self, day: int) -> torch.Tensor:
        """Daily means in the order of `ERA5_CHANNELS`, shape (30, R, C); precipitation is the daily sum."""
        return self._day(day)[1]

    def forcing(self, day: int) -> Forcing:
        """Forcing at 00, 06, 12, 18 and 24 UTC, leading dimension 5."""
        today, tomorrow = self._day(day)[0], self._day(day + 1)[0]
        return Forcing(
            **{name: torch.cat([value, getattr(tomorrow, name)[:1]]) for name, value in vars(today).items()}
        )

    # ---------------------------------------------------------------- internal
    def _day(self, day: int) -> tuple[Forcing, torch.Tensor]:
        if day not in self._instants:
            self._instants[day] = self.diagnose(day, self.flow.coefficients(day))
            while len(self._instants) > 8:
                self._instants.popitem(last=False)
        return self._instants[day]

    def diagnose(self, day: int, waves: torch.Tensor) -> tuple[Forcing, torch.Tensor]:
        """Forcing at several instants and ERA5-like daily means, from the waves at those instants."""
        flow_config = self.config.flow
        season = season_phase(day)
        strength = 0.5 * (1 + flow_config.summer_strength) - 0.5 * (1 - flow_config.summer_strength) * season
        psi, u, v, vorticity = self.flow.fields(waves, strength)
        mean_z, mean_u = self._climate.state(season)
        z = mean_z[:, :, None] + self._coriolis * psi
        u = (u + mean_u[:, :, None]) * self._inside
        v = v * self._inside
        t = self._climate.temperature(z)
        low_pressure = psi[:, 0] / (
            flow_config.streamfunction_std * flow_config.level_amplitude[0] * strength
        )
        spin = vorticity / (3.2e-5 * strength)

        t2m = self._surface_temperature(t, z, season)
        u10, v10 = self._surface_wind(u[:, 0] / self._inside[0], v[:, 0] / self._inside[0])
        # what stirs the air in a dammed basin is the wind above it, so basins are flushed now and then
        free = 0.42 * torch.hypot(u[:, 1], v[:, 1]) / self._inside[1]
        speed = 0.4 * torch.hypot(u10, v10) + 0.6 * free
        stagnation = torch.sigmoid(1.1 * low_pressure - 0.5 * spin + 0.7 * (3.2 - speed) - 0.5)
        t2m = t2m - self.surface.land * stagnation * (1.2 - 2.6 * season)
        lifting = self._lifting(u[:, 2], v[:, 2], t[:, 2], spin, low_pressure)
        humidity = self._humidity(t, lifting)
        water = saturation_humidity(t[:, 2], 850.0) * 0.8 / 0.010
        rain = (
            self.config.rain_rate
            * torch.relu(lifting - self.config.rain_threshold).clamp(max=3.5) ** 1.3
            * water.clamp(0.15, 1.8).sqrt()
        )

        night, growth = self._mixed_layer(day, speed, stagnation, lifting)
        surface_wind = torch.stack([u10, v10], 1)
        wind_925, wind_850 = torch.stack([u[:, 1], v[:, 1]], 1), torch.stack([u[:, 2], v[:, 2]], 1)
        mix = self.config
        forcing = Forcing(
            low=mix.low_surface * surface_wind + mix.low_925 * wind_925,
            high=mix.high_925 * wind_925 + mix.high_850 * wind_850,
            night_depth=night,
            day_growth=growth,
            rain=rain,
            stagnation=stagnation,
            temperature=t2m,
            speed=speed,
        )
        pressure = 1e5 * torch.exp(
            (z[:, 0] - GRAVITY * self.surface.elevation) / (GAS_CONSTANT * 0.5 * (t2m + t[:, 0]))
        )
        surface_fields = [field.mean(0) for field in (u10, v10, t2m, pressure, rain)]
        levels = [field.mean(0) for field in (t, u, v, humidity, z)]
        return forcing, torch.cat([torch.stack(surface_fields), *levels])

    def _surface_temperature(self, t: torch.Tensor, z: torch.Tensor, season: float) -> torch.Tensor:
        """Air at 2 m: the lowest levels brought to the ground, plus what the continent adds to the seasons."""
        lapse = 5.5e-3 + 0.5e-3 * season
        at_sea_level = t[:, 1] + lapse * z[:, 1] / GRAVITY
        return (
            at_sea_level - lapse * self.surface.elevation + self.surface.continentality * (6.0 * season - 0.8)
        )

    def _surface_wind(self, u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Geostrophic wind at 1000 hPa, slowed, turned towards low pressure, and dammed by barriers."""
        cos, sin = torch.cos(self._turn), torch.sin(self._turn)
        u10, v10 = self._slowing * (u * cos - v * sin), self._slowing * (u * sin + v * cos)
        return self.dam(u10, v10, torch.full_like(u10, 350.0))

    def dam(
        self, u: torch.Tensor, v: torch.Tensor, depth: torch.Tensor, softness: float = 120.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take away the part of a wind that would have to climb a barrier higher than the air is deep.

        Parameters
        ----------
        u, v, depth : Tensor, shape (..., R, C)
            Wind [m s-1] and depth of the moving layer [m].
        softness : float
            Height over which a barrier closes [m].
        """
        surface, gain = self.surface, 0.6 / self.config.stability_frequency
        reach_u, reach_v = depth + gain * u.abs(), depth + gain * v.abs()
        east = torch.sigmoid(
            (0.5 * (reach_u[..., :, 1:] + reach_u[..., :, :-1]) - surface.barrier_east) / softness
        )
        north = torch.sigmoid(
            (0.5 * (reach_v[..., 1:, :] + reach_v[..., :-1, :]) - surface.barrier_north) / softness
        )
        return u * face_to_node(east, -1), v * face_to_node(north, -2)

    def _gradient(self, field: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Slopes towards east and north [per m]; rows run north to south."""
        south, east = torch.gradient(field, dim=(-2, -1))
        return east / (self._step * torch.cos(self._lat)), -south / self._step

    def _lifting(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        t: torch.Tensor,
        spin: torch.Tensor,
        low_pressure: torch.Tensor,
    ) -> torch.Tensor:
        """How strongly air rises, about one standard deviation wide."""
        east, north = self._gradient(t)
        warming = -(u * east + v * north) / 9e-5  # standardised warm advection
        climb = u * self.surface.slope_east + v * self.surface.slope_north
        return (
            0.62 * spin + 0.45 * warming.clamp(-4, 4) - 0.38 * low_pressure + (climb / 0.06).clamp(-0.8, 1.2)
        )

    def _humidity(self, t: torch.Tensor, lifting: torch.Tensor) -> torch.Tensor:
        """Specific humidity on the levels [kg kg-1], shape (T, 5, R, C)."""
        mean = torch.tensor([0.74, 0.72, 0.66, 0.52, 0.44], device=self.device)[:, None, None]
        swing = torch.tensor([0.05, 0.08, 0.13, 0.17, 0.17], device=self.device)[:, None, None]
        relative = (mean + swing * lifting[:, None]).clamp(0.05, 1.0)
        return torch.stack(
            [relative[:, i] * saturation_humidity(t[:, i], p) for i, p in enumerate(ZONAL_LEVELS.pressure)], 1
        )

    def _mixed_layer(
        self, day: int, speed: torch.Tensor, stagnation: torch.Tensor, lifting: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Depth at night and growth by the sun [m]."""
        land, basin = self.surface.land, self.surface.basin
        night = (140 + 68 * speed) * (1 - 0.48 * stagnation) * (1 - 0.65 * basin * stagnation)
        night = night * land + (1 - land) * (300 + 62 * speed)
        sun = (
            torch.clamp(torch.cos(self._lat - np.deg2rad(23.4) * season_phase(day, shift=-33.0)), min=0)
            ** 1.7
        )
        cloud = torch.sigmoid(2.0 * (lifting - 0.5))
        growth = (
            land * 1350 * sun * (1 - 0.5 * cloud) * (1 - 0.25 * stagnation) * (1 - 0.50 * basin * stagnation)
        )
        return night, growth
