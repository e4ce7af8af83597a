"""Classes and colours of the European Air Quality Index for PM2.5 (EEA, 2024 revision).

The official index is hourly. Here its classes are applied to a 24-hour mean, and every legend says so
(:data:`EAQI_NOTE`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class IndexClass:
    """One class: number from 1, whole-number bounds of the rounded concentration [ug m-3], and its colours."""

    number: int
    name: str
    low: int
    high: int | None
    colour: str
    text_colour: str

    @property
    def bounds(self) -> str:
        """The class in words: ``"6–15"`` or ``"> 140"``."""
        return f"> {self.low - 1}" if self.high is None else f"{self.low}–{self.high}"


def _class(number: int, name: str, low: int, high: int | None, colour: str, text_colour: str) -> IndexClass:
    return IndexClass(number=number, name=name, low=low, high=high, colour=colour, text_colour=text_colour)


EAQI_CLASSES: tuple[IndexClass, ...] = (
    _class(1, "Good", 0, 5, "#50F0E6", "#04322f"),
    _class(2, "Fair", 6, 15, "#50CCAA", "#043024"),
    _class(3, "Moderate", 16, 50, "#F0E641", "#3a3405"),
    _class(4, "Poor", 51, 90, "#FF5050", "#3d0000"),
    _class(5, "Very poor", 91, 140, "#960032", "#ffe4ec"),
    _class(6, "Extremely poor", 141, None, "#7D2181", "#fbe9fc"),
)

EAQI_NOTE = "EAQI colour classes applied to a 24-h mean, not the official hourly index"

NO_DATA_COLOUR = "#9aa0a6"

_LOWER = np.array([item.low for item in EAQI_CLASSES])


def eaqi_class(pm2p5: npt.ArrayLike) -> np.ndarray:
    """Class number 1..6 of PM2.5, 0 where there is none.

    The concentration is rounded half up to a whole number first (numpy's ``round`` goes half to even), which
    reproduces the EEA's own feed. What is not finite, or negative by more than rounding, has no class.

    Parameters
    ----------
    pm2p5 : array_like
        PM2.5 [ug m-3].

    Returns
    -------
    ndarray of uint8, same shape

    Examples
    --------
    >>> eaqi_class([4.49, 5.49, 5.5, 15.5, 200, float("nan")]).tolist()
    [1, 1, 2, 3, 6, 0]
    """
    values = np.asarray(pm2p5, dtype=float)
    valid = np.isfinite(values)
    rounded = np.floor(np.where(valid, values, -1.0) + 0.5)
    return np.where(valid & (rounded >= 0), np.searchsorted(_LOWER, rounded, side="right"), 0).astype(
        np.uint8
    )
