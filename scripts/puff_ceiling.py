"""What the simulated world itself does with an inserted puff: the ceiling for the puff test of ``cranpm physics``.

Smoke is added to the tracer's air at the start of day t and followed with every process on, by the weather to come. The
centre of its daily mean on day t + lead is compared with that on day t, as a forecaster of daily means sees it, and the
way between them with the 10 m wind of day t, which is all the wind that he knows, and with that of the days to come.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from cranpm.domain import get_domain
from cranpm.explain.places import CALM, STRONG
from cranpm.explain.puff import AMOUNT, cosine_between, displacement
from cranpm.testbed.chemistry import TracerState
from cranpm.testbed.geography import load_geography
from cranpm.testbed.history import History, simulate
from cranpm.testbed.noise import EPOCH, day_number
from cranpm.testbed.world import DEFAULT_SEED, World
from cranpm.verification.bootstrap import bootstrap_by_day

LEADS = (1, 2, 3)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--region", default="silesia", help="europe, alps or silesia")
    parser.add_argument("--start", default="2021-01-10")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--places", type=int, default=3, help="along each axis")
    arguments = parser.parse_args()
    geography = load_geography(get_domain(arguments.region))
    world = World(geography, seed=DEFAULT_SEED)
    first = day_number(arguments.start)
    starts = range(first, first + arguments.days - max(LEADS) - 1, arguments.every)
    history = simulate(world, arguments.start, arguments.days, keep_states=starts)
    rows, cols = world.surface.shape
    box = geography.domain.coarse_box
    lat, lon = box.lat[0] - 0.1 * np.arange(rows), box.lon[0] + 0.1 * np.arange(cols)
    shares = np.linspace(
        0.35, 0.65, arguments.places
    )  # the middle of the region, so that the smoke stays inside
    answers: list[tuple[np.datetime64, int, str, float, float]] = []
    for day in starts:
        for row in (rows * shares).astype(int):
            for col in (cols * shares).astype(int):
                node = box.index_of(lat[row], lon[col])
                answers += _follow(world, history, day + 1, (row, col), node, lat, lon)
    for lead in LEADS:
        for known in ("day t", "the days to come"):
            kept = [a for a in answers if a[1:3] == (lead, known)]
            days = [a[0] for a in kept]
            cosine, ratio = (
                bootstrap_by_day(np.mean, np.array([a[column] for a in kept]), days=days) for column in (3, 4)
            )
            print(
                f"T+{lead}, wind of {known}: cosine {cosine}; way / (wind x lead) {ratio}; {len(kept)} puffs"
            )


def _follow(
    world: World,
    history: History,
    today: int,
    place: tuple[int, int],
    node: tuple[int, int],
    lat: np.ndarray,
    lon: np.ndarray,
) -> list[tuple[np.datetime64, int, str, float, float]]:
    """Day, lead, which wind, cosine, and way over wind x lead, of one puff."""
    rows, cols = (torch.arange(n, dtype=torch.float32) for n in world.surface.shape)
    puff = AMOUNT * torch.exp(
        -((rows[:, None] - place[0]) ** 2 + (cols[None] - place[1]) ** 2) / (2 * 5.0**2)
    )
    plain = history.states[today - 1]
    smoky = TracerState(air=plain.air + torch.stack([puff, 0 * puff])[:, None], depth=plain.depth)
    responses, winds = [], []
    for day in range(today, today + 1 + max(LEADS)):
        forcing = world.weather.forcing(day)
        before, plain = world.tracer.day(day, plain, forcing)
        after, smoky = world.tracer.day(day, smoky, forcing)
        responses.append((after.pm2p5 - before.pm2p5).numpy())
        index = day - int(history.days[0])
        winds.append(np.array([history.weather[name][index][node] for name in ("u10", "v10")]))
    found = []
    for lead in LEADS:
        moved = displacement(responses[lead], responses[0], lat, lon)
        for known, wind in (("day t", winds[0]), ("the days to come", np.mean(winds[: lead + 1], axis=0))):
            speed = float(np.linalg.norm(wind))
            if CALM <= speed <= STRONG:
                way = float(moved @ wind) / speed / (speed * 86.4 * lead)
                found.append((EPOCH + today, lead, known, cosine_between(moved, wind), way))
    return found


if __name__ == "__main__":
    main()
