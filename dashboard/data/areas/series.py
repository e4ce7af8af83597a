"""Daily means of the paper's six regions and the errors of forecasts there (Fig. 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cranpm.data.errors import DataFileError, StoreError
from cranpm.domain.regions import REGIONS, Region, list_regions
from cranpm.verification.metrics import area_weights
from cranpm.verification.sums import PairSums

from ..station_card import Maps
from ..store import Store
from .window import GoOn, Window, cams_cells

SIX_REGIONS = ("po_valley", "paris", "silesia", "rhine_ruhr", "london", "malmo")


@dataclass(frozen=True, kw_only=True)
class RegionalSeries:
    """Regions by day.

    ``means`` has a row for each region and valid day: ``region``, ``time``, ``target``, ``forecast``, ``persistence``,
    ``cams_forecast`` [ug m-3], means of land weighted by area, NaN where there is none. ``errors`` has a row for each
    region and method: ``region``, ``method``, ``rmse`` [ug m-3] pooled over cells and days, ``days`` and ``pairs``; all
    methods of a region on the same cells and days. ``unreadable`` names what is damaged.
    """

    means: pd.DataFrame
    errors: pd.DataFrame
    unreadable: tuple[str, ...] = ()


def regions_of(store: Store, dataset_name: str) -> list[Region]:
    """Those of the six regions that lie in a dataset's domain."""
    inside = {region.name for region in list_regions(store.dataset(dataset_name).domain)}
    return [REGIONS[name] for name in SIX_REGIONS if name in inside]


def regional_series(
    store: Store,
    dataset_name: str,
    lead: int,
    days: Sequence[dt.date],
    runs: Mapping[dt.date, Maps],
    go_on: GoOn,
) -> RegionalSeries:
    """Means and errors of the six regions at one lead time.

    Parameters
    ----------
    days : sequence of date
        Held days to read.
    runs : mapping of date to a finished run
        Forecasts that are there, by init day. Where there are any, errors are those of their days alone.
    """
    dataset = store.dataset(dataset_name)
    weights = area_weights(dataset.domain.fine)
    rows: list[dict[str, object]] = []
    errors: list[dict[str, object]] = []
    unreadable: list[str] = []
    for region in regions_of(store, dataset_name):
        box = region.west, region.south, region.east, region.north
        window = Window.of_box(dataset.domain.fine, box)
        areas = np.broadcast_to(weights[window.rows], window.shape)
        targets: dict[dt.date, np.ndarray] = {}
        for day in days:
            next(window.bands(go_on), None)  # stop here when nobody waits any more
            try:
                targets[day] = dataset.pm2p5(np.datetime64(day, "D"), window.rows, window.cols).to_numpy()
            except StoreError:
                unreadable.append(f"PM2.5 of {day}")
        found: dict[dt.date, dict[str, np.ndarray]] = {}
        for init in days:
            next(window.bands(go_on), None)
            found[init + dt.timedelta(days=lead)] = _methods(
                store, dataset_name, init, lead, window, targets, runs, unreadable
            )
        for valid in sorted({*targets, *found}):
            here = {"target": targets[valid]} if valid in targets else {}
            here |= found.get(valid, {})
            means = {name: _mean(values, areas) for name, values in here.items()}
            rows.append({"region": region.title, "time": pd.Timestamp(valid), **means})
        errors += _errors(region, targets, found)
    names = ["region", "time", "target", "forecast", "persistence", "cams_forecast"]
    return RegionalSeries(
        means=pd.DataFrame(rows).reindex(columns=names),
        errors=pd.DataFrame(errors, columns=["region", "method", "rmse", "days", "pairs"]),
        unreadable=tuple(dict.fromkeys(unreadable)),
    )


def _methods(
    store: Store,
    dataset_name: str,
    init: dt.date,
    lead: int,
    window: Window,
    targets: Mapping[dt.date, np.ndarray],
    runs: Mapping[dt.date, Maps],
    unreadable: list[str],
) -> dict[str, np.ndarray]:
    dataset = store.dataset(dataset_name)
    found: dict[str, np.ndarray] = {}
    if init in targets:
        found["persistence"] = targets[init]
    try:
        fields = dataset.cams_forecast(np.datetime64(init, "D"))[lead - 1]
        found["cams_forecast"] = cams_cells(dataset.domain, fields, window.rows, window.cols)
    except StoreError:
        unreadable.append(f"CAMS forecast of {init}")
    if init in runs:
        try:
            found["forecast"] = runs[init].open_map(lead).read(window.rows, window.cols)
        except (DataFileError, OSError):  # removed or damaged meanwhile
            unreadable.append(f"the forecast of {init}")
    target = targets.get(init)
    # a mean over land alone, and over the same land for every line: CAMS also has values at sea
    return {
        name: values if target is None else np.where(np.isfinite(target), values, np.nan)
        for name, values in found.items()
    }


def _mean(values: np.ndarray, areas: np.ndarray) -> float:
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    return float((values[known].astype(float) * areas[known]).sum() / areas[known].sum())


def _errors(
    region: Region,
    targets: Mapping[dt.date, np.ndarray],
    found: Mapping[dt.date, Mapping[str, np.ndarray]],
) -> list[dict[str, object]]:
    with_forecast = [day for day, methods in found.items() if "forecast" in methods and day in targets]
    names = ["forecast"] if with_forecast else []
    names += ["persistence", "cams_forecast"]
    chosen = with_forecast or [day for day in found if day in targets]
    chosen = [day for day in chosen if all(name in found[day] for name in names)]
    if not chosen:
        return []
    sums: dict[str, list[PairSums]] = {name: [] for name in names}
    for day in chosen:
        common = np.isfinite(targets[day])
        for name in names:
            common &= np.isfinite(found[day][name])
        for name in names:
            sums[name].append(PairSums.of(found[day][name][common], targets[day][common]))
    rows: list[dict[str, object]] = []
    for name in names:
        pooled = PairSums.stack(sums[name]).pooled()
        rows.append(
            {
                "region": region.title,
                "method": name,
                "rmse": float(pooled.rmse),
                "days": len(chosen),
                "pairs": int(pooled.count),
            }
        )
    return rows
