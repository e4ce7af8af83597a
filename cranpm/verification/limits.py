"""Index classes, limit values and FAIRMODE constants for PM2.5. NumPy only, so that anything may import it.

The official European Air Quality Index is hourly; here its classes colour a 24-hour mean. Say so beside every map:
``EAQI_NOTE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EAQI_NOTE = "EAQI colour classes applied to a 24-h mean, not the official hourly index"


@dataclass(frozen=True, kw_only=True)
class IndexClass:
    """One class of the index: rounded concentrations ``first``..``last`` inclusive [ug m-3].

    ``color`` fills, ``text_color`` reads on it, ``number`` (1 = best) is what a colour-blind reader is shown.
    """

    number: int
    name: str
    first: int
    last: float
    color: str
    text_color: str

    @property
    def label(self) -> str:
        return f"> {self.first - 1}" if np.isinf(self.last) else f"{self.first}-{int(self.last)}"


def _classes(*rows: tuple[str, int, float, str, str]) -> tuple[IndexClass, ...]:
    return tuple(
        IndexClass(number=i, name=name, first=first, last=last, color=color, text_color=text)
        for i, (name, first, last, color, text) in enumerate(rows, start=1)
    )


EAQI_CLASSES = _classes(
    ("Good", 0, 5, "#50F0E6", "#04322f"),
    ("Fair", 6, 15, "#50CCAA", "#043024"),
    ("Moderate", 16, 50, "#F0E641", "#3a3405"),
    ("Poor", 51, 90, "#FF5050", "#3d0000"),
    ("Very poor", 91, 140, "#960032", "#ffe4ec"),
    ("Extremely poor", 141, np.inf, "#7D2181", "#fbe9fc"),
)
"""European Air Quality Index for PM2.5, EEA revision of 2024."""

EAQI_CLASSES_BEFORE_2024 = _classes(
    ("Good", 0, 10, "#50F0E6", "#04322f"),
    ("Fair", 11, 20, "#50CCAA", "#043024"),
    ("Moderate", 21, 25, "#F0E641", "#3a3405"),
    ("Poor", 26, 50, "#FF5050", "#3d0000"),
    ("Very poor", 51, 75, "#960032", "#ffe4ec"),
    ("Extremely poor", 76, np.inf, "#7D2181", "#fbe9fc"),
)
"""The older bands (10/20/25/50/75): only as a labelled option."""

NO_DATA_COLOR = "#9e9e9e"
"""Grey, drawn hatched."""


def round_half_up(values: Any) -> np.ndarray:
    """Nearest integer, halves upwards, NaN kept (``numpy.round`` would send 50.5 to 50, its even neighbour).

    Examples
    --------
    >>> round_half_up([4.49, 5.5, 50.5]).tolist()
    [4.0, 6.0, 51.0]
    """
    return np.floor(np.asarray(values, dtype=float) + 0.5)


def eaqi_class(values: Any, classes: tuple[IndexClass, ...] = EAQI_CLASSES) -> np.ndarray:
    """Index class of concentrations, rounded half up to an integer first as the EEA's own feed does.

    Parameters
    ----------
    values : array of any shape
        PM2.5 [ug m-3]. Negative values, which instruments report near zero, count as the best class.

    Returns
    -------
    ndarray of int8
        1 (best) to ``len(classes)``; 0 where there is no data (NaN).
    """
    values = np.asarray(values, dtype=float)
    bounds = np.array([c.last for c in classes[:-1]])
    number = 1 + np.searchsorted(bounds, round_half_up(values), side="left")
    return np.where(np.isnan(values), 0, number).astype(np.int8)


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

    def uncertainty(self, observed: Any) -> np.ndarray:
        """Measurement uncertainty of observations [ug m-3]; NaN stays NaN."""
        observed = np.asarray(observed, dtype=float)
        proportional = (1 - self.alpha**2) * observed**2
        return self.relative_uncertainty * np.sqrt(proportional + (self.alpha * self.reference_value) ** 2)


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
