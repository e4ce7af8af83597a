"""A small world in which something can be learned, and recipes that take a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cranpm.cli.app import app
from cranpm.data.store.source import source_statistics
from cranpm.data.store.station_days import StationDays
from cranpm.domain import domain_from_corner
from cranpm.training.batches.source import TrainingData
from cranpm.training.recipes.debug import smallest
from cranpm.training.recipes.recipes import Recipe, tiny


class DecayingWorld:
    """Twelve days in which PM2.5 falls by a fifth each day: what tomorrow brings can be learned from today.

    Days of 2021 follow, for validation: six, or so many. ``opened`` lists the days that were read.
    """

    name, simulated = "test", True
    domain = domain_from_corner("corner", "Corner", north=48.0, west=6.0, coarse_rows=28, coarse_cols=28)

    def __init__(self, *, validation: bool | int = False, land_east: bool = True):
        number = 6 if validation is True else int(validation)
        later = np.datetime64("2021-01-01") + np.arange(number)
        self.days = np.concatenate(
            [np.arange(np.datetime64("2017-01-01"), np.datetime64("2017-01-13")), later]
        )
        self._pattern = np.random.default_rng(0).uniform(10, 90, self.domain.fine.shape).astype(np.float32)
        self._coarse = (
            np.random.default_rng(1).normal(0, 1, (35, *self.domain.coarse_box.shape)).astype(np.float32)
        )
        self._coarse[4] = np.abs(self._coarse[4])
        self.land = np.ones(self.domain.fine.shape, dtype=bool)
        self.elevation = np.zeros(self.domain.fine.shape, dtype=np.float32)
        self.coarse_elevation = np.zeros(self.domain.coarse_box.shape, dtype=np.float32)
        self.opened = set()
        self.broken = {}
        """Day -> value that takes the place of one PM2.5 value in 64."""
        if not land_east:
            self._pattern[:, self.domain.fine.cols // 2 :] = np.nan

    def _left(self, day):
        return np.float32(0.8 ** (int((day - self.days[0]) / np.timedelta64(1, "D")) % 365))

    def coarse(self, day):
        self.opened.add(np.datetime64(day, "D"))
        fields = self._coarse.copy()
        fields[30] = 40 * self._left(day)
        return fields

    def pm2p5(self, day, rows, cols):
        self.opened.add(np.datetime64(day, "D"))
        field = self._pattern[rows, cols] * self._left(day)
        if day in self.broken:
            field[::8, ::8] = self.broken[day]
        return field

    def with_stations(self, number=400):
        """Stations that report 2 ug m-3 more than the pattern."""
        rng, grid = np.random.default_rng(3), self.domain.fine
        rows, cols = rng.integers(0, grid.rows, number), rng.integers(0, grid.cols, number)
        values = np.stack([self._pattern[rows, cols] * self._left(day) + 2 for day in self.days])
        self.stations = StationDays(
            station_id=np.array([f"S{k}" for k in range(number)]),
            latitude=grid.lat[rows],
            longitude=grid.lon[cols],
            days=self.days,
            values=values.astype(np.float32),
        )
        return self


@pytest.fixture(scope="session")
def cranpm() -> Callable[..., Result]:
    """``cranpm train`` with these arguments."""
    return lambda *arguments: CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture(scope="session")
def make_world() -> type[DecayingWorld]:
    return DecayingWorld


@pytest.fixture(scope="module")
def world():
    return DecayingWorld()


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return replace(
        tiny(), steps=6, token_steps=3, warmup_steps=2, days_per_step=1, tiles_per_day=1, precision="32-true"
    )


@pytest.fixture(scope="module")
def quick(recipe) -> Recipe:
    """Small enough that a step takes a few hundredths of a second; dropout on, so that randomness matters."""
    return replace(
        smallest(recipe, input_dropout=0.2, drop_path=0.2),
        token_steps=0,
        average_decay=0.9,
        bias_update_interval=1,
        calibration_steps=2,
        learning_rate=1e-2,
    )


@pytest.fixture(scope="module")
def statistics(world):
    with np.errstate(all="ignore"):
        return source_statistics(world, world.days)


@pytest.fixture(scope="module")
def data(world, statistics) -> TrainingData:
    return TrainingData(source=world, statistics=statistics)
