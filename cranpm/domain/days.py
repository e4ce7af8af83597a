"""UTC days."""

from __future__ import annotations

from datetime import date

import numpy as np

Day = np.datetime64 | date | str
"""A UTC day, as numpy's datetime64, Python's date or as YYYY-MM-DD."""


def as_day(day: Day) -> np.datetime64:
    """A day as datetime64[D]; a time within it is cut off.

    Examples
    --------
    >>> print(as_day("2022-01-10T18:00"))
    2022-01-10
    """
    return np.datetime64(day, "D")  # type: ignore[call-overload]  # its stubs know each alone, not the union


def as_init_day(day: Day) -> np.datetime64:
    """The day that a forecast starts from, as `as_day` reads it.

    Raises
    ------
    ValueError
        If it is none, saying what was expected.
    """
    try:
        return as_day(day)
    except ValueError:
        raise ValueError(f"Init day must be YYYY-MM-DD, got {day!r}.") from None
