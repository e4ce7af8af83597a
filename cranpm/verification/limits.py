"""Index classes, limit values and FAIRMODE constants for PM2.5. NumPy only, so that anything may import it.

The classes of the European Air Quality Index are those that the maps are coloured with, in one table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cranpm.domain.eaqi import EAQI_CLASSES, EAQI_NOTE, IndexClass, eaqi_class

__all__ = [
    "EAQI_CLASSES",
    "EAQI_NOTE",
    "EXCEEDANCE_THRESHOLDS",
    "FAIRMODE_PM25_DAILY",
    "LIMITS",
    "FairmodeConstants",
    "IndexClass",
    "LimitValue",
    "eaqi_class",
]


@dataclass(frozen=True, kw_only=True)
class LimitValue:
    """A value that a mean over ``period`` is compared with [ug m-3]; a daily map alone shows no breach of it."""

    name: str
    period: str
    value: float
    allowed: str
    source: str


LIMITS: tuple[LimitValue, ...] = (
    LimitValue(
        name="WHO 24 h",
        period="day",
        value=15.0,
        allowed="99th percentile of the year",
        source="WHO guidelines 2021",
    ),
    LimitValue(name="WHO year", period="year", value=5.0, allowed="-", source="WHO guidelines 2021"),
    LimitValue(
        name="EU 2030 24 h",
        period="day",
        value=25.0,
        allowed="18 days a year",
        source="Directive (EU) 2024/2881, from 1 January 2030",
    ),
    LimitValue(
        name="EU 2030 year",
        period="year",
        value=10.0,
        allowed="-",
        source="Directive (EU) 2024/2881, from 1 January 2030",
    ),
    LimitValue(
        name="EU year",
        period="year",
        value=25.0,
        allowed="-",
        source="Directive 2008/50/EC, until 31 December 2029",
    ),
)
"""Limit and guideline values for PM2.5."""

EXCEEDANCE_THRESHOLDS = (15.0, 25.0, 50.0)
"""Daily values for POD, FAR and CSI [ug m-3]: WHO 24 h, EU 2030 24 h, end of the index class "Moderate"."""


@dataclass(frozen=True, kw_only=True)
class FairmodeConstants:
    """Measurement uncertainty of one pollutant, U(O) = u_r sqrt((1 - alpha^2) O^2 + alpha^2 RV^2), and beta.

    ``n_p`` and ``n_np`` enter the uncertainty of annual means only. The constants have changed between versions.
    """

    version: str
    pollutant: str
    beta: float
    relative_uncertainty: float
    alpha: float
    reference_value: float
    n_p: float
    n_np: float

    def uncertainty(self, observed: ArrayLike) -> np.ndarray:
        """Measurement uncertainty of observations [ug m-3]; NaN stays NaN."""
        observed = np.asarray(observed, dtype=float)
        proportional = (1 - self.alpha**2) * observed**2
        return self.relative_uncertainty * np.sqrt(proportional + (self.alpha * self.reference_value) ** 2)

    def indicator(self, squared_error: ArrayLike, squared_uncertainty: ArrayLike) -> np.ndarray:
        """Modelling quality indicator, RMSE / (beta RMS_U), of means over days of a station, or of many stations."""
        return np.sqrt(np.asarray(squared_error, float) / np.asarray(squared_uncertainty, float)) / self.beta


FAIRMODE_PM25_DAILY = FairmodeConstants(
    version="guidance document on modelling quality objectives, 3.x",
    pollutant="PM2.5, daily mean",
    beta=2.0,
    relative_uncertainty=0.36,
    alpha=0.5,
    reference_value=25.0,
    n_p=20.0,
    n_np=1.5,
)
"""FAIRMODE's constants for daily means of PM2.5."""
