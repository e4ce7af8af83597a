"""What the simulated world itself does with the very puffs that ``cranpm physics`` inserts, beside the demo's answers.

A puff is added to the tracer's air at the start of day t, at the places and days of the battery, and followed with
every process on, by the weather to come. The wind of day t is all the wind that a forecaster has; where it turns on
the way, the world's own puff does not follow it either. That is the ceiling of the puff test.

.venv/bin/python scripts/puff_ceiling.py --days 16 --puffs 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

import numpy as np
import torch

from cranpm import paths
from cranpm._files import check_output, write_atomically
from cranpm.domain import EUROPE
from cranpm.explain.places import choose_places, gaussian, wind_over
from cranpm.explain.puff import AMOUNT, RADIUS, Puff, cosine_between, displacement, puff_responses
from cranpm.explain.tiles import choose_days, neighbourhood
from cranpm.forecasting.day import load_day
from cranpm.memory import keep_freed_memory
from cranpm.model.checkpoint import load_checkpoint
from cranpm.testbed.geography.geography import load_geography
from cranpm.testbed.simulation.chemistry import TracerState
from cranpm.testbed.simulation.constants import DEFAULT_SEED
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.world import World
from cranpm.testbed.source import WorldSource, world_folder
from cranpm.verification.bootstrap import bootstrap_by_day

LEAD = 1
RUN_IN_DAYS = 3
"""Days run through before day t; the tracer is linear in what it carries, so that the difference forgets them."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=paths.data_dir() / "demo-training")
    parser.add_argument("--checkpoint", type=Path, default=paths.assets_dir() / "checkpoints" / "demo")
    parser.add_argument("--days", type=int, default=16, help="as for cranpm physics")
    parser.add_argument("--puffs", type=int, default=2, help="as for cranpm physics")
    parser.add_argument("--seed", type=int, default=0, help="as for cranpm physics")
    parser.add_argument("--out", type=Path, default=Path("docs/results/puff_ceiling.json"))
    given = parser.parse_args()
    check_output(given.out, overwrite=True)
    keep_freed_memory()
    geography = load_geography(EUROPE)
    source = WorldSource(geography, world_folder(given.work))
    world = World(geography, seed=DEFAULT_SEED)
    checkpoint = load_checkpoint(given.checkpoint)
    days, split = choose_days(source, given.days, (LEAD,))
    puffs = []
    for init in days:
        day = load_day(source, init, checkpoint.statistics)
        places = choose_places(day, source.land, given.puffs, given.seed)
        ways = follow(world, day_number(init), places, source.land)
        for (lat, lon), way in zip(places, ways, strict=True):
            (answer,) = puff_responses(
                checkpoint.network, day, checkpoint.statistics, Puff(lat=lat, lon=lon), leads=(LEAD,)
            )
            wind = wind_over(day, lat, lon, RADIUS)
            puffs.append(
                {
                    "init": str(init),
                    "lat": lat,
                    "lon": lon,
                    **{
                        name: [round(float(v), 2) for v in vector]
                        for name, vector in (("wind", wind), ("world", way), ("demo", answer.moved))
                    },
                }
            )
        print(f"{init}: {len(puffs)} puffs", flush=True)
    result = {
        "what": "testbed (simulated): inserted puffs, way in a day towards east and north [km]; wind of day t [m s-1]",
        "checkpoint": checkpoint.hash,
        "split": split,
        "command": f"scripts/puff_ceiling.py --days {given.days} --puffs {given.puffs} --seed {given.seed}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "rows": summarise(puffs),
        "puffs": puffs,
    }
    write_atomically(given.out, json.dumps(result, indent=1) + "\n")
    for row in result["rows"]:
        print(json.dumps(row))


@torch.inference_mode()
def follow(world: World, today: int, places: list[tuple[float, float]], land: np.ndarray) -> list[np.ndarray]:
    """Way of the world's own puffs in a day, towards east and north [km]: land only, in the tiles of the test."""
    surface, tracer = world.surface, world.tracer
    state = tracer.first_guess(today - RUN_IN_DAYS)
    for day in range(today - RUN_IN_DAYS, today):
        _, state = tracer.day(day, state, world.weather.forcing(day))
    forcings = [world.weather.forcing(day) for day in range(today, today + LEAD + 1)]
    plain = _days(world, today, state, forcings)
    known = _on_lattice(land, surface.lat, surface.lon)
    ways = []
    for lat, lon in places:
        puff = torch.from_numpy(AMOUNT * gaussian(surface.lat, surface.lon, lat, lon, RADIUS))
        puffed = TracerState(air=state.air + torch.stack([puff, 0 * puff])[:, None], depth=state.depth)
        responses = [
            (with_puff - without).numpy()
            for with_puff, without in zip(_days(world, today, puffed, forcings), plain, strict=True)
        ]
        window = known & _looked_at(lat, lon, surface.lat, surface.lon)
        last = np.where(window, responses[-1], np.nan)
        ways.append(displacement(last, responses[0], surface.lat, surface.lon))
    return ways


def _days(world: World, first: int, state: TracerState, forcings: list) -> list[torch.Tensor]:
    means = []
    for day, forcing in enumerate(forcings, start=first):
        mean, state = world.tracer.day(day, state, forcing)
        means.append(mean.pm2p5)
    return means


def _on_lattice(land: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    places = EUROPE.fine.cells_of(lat[:, None], lon)  # the lattice begins and ends a little outside
    return land[tuple(np.clip(p, 0, size - 1) for p, size in zip(places, land.shape, strict=True))]


def _looked_at(lat: float, lon: float, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    tiles, grid = neighbourhood(EUROPE, lat, lon, 512), EUROPE.fine
    north, south = grid.lat[tiles[0].rows.start], grid.lat[tiles[-1].rows.stop - 1]
    west, east = grid.lon[tiles[0].cols.start], grid.lon[tiles[-1].cols.stop - 1]
    rows, cols = (latitude <= north) & (latitude >= south), (longitude >= west) & (longitude <= east)
    return rows[:, None] & cols


def summarise(puffs: list[dict]) -> list[dict]:
    """Mean cosines, and ways along the wind over wind times a day, with intervals over days."""
    days = np.array([p["init"] for p in puffs])
    wind, world, demo = (np.array([p[name] for p in puffs]) for name in ("wind", "world", "demo"))
    rows = []
    for name, way, reference in (
        ("world, against the wind of day t", world, wind),
        ("demo, against the wind of day t", demo, wind),
        ("demo, against the world's own puff", demo, world),
    ):
        cosines = np.array([cosine_between(a, b) for a, b in zip(way, reference, strict=True)])
        cosine = bootstrap_by_day(np.mean, cosines, days=days)
        along = (way * reference).sum(1) / np.linalg.norm(reference, axis=1)
        length = np.linalg.norm(reference, axis=1) * (86.4 * LEAD if reference is wind else 1.0)
        ratio = bootstrap_by_day(lambda a, b: a.mean() / b.mean(), along, length, days=days)
        rows.append(
            {
                "what": name,
                "puffs": len(puffs),
                "cosine": [round(v, 3) for v in (cosine.estimate, cosine.low, cosine.high)],
                "way": [round(v, 3) for v in (ratio.estimate, ratio.low, ratio.high)],
            }
        )
    return rows


if __name__ == "__main__":
    main()
