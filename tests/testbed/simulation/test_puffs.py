"""Puffs in the simulator: they go downwind, thin out, and do not touch the world they were put into."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cranpm.explain.puff import displacement
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.simulation import puffs
from cranpm.testbed.simulation.noise import EPOCH, day_number
from cranpm.testbed.simulation.puffs import puff_path, simulate_puffs
from cranpm.testbed.simulation.world import BLOCK_DAYS, World

SEED = 5
FIRST = day_number("2018-02-01") // BLOCK_DAYS * BLOCK_DAYS + 3
START = EPOCH + FIRST


@pytest.fixture(scope="module")
def folder(geography_alps: Geography, tmp_path_factory):
    folder = tmp_path_factory.mktemp("days")
    simulate_puffs(geography_alps, folder, [(str(START), 4)], seed=SEED, every=2)
    return folder


def test_every_second_day_gets_puffs(folder):
    held = [puff_path(folder, START + k).exists() for k in range(4)]
    assert sum(held) == 2 and held[0] != held[1]


def test_the_response_thins_out_and_stays_positive(folder, geography_alps):
    day = next(START + k for k in range(2) if puff_path(folder, START + k).exists())
    response = np.load(puff_path(folder, day)).astype(np.float32)
    assert response.shape == (4, *geography_alps.domain.coarse_box.shape)
    total = response.sum((1, 2))
    assert (np.diff(total) < 0).all()  # lost to deposition, to the air above and over the edge
    assert response[0].max() > 5 and response.min() > -1


def test_twice_the_puff_has_twice_the_response(geography_alps, tmp_path, monkeypatch):
    """`training.puffs` shows the same day at another strength in each epoch."""
    responses = []
    for factor in (1, 2):
        monkeypatch.setattr(puffs, "AMOUNTS", (8.0 * factor, 8.001 * factor))
        simulate_puffs(geography_alps, tmp_path / str(factor), [(str(START), 2)], seed=SEED, every=2)
        (path,) = (tmp_path / str(factor) / puffs.FOLDER).iterdir()
        responses.append(np.load(path).astype(np.float32))
    once, twice = responses
    assert np.abs(twice).max() > 8
    assert twice == pytest.approx(2 * once, abs=0.1)


def test_puffs_across_a_seam_between_spin_ups_is_not_asked_for(geography_alps, tmp_path):
    end = day_number("2018-02-01") // BLOCK_DAYS * BLOCK_DAYS + BLOCK_DAYS
    simulate_puffs(geography_alps, tmp_path, [(str(EPOCH + end - 2), 3)], seed=SEED)
    assert not list((tmp_path / puffs.FOLDER).iterdir())


def test_a_single_puff_goes_downwind(geography_alps, tmp_path, monkeypatch):
    monkeypatch.setattr(puffs, "PUFFS", 1)
    monkeypatch.setattr(puffs, "RADII", (60.0, 60.001))
    # in the middle of the region: what leaves it is not seen
    monkeypatch.setattr(puffs, "day_generator", lambda seed, stream, day: Middle())
    simulate_puffs(geography_alps, tmp_path, [(str(START), 6)], seed=SEED, every=2)
    box, cosines = geography_alps.domain.coarse_box, []
    weather = World(geography_alps, seed=SEED).weather
    for path in sorted((tmp_path / puffs.FOLDER).iterdir()):
        response = np.load(path).astype(np.float32)
        with torch.inference_mode():
            u10, v10 = weather.era5(day_number(path.stem))[:2].numpy()
        weight = response[0].clip(0)
        wind = np.array([(part * weight).sum() / weight.sum() for part in (u10, v10)])
        moved = displacement(response[1], response[0], box.lat, box.lon)
        cosines.append(moved @ wind / np.linalg.norm(moved) / np.linalg.norm(wind))
    assert len(cosines) == 3
    assert np.mean(cosines) > 0.6  # over Europe +0.90 (scripts/puff_ceiling.py)


class Middle:
    """Draws the middle of every range."""

    def uniform(self, low, high):
        return (low + high) / 2
