"""The mean state of the air by latitude, level and season, in hydrostatic and geostrophic balance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from cranpm.testbed.simulation.flow import EARTH_RADIUS

GRAVITY, GAS_CONSTANT, OMEGA = 9.80665, 287.05, 7.292e-5


class _Levels(NamedTuple):
    pressure: tuple[float, ...]
    height: tuple[float, ...]


ZONAL_LEVELS = _Levels(
    pressure=(1000.0, 925.0, 850.0, 700.0, 500.0), height=(110.0, 760.0, 1460.0, 3010.0, 5570.0)
)
"""The five pressure levels [hPa] and their usual heights [m]."""


def season_phase(day: int, shift: float = 0.0) -> float:
    """+1 in late July, -1 in late January; ``shift`` moves the peak [days]."""
    return float(np.cos(2 * np.pi * (day - 204 - shift) / 365.2425))


def saturation_humidity(temperature: torch.Tensor, pressure: float) -> torch.Tensor:
    """Specific humidity of saturated air [kg kg-1] at a pressure [hPa] (Magnus formula over water)."""
    celsius = temperature - 273.15
    vapour = 6.112 * torch.exp(17.62 * celsius / (celsius + 243.12))
    return 0.622 * vapour / (pressure - 0.378 * vapour)


class ZonalClimate:
    """Mean geopotential, wind and the temperature operator on given latitudes."""

    def __init__(self, lat: np.ndarray, device: torch.device) -> None:
        self._lat, self._device = lat, device
        log_pressure = np.log(np.array(ZONAL_LEVELS.pressure))
        middles = 0.5 * (log_pressure[1:] + log_pressure[:-1])
        # level temperature = layer-mean temperature (thickness), inter- or extrapolated in log pressure
        weights = np.zeros((5, 4))
        for level, value in enumerate(log_pressure):
            layer = int(np.clip(np.searchsorted(-middles, -value) - 1, 0, 2))
            share = (value - middles[layer]) / (middles[layer + 1] - middles[layer])
            share = float(np.clip(share, -0.6, 1.6))
            weights[level, layer], weights[level, layer + 1] = 1 - share, share
        thickness = np.zeros((4, 5))
        for layer in range(4):
            per = 1 / (GAS_CONSTANT * (log_pressure[layer] - log_pressure[layer + 1]))
            thickness[layer, layer], thickness[layer, layer + 1] = -per, per
        self._to_temperature = torch.from_numpy(weights @ thickness).float().to(device)

    def temperature(self, z: torch.Tensor) -> torch.Tensor:
        """Temperature [K] from geopotential [m2 s-2], both (T, 5, R, C): the hydrostatic equation."""
        # thickness of 5e4 m2 s-2 in float32 is good to 0.004 m2 s-2, i.e. far below 0.001 K per layer
        return torch.einsum("lk,tkrc->tlrc", self._to_temperature, z)

    def state(self, season: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean geopotential and eastward wind, each (5, R), for a season phase."""
        fine = np.arange(20.0, 82.01, 0.25)
        ground = 283.5 - 0.60 * (fine - 50) + (4.3 + 0.05 * (fine - 50)) * season
        heights = np.array(ZONAL_LEVELS.height)[:, None]
        temperature = ground - (5.6 + 0.3 * season) * 1e-3 * heights
        coriolis = 2 * OMEGA * np.sin(np.deg2rad(fine))
        westerly = (
            (2.6 - 0.6 * season) * np.sin((fine - 33.0) / 34.0 * np.pi) * np.exp(-(((fine - 50) / 22.0) ** 2))
        )
        metres = np.deg2rad(0.25) * EARTH_RADIUS
        z = np.empty((5, len(fine)))
        z[0] = -np.cumsum(coriolis * westerly) * metres
        z[0] += 1150.0 - z[0][np.argmin(abs(fine - 47))]
        log_pressure = np.log(np.array(ZONAL_LEVELS.pressure))
        for level in range(4):
            mean = 0.5 * (temperature[level] + temperature[level + 1])
            z[level + 1] = z[level] + GAS_CONSTANT * mean * (log_pressure[level] - log_pressure[level + 1])
        u = -np.asarray(np.gradient(z, metres, axis=1)) / coriolis
        pick = [np.stack([np.interp(self._lat, fine, row) for row in field]) for field in (z, u)]
        return tuple(torch.from_numpy(p).float().to(self._device) for p in pick)  # type: ignore[return-value]
