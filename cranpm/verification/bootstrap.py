"""Confidence intervals from blocks of days: days in a row share their weather and are no independent samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cranpm.verification.sums import PairSums


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score with the interval that holds it in ``level`` of the resampled sets of days."""

    estimate: float
    low: float
    high: float
    level: float
    days: int
    block_days: int

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def block_bootstrap(
    statistic: Callable[..., float],
    *daily: PairSums,
    block_days: int = 5,
    repeats: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a score by redrawing blocks of successive days, the same days for every forecast compared.

    Parameters
    ----------
    statistic : callable
        Takes the pooled sums in the order of ``daily``; such as ``lambda ours, theirs: 1 - ours.rmse / theirs.rmse``.
    daily : PairSums
        One entry per day along the first axis (:meth:`PairSums.stack`), the same days in each.
    block_days : int
        Days drawn together; blocks wrap around the end so that every day is equally likely.
    seed : int
        Makes the interval reproducible.

    Raises
    ------
    ValueError
        If the days differ, or are fewer than two blocks.
    """
    counts = {part.count.shape[0] for part in daily}
    if len(counts) != 1:
        raise ValueError(f"Expected the same days for every forecast, got {sorted(counts)} of them.")
    (days,) = counts
    if days < 2 * block_days:
        raise ValueError(f"Expected at least {2 * block_days} days for blocks of {block_days}, got {days}.")
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, days, size=(repeats, -(-days // block_days)))
    index = (starts[:, :, None] + np.arange(block_days)) % days
    drawn = [
        float(statistic(*(part.take(choice).pooled() for part in daily)))
        for choice in index.reshape(repeats, -1)[:, :days]
    ]
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    estimate = float(statistic(*(part.pooled() for part in daily)))
    return Interval(
        estimate=estimate, low=float(low), high=float(high), level=level, days=days, block_days=block_days
    )
