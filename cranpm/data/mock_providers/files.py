"""Files as the providers would send them, for a trial without internet: the real layouts, invented values.

Every value is a plane over latitude and longitude plus a rhythm of days, so that tests can derive what must come out.
Nothing here says anything about real air.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from cranpm._json import JsonObject
from cranpm.data.readers.elevation import land_share
from cranpm.domain import Grid

NOON_EXTRA = 3.0
"""Every hourly temperature is this much higher at 12 UTC than the day's other hours [K]."""

RAIN_OF_AN_HOUR = 1e-4
"""Precipitation of every hour of odd days [m]; even days are dry."""

SEA_LEVEL_LATITUDE = 0.3
"""Degrees of the northern edge of each domain where the ground lies below the sea's level."""

TYPICAL = {
    "u10": (2.0, "m s**-1"), "v10": (-1.0, "m s**-1"), "t2m": (280.0, "K"), "sp": (95e3, "Pa"),
    "t": (270.0, "K"), "u": (8.0, "m s**-1"), "v": (1.0, "m s**-1"), "q": (2e-3, "kg kg**-1"),
    "z": (12.5e3, "m**2 s**-2"), "pm2p5": (12e-9, "kg m**-3"), "pm10": (20e-9, "kg m**-3"),
    "no2": (8e-9, "kg kg**-1"), "go3": (60e-9, "kg kg**-1"), "co": (150e-9, "kg kg**-1"),
}  # fmt: skip
SHORT_NAMES = {
    "10m_u_component_of_wind": "u10", "10m_v_component_of_wind": "v10", "2m_temperature": "t2m",
    "surface_pressure": "sp", "total_precipitation": "tp", "temperature": "t", "u_component_of_wind": "u",
    "v_component_of_wind": "v", "specific_humidity": "q", "geopotential": "z",
    "particulate_matter_2.5um": "pm2p5", "particulate_matter_10um": "pm10", "nitrogen_dioxide": "no2",
    "ozone": "go3", "carbon_monoxide": "co",
}  # fmt: skip
PARAMETERS = {
    "u10": 165, "v10": 166, "t2m": 167, "sp": 134, "tp": 228, "t": 130, "u": 131, "v": 132, "q": 133, "z": 129,
    "pm2p5": 210073, "pm10": 210074, "no2": 210121, "go3": 210203, "co": 210123,
}  # fmt: skip
"""ECMWF's numbers of the variables."""


def plane(latitude: np.ndarray, longitude: np.ndarray, day: np.ndarray | float) -> np.ndarray:
    """1 + a slope north and east + a rhythm of five days; 0.8 to 1.2 wherever people live."""
    number = np.asarray(day, dtype=float)
    return (
        1.0
        + 0.002 * (latitude - 50.0)[..., :, None]
        + 0.0005 * (longitude - 10.0)[..., None, :]
        + 0.05 * np.sin(2 * np.pi * number / 5.0)
    )


def by_level(name: str, levels: np.ndarray) -> np.ndarray:
    """Factor of a variable on pressure levels, 1 at 850 hPa; heights follow a scale height of 7.4 km."""
    if name == "z":
        return np.log(1010.0 / levels) / np.log(1010.0 / 850.0)
    return (levels / 850.0) ** 0.05


def era5_file(request: JsonObject) -> bytes:
    """What the Climate Data Store sends: new layout, float32, ``valid_time``, ``expver`` by time."""
    days = [f"{request['year'][0]}-{request['month'][0]}-{day}" for day in request["day"]]
    times = np.array([f"{day}T{hour}" for day in days for hour in request["time"]], dtype="datetime64[s]")
    lat, lon = axes(request["area"], 0.25)
    levels = [int(level) for level in request.get("pressure_level", [])]
    day = times.astype("datetime64[D]").astype(int)
    field = plane(lat, lon, day[:, None, None])
    coords: dict[str, Any] = {
        "valid_time": times.astype("datetime64[ns]"), "latitude": lat, "longitude": lon, "number": 0,
        "expver": ("valid_time", np.full(times.size, "0001")),
    }  # fmt: skip
    arrays: dict[str, Any] = {}
    for name in (SHORT_NAMES[long] for long in request["variable"]):
        if name == "tp":
            belongs = (times - np.timedelta64(1, "h")).astype("datetime64[D]").astype(int)
            values = np.where(belongs[:, None, None] % 2, RAIN_OF_AN_HOUR, 0.0) * np.ones_like(field)
            units = "m"
        else:
            typical, units = TYPICAL[name]
            values = typical * field
            if name == "t2m":
                noon = times.astype("datetime64[h]").astype(int) % 24 == 12
                values = values + np.where(noon, NOON_EXTRA, 0.0)[:, None, None]
        dims: tuple[str, ...] = ("valid_time", "latitude", "longitude")
        if levels:
            values = values[:, None] * by_level(name, np.array(levels))[None, :, None, None]
            dims, coords["pressure_level"] = (
                ("valid_time", "pressure_level", *dims[1:]),
                np.array(levels, float),
            )
        arrays[name] = (dims, values.astype(np.float32), {"units": units, **grib_attrs(name, bool(levels))})
    step = "accum" if "tp" in arrays else "instant"
    history = (
        f'GRIB to CDM+CF via cfgrib with {{"filter_by_keys": {{"stream": ["oper"], "stepType": ["{step}"]}}}}'
    )
    return netcdf(
        xr.Dataset(arrays, coords, {"Conventions": "CF-1.7", "GRIB_centre": "ecmf", "history": history})
    )


def grib_attrs(
    name: str, on_levels: bool, *, kind: str = "an", level_type: str = "isobaricInhPa"
) -> JsonObject:
    """What the stores write beside a variable of what its GRIB messages said."""
    amount = name == "tp"
    return {
        "GRIB_paramId": PARAMETERS[name],
        "GRIB_dataType": "fc" if amount else kind,
        "GRIB_typeOfLevel": level_type if on_levels else "surface",
        "GRIB_stepType": "accum" if amount else "instant",
        "GRIB_totalNumber": 0,
    }


def ghap_month(month: str, grid: Grid, days: list[int], roughness: float = 0.0) -> bytes:
    """A month of the satellite product: a zip of daily global files, filled inside the grid only.

    Parameters
    ----------
    month : str
        ``yyyymm``.
    days : list of int
        Days of the month to make; the real archive has all of them.
    roughness : float
        Standard deviation of what is added cell by cell [ug m-3]: smooth maps compress better than real ones.
    """
    members, sea = {}, land_share(grid) < 0.5
    for day in days:
        stamp = f"{month}{day:02d}"
        date = np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}")
        field = 120 * plane(grid.lat, grid.lon, date.astype(int))
        if roughness:
            noise = np.random.default_rng(int(stamp)).standard_normal(grid.shape, np.float32)
            field = np.maximum(field + 10 * roughness * noise, 0)
        values = np.rint(field).astype(np.uint16)
        values[sea] = 65535
        members[f"GHAP_PM2.5_D1K_{month}_V1/GHAP_PM2.5_D1K_{stamp}_V1.nc"] = _global_file(grid, values)
    return zipped(members)


def _global_file(grid: Grid, values: np.ndarray) -> bytes:
    rows, cols = round(180 / grid.step), round(360 / grid.step)
    row, col = round((90 - grid.north) / grid.step), round((grid.west + 180) / grid.step)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _scale(file, "lat", 90 - (np.arange(rows) + 0.5) * grid.step, "degrees_north")
        _scale(file, "lon", -180 + (np.arange(cols) + 0.5) * grid.step, "degrees_east")
        data = file.create_dataset(
            "PM2.5", (rows, cols), "uint16", chunks=(500, 1000), compression="gzip", compression_opts=1,
            fillvalue=65535,
        )  # fmt: skip
        data[row : row + grid.rows, col : col + grid.cols] = values
        data.attrs.update({"scale_factor": 0.1, "_FillValue": np.uint16(65535), "units": "ug/m3"})
        data.dims[0].attach_scale(file["lat"])
        data.dims[1].attach_scale(file["lon"])
    return buffer.getvalue()


def _scale(file: Any, name: str, values: np.ndarray, units: str) -> None:
    file[name] = values.astype(np.float32)  # as many publishers do, though 1e-5 degrees get lost
    file[name].attrs["units"] = units
    file[name].make_scale(name)


def elevation_of(latitude: np.ndarray, longitude: np.ndarray, north: float) -> np.ndarray:
    """Metres: sea along the northern edge, then a ramp of 200 m a degree to the south [m]."""
    ramp = 200.0 * (north - SEA_LEVEL_LATITUDE - latitude)
    return np.where(ramp > 0, ramp, -50.0)[:, None] + 0 * longitude[None, :]


def etopo_file(grid: Grid) -> bytes:
    """Global elevation at 30 arc seconds, written around the grid only, -99999 elsewhere."""
    per_degree = 120
    rows, cols = 180 * per_degree, 360 * per_degree
    lat, lon = 90 - (np.arange(rows) + 0.5) / per_degree, -180 + (np.arange(cols) + 0.5) / per_degree
    west, south, east, north = grid.extent
    inside_rows = np.flatnonzero((lat < north + 0.5) & (lat > south - 0.5))
    inside_cols = np.flatnonzero((lon < east + 0.5) & (lon > west - 0.5))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, values, units in (("lat", lat, "degrees_north"), ("lon", lon, "degrees_east")):
            file[name] = values
            file[name].attrs["units"] = units
            file[name].make_scale(name)
        data = file.create_dataset(
            "z", (rows, cols), "float32", chunks=(600, 1200), compression="gzip", compression_opts=1,
            fillvalue=-99999.0,
        )  # fmt: skip
        block = elevation_of(lat[inside_rows], lon[inside_cols], north)
        data[inside_rows[0] : inside_rows[-1] + 1, inside_cols[0] : inside_cols[-1] + 1] = block
        data.attrs.update({"units": "meters", "_FillValue": np.float32(-99999.0)})
        data.dims[0].attach_scale(file["lat"])
        data.dims[1].attach_scale(file["lon"])
    return buffer.getvalue()


def station_file(
    point: str, first: np.datetime64, last: np.datetime64, level: float, *, verified: bool = True
) -> bytes:
    """Parquet of one sampling point: hourly, naive UTC+1 stamps, 128-bit decimals, one invalid hour a day."""
    begin = pd.date_range(str(first), f"{last} 23:00", freq="h") + pd.Timedelta(hours=1)
    invalid = begin.hour == 5
    frame = pd.DataFrame(
        {
            "Samplingpoint": f"XX/{point}", "Pollutant": np.int32(6001), "Start": begin,
            "End": begin + pd.Timedelta(hours=1), "Value": np.where(invalid, -5009.0, level + begin.hour % 2),
            "Unit": "ug.m-3", "AggType": "hour", "Validity": np.where(invalid, -1, 1).astype("int32"),
            "Verification": np.int32(1 if verified else 3),
        }
    )  # fmt: skip
    table = pa.Table.from_pandas(frame, preserve_index=False)
    value = table["Value"].cast(pa.decimal128(38, 18))
    buffer = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index("Value"), "Value", value), buffer)
    return buffer.getvalue()


def station_table(points: dict[str, tuple[float, float, float]]) -> bytes:
    """The EEA's ``DataExtract.csv`` in its zip, for (latitude, longitude, altitude) of sampling points."""
    columns = (
        "Country", "Air Quality Station EoI Code", "Air Quality Station Name", "Sampling Point Id",
        "Air Pollutant", "Longitude", "Latitude", "Altitude", "Air Quality Station Area", "Air Quality Station Type",
    )  # fmt: skip
    rows = [
        ("Nowhere", f"XX{k:04d}A", f"Station {k}", point, "PM2.5", lon, lat, altitude, "urban", "background")
        for k, (point, (lat, lon, altitude)) in enumerate(points.items())
    ]  # fmt: skip
    text = pd.DataFrame(rows, columns=list(columns)).to_csv(index=False)
    return zipped({"DataExtract.csv": text.encode("utf-8-sig")})


def number_of_fields(request: JsonObject) -> int:
    """Fields of a request, as the stores count them."""
    number = 1
    for key in ("variable", "pressure_level", "day", "time", "leadtime_hour"):
        number *= len(request.get(key, [1]))
    if "date" in request:
        first, last = request["date"][0].split("/")
        number *= len(np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1))
    return number


def axes(area: list[float], step: float) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of an area's nodes."""
    north, west, south, east = area
    lat = north - step * np.arange(round((north - south) / step) + 1)
    return lat, west + step * np.arange(round((east - west) / step) + 1)


def netcdf(dataset: xr.Dataset) -> bytes:
    """A NetCDF4 file of float32 fields."""
    encoding = {
        name: {"zlib": True, "complevel": 1, "_FillValue": np.float32("nan")} for name in dataset.data_vars
    }
    buffer = dataset.to_netcdf(engine="h5netcdf", encoding=encoding)
    return bytes(buffer)


def zipped(members: dict[str, bytes]) -> bytes:
    """An archive of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


Maker = Callable[[], bytes]


def remembered(folder: Path, name: str, make: Maker) -> bytes:
    """A made file, kept so that a resumed transfer meets the same bytes."""
    path = folder / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make())
    return path.read_bytes()
