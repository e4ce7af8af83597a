"""Which time a value stands for: an instant, the hour that ends at its stamp, or something that only looks like it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.errors import NotThisProductError, TimeAxisError
from cranpm.data.readers.identity import Identity
from cranpm.data.regrid.daily import days_of, refuse_running_sum

_HOUR = np.timedelta64(1, "h")
_SAMPLE = 8
"""Days of a file that are looked at for a running sum."""


def refuse_months(times: np.ndarray, identity: Identity, *, name: str) -> None:
    """Refuse what looks like monthly means by hour, which the store stamps with the first day of each month.

    Raises
    ------
    NotThisProductError
        Unless the file states its stream or what a step is.
    """
    if identity.values("stream") or identity.values("step type"):
        return
    index = pd.DatetimeIndex(times)
    months = index.to_period("M").nunique()
    if months > 1 and (index.day == 1).all():
        msg = (
            f"{name} holds the first day of {months} months and no other, as monthly means by hour do, and does not "
            f"say which it is. Expected {identity.product.title}. {identity.product.remedy}"
        )
        raise NotThisProductError(msg)


def refuse_other_bounds(dataset: xr.Dataset, variable: str, *, is_amount: bool, name: str) -> None:
    """Refuse stamps whose stated bounds are not the hour that ends there, or for an instant more than an hour.

    Raises
    ------
    TimeAxisError
        Naming the stamp and its bounds.
    """
    for axis in ("time", "valid_time"):
        key = dataset[axis].attrs.get("bounds") if axis in dataset.coords else None
        if key not in dataset.variables or dataset[key].ndim != 2:
            continue
        times, bounds = dataset[axis].values, dataset[key].values
        if not np.issubdtype(bounds.dtype, np.datetime64) or bounds.shape != (times.size, 2):
            continue
        width = bounds[:, 1] - bounds[:, 0]
        ends = bounds[:, 1] == times
        bad = (width != _HOUR) | ~ends if is_amount else width > _HOUR
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            expected = "the hour that ends at its stamp" if is_amount else "an instant"
            msg = (
                f"{name}: {variable} at {_clock(times[first])} covers {_clock(bounds[first, 0])} to "
                f"{_clock(bounds[first, 1])} ({key}); expected {expected}. Request hourly data of the reanalysis."
            )
            raise TimeAxisError(msg)


def refuse_sums_since_midnight(amount: xr.DataArray, *, name: str) -> None:
    """Refuse an amount that runs on through the day, as ERA5-Land's does; looks at some days, spread over the file.

    Raises
    ------
    NotThisProductError
        See :func:`cranpm.data.regrid.daily.refuse_running_sum`.
    """
    belongs = days_of(amount["time"].values, accumulated=True)
    days, counts = np.unique(belongs, return_counts=True)
    days = days[counts > 1]
    chosen = (
        days[np.unique(np.linspace(0, days.size - 1, min(_SAMPLE, days.size)).astype(int))]
        if days.size
        else []
    )
    for day in chosen:
        steps = np.flatnonzero(belongs == day)
        refuse_running_sum(amount.isel(time=slice(steps[0], steps[-1] + 1)).values, day, name=name)


def _clock(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))
