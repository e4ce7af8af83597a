"""Figures of the real atmosphere to hold the simulated one against, measured on ERA5 samples where there are any.

The folder named by ``CRANPM_REAL_DATA`` is searched for gridded files by their contents; without it the stored
figures, measured once on the same samples, are used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

STORED: dict[str, float] = {
    "u10 correlation at 0.5 deg": 0.984,
    "u10 correlation at 1 deg": 0.958,
    "u10 correlation at 2 deg": 0.911,
    "u10 correlation at 4 deg": 0.837,
    "u10 correlation at 8 deg": 0.705,
    "z_500 mean in January, Davos": 55344.0,
    "z_500 s.d. in January, Davos": 915.5,
    "z_500 lag-1 in January, Davos": 0.71,
    "t2m smallest, Europe on 1 January": 263.3,
    "t2m largest, Europe on 1 January": 292.1,
}
"""ERA5: south-west Europe 2023-01-06 (u10), Davos January 2020 (z), 30-60 N 10 W-40 E 2017-01-01 12 UTC (t2m)."""

DISTANCES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Distances of the wind's spatial correlation [degrees]."""


def spatial_correlation(field: np.ndarray, step: int) -> float:
    """Correlation of values `step` columns apart, all rows and times together; field (..., R, C), mean removed."""
    anomaly = field - field.mean((-2, -1), keepdims=True)
    return float(np.corrcoef(anomaly[..., step:].ravel(), anomaly[..., :-step].ravel())[0, 1])


def real_figures(folder: str | Path | None = None) -> tuple[dict[str, float], str]:
    """Real figures by name, and where they come from.

    Parameters
    ----------
    folder : path, optional
        Sample files; by default ``CRANPM_REAL_DATA``.
    """
    chosen = folder or os.environ.get("CRANPM_REAL_DATA")
    if not chosen or not Path(chosen).is_dir():
        return dict(STORED), "ERA5 samples (stored figures)"
    measured: dict[str, float] = {}
    for dataset in _gridded(Path(chosen)):
        measured |= _wind(dataset) | _january(dataset) | _europe_t2m(dataset)
        dataset.close()
    return STORED | measured, f"ERA5 samples ({len(measured)} of {len(STORED)} figures measured)"


def _gridded(folder: Path) -> Iterator[xr.Dataset]:
    import xarray as xr

    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".nc", ".grib"):
            continue
        options: dict[str, Any] = (
            {} if path.suffix == ".nc" else {"engine": "cfgrib", "backend_kwargs": {"indexpath": ""}}
        )
        try:
            dataset = xr.open_dataset(path, **options)
        except Exception:  # other layouts and missing engines: samples of other kinds live in the same folder
            continue
        names = (
            {"valid_time": "time"} if "valid_time" in dataset.dims and "time" not in dataset.coords else {}
        )
        yield dataset.rename(names)


def _wind(dataset: xr.Dataset) -> dict[str, float]:
    """Spatial correlation of u10 on a map at least 20 degrees wide."""
    if "u10" not in dataset or dataset.sizes.get("longitude", 0) < 100:
        return {}
    step = float(abs(dataset.longitude[1] - dataset.longitude[0]))
    field = dataset.u10.transpose("time", "latitude", "longitude").values
    return {f"u10 correlation at {d:g} deg": spatial_correlation(field, round(d / step)) for d in DISTANCES}


def _january(dataset: xr.Dataset) -> dict[str, float]:
    """Daily geopotential at 500 hPa over a January."""
    if "z" not in dataset or 500 not in np.atleast_1d(dataset.get("level", 0)):
        return {}
    daily = dataset.z.sel(level=500).mean(("latitude", "longitude")).resample(time="1D").mean()
    if daily.sizes["time"] < 20 or set(daily.time.dt.month.values.tolist()) != {1}:
        return {}
    anomaly = daily.values - daily.values.mean()
    lag = float((anomaly[1:] * anomaly[:-1]).mean() / (anomaly**2).mean())
    names = ("mean", "s.d.", "lag-1")
    values = (float(daily.mean()), float(daily.std()), lag)
    return {f"z_500 {name} in January, Davos": value for name, value in zip(names, values, strict=True)}


def _europe_t2m(dataset: xr.Dataset) -> dict[str, float]:
    """Range of 2 m temperature on a wide map of a 1 January."""
    if "t2m" not in dataset or dataset.sizes.get("longitude", 0) < 200:
        return {}
    when = np.datetime64(np.atleast_1d(dataset.time.values)[0], "D")
    if not str(when).endswith("01-01"):
        return {}
    names = ("smallest", "largest")
    values = (float(dataset.t2m.min()), float(dataset.t2m.max()))
    return {f"t2m {name}, Europe on 1 January": value for name, value in zip(names, values, strict=True)}
