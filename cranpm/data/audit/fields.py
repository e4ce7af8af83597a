"""Every day's fields looked at: zeros, constants, twins, gaps, values that cannot be, days unlike all others."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cranpm._progress import Clock, Progress
from cranpm.data.audit.result import THIN, AuditResult
from cranpm.data.errors import StoreError
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.encoding import PM2P5_FILL, PM2P5_SCALE
from cranpm.data.store.schema import possible_range
from cranpm.domain import CAMS_CHANNELS, DAY_CHANNELS, ERA5_CHANNELS

_OUTLIER = 12.0
"""Robust deviations of a day's mean from the others that are looked at."""

_MISSING_LAND = 0.05
"""Share of land without PM2.5 on a day that is worth a warning."""


def check_fields(
    result: AuditResult,
    dataset: Dataset,
    days: np.ndarray,
    land: np.ndarray | None,
    progress: Progress | None,
) -> None:
    """Look at every map and every coarse field of some days; findings, series and maps go into the result.

    Parameters
    ----------
    land : ndarray of bool, shape (H, W), optional
        Without it nothing is said about values at sea.
    progress : callable, optional
        Given days done, days in all, seconds left.
    """
    names = [channel.name for channel in DAY_CHANNELS]
    means = np.full((days.size, len(names)), np.nan)
    missing = np.full((days.size, len(names)), np.nan)
    fine = {key: np.full(days.size, np.nan) for key in ("mean", "missing land", "highest")}
    total = count = None
    faults: dict[str, list[str]] = {key: [] for key in _FAULTS}
    digests: dict[int, np.datetime64] = {}
    clock = Clock(days.size, progress)
    for index, day in enumerate(days):
        try:
            raw = dataset.pm2p5_raw(day)
            coarse = dataset.coarse(day).values
            dataset.cams_forecast(day)
        except StoreError as error:
            faults["files that cannot be read"].append(f"{day}: {error}")
            clock.tick()
            continue
        known = raw != PM2P5_FILL
        _fine_faults(faults, day, raw, known, land)
        twin = digests.setdefault(hash(raw.tobytes()), day)
        if twin != day:
            faults["days with the same map"].append(f"{day} = {twin}")
        inside = known if land is None else known & land
        on_land = int(inside.sum())
        fine["mean"][index] = raw[inside].mean() * PM2P5_SCALE if on_land else np.nan
        fine["highest"][index] = raw[known].max() * PM2P5_SCALE if known.any() else np.nan
        fine["missing land"][index] = 1 - on_land / max(int(land.sum()), 1) if land is not None else np.nan
        thin, there = raw[::THIN, ::THIN] * PM2P5_SCALE, known[::THIN, ::THIN]
        total = np.where(there, thin, 0) + (0 if total is None else total)
        count = there.astype(int) + (0 if count is None else count)
        means[index] = _coarse_faults(faults, day, coarse)
        missing[index] = np.isnan(coarse).mean(axis=(1, 2))
        clock.tick()
    for what, (good, level) in _FAULTS.items():
        result.add_check(what, faults[what], good, level=level)
    lacking = [f"{d}: {s:.0%}" for d, s in zip(days, fine["missing land"]) if s > _MISSING_LAND]
    result.add_check(f"land without PM2.5 (over {_MISSING_LAND:.0%})", lacking, "no day", level="warning")
    gaps = [f"{n}: {s:.0%}" for n, s in zip(names, _nanmax(missing)) if s > 0]
    result.add_check("gaps in coarse channels", gaps, "none", level="warning")
    strange = [f"{names[c]} {days[d]}" for d, c in zip(*np.nonzero(_outliers(means)))]
    strange += [f"pm2p5 map {days[d]}" for d in np.flatnonzero(_outliers(fine["mean"][:, None])[:, 0])]
    result.add_check("days unlike all others", strange, "none", level="warning")
    result.series = {
        "PM2.5 over land [ug m-3]": fine["mean"],
        "highest PM2.5 [ug m-3]": fine["highest"],
        "land without PM2.5 [share]": fine["missing land"],
        **{f"{names[c]} [{DAY_CHANNELS[c].units}]": means[:, c] for c in (2, 4, 0, 1)},
        **{
            f"CAMS {c.name} [{c.units}]": means[:, len(ERA5_CHANNELS) + k]
            for k, c in enumerate(CAMS_CHANNELS)
        },
    }
    if total is not None and count is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            result.maps["mean PM2.5 [ug m-3]"] = np.where(count > 0, total / count, np.nan)
        result.maps["days without a value [share]"] = 1 - count / max(len(digests), 1)


_FAULTS: dict[str, tuple[str, Literal["warning", "error"]]] = {
    "files that cannot be read": ("all chunks are there and their checksums hold", "error"),
    "days with the same map": ("every day is its own", "error"),
    "maps of zeros": ("none", "error"),
    "maps of one value": ("none", "error"),
    "PM2.5 beyond 2000 ug m-3": ("none", "warning"),
    "values at sea where land has none": ("none", "warning"),
    "coarse fields without values": ("none", "error"),
    "coarse fields of one value": ("none", "error"),
    "coarse values beyond what can be": ("all within range", "error"),
    "infinite values": ("none", "error"),
}


def _fine_faults(
    faults: dict[str, list[str]],
    day: np.datetime64,
    raw: np.ndarray,
    known: np.ndarray,
    land: np.ndarray | None,
) -> None:
    values = raw[known]
    if not values.size:
        faults["files that cannot be read"].append(f"{day}: no value at all")
    elif values.max() == 0 or (values == 0).mean() > 0.5:
        faults["maps of zeros"].append(f"{day} ({(values == 0).mean():.0%} zeros)")
    elif values.min() == values.max():
        faults["maps of one value"].append(str(day))
    if values.size and values.max() * PM2P5_SCALE > 2000:
        faults["PM2.5 beyond 2000 ug m-3"].append(f"{day}: {values.max() * PM2P5_SCALE:g}")
    if land is not None and values.size and (~known & land).sum() > known[land].sum():
        faults["values at sea where land has none"].append(str(day))


def _coarse_faults(faults: dict[str, list[str]], day: np.datetime64, coarse: np.ndarray) -> np.ndarray:
    """Means of the channels; what is wrong with any goes into the faults."""
    means = np.full(len(DAY_CHANNELS), np.nan)
    for index, (channel, layer) in enumerate(zip(DAY_CHANNELS, coarse, strict=True)):
        values = layer[~np.isnan(layer)]
        where = f"{channel.name} {day}"
        if not values.size:
            faults["coarse fields without values"].append(where)
            continue
        if not np.isfinite(values).all():
            faults["infinite values"].append(where)
            continue
        low, high = possible_range(channel)
        if values.min() < low or values.max() > high:
            faults["coarse values beyond what can be"].append(
                f"{where}: {values.min():g} to {values.max():g}"
            )
        # a dry day is zero everywhere and fine
        if channel.variable != "tp" and values.min() == values.max():
            faults["coarse fields of one value"].append(f"{where}: {values[0]:g}")
        means[index] = values.mean()
    return means


def _outliers(means: np.ndarray) -> np.ndarray:
    """Days whose mean lies far from the others', by median and median deviation; precipitation has none."""
    if len(means) < 8:
        return np.zeros(means.shape, dtype=bool)
    centre = np.nanmedian(means, axis=0)
    spread = np.nanmedian(np.abs(means - centre), axis=0) * 1.4826
    far = np.abs(means - centre) > _OUTLIER * np.maximum(spread, 1e-3 * np.abs(centre) + 1e-12)
    if means.shape[1] == len(DAY_CHANNELS):
        far[:, [c.variable == "tp" for c in DAY_CHANNELS]] = False
    return far


def _nanmax(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), 0, values).max(axis=0, initial=0)
