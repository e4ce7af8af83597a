from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cranpm.data.store.source import DatasetSource
from cranpm.domain import DAY_CHANNELS, Statistics, domain_from_corner
from cranpm.domain.channels import Channel
from cranpm.forecasting.day import load_day
from cranpm.model import CranPM, tiny

DOMAIN = domain_from_corner(
    "corner", "Corner of the Alps", north=48.0, west=6.0, coarse_rows=56, coarse_cols=28
)
"""1392 x 688 fine cells: 4 x 2 tiles; the 28 coarse columns are padded to 56."""


def centre_of(channel: Channel) -> float:
    """What air has about, so that noise of a few units round it can be."""
    typical = {"t2m": 280.0, "sp": 95e3, "t": 260.0, "q": 5e-3, "z": 2e4}
    return typical.get(channel.variable, 20.0 if channel.source == "cams" else 0.0)


def scale_of(channel: Channel) -> float:
    return 1e-4 if channel.variable == "q" else 1.0


class MemoryDataset:
    """What the engine asks of a dataset, from arrays in memory."""

    domain = DOMAIN
    source, simulated = "test", True
    days = np.array(["2022-01-04", "2022-01-05"], dtype="datetime64[D]")

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        rows, cols = DOMAIN.fine.shape
        land = np.ones((rows, cols), dtype=bool)
        land[:, :60] = False
        land[900:, :600] = False
        self.static = {
            "land": land,
            "elevation": np.where(land, rng.uniform(0, 2000, (rows, 1)), 0).astype(np.float32),
            "coarse_elevation": rng.uniform(0, 2000, DOMAIN.coarse_box.shape).astype(np.float32),
        }
        self.raw = {}
        for day in ("2022-01-04", "2022-01-05"):
            pm = rng.integers(20, 400, (rows, cols)).astype(np.uint16)
            pm[~land] = 65535
            self.raw[day] = pm
        self.raw["2022-01-05"][300:310, 300:320] = 65535
        noise = rng.normal(0, 3, (35, *DOMAIN.coarse_box.shape))
        noise[4] = np.abs(noise[4])
        centre, scale = (np.array([f(c) for c in DAY_CHANNELS])[:, None, None] for f in (centre_of, scale_of))
        self._coarse = (centre + scale * noise).astype(np.float32)

    def era5(self, day):
        return self._coarse[:30]

    def cams(self, day):
        return self._coarse[30:]

    def pm2p5_raw(self, day, rows=slice(None), cols=slice(None)):
        return self.raw[str(day)][rows, cols]


@pytest.fixture(scope="session")
def statistics():
    return Statistics(
        mean={c.name: centre_of(c) for c in DAY_CHANNELS},
        std={c.name: 3.0 * scale_of(c) for c in DAY_CHANNELS},
        period="p",
        source="test",
    )


@pytest.fixture(scope="session")
def dataset():
    return MemoryDataset()


@pytest.fixture(scope="session")
def day(dataset, statistics):
    return load_day(DatasetSource(dataset), "2022-01-05", statistics)


@pytest.fixture(scope="session")
def untrained():
    torch.manual_seed(0)
    return CranPM(tiny()).eval()


@pytest.fixture
def namespace():
    return SimpleNamespace
