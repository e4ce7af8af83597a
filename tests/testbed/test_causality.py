"""On simulated days with every process on, wind carries puffs and mountains stop it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation.chemistry import TracerState
from cranpm.testbed.simulation.history import History, simulate
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.weather import Forcing
from cranpm.testbed.simulation.world import World

SEED = 20260101


@pytest.fixture(scope="module")
def alps(geography_alps: Geography) -> Geography:
    return geography_alps


@pytest.fixture(scope="module")
def world(alps: Geography) -> World:
    return World(alps, seed=SEED)


@pytest.fixture(scope="module")
def history(world: World) -> History:
    first = day_number("2018-01-20")
    return simulate(world, "2018-01-20", 24, keep_states=range(first, first + 24, 3))


def _reversed(forcing: Forcing) -> Forcing:
    return Forcing(**{**vars(forcing), "low": -forcing.low, "high": -forcing.high})


def _centroid(response: torch.Tensor) -> tuple[float, float]:
    """Column (east) and row (south) of a response, in lattice steps."""
    rows, cols = (torch.arange(n, dtype=torch.float32) for n in response.shape)
    total = response.sum()
    return float((response.sum(0) * cols).sum() / total), float((response.sum(1) * rows).sum() / total)


@torch.inference_mode()
def test_reversing_the_wind_sends_an_inserted_plume_to_the_other_side(world: World, history: History) -> None:
    rows, cols = torch.meshgrid(*(torch.arange(n) for n in world.surface.shape), indexing="ij")
    row, col = 30, 70  # flat southern Germany's north: 48 N, 11 E, no high barrier near
    puff = 40 * torch.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * 4.0**2))
    cosines, opposite = [], []
    for day, state in history.states.items():
        forcing = world.weather.forcing(day + 1)
        wind = forcing.low.mean(0)[
            :, row * 2 // 5 - 3 : row * 2 // 5 + 4, col * 2 // 5 - 3 : col * 2 // 5 + 4
        ].mean((1, 2))
        if torch.linalg.vector_norm(wind) < 1.0:
            continue  # a calm, turning wind has no direction to compare with
        moves = []
        for blown in (forcing, _reversed(forcing)):
            with_puff = TracerState(air=state.air + torch.stack([puff, 0 * puff])[:, None], depth=state.depth)
            before, after = (world.tracer.day(day + 1, start, blown)[0].pm2p5 for start in (state, with_puff))
            east, south = _centroid((after - before).clamp_min(0))
            moves.append(np.array([(east - col) * np.cos(np.deg2rad(48.0)), -(south - row)]))
        towards = wind.numpy() / np.linalg.norm(wind.numpy())
        cosines.append(float(moves[0] @ towards / np.linalg.norm(moves[0])))
        opposite.append(float(moves[0] @ moves[1] / np.linalg.norm(moves[0]) / np.linalg.norm(moves[1])))
    assert len(cosines) >= 5
    assert np.mean(cosines) > 0.8
    assert np.mean(opposite) < -0.5


def test_without_the_alps_the_po_valley_ventilates(alps: Geography, world: World, history: History) -> None:
    open_world = World(alps, seed=SEED, barrier_factor=0.0)
    flat = simulate(open_world, "2018-01-20", 12)
    lat, lon = alps.domain.coarse_box.lat, alps.domain.coarse_box.lon
    valley = ((lat > 44.7) & (lat < 45.7))[:, None] & ((lon > 8) & (lon < 12))
    assert flat.pm2p5[:, valley].mean() < 0.85 * history.pm2p5[:12, valley].mean()


def test_a_linear_upwind_predictor_beats_a_downwind_one(alps: Geography, history: History) -> None:
    step = 0.25 * 111.2e3
    rows, cols = np.meshgrid(np.arange(57.0), np.arange(57.0), indexing="ij")
    inner = (rows > 10) & (rows < 46) & (cols > 10) & (cols < 46) & (alps.coarse_land > 0.5)
    cosine = np.cos(np.deg2rad(alps.domain.coarse_box.lat))[:, None]
    errors = {}
    for name, sign in (("upwind", -1.0), ("downwind", 1.0)):
        predictors, targets = [], []
        for day in range(len(history.days) - 1):
            # the wind of the day during which the air moves; half a day's way lies between two daily means
            pm, u, v = history.pm2p5[day], history.weather["u10"][day + 1], history.weather["v10"][day + 1]
            move = sign * 86400 * 0.5 / step
            there = pm[
                np.clip(np.round(rows - move * v), 0, 56).astype(int),
                np.clip(np.round(cols + move * u / cosine), 0, 56).astype(int),
            ]
            predictors.append(np.stack([np.ones(inner.sum()), pm[inner], there[inner]], 1))
            targets.append(history.pm2p5[day + 1][inner])
        x, y = np.concatenate(predictors), np.concatenate(targets)
        weights = np.linalg.lstsq(x, y, rcond=None)[0]
        errors[name] = np.sqrt(((x @ weights - y) ** 2).mean())
    assert errors["upwind"] < 0.96 * errors["downwind"]


def test_a_wetter_world_is_cleaner(world: World, history: History) -> None:
    day = next(iter(history.states))
    forcing = world.weather.forcing(day + 1)
    wet = Forcing(**{**vars(forcing), "rain": forcing.rain + 10.0})
    dry, washed = (world.tracer.day(day + 1, history.states[day], f)[0].pm2p5.mean() for f in (forcing, wet))
    # 0.06 per day and mm/day: ten more millimetres take up to 45 % over a day, about half of it on average
    assert 0.55 < float(washed / dry) < 0.95
