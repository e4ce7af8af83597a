"""A long stretch of the simulated world on the coarse grid, kept in memory for reports and ladders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import torch

from cranpm._progress import Progress
from cranpm.domain import channel_index
from cranpm.testbed.simulation.chemistry import TracerState
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.world import LEADS, DayState, World, half_precision

WEATHER_CHANNELS = ("u10", "v10", "t2m", "tp", "z_500", "t_850")


@dataclass(frozen=True, kw_only=True)
class History:
    """Consecutive days on the coarse box.

    Attributes
    ----------
    days : int array, shape (D,)
        Days since 1970-01-01.
    pm2p5 : float32, shape (D, R, C)
        True daily means [ug m-3].
    weather : dict of float32 arrays, shape (D, R, C)
        Some ERA5-like channels in their units.
    states : dict
        State of the tracer at the end of the days that were asked for.
    kept : dict
        Whole days that were asked for, without `pm_ahead` (NaN).
    """

    days: np.ndarray
    pm2p5: np.ndarray
    weather: dict[str, np.ndarray]
    states: dict[int, TracerState] = field(default_factory=dict)
    kept: dict[int, DayState] = field(default_factory=dict)

    @property
    def months(self) -> np.ndarray:
        """Calendar month of each day, 1..12."""
        return (EPOCH + self.days).astype("datetime64[M]").astype(int) % 12 + 1


@torch.inference_mode()
def simulate(
    world: World,
    start: np.datetime64 | str,
    days: int,
    *,
    keep_states: Collection[int] = (),
    keep_days: Collection[int] = (),
    progress: Progress | None = None,
) -> History:
    """Run a world and keep its coarse fields (0.2 MB per field and day for Europe)."""
    first = day_number(start)
    pick = [channel_index(name) for name in WEATHER_CHANNELS]
    pm2p5, weather, states, kept = [], [], {}, {}
    for day, values, state in world.tracer_days(first, first + days, progress):
        pm2p5.append(values["pm_coarse"].cpu().numpy())
        weather.append(world.weather.era5(day)[pick].cpu().numpy())
        if day in keep_states:
            states[day] = state
        if day in keep_days:
            kept[day] = DayState(
                day=EPOCH + np.timedelta64(day, "D"),
                seed=world.seed,
                constants=world.constants,
                era5=world.weather.era5(day).cpu().numpy(),
                pm_ahead=np.full((LEADS, *world.surface.coarse.shape), np.nan, np.float32),
                **{name: half_precision(value) for name, value in values.items()},
            )
    stacked = np.stack(weather, 1)
    return History(
        days=np.arange(first, first + days),
        pm2p5=np.stack(pm2p5),
        weather=dict(zip(WEATHER_CHANNELS, stacked, strict=True)),
        states=states,
        kept=kept,
    )
