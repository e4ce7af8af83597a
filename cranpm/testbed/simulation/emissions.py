"""What is put into the air each day: people, heating, fields, fires, desert dust, and chemistry nobody can know.

Lattice shapes (P, Q) as in `surface`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cranpm.testbed.simulation.climate import season_phase
from cranpm.testbed.simulation.noise import day_generator, red_kernel
from cranpm.testbed.simulation.place import place_of
from cranpm.testbed.simulation.surface import Surface, smooth

_FIRE_DAYS = 6


@dataclass(frozen=True, kw_only=True)
class EmissionConfig:
    """Strengths relative to `mean`, the emission of average land."""

    mean: float = 59.0
    """Mean over land of the part made by people [ug m-2 h-1]."""
    primary_share: float = 0.20
    """Share emitted as particles where people live; the rest forms within some 100 km."""
    primary_cap: float = 5000.0
    """Ceiling of the primary part, in persons^0.72 per lattice cell: megacities do not burn like villages."""
    secondary_cap: float = 9000.0
    """The same for what forms later."""
    rural: float = 0.48
    """Farms and forests, everywhere on land."""
    heating: float = 0.5
    """Increase per 15 K below 288 K."""
    weekend: float = 0.85
    """Primary emission on Saturdays and Sundays."""
    chemistry_std: float = 0.44
    """Standard deviation of the logarithm of the hidden factor."""
    chemistry_memory: float = 3.5
    """Its memory [days]."""
    fires_per_day: float = 0.30
    """New fires a day over Europe's box in July."""
    dust: float = 0.10
    """Dust emission per (m s-1)^2 of wind above 5.5 m s-1 on desert."""


class HiddenChemistry:
    """A regional factor on secondary particles: red noise in time, some 200 km wide, the same in every domain."""

    def __init__(self, surface: Surface, *, seed: int, config: EmissionConfig) -> None:
        self.seed, self.config, self.history = seed, config, 20
        box = place_of(surface.coarse).noise
        self._rows = self._weights(surface.coarse.lat, np.arange(box.north, box.south - 0.1, -1.0))
        self._cols = self._weights(surface.coarse.lon, np.arange(box.west, box.east + 0.1, 1.0))
        age = torch.arange(self.history, 0, -1, dtype=torch.float64)
        kernel = red_kernel(age - 0.5, torch.tensor(config.chemistry_memory, dtype=torch.float64), 0.5)
        self._kernel = (kernel / (kernel**2).sum().sqrt()).numpy()
        self.device = surface.device

    @staticmethod
    def _weights(points: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        weights = np.exp(-0.5 * ((points[:, None] - nodes[None, :]) / 1.4) ** 2)
        return weights / np.sqrt((weights**2).sum(1, keepdims=True))

    def factor(self, day: int) -> torch.Tensor:
        """Multiplier with mean 1 on the coarse box, shape (R, C)."""
        size = (self._rows.shape[1], self._cols.shape[1])
        noise = np.zeros(size)
        for weight, past in zip(self._kernel, range(day - self.history + 1, day + 1), strict=True):
            noise += weight * day_generator(self.seed, "chemistry", past).standard_normal(size)
        std = self.config.chemistry_std
        field = np.exp(std * (self._rows @ noise @ self._cols.T) - 0.5 * std**2)
        return torch.from_numpy(field).float().to(self.device)


class Emissions:
    """Daily emission maps [ug m-2 h-1] on the lattice."""

    def __init__(self, surface: Surface, *, seed: int, config: EmissionConfig | None = None) -> None:
        self.config = config = config or EmissionConfig()
        self.surface, self.seed = surface, seed
        self._chemistry = HiddenChemistry(surface, seed=seed, config=config)
        people = surface.population**0.72
        primary = config.primary_cap * np.tanh(people / config.primary_cap)
        secondary = smooth(config.secondary_cap * np.tanh(people / config.secondary_cap), 4.5, 7.0)
        land = surface.land_lattice.cpu().numpy()
        # fixed divisors (Europe's land means of both), so that a region is not rescaled
        factor = surface.country_factor * config.mean

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(values).float().to(surface.device)

        self.primary = tensor(factor * config.primary_share * primary / 355.0)
        self.secondary = tensor(factor * (1 - config.primary_share) * secondary / 355.0)
        self.rural = tensor(config.mean * config.rural * (land + 0.25 * (1 - land)))
        lat = surface.lat[:, None] + 0 * surface.lon[None, :]
        self._place = place_of(surface.coarse)
        self._desert = tensor(land * self._place.desert_share(lat))

    def heating(self, temperature: torch.Tensor) -> torch.Tensor:
        """Factor by which cold raises emission."""
        return 1 + self.config.heating * ((288.0 - temperature) / 15.0).clamp(0, 1.8)

    def day(
        self, day: int, temperature: torch.Tensor, speed: torch.Tensor, known_until: int | None = None
    ) -> torch.Tensor:
        """Emission of one day from daily-mean 2 m temperature and wind speed (R, C); returns (P, Q).

        With ``known_until``, what a forecaster of that day cannot know is left out: the hidden factor is 1, and no
        later fire burns.
        """
        surface = self.surface
        weekday = (int(day) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
        working = self.config.weekend if weekday >= 5 else 1.0
        # summer sun makes some particles that winter does not
        hidden = self._chemistry.factor(day) if known_until is None else torch.ones_like(temperature)
        chemistry = hidden * (1 + 0.08 * season_phase(day))
        heating, chemistry, gust = surface.to_lattice(
            torch.stack([self.heating(temperature), chemistry, torch.relu(speed - 5.5) ** 2])
        )
        dust = self.config.mean * self.config.dust * 10 * gust * self._desert
        people = self.primary * heating * working + self.secondary * chemistry * (0.5 + 0.5 * heating)
        return people + self.rural * chemistry + dust + self._fires(day, known_until)

    def _fires(self, day: int, known_until: int | None) -> torch.Tensor:
        """Fires that are burning; each is drawn on the day it starts."""
        surface, total = self.surface, np.zeros(self.surface.shape)
        place, box = self._place, self._place.fires
        for start in range(day - _FIRE_DAYS, day + 1):
            if known_until is not None and start > known_until:
                break
            draw = day_generator(self.seed, "fires", start)
            season = max(0.04, 0.5 + 0.5 * season_phase(start))
            for _ in range(draw.poisson(self.config.fires_per_day * season * 3 * place.fire_share)):
                lat, lon = draw.uniform(box.south, box.north), draw.uniform(box.west, box.east)
                length, strength = draw.integers(1, _FIRE_DAYS + 1), draw.lognormal(0.0, 0.7)
                # dry south burns most; two of three draws elsewhere are dropped
                if draw.uniform() > (1.0 if lat < place.dry_south_of else 0.15) or start + length <= day:
                    continue
                row, col = (surface.coarse.north - lat) * 10, (lon - surface.coarse.west) * 10
                rows = np.exp(-0.5 * ((np.arange(surface.shape[0]) - row) / 1.5) ** 2)
                cols = np.exp(-0.5 * ((np.arange(surface.shape[1]) - col) / 2.0) ** 2)
                total += 25.0 * strength * rows[:, None] * cols[None, :]
        fires = torch.from_numpy(total).float().to(surface.device)
        return self.config.mean * fires * surface.land_lattice
