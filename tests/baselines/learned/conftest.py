"""Days of a small domain with a coast, a gap and a sea, for learned rivals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cranpm.baselines.learned.blocks import NodeInputs
from cranpm.domain import DAY_CHANNELS, Domain, Statistics, domain_from_corner

DOMAIN = domain_from_corner("t", "T", north=48.0, west=6.0, coarse_rows=16, coarse_cols=24)


class Days:
    """PM2.5 that is a plane in space, so that interpolation from nodes loses nothing, and other air every day."""

    name, simulated = "made", True

    def __init__(self, domain: Domain = DOMAIN) -> None:
        self.domain = domain
        self.days = np.arange("2019-01-01", "2019-01-09", dtype="datetime64[D]")
        self.land = np.ones(domain.fine.shape, bool)
        self.land[200:, :150] = False  # sea in the south-west
        self.elevation = np.zeros(domain.fine.shape, np.float32)
        self.coarse_elevation = np.full(domain.coarse_box.shape, 200.0, np.float32)
        self.gap: tuple[slice, slice] | None = None

    def coarse(self, day: np.datetime64) -> np.ndarray:
        draw = np.random.default_rng(int(day.astype(int)))
        return draw.normal(size=(len(DAY_CHANNELS), *self.domain.coarse_box.shape)).astype(np.float32) ** 2

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        number = int((day - self.days[0]).astype(int))
        fine = self.domain.fine
        field = 20 + number + 2 * (48 - fine.lat[:, None]) + 0.5 * (fine.lon[None] - 6)
        field = np.where(self.land, field, np.nan).astype(np.float32)
        if self.gap is not None:
            field[self.gap] = np.nan
        return field[rows, cols]


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture(scope="session")
def statistics() -> Statistics:
    names = [c.name for c in DAY_CHANNELS]
    return Statistics(
        mean=dict.fromkeys(names, 1.0),
        std=dict.fromkeys(names, 1.5),
        period="2019-01-01..2019-01-08",
        source="made",
    )


@pytest.fixture(scope="session")
def draw_inputs() -> Callable[..., NodeInputs]:
    """Inputs by chance, on a grid that no patch divides."""

    def draw(days: int = 2, rows: int = 19, cols: int = 27, seed: int = 0) -> NodeInputs:
        torch.manual_seed(seed)
        return NodeInputs(
            frames=torch.randn(days, 2, 37, rows, cols),
            static=torch.randn(days, 3, rows, cols),
            elevation=1000 * torch.rand(days, rows, cols),
            wind=5 * torch.randn(days, 2, rows, cols),
            valid=torch.ones(days, rows, cols, dtype=torch.bool),
        )

    return draw
