"""Corruptions of gridded files: weather, composition, the satellite product, elevation."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from corrupt_inputs import Entry

from cranpm.data.readers import cams, era5
from cranpm.data.readers.elevation import read_elevation
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.regrid.alignment import check_coast, check_pressure
from cranpm.domain import Grid, domain_from_corner

DOMAIN = domain_from_corner("small", "Small", north=46.0, west=9.0, coarse_rows=8, coarse_cols=8)
BOX, FINE = DOMAIN.coarse_box, DOMAIN.fine
DAY = np.datetime64("2022-01-10")
TIMES = pd.date_range("2022-01-10", periods=24, freq="h")
_SLOPE = np.linspace(0, 1, BOX.rows)[:, None] + 0.3 * np.linspace(0, 1, BOX.cols)[None, :]


def weather(variable: str = "t2m", units: str = "K", base: float = 280.0, hours: int = 24) -> xr.Dataset:
    """Hourly, one variable: base + slope + hour."""
    times = pd.date_range(TIMES[0], periods=hours, freq="h")
    values = base + _SLOPE[None] + np.asarray(times.hour)[:, None, None] * 0.1
    coords = {"time": times, "latitude": BOX.lat, "longitude": BOX.lon}
    return xr.Dataset({variable: (("time", "latitude", "longitude"), values, {"units": units})}, coords)


def on_level(name: str, units: str, base: float, level: int) -> xr.Dataset:
    return weather(name, units, base).expand_dims(level=[level]).transpose("time", "level", ...)


def rain(hours: int = 25) -> xr.Dataset:
    dataset = weather("tp", "m", 0.0, hours)
    return dataset.assign(tp=(dataset["tp"] * 0 + 1e-4).assign_attrs(units="m"))


def dust(units: str = "ug m-3", base: float = 12.0) -> xr.Dataset:
    """CAMS PM2.5, 3-hourly on 0.4 degrees around the domain."""
    lat, lon = np.arange(46.4, 43.5, -0.4), np.arange(8.8, 11.7, 0.4)
    times = TIMES[::3]
    values = base * (
        1 + 0.1 * np.arange(lat.size)[None, :, None] + 0.05 * np.arange(lon.size) + 0 * np.zeros((8, 1, 1))
    )
    coords = {"time": times, "latitude": lat, "longitude": lon}
    return xr.Dataset({"pm2p5": (("time", "latitude", "longitude"), values, {"units": units})}, coords)


def written(folder: Path, dataset: xr.Dataset, name: str = "file.nc", **options: Any) -> Path:
    dataset.to_netcdf(folder / name, engine="netcdf4", **options)
    return folder / name


def read_weather(path: Path, channels: tuple[str, ...] | None = None) -> np.ndarray:
    return era5.daily_coarse(era5.open_era5(path), BOX, channels=channels, days=np.array([DAY])).values


def of_weather(name: str, damage: Callable[[xr.Dataset], xr.Dataset], **base: Any) -> Entry:
    def compare(folder: Path) -> tuple[Any, Any]:
        right = rain() if base.get("variable") == "tp" else weather(**base)
        return read_weather(written(folder, damage(right))), read_weather(written(folder, right, "right.nc"))

    return Entry(group="ERA5", name=name, compare=compare)


def of_dust(name: str, damage: Callable[[xr.Dataset], xr.Dataset]) -> Entry:
    def read(path: Path) -> np.ndarray:
        return cams.daily_coarse(cams.open_cams(path), BOX).values

    def compare(folder: Path) -> tuple[Any, Any]:
        return read(written(folder, damage(dust()))), read(written(folder, dust(), "right.nc"))

    return Entry(group="CAMS", name=name, compare=compare)


def of_bytes(name: str, make: Callable[[bytes], bytes]) -> Entry:
    def compare(folder: Path) -> tuple[Any, Any]:
        path = written(folder, weather())
        expected = read_weather(path)
        path.write_bytes(make(path.read_bytes()))
        return read_weather(path), expected

    return Entry(group="ERA5", name=name, compare=compare)


def versions(d: xr.Dataset) -> xr.Dataset:
    final, early = d.copy(deep=True), d.copy(deep=True)
    final["t2m"][12:], early["t2m"][:12] = np.nan, np.nan
    return xr.concat([final, early], dim=pd.Index([1, 5], name="expver"))


def calendar(d: xr.Dataset) -> xr.Dataset:
    d = d.drop_vars("time")
    d["time"] = ("time", np.arange(24.0), {"units": "hours since 2022-01-10", "calendar": "360_day"})
    return d


def values(d: xr.Dataset, change: Callable[[Any], Any], **attrs: Any) -> xr.Dataset:
    """Values changed, the stated units kept unless given."""
    return d.assign({v: change(a).assign_attrs(a.attrs | attrs) for v, a in d.data_vars.items()})


def shifted(d: xr.Dataset, lat: float = 0.0, days: int = 0) -> xr.Dataset:
    times = d["time"] + np.timedelta64(days, "D")
    return d.assign_coords(latitude=d["latitude"] + lat, time=times)


def disagree(folder: Path) -> tuple[Any, Any]:
    other = values(weather(), lambda a: a + (a["time"].dt.hour == 3))
    both = [era5.open_era5(written(folder, d, n)) for d, n in ((weather(), "a.nc"), (other, "b.nc"))]
    return era5.daily_coarse(both, BOX).values, None


def left_out(folder: Path) -> tuple[Any, Any]:
    return read_weather(written(folder, weather()), ("t2m", "u10")), None


def heights(folder: Path) -> tuple[Any, Any]:
    return read_weather(written(folder, on_level("z", "m**2 s**-2", 5500.0, 500))), None


def surface_height(folder: Path) -> tuple[Any, Any]:
    return read_weather(written(folder, weather("z", "m**2 s**-2", 2000.0)), ("z_1000",)), None


_HILLS = np.random.default_rng(8).normal(0, 1, (20, 24)).cumsum(0).cumsum(1) * 40 + 800
_PRESSURE = 101_325 * np.exp(-_HILLS / 8000)


def placed(name: str, move: Callable[[np.ndarray], np.ndarray]) -> Entry:
    def compare(_: Path) -> tuple[Any, Any]:
        check_pressure(_PRESSURE, _HILLS)  # as it is it passes
        check_pressure(move(_PRESSURE), _HILLS)
        return 1, 0

    return Entry(group="ground", name=name, compare=compare)


def upside_down_coast(_: Path) -> tuple[Any, Any]:
    land = np.median(_HILLS) < _HILLS
    check_coast(land, land)
    check_coast(land[::-1], land)
    return 1, 0


# ---- the satellite product ----

_BLOCK = Grid(
    name="block", rows=FINE.rows + 20, cols=FINE.cols + 20, step=0.01, north=FINE.north + 0.1, west=FINE.west - 0.1,
    registration="cell",
)  # fmt: skip


def satellite(**change: Any) -> xr.Dataset:
    """A block of the product around the domain."""
    raw = (100 + np.arange(_BLOCK.rows)[:, None] + np.arange(_BLOCK.cols)[None, :] % 50).astype(np.uint16)
    raw[:30] = 65535
    attrs = {"scale_factor": 0.1, "_FillValue": np.uint16(65535), "units": "ug/m3"}
    attrs = {k: v for k, v in (attrs | change.pop("attrs", {})).items() if v is not None}
    raw = change.pop("raw", lambda a: a)(raw)
    lat, lon = change.pop("lat", lambda a: a)(_BLOCK.lat), _BLOCK.lon
    dataset = xr.Dataset(
        {change.pop("name", "PM2.5"): (("lat", "lon"), raw, attrs)}, {"lat": lat, "lon": lon}
    )
    return dataset


def of_satellite(
    name: str, damage: Callable[[], xr.Dataset], member: str = "GHAP_PM2.5_D1K_20220110_V1.nc"
) -> Entry:
    def read(folder: Path, dataset: xr.Dataset, zipped: str) -> np.ndarray:
        path = written(folder, dataset, "day.nc")
        with zipfile.ZipFile(folder / zipped, "w") as archive:
            archive.write(path, member if zipped == "month.zip" else "GHAP_PM2.5_D1K_20220110_V1.nc")
        return read_ghap_day(folder / zipped, DAY, FINE)

    def compare(folder: Path) -> tuple[Any, Any]:
        return read(folder, damage(), "month.zip"), read(folder, satellite(), "right.zip")

    return Entry(group="GHAP", name=name, compare=compare)


def floats(fill: float | None) -> xr.Dataset:
    tenths = satellite()["PM2.5"].values.astype(np.float32) * np.float32(0.1)
    if fill is None:
        tenths[tenths > 6553] = np.nan
    dataset = satellite(attrs={"scale_factor": None, "_FillValue": None})
    return dataset.assign({"PM2.5": (("lat", "lon"), tenths, {"units": "ug/m3"})})


def damaged_month(folder: Path) -> tuple[Any, Any]:
    path = written(folder, satellite(), "day.nc")
    with zipfile.ZipFile(folder / "month.zip", "w") as archive:
        archive.write(path, "GHAP_PM2.5_D1K_20220110_V1.nc")
    content = bytearray((folder / "month.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "month.zip").write_bytes(content)
    return read_ghap_day(folder / "month.zip", DAY, FINE), None


def terrain(units: str, factor: float, **_: Any) -> Callable[[Path], tuple[Any, Any]]:
    def compare(folder: Path) -> tuple[Any, Any]:
        lat, lon = np.arange(46.5, 43.0, -1 / 120), np.arange(8.5, 12.0, 1 / 120)
        field = (np.ones((lat.size, lon.size)) * 1000 + lat[:, None] * 10) * factor
        path = written(
            folder, xr.Dataset({"z": (("lat", "lon"), field, {"units": units})}, {"lat": lat, "lon": lon})
        )
        return read_elevation([path], FINE), None

    return compare


ENTRIES = [
    of_weather("degrees Celsius that say K", lambda d: values(d, lambda a: a - 273.15)),
    of_weather("degrees Celsius that say degC", lambda d: values(d, lambda a: a - 273.15, units="degC")),
    of_weather("no units", lambda d: values(d, lambda a: a, units="")),
    of_weather("units nobody knows", lambda d: values(d, lambda a: a, units="furlong")),
    of_weather(
        "fill value -32767 read as data",
        lambda d: values(d, lambda a: a.where(a["time"].dt.hour > 2, -32767.0)),
    ),
    of_weather(
        "unpacked values that still state their packing (scale applied twice)",
        lambda d: values(d, lambda a: a, scale_factor=0.0015, add_offset=280.0),
    ),
    of_weather(
        "hPa that say Pa", lambda d: values(d, lambda a: a / 100), variable="sp", units="Pa", base=95e3
    ),
    of_weather(
        "hPa that say hPa",
        lambda d: values(d, lambda a: a / 100, units="hPa"),
        variable="sp",
        units="Pa",
        base=95e3,
    ),
    of_weather("rows south to north, with their latitudes", lambda d: d.isel(latitude=slice(None, None, -1))),
    of_weather(
        "columns out of order, with their longitudes", lambda d: d.isel(longitude=[3, 0, 1, 2, 4, 5, 6, 7, 8])
    ),
    of_weather("longitudes 0 to 360", lambda d: d.assign_coords(longitude=d["longitude"] + 360)),
    of_weather(
        "latitude called longitude and the reverse",
        lambda d: d.rename(latitude="longitude", longitude="latitude"),
    ),
    of_weather(
        "latitudes of 190 degrees", lambda d: d.assign_coords(latitude=190.0 - 0.25 * np.arange(BOX.rows))
    ),
    of_weather("half a cell off", lambda d: shifted(d, lat=0.125)),
    of_weather("uneven spacing", lambda d: d.isel(latitude=[0, 1, 2, 4, 5, 6, 7, 8])),
    of_weather("another continent", lambda d: d.assign_coords(longitude=d["longitude"] + 70)),
    of_weather("an hour twice", lambda d: d.isel(time=[0, 0, *range(1, 24)])),
    of_weather("hours missing", lambda d: d.isel(time=[*range(10), *range(15, 24)])),
    of_weather("hours out of order", lambda d: d.isel(time=[5, *range(5), *range(6, 24)])),
    of_weather("a calendar of 360 days", calendar),
    of_weather("dates in the future", lambda d: shifted(d, days=365 * 20)),
    of_weather("dates before 1940 (wrong epoch)", lambda d: shifted(d, days=-365 * 100)),
    of_weather("final and preliminary values in one file (expver)", versions),
    of_weather(
        "new names (valid_time)", lambda d: d.rename(time="valid_time", latitude="lat", longitude="lon")
    ),
    of_weather("ensemble members", lambda d: xr.concat([d, d], dim="number")),
    of_weather("one value everywhere", lambda d: values(d, lambda a: a * 0 + 280.0)),
    of_weather("infinite values", lambda d: values(d, lambda a: a.where(a["time"].dt.hour != 4, np.inf))),
    of_weather("another variable", lambda d: d.rename(t2m="skt")),
    of_weather("negative precipitation", lambda d: values(d, lambda a: -a * 20), variable="tp"),
    of_weather("precipitation without its last hour", lambda d: d.isel(time=slice(0, 24)), variable="tp"),
    of_weather("precipitation every six hours", lambda d: d.isel(time=slice(None, None, 6)), variable="tp"),
    of_bytes("cut off in the middle", lambda b: b[: len(b) // 2]),
    of_bytes("empty file", lambda b: b""),
    of_bytes("a web page under a data file's name", lambda b: b"<!DOCTYPE html><title>Sign in</title>"),
    of_bytes("a server's error message", lambda b: b'{"title": "licence not accepted"}'),
    of_bytes("a damaged archive", lambda b: b"PK\x03\x04" + b[:200]),
    of_bytes("no known format", lambda b: b"\x00\x01\x02\x03 garbage"),
    Entry(group="ERA5", name="two files that disagree about an hour", compare=disagree),
    Entry(group="ERA5", name="a wanted channel that is not there", compare=left_out),
    Entry(group="ERA5", name="height in metres that says geopotential", compare=heights),
    Entry(group="ERA5", name="the surface's geopotential in place of a level's", compare=surface_height),
    placed("values upside down under right coordinates", lambda p: p[::-1]),
    placed("values mirrored under right coordinates", lambda p: p[:, ::-1]),
    placed("values one node to the south", lambda p: np.roll(p, 1, axis=0)),
    placed("values one node to the west", lambda p: np.roll(p, -1, axis=1)),
    Entry(
        group="ground", name="a satellite map upside down under right coordinates", compare=upside_down_coast
    ),
    of_dust("kg m-3 that say ug m-3 (x 1e-9)", lambda d: values(d, lambda a: a * 1e-9)),
    of_dust("kg m-3 that say kg m-3", lambda d: values(d, lambda a: a * 1e-9, units="kg m**-3")),
    of_dust("converted twice (x 1e9)", lambda d: values(d, lambda a: a, units="kg m**-3")),
    of_dust(
        "a mixing ratio without the density of air",
        lambda d: values(d, lambda a: a * 1e-9, units="kg kg**-1"),
    ),
    of_dust("total columns", lambda d: d.rename(pm2p5="tcno2")),
    of_dust("several levels", lambda d: d.expand_dims(model_level=[136.0, 137.0])),
    of_dust("a day of zeros", lambda d: values(d, lambda a: a * 0)),
    of_dust(
        "times without a date",
        lambda d: d.assign_coords(time=("time", np.arange(0.0, 24, 3), {"units": "hours"})),
    ),
    of_dust(
        "times that count from their long name",
        lambda d: d.assign_coords(
            time=(
                "time",
                np.arange(0.0, 24, 3),
                {"units": "hours", "long_name": "ANALYSIS time from 20220110"},
            )
        ),
    ),
    of_satellite("whole numbers without their scale", lambda: satellite(attrs={"scale_factor": None})),
    of_satellite("scaled by 1 in place of 0.1", lambda: satellite(attrs={"scale_factor": 10.0})),
    of_satellite("fill value 6553.5 read as data", lambda: floats(6553.5)),
    of_satellite("stored as floats", lambda: floats(None)),
    of_satellite("half a cell off", lambda: satellite(lat=lambda a: a + 0.005)),
    of_satellite(
        "rows south to north, with their latitudes", lambda: satellite().isel(lat=slice(None, None, -1))
    ),
    of_satellite("only part of the domain", lambda: satellite().isel(lat=slice(0, 60))),
    of_satellite("another variable", lambda: satellite(name="NO2")),
    of_satellite("a day of zeros", lambda: satellite(raw=lambda a: a * 0)),
    of_satellite("one value everywhere", lambda: satellite(raw=lambda a: a * 0 + 77)),
    of_satellite("no value at all", lambda: satellite(raw=lambda a: a * 0 + np.uint16(65535))),
    of_satellite("another day under the wanted name", satellite, member="GHAP_PM2.5_D1K_20220111_V1.nc"),
    Entry(group="GHAP", name="a flipped byte in the archive", compare=damaged_month),
    Entry(group="terrain", name="elevation in feet", compare=terrain("ft", 3.28)),
    Entry(group="terrain", name="decimetres that say metres", compare=terrain("m", 10.0)),
]
