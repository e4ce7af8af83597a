"""FAIRMODE's target diagram: a station as a point whose distance from the middle is its quality indicator.

After Thunis, Pederzoli and Pernigotti (2012), "Performance criteria to evaluate air quality modeling applications",
Atmospheric Environment 59, 476-482, and FAIRMODE's guidance document on modelling quality objectives, 3.x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cranpm.verification.limits import FAIRMODE_PM25_DAILY, FairmodeConstants

LEAST_DAYS = 10
"""Days below which a station's modelling quality indicator is no verdict."""


@dataclass(frozen=True, kw_only=True)
class TargetPoint:
    """A station on the target diagram; all parts are shares of beta times the uncertainty of what was observed.

    ``x`` is the centred error, negative where correlation dominates it and positive where the standard deviation does;
    ``y`` is the bias, positive where forecasts are too high. ``indicator`` is the root of x^2 + y^2: the modelling
    quality indicator, RMSE / (beta RMS_U), whose objective is at most 1.
    """

    x: float
    y: float
    indicator: float
    days: int

    @property
    def enough_days(self) -> bool:
        """Whether there are `LEAST_DAYS` days at least."""
        return self.days >= LEAST_DAYS


def target_point(
    forecast: ArrayLike, observed: ArrayLike, constants: FairmodeConstants = FAIRMODE_PM25_DAILY
) -> TargetPoint:
    """The point of one station.

    Parameters
    ----------
    forecast, observed : array_like, shape (N,)
        Daily means of the same days [ug m-3]; days on which either is missing are left out.
    constants : FairmodeConstants
        Of the pollutant.

    Returns
    -------
    TargetPoint
        NaN without a day.

    Examples
    --------
    Always 3 ug m-3 too high where 20 was seen, with an uncertainty of 7.69:

    >>> point = target_point([23.0, 23.0], [20.0, 20.0])
    >>> round(point.x, 3), round(point.y, 3), point.days
    (0.0, 0.195, 2)
    """
    said, seen = np.asarray(forecast, float), np.asarray(observed, float)
    if said.shape != seen.shape or said.ndim != 1:
        raise ValueError(
            f"Forecast and observed must be two series of one length, got {said.shape} and {seen.shape}."
        )
    known = np.isfinite(said) & np.isfinite(seen)
    said, seen = said[known], seen[known]
    if not said.size:
        return TargetPoint(x=np.nan, y=np.nan, indicator=np.nan, days=0)
    squared_uncertainty = float(np.mean(constants.uncertainty(seen) ** 2))
    unit = constants.beta * np.sqrt(squared_uncertainty)
    bias = float(np.mean(said - seen))
    centred = float(np.std(said - seen))
    spread = float(np.std(said) - np.std(seen)) ** 2
    by_spread = spread > centred**2 - spread  # CRMSE^2 = (s_f - s_o)^2 + 2 s_f s_o (1 - r)
    return TargetPoint(
        x=float((centred if by_spread else -centred) / unit) + 0.0,  # no minus before a zero
        y=float(bias / unit),
        indicator=float(constants.indicator(np.mean((said - seen) ** 2), squared_uncertainty)),
        days=int(said.size),
    )
