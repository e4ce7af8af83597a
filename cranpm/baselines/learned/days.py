"""From days to tensors on the nodes: the same fields, gaps and masks for every learned rival, in training and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from cranpm.baselines.learned.blocks import NodeInputs
from cranpm.data.samples import CoarseSample, coarse_sample
from cranpm.data.store.source import DaySource
from cranpm.domain import PM_SCALE, Grid, Statistics
from cranpm.domain.days import as_day
from cranpm.domain.normalise import (
    normalise_elevation,
    normalise_latitude,
    normalise_longitude,
    normalise_pm2p5,
)

Means = Callable[[np.datetime64], tuple[np.ndarray, np.ndarray]]
"""Means of a day's fine map at the nodes of the box, and their support (`cranpm.baselines.nodes.node_means`)."""

_ONE_DAY = np.timedelta64(1, "D")


def read_inputs(
    source: DaySource, means: Means, statistics: Statistics, init_days: Sequence[np.datetime64]
) -> NodeInputs:
    """Inputs of some init days.

    Parameters
    ----------
    source : DaySource
    means : callable
        The fine map at the nodes.
    statistics : Statistics
        Of the training period.
    init_days : sequence of datetime64
        They and the days before must be held.

    Raises
    ------
    MissingInputError
        If a coarse channel lacks too many nodes.
    """
    grid = source.domain.coarse
    samples, frames = [], []
    for day in map(as_day, init_days):
        sample = coarse_sample(
            source.coarse(day),
            source.coarse(day - _ONE_DAY),
            source.coarse_elevation,
            domain=source.domain,
            statistics=statistics,
            name=f"init day {day}",
        )
        samples.append(sample)
        coarse = sample.fields.unflatten(0, (2, -1)).flip(0)  # t-1 first
        fine = torch.stack([_fine_channels(means(d), grid) for d in (day - _ONE_DAY, day)])
        frames.append(torch.cat([coarse, fine], dim=1))
    stack = lambda name: torch.stack([getattr(sample, name) for sample in samples])  # noqa: E731
    return NodeInputs(
        frames=torch.stack(frames),
        static=_static_channels(samples[0])[None].expand(len(samples), -1, -1, -1),
        elevation=stack("elevation"),
        wind=stack("wind"),
        valid=stack("valid"),
    )


def read_change(
    means: Means, init_day: np.datetime64, leads: Sequence[int], grid: Grid
) -> tuple[Tensor, Tensor]:
    """What a rival learns from one init day.

    Returns
    -------
    change : Tensor, shape (L, Hc, Wc)
        Of the fine product's means by each lead, in network units; NaN where either day has none.
    weight : Tensor, shape (L, Hc, Wc)
        Area of the cells that both means stand on, relative to a whole node at the equator; 0 in gaps.
    """
    init_day = as_day(init_day)
    (now, here), area = _crop(means(init_day), grid), np.cos(np.radians(grid.lat))[:, None]
    changes, weights = [], []
    for lead in leads:
        then, there = _crop(means(init_day + lead * _ONE_DAY), grid)
        change = (then - now) / PM_SCALE
        changes.append(change)
        weights.append(np.where(np.isfinite(change), np.minimum(here, there) * area, 0))
    as_tensor = lambda parts: torch.from_numpy(np.stack(parts).astype(np.float32))  # noqa: E731
    return as_tensor(changes), as_tensor(weights)


def _fine_channels(means: tuple[np.ndarray, np.ndarray], grid: Grid) -> Tensor:
    """(2, Hc, Wc): the normalised mean, its gaps at 0, and the support that says where they are."""
    mean, share = _crop(means, grid)
    known = np.isfinite(mean)
    return torch.from_numpy(
        np.stack([np.where(known, normalise_pm2p5(mean), 0), np.where(known, share, 0)]).astype(np.float32)
    )


def _crop(means: tuple[np.ndarray, np.ndarray], grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    mean, share = means
    return mean[: grid.rows, : grid.cols], share[: grid.rows, : grid.cols]


def _static_channels(sample: CoarseSample) -> Tensor:
    shape = sample.elevation.shape
    return torch.stack(
        [
            normalise_elevation(sample.elevation),
            normalise_latitude(sample.latitude)[:, None].expand(shape),
            normalise_longitude(sample.longitude)[None].expand(shape),
        ]
    )
