"""A made-up domain of 688 x 688 cells with waves of PM2.5 under one wind, and networks that answer by rule."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cranpm.domain import COARSE_CHANNELS, DAY_CHANNELS, Statistics, channel_index, domain_from_corner

DOMAIN = domain_from_corner("plain", "A plain", north=50.0, west=8.0, coarse_rows=28, coarse_cols=28)
DAYS = np.arange("2021-03-01", "2021-03-13", dtype="datetime64[D]")
WIND = (2.0, -1.2)
"""Towards east and north [m s-1]: a day's way is 202 km, to the south-east."""
DEGREE = 111.2e3


_TYPICAL = {"t2m": 280.0, "sp": 95e3, "t": 260.0, "q": 5e-3, "z": 2e4}
CENTRE = np.array([_TYPICAL.get(c.variable, 20.0 if c.source == "cams" else 0.0) for c in DAY_CHANNELS])
SCALE = np.array([1e-4 if c.variable == "q" else 1.0 for c in DAY_CHANNELS])
"""What air has about: noise of a few units round it can be."""


class PlainSource:
    """Flat land but for a ridge, PM2.5 in waves of 6 degrees that nobody moves."""

    name, simulated = "test (simulated)", True
    domain = DOMAIN
    days = DAYS
    land = np.ones(DOMAIN.fine.shape, dtype=bool)
    elevation = np.where(np.arange(688) % 300 < 100, 1500.0, 0.0).astype(np.float32)[None].repeat(688, 0)
    coarse_elevation = np.where(np.arange(29) % 12 < 4, 1500.0, 0.0).astype(np.float32)[None].repeat(29, 0)

    def waves(self, day, lat, lon):
        phase = float(day.astype(int) % 7)
        lat, lon = lat[:, None], lon[None, :]
        return 15 + 8 * np.sin(lat * 1.1 + phase) * np.cos(lon * 0.9 + 2 * phase)

    def coarse(self, day):
        box = DOMAIN.coarse_box
        rng = np.random.default_rng(int(day.astype(int)))
        fields = CENTRE[:, None, None] + SCALE[:, None, None] * rng.normal(0, 1, (35, *box.shape))
        fields[0], fields[1] = WIND
        fields[4] = abs(fields[4])
        fields[channel_index("pm2p5", DAY_CHANNELS)] = self.waves(day, box.lat, box.lon)
        return fields.astype(np.float32)

    def pm2p5(self, day, rows, cols):
        fine = DOMAIN.fine
        return self.waves(day, fine.lat[rows], fine.lon[cols]).astype(np.float32)


class Advection(nn.Module):
    """A "network" that lets the coarse PM2.5 arrive from upwind: what transport alone would forecast.

    ``sign`` -1 blows everything the wrong way; 0 is persistence. It believes the wind that feeds the priors.
    """

    def __init__(self, statistics: Statistics, sign: float = 1.0) -> None:
        super().__init__()
        self.statistics, self.sign = statistics, sign
        self.config = SimpleNamespace(residual_scale=20.0, fusion="rule", global_patch=8)

    def encode_global(self, inputs):
        index = channel_index("pm2p5@t", COARSE_CHANNELS)
        return SimpleNamespace(
            field=inputs.fields[:, index : index + 1], latitude=inputs.latitude, longitude=inputs.longitude
        )

    def forecast_delta(self, inputs, context):
        wind = F.interpolate(inputs.wind, size=inputs.fields.shape[-1], mode="nearest")
        maps = []
        for lead in inputs.lead.tolist():
            way = self.sign * lead * 86400 / DEGREE
            lat = inputs.latitude[:, :, None] - way * wind[:, 1]
            lon = inputs.longitude[:, None, :] - way * wind[:, 0] / torch.cos(
                torch.deg2rad(inputs.latitude[:, :, None])
            )
            here = self._sample(
                context, inputs.latitude[:, :, None] + 0 * lat, inputs.longitude[:, None] + 0 * lat
            )
            maps.append((self._sample(context, lat, lon) - here) * self.statistics.std["pm2p5"] / 20)
        return torch.cat(maps)

    def _sample(self, context, lat, lon):
        rows = (context.latitude[0] - lat) / (context.latitude[0] - context.latitude[-1])
        cols = (lon - context.longitude[0]) / (context.longitude[-1] - context.longitude[0])
        grid = torch.stack([2 * cols - 1, 2 * rows - 1], -1)
        return F.grid_sample(context.field, grid, padding_mode="border", align_corners=True)[:, 0]


@pytest.fixture(scope="session")
def source():
    return PlainSource()


@pytest.fixture(scope="session")
def statistics():
    names = [c.name for c in DAY_CHANNELS]
    mean = dict(zip(names, CENTRE.tolist())) | {"pm2p5": 15.0}
    return Statistics(mean=mean, std=dict(zip(names, (2 * SCALE).tolist())), period="p", source="test")


@pytest.fixture(scope="session")
def day(source, statistics):
    from cranpm.forecasting.day import load_day

    return load_day(source, DAYS[3], statistics)


@pytest.fixture(scope="session")
def advection(statistics):
    return Advection(statistics)


@pytest.fixture(scope="session")
def backwards(statistics):
    return Advection(statistics, sign=-1.0)


@pytest.fixture(scope="session")
def still(statistics):
    return Advection(statistics, sign=0.0)
