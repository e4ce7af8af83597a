"""UTC days."""

from __future__ import annotations

from typing import Any

import numpy as np

Day = np.datetime64 | str
"""A UTC day, as numpy's datetime64 or as YYYY-MM-DD."""


def as_day(day: Any) -> np.datetime64:
    """A day as datetime64[D]; a time within it is cut off.

    Examples
    --------
    >>> print(as_day("2022-01-10T18:00"))
    2022-01-10
    """
    return np.datetime64(day, "D")
