"""From sub-daily steps to UTC days: means of instantaneous fields, sums of amounts that fell in the hour before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError, TimeAxisError

log = logging.getLogger(__name__)

_HOUR = np.timedelta64(1, "h")


class MissingHoursError(TimeAxisError):
    """A day with too few of its hours."""


def join_times(parts: Sequence[xr.DataArray], *, name: str) -> xr.DataArray:
    """One array along time from files of successive periods; a time that stands in two files must be equal in both.

    Raises
    ------
    DataFileError
        If the files lie on different places, or disagree about a time.
    """
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for part in parts[1:]:
        for axis in ("latitude", "longitude"):
            if not np.array_equal(first[axis].values, part[axis].values):
                raise DataFileError(
                    f"{name}: files cover different {axis}s. Give files of one area at a time."
                )
    joined = xr.concat(parts, dim="time", join="exact", coords="minimal", compat="override")
    joined = joined.isel(time=np.argsort(joined["time"].values, kind="stable"))
    doubled = np.flatnonzero(np.diff(joined["time"].values) == np.timedelta64(0))
    for index in doubled:
        if not np.array_equal(joined[index].values, joined[index + 1].values, equal_nan=True):
            raise DataFileError(
                f"{name}: two files disagree about {joined['time'].values[index]}. Remove one of them."
            )
    return joined.isel(time=np.setdiff1d(np.arange(joined.sizes["time"]), doubled + 1))


def step_hours(times: np.ndarray, *, name: str) -> int:
    """Whole hours between successive times, where the day is a multiple of them.

    Raises
    ------
    TimeAxisError
        If there is one time only, or the step is no divisor of a day.
    """
    if times.size < 2:
        raise TimeAxisError(
            f"{name}: expected a day's times, got one ({times[0]}); a daily value cannot be made of it."
        )
    step = np.diff(times).min() / _HOUR
    if step not in (1, 2, 3, 4, 6):
        msg = f"{name}: expected a time every 1, 2, 3, 4 or 6 hours, got {step:g} h. Request hourly data."
        raise TimeAxisError(msg)
    return int(step)


def days_of(times: np.ndarray, *, accumulated: bool) -> np.ndarray:
    """UTC day that each time belongs to, ``datetime64[D]``; an amount belongs to the hour that *ends* at its time."""
    return (times - _HOUR if accumulated else times).astype("datetime64[D]")


def whole_days(times: np.ndarray, *, accumulated: bool) -> np.ndarray:
    """Days with more than one step: a month's file also holds the first hour of the next month."""
    days, counts = np.unique(days_of(times, accumulated=accumulated), return_counts=True)
    return days[counts > 1]


_LEAST_HOURS = 10
"""Hours of rain in one day that must never ease for an amount to look like a running sum."""


def refuse_running_sum(values: np.ndarray, day: np.datetime64, *, name: str) -> None:
    """Refuse the steps of a day whose amounts run on, each the sum since midnight: added up they count rain many times.

    ERA5-Land accumulates like this, and its files do not say so. Rain of one hour eases somewhere; a sum never falls
    anywhere. Where little rains, nothing can be said, and nothing is.

    Parameters
    ----------
    values : ndarray, shape (steps, latitude, longitude)
        In order of time, any unit.

    Raises
    ------
    NotThisProductError
        If no wet cell ever falls, and half of them are wet for ``_LEAST_HOURS`` and grow.
    """
    steps = values.reshape(len(values), -1)
    steps = steps[:, np.isfinite(steps).all(axis=0)]
    noise = 1e-4 * steps.max(initial=0.0)  # of packing
    wet = steps[:, (steps > noise).any(axis=0)]
    if not wet.size or (np.diff(wet, axis=0) < -noise).any():
        return
    first = wet[(wet > noise).argmax(axis=0), np.arange(wet.shape[1])]
    runs_on = ((wet > noise).sum(axis=0) >= _LEAST_HOURS) & (wet[-1] > 1.5 * first)
    if runs_on.mean() >= 0.5:
        msg = (
            f"{name} of {day} never falls from hour to hour in any cell: it is the sum since midnight, as ERA5-Land "
            "has it; expected the amount of each hour. Request total_precipitation of reanalysis-era5-single-levels."
        )
        raise NotThisProductError(msg)


def daily_values(
    field: xr.DataArray,
    days: np.ndarray,
    *,
    accumulated: bool,
    min_share: float,
    incomplete: Literal["raise", "nan"],
    name: str,
    check: Callable[[np.ndarray], None] | None = None,
) -> np.ndarray:
    """Daily means, or daily sums of an amount, one day at a time so that a year never is in memory.

    A cell that misses one of the steps that are there is missing for the day. A sum needs all 24 hours, since a
    missing one would read as dry.

    Parameters
    ----------
    field : DataArray, dims (time, latitude, longitude)
        Steps; amounts cover the hour that ends at their time.
    days : ndarray of datetime64[D]
        Days wanted.
    min_share : float
        Share of a day's steps that a mean needs.
    incomplete : {"raise", "nan"}
        What a day with fewer gives.
    check : callable, optional
        Called with the steps of each day as the file has them, to refuse what cannot be.

    Returns
    -------
    ndarray, shape (days, latitude, longitude), float64

    Raises
    ------
    MissingHoursError
        Naming the days, unless ``incomplete="nan"``.
    """
    times = field["time"].values
    step = step_hours(times, name=name)
    if accumulated and step != 1:
        msg = (
            f"{name} is an amount per hour, so its daily sum needs hourly data; got a time every {step} h. Request all "
            "24 hours and 00:00 of the day after, or leave this channel out."
        )
        raise MissingHoursError(msg)
    expected, needed = 24 // step, 24 if accumulated else int(np.ceil(round(min_share * 24 / step, 9)))
    belongs = days_of(times, accumulated=accumulated)
    out = np.full((days.size, field.sizes["latitude"], field.sizes["longitude"]), np.nan)
    short = []
    for index, day in enumerate(days):
        steps = np.flatnonzero(belongs == day)
        if steps.size < needed:
            short.append(f"{day} ({steps.size} of {expected})")
            continue
        values = field.isel(time=slice(steps[0], steps[-1] + 1)).values.astype(np.float64)
        if check is not None:
            check(values)
        if accumulated:
            refuse_running_sum(values, day, name=name)
        out[index] = values.sum(axis=0) if accumulated else values.mean(axis=0)
    if short:
        last = " and 00:00 of the day after the last" if accumulated else ""
        msg = (
            f"{name}: expected at least {needed} of {expected} steps a day, got fewer on {', '.join(short[:5])}"
            f"{' ...' if len(short) > 5 else ''}. Download the missing hours{last}, or keep such days as missing with "
            "incomplete='nan'."
        )
        if incomplete == "raise":
            raise MissingHoursError(msg)
        log.warning("%s", msg)
    return out
