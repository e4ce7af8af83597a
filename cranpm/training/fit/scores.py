"""Skill with its uncertainty, from the validation days of one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cranpm.domain.resampling import bootstrap_indices, central_interval

DRAWS = 1000
"""Redrawn sets of days."""


def validation_scores(rows: Sequence[Sequence[float | None]]) -> dict[str, float]:
    """Figures of one pass over the validation days.

    Parameters
    ----------
    rows : sequence of sequence of float or None
        Of each day: mean squared error of its tiles, and that of persistence; where stations are read, also those at
        stations of training blocks and of held-out ones, None where there is none [(ug m-3)^2].

    Returns
    -------
    dict
        ``rmse``, ``rmse_persistence``, ``skill`` with ``skill_low`` and ``skill_high``, ``days``; where known
        ``rmse_station`` and ``rmse_station_held_out``.

    Examples
    --------
    >>> scores = validation_scores([[1.0, 4.0, 9.0, None], [1.0, 4.0, None, None]])
    >>> scores["rmse"], scores["skill"], scores["rmse_station"], scores["days"]
    (1.0, 0.5, 3.0, 2.0)
    >>> "rmse_station_held_out" in scores
    False
    """
    ours, still, *stations = zip(*rows)
    skill, low, high = skill_interval(ours, still)
    scores = {"rmse": _root_mean(ours), "rmse_persistence": _root_mean(still)}
    scores |= {"skill": skill, "skill_low": low, "skill_high": high, "days": float(len(ours))}
    for name, values in zip(("rmse_station", "rmse_station_held_out"), stations):
        known = [value for value in values if value is not None]
        if known:
            scores[name] = _root_mean(known)
    return scores


def _root_mean(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(values)))


def skill_interval(squared: Sequence[float], persistence: Sequence[float]) -> tuple[float, float, float]:
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
    chosen = bootstrap_indices(len(ours), DRAWS, np.random.default_rng(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 1 - np.sqrt(ours[chosen].sum(axis=1) / still[chosen].sum(axis=1))
        skill = 1 - np.sqrt(ours.sum() / still.sum())
    return float(skill), *central_interval(drawn)
