"""Station measurements -> daily means of sampling points."""

from __future__ import annotations

import pandas as pd

from cranpm.data.stations.account import TOO_FEW_HOURS, StationAccount
from cranpm.data.stations.values import HIGHEST, HIGHEST_CONSTANT, LOWEST_MEAN

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
        ``sampling_point, time, pm2p5, hours, highest, lowest, reported`` (bool), ``preference`` (of several rows of a
        day the lowest wins: 0 for a reported day, 1 for hours), ``unverified`` (values that the network has not
        verified) and ``unverified_from`` (the first of them, NaT if there is none).
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
        highest=("pm2p5", "max"),
        lowest=("pm2p5", "min"),
        unverified=("unverified", "sum"),
        unverified_from=("unverified_from", "min"),
    )
    return means.assign(
        hours=means["hours"].mask(means["reported"], 24), preference=1 - means["reported"].astype(int)
    )


def whole_days(
    means: pd.DataFrame, *, min_hours: int = MIN_HOURS, account: StationAccount | None = None
) -> pd.DataFrame:
    """One row a sampling point and day of `means_of_days`.

    The preferred one of enough hours, the fuller of two alike; no mean that air cannot have.
    """
    account = StationAccount() if account is None else account
    enough = means[means["hours"] >= min_hours]
    ordered = enough.sort_values(["preference", "hours"], ascending=[True, False], kind="stable")
    best = ordered.drop_duplicates(_KEYS, keep="first")
    short = means.merge(best[_KEYS], on=_KEYS, how="left", indicator=True)
    short = short[short["_merge"] == "left_only"].drop_duplicates(_KEYS)
    _leave_out(account, short, TOO_FEW_HOURS)
    # scatter about zero is not the same for a whole day: networks write -1 for "no value"
    constant = (best["highest"] == best["lowest"]) & ~best["reported"]
    code, stuck = constant & (best["highest"] < 0), constant & (best["highest"] > HIGHEST_CONSTANT)
    _leave_out(account, best[code], "days of one negative value, which is a code")
    _leave_out(
        account,
        best[stuck],
        f"days of one value above {HIGHEST_CONSTANT:g} ug m-3, an instrument that stopped",
    )
    best = best[~code & ~stuck]
    low, high = best["pm2p5"] < LOWEST_MEAN, best["pm2p5"] > HIGHEST["day"]
    _leave_out(account, best[low], f"days with a mean below {LOWEST_MEAN:g} ug m-3")
    _leave_out(account, best[high], f"days with a mean above {HIGHEST['day']:g} ug m-3")
    return best[~low & ~high].sort_values(_KEYS).reset_index(drop=True)


def _leave_out(account: StationAccount, days: pd.DataFrame, reason: str) -> None:
    if len(days):
        first = days.iloc[0]
        example = f"{first['sampling_point']} {first['time']:%Y-%m-%d}: {first['pm2p5']:g} of {first['hours']} hours"
        account.leave_out("days", reason, len(days), example)
