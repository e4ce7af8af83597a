"""Station measurements -> daily means of sampling points; and a real day of many stations beside a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.errors import NotThisProductError
from cranpm.data.files.openers import open_lazily
from cranpm.data.stations.account import TOO_FEW_HOURS, StationAccount
from cranpm.data.stations.values import HIGHEST, LOWEST_MEAN
from cranpm.data.units import conversion

MIN_HOURS = 18
"""Valid hours that a daily mean needs, of 24 (75 %, as the air-quality directive asks)."""

_KEYS = ["sampling_point", "time"]


def daily_means(
    measurements: pd.DataFrame, *, min_hours: int = MIN_HOURS, account: StationAccount | None = None
) -> pd.DataFrame:
    """UTC-day means of sampling points; a day with fewer valid hours is left out, never filled.

    Values that were reported as daily means (gravimetric reference methods) win over the mean of hours; they belong to
    the UTC day that holds most of them.

    Parameters
    ----------
    measurements : DataFrame
        From :func:`cranpm.data.stations.eea.read_measurements`, one or several files joined.
    account : StationAccount, optional
        Where to count days that are left out.

    Returns
    -------
    DataFrame
        ``sampling_point, time`` (UTC day), ``pm2p5`` [ug m-3], ``hours`` (valid hours; 24 for a reported day).
    """
    return whole_days(means_of_days(measurements), min_hours=min_hours, account=account)[
        [*_KEYS, "pm2p5", "hours"]
    ]


def means_of_days(measurements: pd.DataFrame) -> pd.DataFrame:
    """Means over whatever hours a UTC day has, and reported days, each in a row of its own.

    Returns
    -------
    DataFrame
        ``sampling_point, time, pm2p5, hours, reported`` (bool), ``preference`` (of several rows of a day the lowest
        wins: 0 for a reported day, 1 for hours), ``unverified`` (values that the network has not verified) and
        ``unverified_from`` (the first of them, NaT if there is none).
    """
    start = measurements["start"]
    if isinstance(start.dtype, pd.DatetimeTZDtype):
        start = start.dt.tz_convert("UTC").dt.tz_localize(None)
    unverified = (
        measurements["verification"] != 1
        if "verification" in measurements
        else pd.Series(False, index=measurements.index)
    )
    frame = measurements.assign(
        time=start.dt.normalize(),
        reported=measurements["averaging"] == "day",
        unverified=unverified.astype(int),
        unverified_from=start.where(unverified),
    )
    means = frame.groupby([*_KEYS, "reported"], as_index=False).agg(
        pm2p5=("pm2p5", "mean"),
        hours=("pm2p5", "size"),
        unverified=("unverified", "sum"),
        unverified_from=("unverified_from", "min"),
    )
    return means.assign(
        hours=means["hours"].mask(means["reported"], 24), preference=1 - means["reported"].astype(int)
    )


def whole_days(
    means: pd.DataFrame, *, min_hours: int = MIN_HOURS, account: StationAccount | None = None
) -> pd.DataFrame:
    """One row a sampling point and day of `means_of_days`: the preferred one of enough hours, the fuller of two alike;
    no mean that air cannot have.
    """
    account = StationAccount() if account is None else account
    enough = means[means["hours"] >= min_hours]
    ordered = enough.sort_values(["preference", "hours"], ascending=[True, False], kind="stable")
    best = ordered.drop_duplicates(_KEYS, keep="first")
    short = means.merge(best[_KEYS], on=_KEYS, how="left", indicator=True)
    short = short[short["_merge"] == "left_only"].drop_duplicates(_KEYS)
    _leave_out(account, short, TOO_FEW_HOURS)
    low, high = best["pm2p5"] < LOWEST_MEAN, best["pm2p5"] > HIGHEST["day"]
    _leave_out(account, best[low], f"days with a mean below {LOWEST_MEAN:g} ug m-3")
    _leave_out(account, best[high], f"days with a mean above {HIGHEST['day']:g} ug m-3")
    return best[~low & ~high].sort_values(_KEYS).reset_index(drop=True)


def _leave_out(account: StationAccount, days: pd.DataFrame, reason: str) -> None:
    if len(days):
        first = days.iloc[0]
        example = f"{first['sampling_point']} {first['time']:%Y-%m-%d}: {first['pm2p5']:g} of {first['hours']} hours"
        account.leave_out("days", reason, len(days), example)


def open_station_day(path: str | Path, *, min_hours: int = MIN_HOURS) -> xr.Dataset:
    """One real day at stations: observed, and forecast by the CAMS ensemble (colocated hourly NetCDF of pyaerocom).

    Returns
    -------
    Dataset, dim station
        ``observed`` and ``cams_ensemble``, daily means [ug m-3], NaN with fewer than ``min_hours`` valid hours;
        coordinates ``station_id, latitude, longitude, altitude``, scalar ``time`` (UTC day).

    Raises
    ------
    NotThisProductError
        If the file is not laid out like this, or does not cover one UTC day.
    """
    name = Path(path).name
    (dataset,) = open_lazily(path)
    if not {"data_source", "time", "station_name"} <= set(dataset.dims) or "concpm25" not in dataset:
        msg = f"{name}: expected concpm25 (data_source, time, station_name), got {dict(dataset.sizes)}."
        raise NotThisProductError(msg)
    field = dataset["concpm25"].transpose("data_source", "time", "station_name")
    sources = [str(source) for source in field["data_source"].values]
    if len(sources) != 2 or field.attrs.get("ts_type") != "hourly":
        got = f"{field.attrs.get('ts_type')} values of {sources}"
        msg = f"{name}: expected hourly values of one observation and one model, got {got}."
        raise NotThisProductError(msg)
    days = np.unique(field["time"].values.astype("datetime64[D]"))
    if days.size != 1:
        raise NotThisProductError(f"{name}: expected one UTC day, got {days.size}. Select one first.")
    values = field.values
    for index, units in enumerate(np.atleast_1d(field.attrs.get("var_units", ""))):
        factor, offset = conversion(str(units), "ug m-3", name=f"{name} {sources[index]}")
        values[index] = values[index] * factor + offset
    enough = np.isfinite(values).sum(axis=1) >= min_hours
    means = np.where(enough, _nanmean(values), np.nan)
    attrs = {"units": "ug m-3", "cell_methods": "time: mean"}
    return xr.Dataset(
        {
            "observed": ("station", means[0], {**attrs, "long_name": "observed PM2.5", "source": sources[0]}),
            "cams_ensemble": (
                "station",
                means[1],
                {**attrs, "long_name": "forecast PM2.5", "source": sources[1]},
            ),
        },
        coords={
            "station_id": ("station", field["station_name"].values.astype(str)),
            **{
                c: ("station", dataset[c].values.astype(float)) for c in ("latitude", "longitude", "altitude")
            },
            "time": days[0].astype("datetime64[ns]"),
        },
        attrs={
            "source": "European Environment Agency; Copernicus Atmosphere Monitoring Service",
            "simulated": False,
        },
    )


def _nanmean(values: np.ndarray) -> np.ndarray:
    """Mean over time of the values that are there; NaN, without a warning, where none is."""
    count = np.isfinite(values).sum(axis=1)
    return np.where(count, np.nansum(values, axis=1), np.nan) / np.maximum(count, 1)
