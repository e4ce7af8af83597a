"""One real day at many stations beside a physical model: the file that pyaerocom tests itself with."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import xarray as xr

from cranpm.data.errors import NotThisProductError
from cranpm.data.files.openers import open_lazily
from cranpm.data.stations.daily_means import MIN_HOURS
from cranpm.data.stations.values import HIGHEST, LOWEST, is_code
from cranpm.data.units import conversion

log = logging.getLogger(__name__)


def open_station_day(path: str | Path) -> xr.Dataset:
    """One real day at stations: observed, and forecast by the CAMS ensemble (colocated hourly NetCDF of pyaerocom).

    Observed hours that are codes or cannot be are missing, with a warning.

    Returns
    -------
    Dataset, dim station
        ``observed`` and ``cams_ensemble``, daily means [ug m-3], NaN with fewer than `MIN_HOURS` valid hours;
        coordinates ``station_id, latitude, longitude, altitude``, scalar ``time`` (UTC day).

    Raises
    ------
    NotThisProductError
        If the file is not laid out like this, or does not cover one UTC day.
    """
    name = Path(path).name
    opened = open_lazily(path)
    if len(opened) != 1:
        raise NotThisProductError(f"{name}: expected one day at stations, got {len(opened)} datasets.")
    (dataset,) = opened
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
    stated = np.broadcast_to(np.atleast_1d(field.attrs.get("var_units", "")), len(sources))
    for index, (source, units) in enumerate(zip(sources, stated, strict=True)):
        factor, offset = conversion(str(units), "ug m-3", name=f"{name} {source}")
        values[index] = values[index] * factor + offset
    observed = values[0]
    strange = (
        is_code(observed, "EEA") | np.isinf(observed) | (observed < LOWEST) | (observed > HIGHEST["hour"])
    )
    if strange.any():
        log.warning("%s: left out %d hours that are codes or cannot be.", name, int(strange.sum()))
        values[0] = np.where(strange, np.nan, observed)
    enough = np.isfinite(values).sum(axis=1) >= MIN_HOURS
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
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count, np.where(known, values, 0).sum(axis=1), np.nan) / np.maximum(count, 1)
