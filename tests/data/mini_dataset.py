"""A small domain and days whose every value follows from the day, for the store's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import DatasetWriter
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, domain_from_corner

DOMAIN = domain_from_corner("mini", "Mini Alps", north=47.0, west=7.0, coarse_rows=16, coarse_cols=24)
DAYS = ("2022-01-03", "2022-01-04", "2022-02-10")
"""Of the dataset that the store's tests share; days need not follow each other."""

SEA_ROWS = 40
"""The first rows are sea."""

_TYPICAL = {"t2m": 280.0, "sp": 95e3, "t": 270.0, "q": 1e-3, "z": 1e4}


def create(root: Path) -> DatasetWriter:
    described = DatasetDescription(
        name=root.name,
        title="Mini",
        source="testbed (simulated)",
        simulated=True,
        version="1",
        hash="abc",
        attribution="nobody",
    )
    return DatasetWriter.create(root, DOMAIN, described)


def tenths(day: np.datetime64 | str) -> np.ndarray:
    """PM2.5 of a day as stored: land 1 ... 999, noisy; sea empty."""
    number = int(np.datetime64(day, "D").astype(int))
    raw = np.random.default_rng(number).integers(1, 1000, DOMAIN.fine.shape).astype(np.uint16)
    raw[:SEA_ROWS] = 65535
    return raw


def fields(day: np.datetime64 | str) -> dict[str, np.ndarray]:
    """What `encode_day` takes."""
    number = int(np.datetime64(day, "D").astype(int))
    box = DOMAIN.coarse_box.shape
    ripple = np.random.default_rng(number).random(box).astype(np.float32)
    era5 = np.stack([_TYPICAL.get(c.variable, 1.0) * (1 + 1e-3 * ripple) for c in ERA5_CHANNELS]).astype(
        np.float32
    )
    cams = np.stack([(k + 1) * (1 + ripple) for k in range(len(CAMS_CHANNELS))]).astype(np.float32)
    return {"pm2p5": tenths(day), "era5": era5, "cams": cams, "cams_forecast": cams[:3] + 0.5}


def static() -> dict[str, np.ndarray]:
    rows, cols = DOMAIN.fine.shape
    land = np.ones((rows, cols), np.uint8)
    land[:SEA_ROWS] = 0
    return {
        "elevation": np.arange(rows, dtype=np.float32)[:, None] * land,
        "land": land,
        "terrain_complexity": np.full((rows, cols), 60.5, np.float32),
        "coarse_elevation": np.full(DOMAIN.coarse_box.shape, 200.0, np.float32),
        "coarse_land": np.ones(DOMAIN.coarse_box.shape, np.float32),
    }
