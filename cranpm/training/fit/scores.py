"""Skill with its uncertainty, from the validation days of one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cranpm.domain.resampling import bootstrap_indices, central_interval


def skill_interval(
    squared: Sequence[float], persistence: Sequence[float], *, draws: int = 1000, seed: int = 1
) -> tuple[float, float, float]:
    """1 - RMSE / RMSE of persistence, pooled, with a 95 % interval by bootstrap over days.

    Parameters
    ----------
    squared, persistence : sequence of float
        Mean squared error of each day's tiles, ours and persistence's [(ug m-3)^2].

    Returns
    -------
    skill, low, high : float

    Examples
    --------
    >>> skill_interval([1.0, 1.0], [4.0, 4.0])
    (0.5, 0.5, 0.5)
    """
    ours, still = np.asarray(squared, dtype=float), np.asarray(persistence, dtype=float)
    chosen = bootstrap_indices(len(ours), draws, np.random.default_rng(seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 1 - np.sqrt(ours[chosen].sum(axis=1) / still[chosen].sum(axis=1))
        skill = 1 - np.sqrt(ours.sum() / still.sum())
    return float(skill), *central_interval(drawn)
