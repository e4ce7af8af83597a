"""Station measurements -> daily means per station, and the tables that a dataset folder keeps of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.errors import DataFileError, NotThisProductError
from cranpm.data.files.openers import open_lazily
from cranpm.data.units import conversion

log = logging.getLogger(__name__)

MIN_HOURS = 18
"""Valid hours that a daily mean needs, of 24 (75 %, as the air-quality directive asks)."""

_PER_STATION = ("name", "country", "latitude", "longitude", "altitude", "station_type", "area")


def daily_means(measurements: pd.DataFrame, *, min_hours: int = MIN_HOURS) -> pd.DataFrame:
    """UTC-day means of sampling points; a day with fewer valid hours is left out, never filled.

    Values that were reported as daily means (gravimetric reference methods) win over the mean of hours; they belong to
    the reporting country's day.

    Parameters
    ----------
    measurements : DataFrame
        From :func:`cranpm.data.stations.eea.read_measurements`, one or several files joined.

    Returns
    -------
    DataFrame
        ``sampling_point, time`` (UTC day), ``pm2p5`` [ug m-3], ``hours`` (valid hours; 24 for a reported day).
    """
    frame = measurements.assign(time=measurements["start"].dt.normalize())
    hourly = frame[frame["averaging"] == "hour"].groupby(["sampling_point", "time"], as_index=False)
    means = hourly.agg(pm2p5=("pm2p5", "mean"), hours=("pm2p5", "size"))
    means = means[means["hours"] >= min_hours]
    reported = frame[frame["averaging"] == "day"][["sampling_point", "time", "pm2p5"]].assign(hours=24)
    both = pd.concat([means, reported]).drop_duplicates(["sampling_point", "time"], keep="last")
    return both.sort_values(["sampling_point", "time"]).reset_index(drop=True)


def join_stations(daily: pd.DataFrame, metadata: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The station table and the observation table of a dataset, sampling points of one station averaged.

    Parameters
    ----------
    daily : DataFrame
        From :func:`daily_means`.
    metadata : DataFrame
        From :func:`cranpm.data.stations.eea.read_metadata`.

    Returns
    -------
    stations : DataFrame
        ``station_id, name, country, latitude, longitude, altitude, station_type, area, terrain_complexity`` (NaN until
        the terrain is known). Several points of a station give the median place, which survives one bad entry.
    observations : DataFrame
        ``station_id, time, pm2p5``.

    Raises
    ------
    DataFileError
        If no sampling point is in the metadata.
    """
    joined = daily.merge(metadata, on="sampling_point", how="left", validate="many_to_one")
    unknown = sorted(joined.loc[joined["station_id"].isna(), "sampling_point"].unique())
    joined = joined.dropna(subset="station_id")
    if joined.empty:
        example = unknown[0] if unknown else "none"
        msg = (
            f"None of the {len(unknown)} sampling points (such as {example}) is in the station table. Download the "
            "current table (DataExtract.csv) and check that both name points alike."
        )
        raise DataFileError(msg)
    if unknown:
        log.warning(
            "%d sampling points are not in the station table and are left out: %s ...",
            len(unknown),
            unknown[0],
        )
    observations = joined.groupby(["station_id", "time"], as_index=False).agg(pm2p5=("pm2p5", "mean"))
    points = metadata[metadata["station_id"].isin(observations["station_id"])]
    how = {c: "median" if c in ("latitude", "longitude", "altitude") else "last" for c in _PER_STATION}
    stations = points.groupby("station_id", as_index=False).agg(how)
    return stations.assign(terrain_complexity=np.nan), observations


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
