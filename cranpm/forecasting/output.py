"""Forecasts as CF-conventions datasets, in memory and on disk (Zarr v3 or NetCDF-4): one layout in both.

``pm2p5 (lead, latitude, longitude)``: ``lead`` counts days, so that ``maps.pm2p5.sel(lead=1)`` is tomorrow;
``forecast_period`` [hours], ``time`` (the valid day) and ``forecast_reference_time`` stand beside it as CF names them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask
import h5py
import numpy as np
import xarray as xr

from cranpm import __version__
from cranpm._files import check_output, replacing
from cranpm.data.errors import DataFileError
from cranpm.data.files.guard import reading
from cranpm.data.input_ranges import UnusualInput
from cranpm.domain import Grid
from cranpm.domain.channels import PM2P5

SUFFIXES = (".zarr", ".nc")

STORED_STEP = 0.01
"""Files keep PM2.5 as uint16 hundredths: the rounding (0.005 ug m-3) is far below the input's own 0.1."""

COARSE_STEP = 0.1
"""Steps of maps that hold 655.345 ug m-3 or more, such as near fires; they reach 6553.4."""

STORED_FILL = 65535

_CRS = {
    "grid_mapping_name": "latitude_longitude",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
}

LEAD_ATTRS = {"long_name": "lead time", "units": "day"}
"""In the singular: older versions of xarray turn "days" into timedeltas when they open a file, and lead=1 is lost."""


@dataclass(frozen=True, kw_only=True)
class ForecastOrigin:
    """What a forecast was made from and with; kept in its attributes."""

    source: str
    """Where the inputs came from; "testbed (simulated)" for the simulated Europe."""
    simulated: bool
    checkpoint: str
    """Its name."""
    checkpoint_hash: str
    """SHA-256 of its weights."""


def forecast_dataset(
    fields: Mapping[int, np.ndarray],
    *,
    init_time: np.datetime64,
    grid: Grid,
    origin: ForecastOrigin,
    negative: Mapping[int, int] | None = None,
    attributes: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """Label forecast maps.

    Parameters
    ----------
    fields : mapping of int to ndarray
        Lead time in days to map (H, W) [ug m-3], NaN where there is no support.
    init_time : datetime64
        Day t; each forecast is the mean of the UTC day ``init_time + lead``.
    grid : Grid
        Of the maps.
    origin : ForecastOrigin
    negative : mapping of int to int, optional
        Lead time to cells that were clipped to zero.
    attributes : mapping, optional
        More facts for the dataset's attributes.

    Returns
    -------
    Dataset
        ``pm2p5 (lead, latitude, longitude)`` [ug m-3] with coordinates ``lead`` [days], ``forecast_period`` (hours
        to the start of the valid day), ``time`` with its bounds, and ``forecast_reference_time``.
    """
    leads = sorted(fields)
    init = init_time.astype("datetime64[D]").astype("datetime64[ns]")
    day = np.timedelta64(1, "D")
    valid = np.array([init + lead * day for lead in leads])
    pm2p5 = xr.DataArray(
        np.stack([fields[lead] for lead in leads]) if len(leads) > 1 else fields[leads[0]][None],
        dims=("lead", "latitude", "longitude"),
        attrs={
            "units": PM2P5.units,
            "long_name": "forecast PM2.5, daily mean",
            "standard_name": PM2P5.standard_name,
            "cell_methods": "time: mean",
            "grid_mapping": "crs",
            "source": origin.source,
            "negative_cells_clipped": [int((negative or {}).get(lead, 0)) for lead in leads],
        },
    )
    return xr.Dataset(
        {
            "pm2p5": pm2p5,
            "crs": xr.DataArray(np.int32(0), attrs=_CRS),
            "time_bounds": (("lead", "bounds"), np.stack([valid, valid + day], axis=1)),
        },
        coords=_time_coords(init, leads, valid) | _place_coords(grid),
        attrs={
            "Conventions": "CF-1.11",
            "title": "PM2.5 forecast" + (" on the simulated testbed" if origin.simulated else ""),
            "source": origin.source,
            "simulated": int(origin.simulated),
            "institution": "CRAN-PM Explorer",
            "checkpoint": origin.checkpoint,
            "checkpoint_sha256": origin.checkpoint_hash,
            "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} made by cranpm-explorer {__version__}",
            **(attributes or {}),
        },
    )


def _time_coords(init: np.datetime64, leads: list[int], valid: np.ndarray) -> dict[str, xr.Variable]:
    return {
        "lead": xr.Variable("lead", np.array(leads, dtype=np.int32), LEAD_ATTRS),
        "forecast_period": xr.Variable(
            "lead",
            np.array([24 * lead for lead in leads], dtype=np.int32),
            {"standard_name": "forecast_period", "long_name": "time since the init day", "units": "hours"},
        ),
        "forecast_reference_time": xr.Variable(
            (), init, {"standard_name": "forecast_reference_time", "long_name": "init day"}
        ),
        "time": xr.Variable(
            "lead", valid, {"standard_name": "time", "long_name": "valid day", "bounds": "time_bounds"}
        ),
    }


def _place_coords(grid: Grid) -> dict[str, xr.Variable]:
    return {
        "latitude": xr.Variable(
            "latitude", grid.lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
        ),
        "longitude": xr.Variable(
            "longitude", grid.lon, {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
        ),
    }


def unusual_attribute(unusual: Sequence[UnusualInput]) -> dict[str, str]:
    """Attribute that tells inputs beyond what the network was trained on: JSON, one entry a channel; {} if none is."""
    return {"unusual_inputs": json.dumps([one.to_dict() for one in unusual])} if unusual else {}


def check_target(path: Path, *, overwrite: bool, size: float = 0) -> None:
    """Refuse a file that cannot or shall not be written, before anything is computed for it.

    Parameters
    ----------
    size : float
        Bytes that it will take at most.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"Forecasts are written as .zarr or .nc, got {path.name!r}.")
    check_output(path, size=size, overwrite=overwrite, is_ours=_is_forecast)


def write_forecast(dataset: xr.Dataset, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a forecast as ``.zarr`` or ``.nc``; a reader sees the old file or the new one, never half of one.

    Parameters
    ----------
    dataset : Dataset
        As `cranpm.forecast` gives it.
    path : path
        Ending in ``.zarr`` or ``.nc``.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Path
        The file or store.

    Raises
    ------
    FileExistsError
        If the file is there and ``overwrite`` is false, or what is there is no forecast, or more than that.
    TypeError
        For something that is no forecast.
    ValueError
        For another suffix, or an infinite value.
    OSError
        If it cannot be written there, or the disk is too full.

    Examples
    --------
    >>> import cranpm
    >>> maps = cranpm.forecast("2022-01-11", leads=1)
    >>> cranpm.write_forecast(maps, "tomorrow.zarr", overwrite=True).name
    'tomorrow.zarr'
    """
    path = Path(path)
    if not isinstance(dataset, xr.Dataset) or "pm2p5" not in dataset:
        raise TypeError(
            "write_forecast takes the xarray.Dataset that cranpm.forecast returns, with pm2p5 in it; "
            f"got {type(dataset).__name__}."
        )
    lowest, largest = float(dataset["pm2p5"].min()), float(dataset["pm2p5"].max())
    if np.isinf([lowest, largest]).any():
        raise ValueError(
            f"{path.name}: expected PM2.5 that is finite or missing (NaN), got {lowest:g} to {largest:g} ug m-3."
        )
    packed = _pm2p5_encoding(lowest, largest)
    check_target(
        path, overwrite=overwrite, size=float(np.dtype(packed["dtype"]).itemsize * dataset["pm2p5"].size)
    )
    encoding: dict[str, Any] = {"pm2p5": packed}
    epoch = {"units": "days since 1970-01-01", "dtype": "int32"}
    encoding |= {"time": dict(epoch), "time_bounds": dict(epoch), "forecast_reference_time": dict(epoch)}
    for name in ("latitude", "longitude"):
        encoding[name] = {"_FillValue": None}
    with replacing(path, is_ours=_is_forecast) as partial:
        if path.suffix == ".zarr":
            encoding["pm2p5"]["chunks"] = (1, 512, 512)
            with warnings.catch_warnings():  # readers look for it, though format 3 does not name it
                warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
                dataset.to_zarr(partial, encoding=encoding, mode="w", zarr_format=3, consolidated=True)
        else:
            encoding["pm2p5"] |= {"chunksizes": (1, 512, 512), "zlib": True, "complevel": 1, "shuffle": True}
            # in memory first: HDF5 crashes the process when the disk is full as it closes a file; within a Dask worker
            # or beside a client xarray would ask the scheduler for a lock on that memory
            with dask.config.set(scheduler="threads"):
                content = dataset.to_netcdf(None, encoding=encoding, engine="h5netcdf")
            partial.write_bytes(content)
    return path


def _pm2p5_encoding(lowest: float, largest: float) -> dict[str, Any]:
    """Hundredths as far as uint16 reaches; tenths, the input's own steps, for maps beyond; floats beyond those.

    Floats also below zero, where somebody has corrected a forecast: -1 would come back as 654.36.
    """
    for step in (STORED_STEP, COARSE_STEP) if not lowest <= -STORED_STEP / 2 else ():
        if not largest >= (STORED_FILL - 0.5) * step:  # a map without any value has no largest
            return {"dtype": "uint16", "scale_factor": step, "add_offset": 0.0, "_FillValue": STORED_FILL}
    return {"dtype": "float32", "_FillValue": np.float32(np.nan)}


def _is_forecast(path: Path) -> bool:
    """Whether a store or a file is a forecast and nothing else: a note that somebody keeps inside is not ours."""
    try:
        if path.is_dir():
            arrays = [entry for entry in path.iterdir() if entry.name != "zarr.json"]
            attrs = json.loads((path / "zarr.json").read_text())["attributes"]
            return "checkpoint_sha256" in attrs and all((entry / "zarr.json").is_file() for entry in arrays)
        if not path.is_file():  # a pipe would be waited for
            return False
        with reading(path.name), h5py.File(path, "r") as file:
            return "checkpoint_sha256" in file.attrs
    except (OSError, ValueError, KeyError, DataFileError):
        return False


def open_forecast(path: Path | str) -> xr.Dataset:
    """Open a forecast that `cranpm.forecast` made and `write_forecast` or ``cranpm forecast`` wrote; read lazily.

    Parameters
    ----------
    path : path or str
        A ``.zarr`` store or a ``.nc`` file; of a store also an address that fsspec reads.

    Returns
    -------
    Dataset
        In the layout of `forecast_dataset`. Files of version 0.1.0, whose maps lie along ``forecast_period``, are
        given the coordinate ``lead``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For another suffix, or a file that is no forecast of this program.

    Examples
    --------
    >>> import cranpm
    >>> maps = cranpm.forecast("2022-01-11", leads=[1, 2])
    >>> path = cranpm.write_forecast(maps, "tomorrow.nc", overwrite=True)
    >>> cranpm.open_forecast(path).lead.values.tolist()
    [1, 2]
    """
    address = str(path)
    suffix = Path(address).suffix
    if suffix not in SUFFIXES:
        raise ValueError(f"Forecasts are .zarr or .nc, got {Path(address).name!r}.")
    if "://" not in address and not Path(address).exists():
        raise FileNotFoundError(
            f"There is no forecast {address}. Write one with 'cranpm forecast' or write_forecast."
        )
    # named, because xarray would try every reader there is, ecCodes among them
    if suffix == ".zarr":
        dataset = xr.open_zarr(address, consolidated=False, chunks=None, decode_timedelta=False)
    else:
        dataset = xr.open_dataset(address, engine="h5netcdf", decode_timedelta=False)
    if "lead" not in dataset.coords and "forecast_period" in dataset.dims:
        dataset = _with_lead(dataset)
    if "pm2p5" not in dataset or dataset["pm2p5"].dims != ("lead", "latitude", "longitude"):
        raise ValueError(
            f"{address} is no forecast of this program: expected pm2p5 (lead, latitude, longitude), got "
            f"{', '.join(f'{name} {array.dims}' for name, array in dataset.data_vars.items()) or 'no variable'}."
        )
    return dataset


def _with_lead(dataset: xr.Dataset) -> xr.Dataset:
    """Version 0.1.0 kept lead times as the dimension ``forecast_period`` [hours]."""
    days = (dataset["forecast_period"].values // 24).astype(np.int32)
    labelled = dataset.assign_coords(lead=("forecast_period", days, LEAD_ATTRS))
    return labelled.swap_dims(forecast_period="lead")
