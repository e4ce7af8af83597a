"""Days with some puffs more: what the simulated air does with PM2.5 that was not there in the world's own run.

An intervention in the simulator, with every process on: puffs enter the mixed layer at the start of a day, the same
weather blows it away, and the difference to the plain run is kept. A network that learns from such days learns what
*happens* to PM2.5, where the plain days alone teach what tends to follow what. The world itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from cranpm._files import replacing
from cranpm._progress import Clock, Progress
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.chemistry import TracerState
from cranpm.testbed.simulation.constants import WorldConstants
from cranpm.testbed.simulation.noise import EPOCH, day_generator, day_number
from cranpm.testbed.simulation.world import BLOCK_DAYS, LEADS, World

FOLDER = "puffs"
"""Where responses lie in a folder of day files."""

PUFFS = 24
"""Puffs a day, anywhere in the domain; responses add up, so that they may meet."""

AMOUNTS = (8.0, 40.0)
"""Least and largest peak at the start of the day [ug m-3]."""

RADII = (40.0, 150.0)
"""Least and largest standard deviation [km]."""

KM_PER_STEP = 11.12
"""Rows of the 0.1-degree lattice lie so far apart [km]."""


def puff_path(folder: Path | str, day: np.datetime64) -> Path:
    """File of a day's response."""
    return Path(folder) / FOLDER / f"{day.astype('datetime64[D]')}.npy"


@torch.inference_mode()
def simulate_puffs(
    geography: Geography,
    folder: Path | str,
    periods: Sequence[tuple[str, int]],
    *,
    every: int = 1,
    constants: WorldConstants | None = None,
    seed: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Write responses of every so-many-th day of periods of (first day, number of days); those there are are kept.

    A file holds float16 (4, R, C) on the coarse box [ug m-3]: by how much the daily mean PM2.5 is higher on the day
    the puffs enter, and one to three days later.
    """
    world = World(geography, constants=constants, seed=seed, device=device)
    (Path(folder) / FOLDER).mkdir(parents=True, exist_ok=True)
    wanted = [
        {
            day
            for day in range(day_number(start), day_number(start) + days)
            if day % every == 0 and _in_one_run(day) and not puff_path(folder, _date(day)).exists()
        }
        for start, days in periods
    ]
    clock = Clock(sum(map(len, wanted)), progress)
    for days_of_period in filter(None, wanted):
        for _ in _responses(world, folder, days_of_period):
            clock.tick()


def _in_one_run(day: int) -> bool:
    """Whether a day, the one before and the next three come of one spin-up: across a seam differences mean nothing."""
    return (day - 1) // BLOCK_DAYS == (day + LEADS) // BLOCK_DAYS


def _responses(world: World, folder: Path | str, wanted: set[int]) -> Iterator[int]:
    """Run through the days, yield each whose response is written; puffs of up to four are on their way."""
    puffed: dict[int, TracerState] = {}
    found: dict[int, list[np.ndarray]] = {}
    first, last = min(wanted), max(wanted)
    for day, plain, state in world.tracer_days(first - 1, last + LEADS + 1):
        if puffed:
            forcing = world.weather.forcing(day)
            for start in list(puffed):
                means, puffed[start] = world.tracer.day(day, puffed[start], forcing)
                more = world.surface.to_coarse(means.pm2p5) - plain["pm_coarse"]
                found[start].append(more.half().cpu().numpy())
                if len(found[start]) == LEADS + 1:
                    _save(puff_path(folder, _date(start)), np.stack(found.pop(start)))
                    del puffed[start]
                    yield start
        if day + 1 in wanted:
            puffed[day + 1] = _with_puffs(world, state, day + 1)
            found[day + 1] = []


def _with_puffs(world: World, state: TracerState, day: int) -> TracerState:
    """The state with puffs in the mixed layer, drawn by the world's seed and the day."""
    rows, cols = world.surface.shape
    draw = day_generator(world.seed, "puffs", day)
    device = state.air.device
    row, col = (torch.arange(n, dtype=torch.float32, device=device) for n in (rows, cols))
    added = torch.zeros(rows, cols, device=device)
    for _ in range(PUFFS):
        middle_row, middle_col = draw.uniform(0, rows), draw.uniform(0, cols)
        amount = np.exp(draw.uniform(*np.log(AMOUNTS)))
        wide = np.exp(draw.uniform(*np.log(RADII))) / KM_PER_STEP
        shrink = np.cos(np.deg2rad(world.surface.lat[int(middle_row)]))
        north = torch.exp(-0.5 * ((row - middle_row) / wide).square())
        east = torch.exp(-0.5 * ((col - middle_col) * shrink / wide).square())
        added += amount * north[:, None] * east
    return TracerState(air=state.air + torch.stack([added, 0 * added])[:, None], depth=state.depth)


def _date(day: int) -> np.datetime64:
    return EPOCH + np.timedelta64(day, "D")


def _save(path: Path, response: np.ndarray) -> None:
    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, response)
