"""Forecasts of the simulated air by its own physics, with weather that is more or less known."""

from __future__ import annotations

import numpy as np
import torch

from cranpm.testbed.simulation.chemistry import TracerState
from cranpm.testbed.simulation.history import History
from cranpm.testbed.simulation.weather import Forcing
from cranpm.testbed.simulation.world import LEADS, World

DRIFT = 8.5
"""Eastward motion of the flow in the shifted-weather oracle [degrees a day]."""


class Oracles:
    """Tracer runs from the end of a day with weather that is frozen, extrapolated, altered, or true."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flat = World(
            world.geography, constants=world.constants, device=world.surface.device, barrier_factor=0.0
        )

    def forcings(self, day: int, lead: int) -> dict[str, Forcing]:
        """Forcing of the day ``day + lead``, as imagined on ``day``."""
        weather = self.world.weather
        now = weather.flow.coefficients(day).mean(0, keepdim=True).expand(5, -1, -1)
        frozen, _ = weather.diagnose(day, now)
        hours = torch.arange(5, device=weather.device) * 0.25 - 0.375 + lead
        moved = weather.flow.shifted(now, DRIFT * hours)
        shifted, _ = weather.diagnose(day, moved)
        open_land, _ = self.flat.weather.diagnose(day, moved)
        return {
            "frozen weather": frozen,
            "shifted weather": shifted,
            "shifted, wind reversed": Forcing(
                **{**vars(shifted), "low": -shifted.low, "high": -shifted.high}
            ),
            "shifted, no terrain": open_land,
            "true weather": weather.forcing(day + lead),
        }

    def run(self, day: int, history: History) -> dict[str, np.ndarray]:
        """Forecasts of the coarse map, each (3, R, C)."""
        results: dict[str, list[np.ndarray]] = {}
        states: dict[str, TracerState] = {}
        for lead in range(1, LEADS + 1):
            for name, forcing in self.forcings(day, lead).items():
                tracer = self.flat.tracer if "no terrain" in name else self.world.tracer
                means, states[name] = tracer.day(
                    day + lead, states.get(name, history.states[day]), forcing, known_until=day
                )
                results.setdefault(name, []).append(self.world.surface.to_coarse(means.pm2p5).cpu().numpy())
        return {name: np.stack(maps) for name, maps in results.items()}
