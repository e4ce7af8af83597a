"""The simulated world: ask for days, get days.

A day never depends on the day a run started on: weather noise is keyed by day and remembered over a fixed window,
and the tracer is spun up from fixed anchor dates, ``BLOCK_DAYS`` apart, ``SPIN_UP_DAYS`` before each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from cranpm._progress import Clock, Progress
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.chemistry import Tracer, TracerDay, TracerState
from cranpm.testbed.simulation.constants import WORLD_1, WorldConstants
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.surface import Surface
from cranpm.testbed.simulation.weather import Forcing, Weather

WORLD_VERSION = "1"
"""Changes whenever the physics changes; results of different versions are never compared."""

SOURCE = "testbed (simulated)"
"""What everything that is made from it is called; of another world than world 1 also by that one's name."""
BLOCK_DAYS, SPIN_UP_DAYS = 45, 15
LEADS = 3


@dataclass(frozen=True, kw_only=True)
class DayState:
    """One simulated day: everything that its maps and instruments are made from.

    Coarse arrays (R, C) are on the coarse node box, lattice arrays (P, Q) on the tracer's 0.1-degree nodes.
    """

    day: np.datetime64
    seed: int
    era5: np.ndarray
    """Daily means in the order of `ERA5_CHANNELS`, float32 (30, R, C); precipitation is the daily sum [mm]."""
    pm: np.ndarray
    """True PM2.5 on the lattice, daily mean, float32 (P, Q) [ug m-3]."""
    pm_coarse: np.ndarray
    """The same as means over the cells of the coarse nodes, float32 (R, C)."""
    pm_ahead: np.ndarray
    """`pm_coarse` of the next three days, float32 (3, R, C): only the CAMS-like forecast may look at it."""
    source: np.ndarray
    """Increment next to a source of unit strength, float32 (R, C) [ug m-3]."""
    pooling: np.ndarray
    """How strongly valleys keep their smoke, 0..1, float32 (R, C)."""
    constants: WorldConstants = field(default_factory=WorldConstants)
    """Of the world; maps and instruments of the day follow them, with `seed`."""


def source_name(constants: WorldConstants) -> str:
    """What data of a world are said to come from.

    Examples
    --------
    >>> source_name(WorldConstants()), source_name(WorldConstants(name="windy"))
    ('testbed (simulated)', "testbed (simulated), world 'windy'")
    """
    return SOURCE if constants.name == WORLD_1 else f"{SOURCE}, world {constants.name!r}"


def half_precision(values: torch.Tensor) -> np.ndarray:
    """Float32 values with no more digits than half precision holds."""
    return values.half().float().cpu().numpy()


class World:
    """A Europe whose truth is known.

    Parameters
    ----------
    geography : Geography
        Real land, terrain, population and towns of a domain.
    constants : WorldConstants, optional
        Its physics and its seed; world 1 by default.
    seed : int, optional
        Instead of the constants' own; the same seed gives the same world.
    device : str or torch.device
        Where the simulation runs.
    barrier_factor : float
        1 for the real terrain; 0 removes every barrier and basin from the air's way (experiments).
    """

    def __init__(
        self,
        geography: Geography,
        *,
        constants: WorldConstants | None = None,
        seed: int | None = None,
        device: str | torch.device = "cpu",
        barrier_factor: float = 1.0,
    ) -> None:
        constants = constants or WorldConstants()
        self.constants = constants if seed is None else replace(constants, seed=seed)
        self.geography, self.seed = geography, self.constants.seed
        self.surface = Surface(geography, device, barrier_factor=barrier_factor)
        self.weather = Weather(self.surface, seed=self.seed, config=self.constants.weather)
        self.tracer = Tracer(self.surface, self.weather, seed=self.seed, config=self.constants.chemistry)

    def spin_up_start(self, day: int) -> int:
        """First simulated day of the block that holds a day."""
        return day // BLOCK_DAYS * BLOCK_DAYS - SPIN_UP_DAYS

    def tracer_days(
        self, start: int, stop: int, progress: Progress | None = None
    ) -> Iterator[tuple[int, dict[str, torch.Tensor], TracerState]]:
        """Days start ... stop - 1: number, daily fields and the tracer's state at the end of the day.

        ``progress`` is told of the days simulated so far and in all, spin-up included.
        """
        blocks = range(start // BLOCK_DAYS, (stop - 1) // BLOCK_DAYS + 1)
        total = stop - blocks[0] * BLOCK_DAYS + SPIN_UP_DAYS * len(blocks)
        clock, day = Clock(total, progress), start
        while day < stop:
            block_end = (day // BLOCK_DAYS + 1) * BLOCK_DAYS
            first = self.spin_up_start(day)
            state = self.tracer.first_guess(first)
            for current in range(first, min(block_end, stop)):
                forcing = self.weather.forcing(current)
                means, state = self.tracer.day(current, state, forcing)
                clock.tick()
                if current >= day:
                    yield current, self._fields(means, forcing), state
            day = block_end

    def _fields(self, means: TracerDay, forcing: Forcing) -> dict[str, torch.Tensor]:
        today = forcing.at(slice(0, 4))
        temperature, speed = today.temperature.mean(0), today.speed.mean(0)
        inverse = self.surface.to_coarse(means.inverse_depth)
        source = self.tracer.emissions.heating(temperature) * inverse * 350.0 * 4.5 / (1.5 + speed)
        return {
            "pm": means.pm2p5,
            "pm_coarse": self.surface.to_coarse(means.pm2p5),
            "source": source,
            "pooling": today.stagnation.mean(0),
        }

    @torch.inference_mode()
    def run(
        self, start: np.datetime64 | str, days: int, progress: Progress | None = None
    ) -> Iterator[DayState]:
        """Days in order.

        Parameters
        ----------
        start : datetime64 or str
            First day (UTC).
        days : int
            Number of days.
        progress : callable, optional
            Told of days simulated and to simulate, spin-up and look-ahead included.

        Yields
        ------
        DayState
            The same for a day whatever ``start`` was.
        """
        if days < 1:
            raise ValueError(f"A world runs for at least one day, got days={days}.")
        first = day_number(start)
        window: list[tuple[int, dict[str, torch.Tensor]]] = []
        for day, values, _ in self.tracer_days(first, first + days + LEADS, progress):
            window.append((day, values))
            if len(window) > LEADS:
                yield self._state(window)
                window.pop(0)

    def _state(self, window: list[tuple[int, dict[str, torch.Tensor]]]) -> DayState:
        day, values = window[0]
        ahead = torch.stack([later["pm_coarse"] for _, later in window[1 : LEADS + 1]])
        return DayState(
            day=EPOCH + np.timedelta64(day, "D"),
            seed=self.seed,
            constants=self.constants,
            era5=self.weather.era5(day).cpu().numpy(),
            pm_ahead=half_precision(ahead),
            **{name: half_precision(value) for name, value in values.items()},
        )
