"""Files as the stores write them, and their siblings: the same variable of something else, which says so somewhere.

Shared by the tests of the readers and by the table of corrupt inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.mock_providers.files import grib_attrs
from cranpm.domain import Grid

DAY = np.datetime64("2022-01-10")
UNITS = {"t2m": "K", "u10": "m s**-1", "tp": "m", "t": "K", "pm2p5": "kg m**-3", "no2": "kg kg**-1"}
TYPICAL = {"t2m": 280.0, "u10": 3.0, "tp": 1e-4, "t": 270.0, "pm2p5": 1e-8, "no2": 1e-8}


def of_the_store(
    name: str = "t2m", *, step: float = 0.25, every: int = 1, days: int = 1, kind: str = "an", **more: Any
) -> xr.Dataset:
    """A file of the Copernicus stores' new layout that says everything a real one does."""
    times = pd.date_range(str(DAY), periods=24 // every * days + (name == "tp"), freq=f"{every}h")
    lat, lon = 48 - step * np.arange(6), 8 + step * np.arange(8)
    noise = 1 + 0.01 * np.random.default_rng(1).random((times.size, 6, 8))
    if name == "tp":
        noise = np.random.default_rng(1).random(noise.shape)
    attrs = {"units": UNITS[name], **grib_attrs(name, name == "t", kind=kind), **more.pop("attrs", {})}
    coords: dict[str, Any] = {
        "valid_time": times, "latitude": lat, "longitude": lon, "number": 0,
        "expver": ("valid_time", np.full(times.size, "0001")),
    } | more.pop("coords", {})  # fmt: skip
    attrs = {key: value for key, value in attrs.items() if value is not None}
    stream, accum = more.pop("stream", "oper"), "accum" if name == "tp" else "instant"
    history = f'cfgrib with {{"filter_by_keys": {{"stream": ["{stream}"], "stepType": ["{accum}"]}}}}'
    dims = ("valid_time", "latitude", "longitude")
    values = (TYPICAL[name] * noise).astype("float32")
    if name == "t":
        values, dims = values[:, None], ("valid_time", "pressure_level", *dims[1:])
        coords["pressure_level"] = [850.0]
    return xr.Dataset({name: (dims, values, attrs)}, coords, {"history": history, **more.pop("globals", {})})


def written(folder: Path, dataset: xr.Dataset, name: str = "download.nc") -> Path:
    dataset.to_netcdf(folder / name, engine="h5netcdf")
    return folder / name


def running_sum(hours: int = 25, *, fall: bool = False) -> xr.Dataset:
    """Rain of 0.1 mm an hour in every cell, summed up since 00 UTC; with ``fall`` one cell is of single hours."""
    dataset = of_the_store("tp", attrs={})
    sums = (1e-4 * np.r_[24, np.arange(1, 25)])[:hours, None, None] * np.ones((1, 6, 8))
    if fall:
        sums[:, 2, 2] = 1e-4 * (1 + np.arange(hours) % 3)
    return dataset.isel(valid_time=slice(hours)).assign(
        tp=(dataset["tp"].dims, sums.astype("float32"), dataset["tp"].attrs)
    )


def forecasts(
    lead: tuple[int, ...] = (0, 3, 6, 9), runs: tuple[int, ...] = (0, 12), **more: Any
) -> xr.Dataset:
    """The global forecasts, runs and steps apart."""
    starts = np.array([DAY.astype("datetime64[h]") + hour for hour in runs], dtype="datetime64[ns]")
    steps = np.array(lead, float)
    lat, lon = 48 - 0.4 * np.arange(6), 8 + 0.4 * np.arange(8)
    dims = ("forecast_period", "forecast_reference_time", "latitude", "longitude")
    values = 1e-8 * (1 + np.random.default_rng(1).random((steps.size, starts.size, 6, 8))).astype("float32")
    attrs = {"units": "kg m**-3", **grib_attrs("pm2p5", False, kind="fc"), **more}
    coords = {
        "forecast_period": ("forecast_period", steps, {"units": "hours"}),
        "forecast_reference_time": starts, "latitude": lat, "longitude": lon,
        "valid_time": (dims[:2], starts[None] + (steps[:, None] * 3600).astype("timedelta64[s]")),
    }  # fmt: skip
    return xr.Dataset({"pm2p5": (dims, values, attrs)}, coords)


def eac4(**more: Any) -> xr.Dataset:
    return of_the_store("pm2p5", step=0.75, every=3, **more)


def gas(level: float, axis: str = "model_level", **more: Any) -> xr.Dataset:
    attrs = {"GRIB_typeOfLevel": "hybrid", "units": "kg m**-3"}
    dataset = of_the_store("no2", step=0.75, every=3, attrs=attrs, **more)
    return dataset.expand_dims({axis: [level]}).transpose("valid_time", axis, ...)


def european(kind: str = "ANALYSIS", model: str = "ENSEMBLE", level: float = 0.0, **more: Any) -> xr.Dataset:
    """The European product as it describes itself."""
    hours = 24 if kind == "ANALYSIS" else 96
    lat, lon = 72.05 - 0.1 * np.arange(430), -25.05 + 0.1 * np.arange(710)
    values = np.broadcast_to(np.float32(12.0), (hours // 6, 1, lat.size, lon.size)).copy()
    values += np.random.default_rng(1).random((1, 1, lat.size, 1)).astype("float32")
    attrs = {"units": "µg/m3", "species": "PM2.5 Aerosol", "value": "hourly values", **more.pop("attrs", {})}
    coords = {
        "time": ("time", np.arange(0, hours, 6.0), {"units": "hours", "long_name": f"{kind} time from 20220110"}),
        "level": ("level", [level], {"units": "m"}), "latitude": lat, "longitude": lon % 360,
    }  # fmt: skip
    span = "20220110+[0H_90H]" if kind == "FORECAST" else "20220110-20220110+[0H_23H]"
    texts = {
        "title": f"PM25 Air Pollutant {kind} at the Surface", "source": f"Data from {model} model",
        "history": f"Model {model} {kind}", kind: f"Europe, {span}",
    } | more.pop("globals", {})  # fmt: skip
    name = more.pop("name", "pm2p5_conc")
    return xr.Dataset({name: (("time", "level", "latitude", "longitude"), values, attrs)}, coords, texts)


FINE = Grid(name="small", rows=20, cols=20, step=0.01, north=48.02, west=9.98, registration="cell")


def satellite(**coords: Any) -> xr.Dataset:
    raw = np.random.default_rng(1).integers(50, 300, FINE.shape).astype("uint16")
    attrs = {"scale_factor": 0.1, "_FillValue": np.uint16(65535), "units": "ug/m3"}
    return xr.Dataset({"PM2.5": (("lat", "lon"), raw, attrs)}, {"lat": FINE.lat, "lon": FINE.lon, **coords})


def ground(attrs: dict[str, Any], name: str = "z") -> xr.Dataset:
    lat, lon = np.arange(48.5, 47.5, -0.01), np.arange(9.5, 10.5, 0.01)
    field = 100.0 + 300 * (lat[:, None] - 47.5) + 0 * lon
    return xr.Dataset({name: (("lat", "lon"), field, {"units": "m", **attrs})}, {"lat": lat, "lon": lon})


ERA5_SIBLINGS: dict[str, tuple[Callable[[], xr.Dataset], str]] = {
    "the mean of the ensemble": (
        lambda: of_the_store(kind="em", stream="enda"),
        "of the ensemble of data assim",
    ),
    "its spread, told by the variable": (lambda: of_the_store(kind="es"), "is the spread of an ensemble"),
    "one member": (lambda: of_the_store(coords={"number": 3}), "is member 3 of an ensemble"),
    "one of ten members": (lambda: of_the_store(attrs={"GRIB_totalNumber": 10}), "an ensemble of 10 members"),
    "monthly means": (lambda: of_the_store(stream="moda"), "is a monthly mean"),
    "monthly means by hour": (lambda: of_the_store(stream="mnth"), "is a monthly mean by hour of the day"),
    "an average over the month": (
        lambda: of_the_store(attrs={"GRIB_stepType": "avgua"}),
        "average over a month",
    ),
    "a forecast": (lambda: of_the_store(kind="fc"), "is a forecast"),
    "an hourly maximum": (lambda: of_the_store(attrs={"GRIB_stepType": "max"}), "the maximum of a step"),
    "another parameter": (lambda: of_the_store(attrs={"GRIB_paramId": 168}), "holds d2m as t2m"),
    "another short name": (lambda: of_the_store(attrs={"GRIB_shortName": "2d"}), "holds d2m as t2m"),
    "another long name": (lambda: of_the_store(attrs={"long_name": "Skin temperature"}), "holds skt as t2m"),
    "a standard deviation": (
        lambda: of_the_store(attrs={"long_name": "Standard deviation of 2 metre temperature"}),
        "holds a standard deviation as t2m",
    ),
    "wind at 100 m": (
        lambda: of_the_store("u10", attrs={"GRIB_paramId": None, "long_name": "100 metre U wind component"}),
        "holds u100 as u10",
    ),
    "a daily mean in cell methods": (
        lambda: of_the_store(attrs={"cell_methods": "time: mean"}),
        "is a mean",
    ),
    "a daily mean by CDO": (
        lambda: of_the_store(globals={"history": "Mon: cdo daymean in.nc out.nc"}),
        "is a mean|of daily values",
    ),
    "another experiment": (
        lambda: of_the_store(coords={"expver": ("valid_time", np.full(24, "0051"))}),
        "is of version 51",
    ),
    "temperature on model levels": (
        lambda: of_the_store("t").rename(pressure_level="model_level"),
        "got t on model_level levels",
    ),
    "levels of pressure that say hybrid": (
        lambda: of_the_store("t", attrs={"GRIB_typeOfLevel": "hybrid"}),
        "is on model levels",
    ),
    "precipitation as a rate": (
        lambda: of_the_store("tp", attrs={"GRIB_stepType": "avg"}),
        "average over a step",
    ),
    "ERA5-Land by its grid": (lambda: of_the_store(step=0.1), "is on a grid of 0.1 degrees"),
    "CAMS by its class": (lambda: of_the_store(attrs={"GRIB_class": "mc"}), "is of CAMS"),
    "ERA5-Land by its class": (lambda: of_the_store(attrs={"GRIB_class": "l5"}), "is ERA5-Land"),
    "a spread over members by its cell methods": (
        lambda: of_the_store(attrs={"cell_methods": "realization: standard_deviation"}),
        "is the spread of an ensemble",
    ),
    "a mean over members by its cell methods": (
        lambda: of_the_store(attrs={"cell_methods": "number: mean"}),
        "is the mean of an ensemble",
    ),
    "a mean over its valid times": (
        lambda: of_the_store(attrs={"cell_methods": "valid_time: mean"}),
        "is a mean",
    ),
    "a standard error by its standard name": (
        lambda: of_the_store(attrs={"standard_name": "air_temperature standard_error"}),
        "holds an error as t2m",
    ),
    "a standard deviation with underscores": (
        lambda: of_the_store(attrs={"long_name": "2m_temperature_standard_deviation"}),
        "holds a standard deviation as t2m",
    ),
    "an anomaly": (
        lambda: of_the_store(attrs={"long_name": "2 metre temperature anomaly"}),
        "holds an anomaly as t2m",
    ),
    "a difference by its units": (
        lambda: of_the_store(attrs={"units_metadata": "temperature: difference"}),
        "holds a difference as t2m",
    ),
    "the spread by its type of product": (
        lambda: of_the_store(globals={"product_type": "ensemble_spread"}),
        "is the spread of an ensemble",
    ),
    "monthly means by their type of product": (
        lambda: of_the_store(globals={"product_type": "monthly_averaged_reanalysis_by_hour_of_day"}),
        "is of monthly means",
    ),
    "a resolution of a month": (
        lambda: of_the_store(globals={"time_coverage_resolution": "P01M"}),
        "is of monthly",
    ),
    "an aggregation to days": (
        lambda: of_the_store(globals={"aggregation": "daily_mean"}),
        "is of daily values",
    ),
    "a daily statistic": (lambda: of_the_store(globals={"statistic": "maximum"}), "is a maximum"),
    "ERA5-Land by its title": (lambda: of_the_store(globals={"title": "ERA5-Land hourly"}), "is ERA5-Land"),
    "keys of GRIB without their prefix": (
        lambda: of_the_store(attrs={"dataType": "es"}),
        "is the spread of an ensemble",
    ),
    "a stream without its prefix": (lambda: of_the_store(attrs={"stream": "moda"}), "is a monthly mean"),
    "a member by an attribute": (lambda: of_the_store(attrs={"number": 3}), "is member 3 of an ensemble"),
    "wind at 100 m by its height": (
        lambda: of_the_store("u10", coords={"height": ((), 100.0, {"units": "m"})}),
        "is of height 100",
    ),
    "temperature at 10 m by its height": (
        lambda: of_the_store(coords={"heightAboveGround": 10.0}),
        "is of height 10",
    ),
    "steps of a day ahead": (
        lambda: of_the_store(coords={"step": np.timedelta64(24, "h")}),
        "holds steps 24 to 24 h ahead of their runs, a forecast",
    ),
    "an unknown dimension": (
        lambda: xr.concat([of_the_store(), of_the_store()], dim="scenario"),
        r"got a dimension scenario \(2\)",
    ),
}


COMPOSITION_SIBLINGS: dict[str, tuple[Callable[[], xr.Dataset], str]] = {
    "PM10 called PM2.5": (lambda: forecasts(GRIB_paramId=210074), "holds pm10 as pm2p5"),
    "PM1 by its long name": (
        lambda: forecasts(GRIB_paramId=0, long_name="Particulate matter d <= 1 um"),
        "holds pm1 as pm2p5",
    ),
    "a column called PM2.5": (
        lambda: forecasts(GRIB_paramId=0, long_name="Total column PM2.5"),
        "holds a total column as pm2p5",
    ),
    "monthly means of the reanalysis": (lambda: eac4(stream="moda"), "is a monthly mean"),
    "the reanalysis by hour of the month": (lambda: eac4(stream="mnth"), "is a monthly mean by hour"),
    "members of an ensemble": (lambda: eac4(coords={"number": 2}), "is member 2 of an ensemble"),
    "a gas on a level of pressure": (
        lambda: gas(1000.0, "pressure_level"),
        "is on levels of pressure|on model lev",
    ),
    "a gas one level higher": (lambda: gas(59.0), "holds level 59, not the surface; expected model level 60"),
    "a gas on the level of the other system": (lambda: gas(137.0), "expected model level 60"),
    "a daily maximum": (lambda: eac4(attrs={"cell_methods": "time: maximum"}), "is a maximum"),
    "an anomaly": (lambda: forecasts(GRIB_paramId=0, long_name="PM2.5 anomaly"), "holds an anomaly as pm2p5"),
    "a climatology": (
        lambda: forecasts(GRIB_paramId=0, long_name="PM2.5 climatology"),
        "holds a climatology as pm2p5",
    ),
    "months by their type of product": (
        lambda: eac4(globals={"product_type": "monthly_mean"}),
        "is of monthly means",
    ),
    "a mean over members": (
        lambda: forecasts(cell_methods="realization: mean"),
        "is the mean of an ensemble",
    ),
}


EUROPEAN_SIBLINGS: dict[str, tuple[Callable[[], xr.Dataset], str]] = {
    "a forecast": (lambda: european("FORECAST"), "is a forecast"),
    "a single model": (lambda: european(model="CHIMERE"), "is of model CHIMERE"),
    "another level": (lambda: european(level=50.0), "holds level 50 m, not the surface; expected level 0 m"),
    "PM10 called PM2.5": (lambda: european(attrs={"species": "PM10 Aerosol"}), "holds pm10 as pm2p5"),
    "PM10": (lambda: european(name="pm10_conc"), "no surface concentration of pm2p5, but pm10"),
    "a reanalysis": (
        lambda: european(globals={"title": "validated reanalysis", "history": "", "ANALYSIS": ""}),
        "is a validated reanalysis",
    ),
    "daily means": (lambda: european(attrs={"value": "daily mean values"}), "is of daily values"),
    "one member": (lambda: european().assign_coords(number=4), "is member 4 of an ensemble"),
    "running means": (lambda: european(attrs={"value": "24-hour running mean"}), "is of running means"),
    "a quantile": (lambda: european(attrs={"species": "PM2.5 90th percentile"}), "holds a quantile as pm2p5"),
    "the spread of the models": (
        lambda: european(globals={"product": "ensemble spread"}),
        "is the spread of an ensemble",
    ),
}
