"""Look at every day of a dataset and say what is wrong with it. Nothing is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from cranpm.data.audit.field_files import check_field_files
from cranpm.data.audit.fields import Progress, check_fields
from cranpm.data.audit.result import THIN, AuditResult
from cranpm.data.audit.station_files import check_station_files
from cranpm.data.audit.stations import check_station_tables
from cranpm.data.errors import StoreError
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.schema import pm2p5_spec
from cranpm.domain import ERA5_CHANNELS
from cranpm.domain.splits import Splits


def audit_dataset(
    root: str | Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
) -> AuditResult:
    """Read a dataset as its users do and check what they rely on.

    Parameters
    ----------
    root : path
        Folder of the dataset.
    quick : bool
        Look at one day of eight only.
    progress : callable, optional
        Called with days done, days in all and seconds left after each day.

    Returns
    -------
    AuditResult
        The findings, each with its level, and the figures per day that the report draws.

    Raises
    ------
    StoreError
        If there is no dataset to look at. What is wrong inside one is a finding, not an error.
    """
    dataset = Dataset.open(root)
    west, south, east, north = dataset.domain.fine.extent
    result = AuditResult(
        name=dataset.name,
        source=dataset.source,
        title=dataset.title,
        days=dataset.days,
        extent=(west, south, east, north),
    )
    _check_days(result, dataset)
    _check_grid_and_units(result, dataset)
    land = _check_static(result, dataset)
    days = dataset.days[:: 8 if quick else 1]
    result.days = days
    check_fields(result, dataset, days, land, progress)
    result.findings.extend(check_station_tables(dataset))
    result.findings.extend(check_field_files(dataset))
    result.findings.extend(check_station_files(dataset))
    _check_statistics(result, dataset)
    return result


def _check_days(result: AuditResult, dataset: Dataset) -> None:
    days = dataset.days
    if not days.size:
        result.add("error", "days", "the dataset holds no day")
        return
    every = np.arange(days[0], days[-1] + 1)
    gaps = np.setdiff1d(every, days)
    result.add_check(
        "gaps between days", gaps, f"{days.size} days, {days[0]} to {days[-1]}, none missing", level="warning"
    )
    listed = dataset.listed_days
    twice = [day for day in days if listed.count(day) > 1]
    result.add_check("days listed twice", twice, "none", level="error")
    result.add_check("days in the future", days[days > np.datetime64("now", "D") + 16], "none", level="error")


def _check_grid_and_units(result: AuditResult, dataset: Dataset) -> None:
    root, wrong = Path(dataset.root), []
    for store, grid in (("pm2p5.zarr", dataset.domain.fine), ("coarse.zarr", dataset.domain.coarse_box)):
        group = zarr.open_group(root / store, mode="r")
        for axis, expected in (("latitude", grid.lat), ("longitude", grid.lon)):
            held = np.asarray(group[axis])
            if held.shape != expected.shape or np.abs(held - expected).max() > 1e-6:
                wrong.append(f"{store} {axis}")
    result.add_check("coordinates are the domain's", wrong, dataset.domain.title, level="error")
    fine = zarr.open_group(root / "pm2p5.zarr", mode="r")["pm2p5"].attrs
    expected_attrs = pm2p5_spec(dataset.domain).attrs
    bad = [
        f"pm2p5 {k}: {fine.get(k)!r}"
        for k in ("units", "scale_factor", "_FillValue")
        if fine.get(k) != expected_attrs[k]
    ]
    held_units = zarr.open_group(root / "coarse.zarr", mode="r")["era5"].attrs.get("channel_units")
    if held_units != [c.units for c in ERA5_CHANNELS]:
        bad.append("era5 channel_units")
    result.add_check("units and packing", bad, "as the layout has them", level="error")


def _check_static(result: AuditResult, dataset: Dataset) -> np.ndarray | None:
    try:
        static = dataset.static
        elevation, land = np.asarray(static["elevation"]), np.asarray(static["land"]).astype(bool)
    except StoreError as error:
        result.add("error", "terrain", str(error))
        return None
    bad = []
    if not np.isfinite(elevation).all() or elevation.min() < -450 or elevation.max() > 9000:
        bad.append(f"elevation {np.nanmin(elevation):g} to {np.nanmax(elevation):g} m")
    if not 0.01 < land.mean() <= 1:
        bad.append(f"{land.mean():.1%} land")
    if elevation.max() == elevation.min():
        bad.append("elevation is constant")
    good = f"elevation up to {elevation.max():.0f} m, {land.mean():.0%} land"
    result.add_check("terrain", bad, good, level="error")
    result.maps["elevation [m]"] = elevation[::THIN, ::THIN]
    return land


def _check_statistics(result: AuditResult, dataset: Dataset) -> None:
    statistics, training = dataset.statistics, Splits().train
    if statistics is None:
        result.add("warning", "statistics", "none yet; forecasts need them")
        return
    first, _, last = statistics.period.partition("..")
    try:
        outside = np.datetime64(first) < np.datetime64(training[0]) or np.datetime64(last) > np.datetime64(
            training[1]
        )
    except ValueError:
        result.add("warning", "statistics", f"their period {statistics.period!r} is no period")
        return
    text = f"from {statistics.period}, training years are {training[0]} to {training[1]}"
    result.add("warning" if outside else "ok", "statistics", text)
