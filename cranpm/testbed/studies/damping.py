"""Damped persistence on the coarse grid: today's anomaly, shrunk by its own autocorrelation."""

from __future__ import annotations

import numpy as np

from cranpm.testbed.simulation.history import History
from cranpm.testbed.simulation.noise import EPOCH
from cranpm.testbed.simulation.world import LEADS


class Damping:
    """Climatology (mean and two harmonics) and lag autocorrelations by 4 x 4 nodes and half-year."""

    def __init__(self, history: History) -> None:
        self._design = self._harmonics(history.days)
        flat = history.pm2p5.reshape(len(history.days), -1).astype(np.float64)
        self._coefficients = np.linalg.lstsq(self._design, flat, rcond=None)[0]
        self.shape = history.pm2p5.shape[1:]
        anomaly = (flat - self._design @ self._coefficients).reshape(history.pm2p5.shape)
        cold = np.isin(history.months, (10, 11, 12, 1, 2, 3))
        self._factors = {}
        for season, member in ((True, cold), (False, ~cold)):
            for lead in range(1, LEADS + 1):
                pair = member[:-lead]
                product = _blocks((anomaly[lead:] * anomaly[:-lead])[pair].mean(0)) if pair.any() else 0.0
                power = _blocks((anomaly[:-lead] ** 2)[pair].mean(0)) if pair.any() else 1.0
                self._factors[season, lead] = np.clip(product / np.maximum(power, 1e-6), 0, 1)

    @staticmethod
    def _harmonics(days: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * np.atleast_1d(days)[:, None] / 365.2425 * np.arange(1, 3)
        return np.hstack([np.ones((len(angle), 1)), np.cos(angle), np.sin(angle)])

    def climatology(self, day: int) -> np.ndarray:
        """Expected PM2.5 of a day of the year, shape (R, C)."""
        return (self._harmonics(np.array([day])) @ self._coefficients).reshape(self.shape)

    def forecast(self, today: np.ndarray, day: int, lead: int) -> np.ndarray:
        """Damped persistence from the map of ``day``."""
        month = (EPOCH + np.array([day])).astype("datetime64[M]").astype(int)[0] % 12 + 1
        factor = self._factors[month in (10, 11, 12, 1, 2, 3), lead]
        return self.climatology(day + lead) + factor * (today - self.climatology(day))


def _blocks(field: np.ndarray) -> np.ndarray:
    """Means over 4 x 4 nodes, spread back."""
    rows, cols = (np.minimum(np.arange(n) // 4, max((n - 1) // 4, 0)) for n in field.shape)
    key = rows[:, None] * 1000 + cols[None, :]
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.reshape(-1)
    return (np.bincount(inverse, field.ravel()) / np.bincount(inverse))[inverse].reshape(field.shape)
