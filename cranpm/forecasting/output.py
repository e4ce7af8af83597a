"""Forecasts as CF-conventions datasets, in memory and on disk (Zarr v3 or NetCDF-4)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from cranpm import __version__
from cranpm._files import replacing
from cranpm.data.input_ranges import UnusualInput
from cranpm.domain import Grid
from cranpm.domain.channels import PM2P5

STORED_STEP = 0.01
"""Files keep PM2.5 as uint16 hundredths: the rounding (0.005 ug m-3) is far below the input's own 0.1."""

STORED_FILL = 65535


def forecast_dataset(
    fields: dict[int, np.ndarray],
    *,
    init_time: np.datetime64,
    grid: Grid,
    source: str,
    simulated: bool,
    checkpoint_name: str,
    checkpoint_hash: str,
    negative: dict[int, int] | None = None,
    attributes: dict[str, Any] | None = None,
) -> xr.Dataset:
    """Label forecast maps.

    Parameters
    ----------
    fields : dict of int to ndarray
        Lead time in days to map (H, W) [ug m-3], NaN where there is no support.
    init_time : datetime64
        Day t; each forecast is the mean of the UTC day ``init_time + lead``.
    source : str
        Where the inputs came from; "testbed (simulated)" for the simulated Europe.

    Returns
    -------
    Dataset
        ``pm2p5 (forecast_period, latitude, longitude)`` with CF coordinates ``forecast_reference_time``,
        ``forecast_period`` (hours to the start of the valid day), ``time`` and its bounds.
    """
    leads = sorted(fields)
    init = init_time.astype("datetime64[D]").astype("datetime64[ns]")
    day = np.timedelta64(1, "D")
    valid = np.array([init + lead * day for lead in leads])
    pm2p5 = xr.DataArray(
        np.stack([fields[lead] for lead in leads]) if len(leads) > 1 else fields[leads[0]][None],
        dims=("forecast_period", "latitude", "longitude"),
        attrs={
            "units": PM2P5.units,
            "long_name": "forecast PM2.5, daily mean",
            "standard_name": PM2P5.standard_name,
            "cell_methods": "time: mean",
            "grid_mapping": "crs",
            "negative_cells_clipped": [int((negative or {}).get(lead, 0)) for lead in leads],
        },
    )
    dataset = xr.Dataset(
        {
            "pm2p5": pm2p5,
            "crs": xr.DataArray(
                np.int32(0),
                attrs={
                    "grid_mapping_name": "latitude_longitude",
                    "semi_major_axis": 6378137.0,
                    "inverse_flattening": 298.257223563,
                },
            ),
            "time_bounds": (("forecast_period", "bounds"), np.stack([valid, valid + day], axis=1)),
        },
        coords={
            "forecast_period": (
                "forecast_period",
                np.array([24 * lead for lead in leads], dtype=np.int32),
                {"standard_name": "forecast_period", "long_name": "lead time", "units": "hours"},
            ),
            "forecast_reference_time": (
                (),
                init,
                {"standard_name": "forecast_reference_time", "long_name": "init day"},
            ),
            "time": (
                "forecast_period",
                valid,
                {"standard_name": "time", "long_name": "valid day", "bounds": "time_bounds"},
            ),
            "latitude": (
                "latitude",
                grid.lat,
                {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
            ),
            "longitude": (
                "longitude",
                grid.lon,
                {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
            ),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "PM2.5 forecast" + (" on the simulated testbed" if simulated else ""),
            "source": source,
            "simulated": int(simulated),
            "institution": "CRAN-PM Explorer",
            "checkpoint": checkpoint_name,
            "checkpoint_sha256": checkpoint_hash,
            "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} made by cranpm-explorer {__version__}",
            **(attributes or {}),
        },
    )
    return dataset


def unusual_attribute(unusual: Sequence[UnusualInput]) -> dict[str, str]:
    """Attribute that tells inputs beyond what the network was trained on: JSON, one entry a channel; {} if none is."""
    return {"unusual_inputs": json.dumps([one.to_dict() for one in unusual])} if unusual else {}


def write_forecast(dataset: xr.Dataset, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a forecast as ``.zarr`` or ``.nc``; a reader sees the old file or the new one, never half of one.

    Raises
    ------
    FileExistsError
        If the file is there and ``overwrite`` is false, or what is there is a folder that holds no forecast.
    ValueError
        For another suffix, or values beyond what uint16 hundredths can hold.
    """
    path = Path(path)
    if path.suffix not in (".zarr", ".nc"):
        raise ValueError(f"Forecasts are written as .zarr or .nc, got {path.name!r}.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; nothing was overwritten. Remove it or pass --overwrite.")
    largest = float(dataset["pm2p5"].max())
    if largest >= STORED_FILL * STORED_STEP:
        raise ValueError(f"PM2.5 of {largest:.0f} ug m-3 does not fit the file encoding (< 655 ug m-3).")
    encoding: dict[str, Any] = {
        "pm2p5": {
            "dtype": "uint16",
            "scale_factor": STORED_STEP,
            "add_offset": 0.0,
            "_FillValue": STORED_FILL,
        }
    }
    epoch = {"units": "days since 1970-01-01", "dtype": "int32"}
    encoding |= {"time": dict(epoch), "time_bounds": dict(epoch), "forecast_reference_time": dict(epoch)}
    for name in ("latitude", "longitude"):
        encoding[name] = {"_FillValue": None}
    with replacing(path, is_ours=_is_forecast) as draft:
        if path.suffix == ".zarr":
            encoding["pm2p5"]["chunks"] = (1, 512, 512)
            dataset.to_zarr(draft, encoding=encoding, mode="w", zarr_format=3, consolidated=False)
        else:
            encoding["pm2p5"] |= {"chunksizes": (1, 512, 512), "zlib": True, "complevel": 1, "shuffle": True}
            dataset.to_netcdf(draft, encoding=encoding, engine="h5netcdf")
    return path


def _is_forecast(store: Path) -> bool:
    try:
        return "checkpoint_sha256" in json.loads((store / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        return False
