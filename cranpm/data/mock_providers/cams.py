"""CAMS as the mock providers send it: global forecasts, reanalysis and European ensemble, each in its own layout.

Invented values. The real European product always covers all of Europe; here it ends a degree beyond the domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from cranpm._json import JsonObject
from cranpm.data.mock_providers.files import SHORT_NAMES, TYPICAL, axes, grib_attrs, netcdf, plane, zipped
from cranpm.domain import Grid

LEVEL = 15.0
"""Typical PM2.5 [ug m-3]; a day's values are this times `plane` of that day."""

MARGIN = 1.0
_FILL = np.float32(-999.0)


def cams_file(request: JsonObject) -> bytes:
    """Global forecasts: a zip of ``data_sfc.nc`` or ``data_mlev.nc``, runs and steps apart."""
    first, last = request["date"][0].split("/")
    days = np.arange(first, np.datetime64(last) + 1, dtype="datetime64[D]")
    hours = [np.timedelta64(int(text[:2]), "h") for text in request["time"]]
    runs = np.array([day + hour for day in days for hour in hours], dtype="datetime64[ns]")
    steps = np.array([float(step) for step in request["leadtime_hour"]])
    lat, lon = axes(request["area"], 0.4)
    valid = runs[None, :] + (steps[:, None] * 3600).astype("timedelta64[s]")
    day = valid.astype("datetime64[D]").astype(int)
    field = plane(lat, lon, day[:, :, None, None])
    on_level = "model_level" in request
    dims = (
        "forecast_period",
        "forecast_reference_time",
        *(("model_level",) if on_level else ()),
        "latitude",
        "longitude",
    )
    coords = {
        "forecast_period": ("forecast_period", steps, {"units": "hours", "standard_name": "forecast_period"}),
        "forecast_reference_time": runs,
        "latitude": lat,
        "longitude": lon % 360 if lon.min() >= 0 else lon,
        "valid_time": (("forecast_period", "forecast_reference_time"), valid),
        **({"model_level": [float(request["model_level"][0])]} if on_level else {}),
    }
    arrays = {}
    for name in (SHORT_NAMES[long] for long in request["variable"]):
        typical, units = TYPICAL[name]
        values = (typical * field).astype(np.float32)
        attrs = {"units": units, **grib_attrs(name, on_level, kind="fc", level_type="hybrid")}
        arrays[name] = (dims, values[:, :, None] if on_level else values, attrs)
    member = "data_mlev.nc" if on_level else "data_sfc.nc"
    return zipped({member: netcdf(xr.Dataset(arrays, coords))})


def eac4_file(request: JsonObject) -> bytes:
    """The reanalysis: one ``valid_time`` every three hours, 0.75 degrees, no runs."""
    first, last = request["date"][0].split("/")
    days = np.arange(first, np.datetime64(last) + 1, dtype="datetime64[D]")
    hours = [np.timedelta64(int(text[:2]), "h") for text in request["time"]]
    times = np.array([day + hour for day in days for hour in hours], dtype="datetime64[ns]")
    lat, lon = axes(request["area"], 0.75)
    field = plane(lat, lon, times.astype("datetime64[D]").astype(int)[:, None, None])
    level = [float(number) for number in request.get("model_level", [])]
    dims = ("valid_time", *(("model_level",) if level else ()), "latitude", "longitude")
    coords: dict[str, Any] = {"valid_time": times, "latitude": lat, "longitude": lon}
    coords |= {"model_level": level} if level else {}
    arrays = {}
    for name in (SHORT_NAMES[long] for long in request["variable"]):
        typical, units = TYPICAL[name]
        values = (typical * field).astype(np.float32)
        attrs = {"units": units, **grib_attrs(name, bool(level), level_type="hybrid")}
        arrays[name] = (dims, values[:, None] if level else values, attrs)
    return zipped({"data_mlev.nc" if level else "data_sfc.nc": netcdf(xr.Dataset(arrays, coords))})


def cams_europe_file(request: JsonObject, box: Grid) -> bytes:
    """What the Atmosphere Data Store sends: 0.1-degree cells, longitudes 0..360, times without a calendar.

    The first row is missing, as the product's rim may be.
    """
    first, last = (np.datetime64(day, "D") for day in request["date"][0].split("/"))
    kind = str(request["type"][0]).upper()
    days = np.arange(first, last + 1)
    starts = [int((day - first).astype(int)) * 24 + int(text[:2]) for day in days for text in request["time"]]
    hours = np.array([s + int(step) for s in starts for step in request["leadtime_hour"]])
    lat, lon = _centres(box.extent[3], box.extent[1]), _centres(box.extent[2], box.extent[0])[::-1]
    day = (first + (hours // 24).astype("timedelta64[D]")).astype(int)
    field = (LEVEL * plane(lat, lon, day[:, None, None])).astype(np.float32)
    field[:, 0] = _FILL
    time = ("time", hours.astype(np.float32), _said(kind, first))
    coords = {"time": time, "level": np.zeros(1, np.float32), "latitude": lat, "longitude": lon % 360}
    dims = ("time", "level", "latitude", "longitude")
    attrs = {
        "units": "µg/m3", "species": "PM2.5 Aerosol", "value": "hourly values",
        "standard_name": "mass_concentration_of_pm2p5_ambient_aerosol_in_air",
    }  # fmt: skip
    dataset = xr.Dataset(
        {"pm2p5_conc": (dims, field[:, None], attrs)}, coords, _europe_attrs(kind, first, last, request)
    )
    dataset["level"].attrs.update(long_name="level", units="m")
    encoding = {"pm2p5_conc": {"_FillValue": _FILL, "zlib": True, "complevel": 1}}
    return zipped({f"ENS_{kind}.nc": bytes(dataset.to_netcdf(engine="h5netcdf", encoding=encoding))})


def _europe_attrs(
    kind: str, first: np.datetime64, last: np.datetime64, request: JsonObject
) -> dict[str, str]:
    """The product's global attributes; runs (or days) and steps (or hours) as it abbreviates them."""
    days = "-".join(str(day).replace("-", "") for day in dict.fromkeys((first, last)))
    steps = request["leadtime_hour"] if kind == "FORECAST" else [text[:2] for text in request["time"]]
    span = f"{days}+[{int(steps[0])}H_{int(steps[-1])}H]"
    return {
        "title": f"PM25 Air Pollutant {kind} at the Surface",
        "institution": "Data produced by Meteo France",
        "source": "Data from ENSEMBLE model",
        "history": f"Model ENSEMBLE {kind}",
        kind: f"Europe, {span}",
        "summary": f"ENSEMBLE model hourly {kind} of PM25 concentration at the Surface from {span} on Europe",
    }


def _said(kind: str, first: np.datetime64) -> dict[str, str]:
    return {"long_name": f"{kind} time from {str(first).replace('-', '')}", "units": "hours"}


def _centres(high: float, low: float) -> np.ndarray:
    """Centres on x.x5, from high to low, a margin beyond both."""
    top = np.round(high + MARGIN, 1) - 0.05
    return np.round(top - 0.1 * np.arange(round((high - low + 2 * MARGIN) / 0.1)), 2)
