"""The layer on the map, cut to an area: as a CF dataset, as NetCDF, as a cloud-optimised GeoTIFF."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dask
import numpy as np
import xarray as xr

from cranpm import __version__, extras
from cranpm.domain.channels import DAY_CHANNELS, LOCAL_CHANNELS, PM2P5

from ..layers import FINE
from .view import View

_NAMES = {"change": "pm2p5_change", "error": "pm2p5_error"}
_NO_LEAP = {"units_metadata": "leap_seconds: none"}
_SINCE = "days since 1970-01-01 00:00:00"


def crop_dataset(view: View) -> xr.Dataset:
    """The cells of the area, with coordinates, units and provenance (CF-1.11).

    Returns
    -------
    Dataset
        One variable ``(time, latitude, longitude)``, float32 as it is on the map, NaN where there is no value.
    """
    pyramid = view.field()
    window, grid, state = view.window(pyramid), pyramid.grid, view.state
    layer = state.shown_layer
    name, attrs = _variable(view)
    day = np.datetime64(view.shown_day, "ns")
    coords: dict[str, Any] = {
        "time": (
            "time",
            np.array([day]),
            {"standard_name": "time", "long_name": "UTC day", "axis": "T", "bounds": "time_bounds", **_NO_LEAP},
        ),
        "latitude": (
            "latitude",
            grid.lat[window.rows],
            {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
        ),
        "longitude": (
            "longitude",
            grid.lon[window.cols],
            {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
        ),
    }  # fmt: skip
    if layer.day == "valid":
        init = np.datetime64(state.init_time, "ns")
        period = {
            "standard_name": "forecast_period",
            "long_name": "time since the init day",
            "units": "hours",
        }
        coords |= {
            "forecast_reference_time": (
                (), init, {"standard_name": "forecast_reference_time", "long_name": "init day", **_NO_LEAP},
            ),
            "forecast_period": ((), np.int32(24 * int(state.lead_time)), period),
        }  # fmt: skip
    values = np.ascontiguousarray(pyramid.read(window.rows, window.cols), np.float32)
    return xr.Dataset(
        {
            name: (("time", "latitude", "longitude"), values[None], attrs),
            "crs": ((), np.int32(0), _CRS),
            "time_bounds": (("time", "bounds"), np.array([[day, day + np.timedelta64(1, "D")]])),
        },
        coords=coords,
        attrs={
            "Conventions": "CF-1.11",
            "title": f"{layer.title}, {view.area.title}" + (" (simulated)" if view.dataset.simulated else ""),
            "institution": "CRAN-PM Explorer",
            "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} cut out by cranpm-explorer {__version__}",
            "references": "https://cfconventions.org",
            "comment": layer.help,
            **view.provenance(),
        },
    )


def netcdf_bytes(view: View) -> bytes:
    """The same as a NetCDF-4 file."""
    dataset = crop_dataset(view)
    name = next(iter(dataset.data_vars))
    encoding: dict[Any, dict[str, Any]] = {
        name: {"zlib": True, "complevel": 4, "_FillValue": np.float32(np.nan)},
        "latitude": {"_FillValue": None},
        "longitude": {"_FillValue": None},
        "time": {"units": _SINCE, "calendar": "proleptic_gregorian", "dtype": "float64", "_FillValue": None},
        "time_bounds": {"units": _SINCE, "calendar": "proleptic_gregorian", "dtype": "float64", "_FillValue": None},
    }  # fmt: skip
    if "forecast_reference_time" in dataset.coords:
        encoding["forecast_reference_time"] = encoding["time"]
    # where a Dask client is open, as in the server, xarray would ask its scheduler for a lock that no thread here gets
    with dask.config.set(scheduler="threads"):
        return bytes(dataset.to_netcdf(None, encoding=encoding, engine="h5netcdf"))


def geotiff_bytes(view: View) -> bytes:
    """The same as a cloud-optimised GeoTIFF in WGS 84, whose tags say where the values come from.

    Raises
    ------
    MissingExtraError
        If rasterio is not installed.
    """
    extras.load("rioxarray", "GeoTIFF")
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy
    from rasterio.transform import from_origin

    pyramid = view.field()
    window, grid = view.window(pyramid), pyramid.grid
    values = pyramid.read(window.rows, window.cols).astype(np.float32)
    name, attrs = _variable(view)
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": 1, "nodata": float("nan"), "crs": "EPSG:4326",
        "height": values.shape[0], "width": values.shape[1],
        "transform": from_origin(
            float(grid.lon_edges[window.cols.start]), float(grid.lat_edges[window.rows.start]), grid.step, grid.step
        ),
    }  # fmt: skip
    tags = {key: str(value) for key, value in (view.provenance() | {"day": view.shown_day}).items()}
    with MemoryFile() as plain, MemoryFile() as optimised:
        with plain.open(**profile) as file:
            file.write(values, 1)
            file.set_band_description(1, f"{name} [{attrs['units']}]")
            file.update_tags(**tags)
        with plain.open() as file:
            copy(file, optimised.name, driver="COG", compress="DEFLATE", predictor="YES")
        return bytes(optimised.read())


_CRS = {
    "grid_mapping_name": "latitude_longitude",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
}


def _variable(view: View) -> tuple[str, dict[str, Any]]:
    """Name and attributes of the layer's variable."""
    layer = view.state.shown_layer
    attrs: dict[str, Any] = {"long_name": f"{layer.title}: {layer.help}", "grid_mapping": "crs"}
    if layer.field and layer.field != FINE:
        channel = next(one for one in (*DAY_CHANNELS, *LOCAL_CHANNELS) if one.name == layer.field)
        name = layer.field if layer.field not in ("latitude", "longitude") else f"cell_{layer.field}"
        return name, attrs | {"units": channel.units}
    attrs |= {"units": PM2P5.units, "cell_methods": "time: mean"}
    if layer.is_concentration:
        return "pm2p5", attrs | {"standard_name": PM2P5.standard_name}
    return _NAMES.get(layer.key, "pm2p5_change"), attrs
