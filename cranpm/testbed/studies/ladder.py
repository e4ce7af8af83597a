"""The ladder of forecasts that a network's skill on the testbed is read against.

From persistence to a tracer that is told the true weather to come; at 25 km (coarse truth, land nodes) and at 1 km
(the GHAP-like product, land cells). Hidden chemistry and fires to come are known to none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from cranpm.domain import fine_to_coarse
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import retrieval
from cranpm.testbed.simulation.history import History, simulate
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.surface import smooth
from cranpm.testbed.simulation.world import LEADS, WORLD_VERSION, World
from cranpm.testbed.studies.damping import Damping
from cranpm.testbed.studies.ladder_table import Ladder, Score, score_table
from cranpm.testbed.studies.oracles import Oracles

BARRIER = 700.0
"""Barriers that count as high [m]."""
_WINDOW = 256
ROWS = (
    "persistence", "climatology", "damped persistence", "blurred persistence", "frozen weather", "shifted weather",
    "shifted, wind reversed", "shifted, no terrain", "true weather",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LadderPeriods:
    """What the ladder is fitted on, and when its forecasts start."""

    training_start: str = "2018-01-01"
    """First day of the period of climatology and damping."""
    training_days: int = 365
    start: str = "2019-01-04"
    """First day that a forecast starts from."""
    days: int = 360
    """Days from the first start on that forecasts start within."""
    every: int = 15
    """A forecast every n-th day."""


def run_ladder(
    geography: Geography,
    *,
    seed: int,
    periods: LadderPeriods | None = None,
    training: History | None = None,
    testing: History | None = None,
    fine: bool = True,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> Ladder:
    """Score every rung.

    Parameters
    ----------
    periods : LadderPeriods, optional
    training, testing : History, optional
        Already simulated stretches; ``testing`` must hold the tracer's states of
        all starts, and for 1 km the whole days from each start to three days later.
    fine : bool
        Also score at 1 km (the GHAP-like product).
    """
    say = progress or (lambda message: None)
    world = World(geography, seed=seed, device=device)
    when = periods or LadderPeriods()
    first = day_number(when.start)
    starts = list(range(first, first + when.days, when.every))
    training = training or simulate(world, when.training_start, when.training_days)
    say("training period simulated")
    testing = testing or simulate(
        world,
        when.start,
        when.days + LEADS,
        keep_states=starts,
        keep_days={d + lead for d in starts for lead in range(LEADS + 1)},
    )
    say("test period simulated")
    damping, oracles = Damping(training), Oracles(world)
    forecasts: dict[str, list[np.ndarray]] = {name: [] for name in ROWS}
    truths, today_maps = [], []
    with torch.inference_mode():
        for day in starts:
            index = day - int(testing.days[0])
            today = testing.pm2p5[index].astype(np.float64)
            truths.append(testing.pm2p5[index + 1 : index + 1 + LEADS])
            today_maps.append(today)
            leads = range(1, LEADS + 1)
            forecasts["persistence"].append(np.stack([today] * LEADS))
            forecasts["climatology"].append(np.stack([damping.climatology(day + lead) for lead in leads]))
            forecasts["damped persistence"].append(
                np.stack([damping.forecast(today, day, lead) for lead in leads])
            )
            forecasts["blurred persistence"].append(
                np.stack([smooth(today, lead, 1.4 * lead) for lead in leads])
            )
            for name, leads_of_one in oracles.run(day, testing).items():
                forecasts[name].append(leads_of_one)
            say(f"oracles from {EPOCH + day}")
    truth = np.stack(truths)
    maps = {name: np.stack(values) for name, values in forecasts.items()}
    land = np.asarray(geography.coarse_land) > 0.5
    for name in ROWS[4:]:
        maps[name] = _blend(maps[name], maps["damped persistence"], truth, land)
    scores = _score(maps, truth, land, "25 km, land")
    near = land & (highest_barrier(geography) > BARRIER)
    if near.any():
        scores += _score(maps, truth, near, f"25 km, land near barriers > {BARRIER:.0f} m")
    if fine:
        say("scoring at 1 km")
        scores += _score_fine(world, starts, maps, np.stack(today_maps), testing)
    meta = {
        "world_version": WORLD_VERSION, "simulated": True, "domain": geography.domain.name, "seed": seed,
        "starts": len(starts), "period": f"{EPOCH + starts[0]}..{EPOCH + starts[-1]}",
        "training": f"{when.training_start} ({len(training.days)} days)",
    }  # fmt: skip
    return Ladder(scores=tuple(scores), meta=meta)


def highest_barrier(geography: Geography) -> np.ndarray:
    """Highest face barrier within one node, shape (R, C)."""
    east, north = np.nan_to_num(geography.coarse_barrier_east), np.nan_to_num(geography.coarse_barrier_north)
    highest = np.maximum(east, north)
    highest[:, 1:] = np.maximum(highest[:, 1:], east[:, :-1])
    highest[:-1] = np.maximum(highest[:-1], north[1:])
    return highest


def near_barriers(geography: Geography) -> np.ndarray:
    """Fine cells whose nearest coarse node has a crossing higher than `BARRIER` beside it, (H, W) bool."""
    high = highest_barrier(geography) > BARRIER
    rows, cols = (
        np.clip(np.rint(fine_to_coarse(np.arange(n))).astype(int), 0, limit - 1)
        for n, limit in zip(geography.domain.fine.shape, high.shape)
    )
    return high[rows[:, None], cols[None, :]]


def _blend(forecast: np.ndarray, damped: np.ndarray, truth: np.ndarray, land: np.ndarray) -> np.ndarray:
    """Best mixture with damped persistence per lead; its weight comes from the other half of the starts."""
    blended = np.empty_like(forecast)
    halves = np.arange(len(forecast)) % 2
    for half in (0, 1):
        other = halves != half if (halves != half).any() else halves == half
        for lead in range(LEADS):
            step = (forecast - damped)[other, lead][:, land]
            error = (truth - damped)[other, lead][:, land]
            weight = float(np.clip((step * error).sum() / max((step**2).sum(), 1e-9), 0, 1))
            mine = halves == half
            blended[mine, lead] = damped[mine, lead] + weight * (forecast - damped)[mine, lead]
    return blended


def _score(maps: dict[str, np.ndarray], truth: np.ndarray, where: np.ndarray, grid: str) -> list[Score]:
    rmse = {name: np.sqrt(((values - truth)[:, :, where] ** 2).mean((0, 2))) for name, values in maps.items()}
    return score_table(rmse, grid)


@torch.inference_mode()
def _score_fine(
    world: World, starts: list[int], maps: dict[str, np.ndarray], today: np.ndarray, testing: History
) -> list[Score]:
    """At 1 km: today's product plus the interpolated coarse change, against the product of the valid day."""
    geography, constants = world.geography, world.constants
    scaler = downscaler(geography, constants=constants)
    instrument = retrieval(scaler, world.seed, constants.instruments)
    windows = _land_windows(np.asarray(geography.land))
    squares: dict[str, np.ndarray] = {name: np.zeros(LEADS) for name in maps}
    count = np.zeros(LEADS)
    for number, day in enumerate(starts):
        fields = [scaler.fields(testing.kept[day + lead]) for lead in range(LEADS + 1)]
        for rows, cols in windows:
            truths = [scaler.window(held, rows, cols) for held in fields]
            seen = [instrument.window(t, day + k, rows, cols).cpu().numpy() for k, t in enumerate(truths)]
            for lead in range(1, LEADS + 1):
                valid = np.isfinite(seen[0]) & np.isfinite(seen[lead])
                count[lead - 1] += valid.sum()
                for name, values in maps.items():
                    if name == "persistence":
                        guess = seen[0]
                    elif name == "blurred persistence":
                        guess = _blur(seen[0], 2.0 + 2.0 * lead)
                    else:
                        guess = seen[0] + _to_fine(values[number, lead - 1] - today[number], rows, cols)
                    squares[name][lead - 1] += ((guess - seen[lead])[valid] ** 2).sum()
    return score_table(
        {name: np.sqrt(value / count) for name, value in squares.items()}, "1 km, land (GHAP-like product)"
    )


def _land_windows(land: np.ndarray) -> list[tuple[slice, slice]]:
    """Every third window of a grid of windows that is mostly land."""
    starts = [
        (r, c)
        for r in range(0, land.shape[0] - _WINDOW + 1, _WINDOW) for c in range(0, land.shape[1] - _WINDOW + 1, _WINDOW)
    ]  # fmt: skip
    inland = [(r, c) for r, c in starts if land[r : r + _WINDOW : 8, c : c + _WINDOW : 8].mean() > 0.6]
    return [
        (slice(r, r + _WINDOW), slice(c, c + _WINDOW)) for r, c in inland[:: 3 if len(inland) > 12 else 1]
    ]


def _to_fine(change: np.ndarray, rows: slice, cols: slice) -> np.ndarray:
    """Bilinear from coarse nodes to a fine window: fine row i lies at coarse row (i + 0.5) / 25."""
    row = (np.arange(rows.start, rows.stop) + 0.5) / 25
    col = (np.arange(cols.start, cols.stop) + 0.5) / 25
    r, c = row.astype(int), col.astype(int)
    fr, fc = (row - r)[:, None], col - c
    strip = change[r] * (1 - fr) + change[r + 1] * fr
    return strip[:, c] * (1 - fc) + strip[:, c + 1] * fc


def _blur(field: np.ndarray, width: float) -> np.ndarray:
    """Gaussian mean over what is seen."""
    seen = np.isfinite(field)
    return smooth(np.where(seen, field, 0.0), width, width * 1.4) / np.maximum(
        smooth(seen.astype(float), width, width * 1.4), 1e-6
    )
