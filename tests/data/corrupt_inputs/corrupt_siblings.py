"""Gridded files that are whole and something else, damage that shows late, and days that no air can have."""

from __future__ import annotations

import bz2
import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import siblings
import xarray as xr
from corrupt_inputs import Entry
from siblings import DAY, FINE

from cranpm.data.files.openers import open_lazily
from cranpm.data.input_ranges import check_inputs
from cranpm.data.live import live_map
from cranpm.data.readers.cams import open_cams
from cranpm.data.readers.cams_europe import read_ensemble_run
from cranpm.data.readers.elevation import read_elevation
from cranpm.data.readers.era5 import daily_coarse, open_era5
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.readers.products import EAC4, GLOBAL_FORECASTS
from cranpm.domain import DAY_CHANNELS, EUROPE, Grid, Statistics, channel_index

Read = Callable[[Path], Any]


def of_file(
    group: str, name: str, make: Callable[[], xr.Dataset], read: Read, file: str = "file.nc"
) -> Entry:
    """What a reader makes of a file."""
    return Entry(
        group=group, name=name, compare=lambda folder: (read(siblings.written(folder, make(), file)), None)
    )


def weather(path: Path) -> np.ndarray:
    return next(iter(open_era5(path).data_vars.values())).values


def composition(path: Path) -> np.ndarray:
    return next(iter(open_cams(path).data_vars.values())).values


def analysis(path: Path) -> np.ndarray:
    return live_map([path], DAY, EUROPE)[0]


def four_runs() -> xr.Dataset:
    dataset = siblings.european("FORECAST")
    return dataset.assign_attrs(FORECAST="Europe, 20220110-20220113+[0H_21H]")


def bounds_that_begin() -> xr.Dataset:
    dataset = siblings.of_the_store("tp")
    begin = dataset["valid_time"].values
    dataset["time_bnds"] = (("valid_time", "nv"), np.stack([begin, begin + np.timedelta64(1, "h")], axis=1))
    dataset["valid_time"].attrs["bounds"] = "time_bnds"
    return dataset


def months() -> xr.Dataset:
    dates = xr.DataArray([20220101, 20220201, 20220301], dims="date")
    dataset = siblings.of_the_store().drop_vars(["expver", "valid_time"]).isel(valid_time=slice(3))
    return dataset.rename(valid_time="date").assign_coords(date=dates)


def members(
    first: Callable[[], xr.Dataset], second: Callable[[], xr.Dataset]
) -> Callable[[Path], tuple[Any, Any]]:
    def compare(folder: Path) -> tuple[Any, Any]:
        with zipfile.ZipFile(folder / "both.zip", "w") as archive:
            for name, make in (("a.nc", first), ("b.nc", second)):
                archive.write(siblings.written(folder, make(), name), name)
        return weather(folder / "both.zip"), None

    return compare


def warmer() -> xr.Dataset:
    dataset = siblings.of_the_store()
    return dataset.assign(t2m=(dataset["t2m"] + 1).assign_attrs(dataset["t2m"].attrs))


def preliminary(folder: Path) -> tuple[Any, Any]:
    versions = np.where(np.arange(24) < 18, "0001", "0005")
    early = siblings.of_the_store(coords={"expver": ("valid_time", versions)})
    right = siblings.written(folder, siblings.of_the_store(), "right.nc")
    return weather(siblings.written(folder, early)), weather(right)


def of_bytes(
    name: str, make: Callable[[bytes], bytes], format: str = "NETCDF4", group: str = "files"
) -> Entry:
    """A whole file whose bytes are then changed; every value is read."""

    def compare(folder: Path) -> tuple[Any, Any]:
        path = folder / "file.nc"
        packed = {"t2m": {"zlib": True, "chunksizes": (1, 6, 8)}} if format == "NETCDF4" else {}
        whole = siblings.of_the_store().drop_vars("expver")
        whole.to_netcdf(path, engine="netcdf4", format=format, encoding=packed)
        path.write_bytes(make(path.read_bytes()))
        return open_lazily(path)[0]["t2m"].values, None

    return Entry(group=group, name=name, compare=compare)


def hurt(content: bytes, share: float = 0.8, size: int = 600) -> bytes:
    here = int(len(content) * share)
    return content[:here] + b"\xff" * size + content[here + size :]


def damaged_archive(folder: Path) -> tuple[Any, Any]:
    path = siblings.written(folder, siblings.of_the_store(), "data.nc")
    with zipfile.ZipFile(folder / "file.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "data.nc")
    (folder / "file.zip").write_bytes(hurt((folder / "file.zip").read_bytes(), 0.4, 200))
    return open_lazily(folder / "file.zip")[0]["t2m"].values, None


def tile(change: Callable[[bytes], bytes]) -> Callable[[Path], tuple[Any, Any]]:
    def compare(folder: Path) -> tuple[Any, Any]:
        import rasterio

        path = folder / "tile.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=200, height=200, count=1, dtype="float32", crs="EPSG:4326",
            compress="deflate", transform=rasterio.transform.from_origin(9.5, 48.5, 0.005, 0.005),
        ) as made:  # fmt: skip
            made.write(np.random.default_rng(1).random((200, 200), np.float32) * 500, 1)
        path.write_bytes(change(path.read_bytes()))
        return read_elevation([path], FINE), None

    return compare


def short_tile(folder: Path) -> tuple[Any, Any]:
    (folder / "N48E009.hgt").write_bytes(bytes(2_000_000))
    return read_elevation([folder / "N48E009.hgt"], FINE), None


_USUAL = {"t2m": 280.0, "sp": 95e3, "t": 260.0, "q": 5e-3, "z": 2e4}


def forecast_from(channel: str, value: float) -> Entry:
    def compare(_: Path) -> tuple[Any, Any]:
        centre = [_USUAL.get(c.variable, 20.0 if c.source == "cams" else 0.0) for c in DAY_CHANNELS]
        coarse = {day: np.array(centre)[:, None, None] * np.ones((8, 8)) for day in ("t", "t-1")}
        maps = {day: np.full((8, 8), 12.0) for day in coarse}
        field = maps["t"] if channel == "map" else coarse["t"][channel_index(channel)]
        field[0, 0] = value
        names = [c.name for c in DAY_CHANNELS]
        statistics = Statistics(
            mean=dict(zip(names, centre)), std=dict.fromkeys(names, 2.0), period="p", source="made"
        )
        return check_inputs(coarse, maps, statistics, name="init day 2022-01-10"), None

    what = "the map of PM2.5" if channel == "map" else channel
    return Entry(group="forecast", name=f"{what} of {value:g}", compare=compare)


def forecast_above(value: float) -> Entry:
    """Ground that cannot be, in a dataset of somebody else's making."""

    def compare(_: Path) -> tuple[Any, Any]:
        statistics = Statistics(mean={}, std={}, period="p", source="made")
        ground = {"elevation": np.array([[100.0, value]])}
        return check_inputs({}, {}, statistics, ground=ground, name="init day 2022-01-10"), None

    return Entry(group="forecast", name=f"an elevation of {value:g} m", compare=compare)


def named(group: str, name: str, read: Read, make: Callable[[], xr.Dataset]) -> Entry:
    return of_file(group, f"called {name}", make, read, name)


def bare() -> xr.Dataset:
    return siblings.of_the_store().assign_attrs(history="")


def satellite(path: Path) -> np.ndarray:
    return read_ghap_day(path, DAY, FINE)


def terrain(path: Path) -> np.ndarray:
    return read_elevation([path], FINE)


def satellite_that_says(key: str, value: str) -> xr.Dataset:
    dataset = siblings.satellite()
    (dataset["PM2.5"].attrs if key == "long_name" else dataset.attrs)[key] = value
    return dataset


def infinite_ground() -> xr.Dataset:
    dataset = siblings.ground({})
    dataset["z"].values[50, 50] = np.inf
    return dataset


BLOCK = Grid(name="block", rows=5, cols=7, step=0.25, north=48.0, west=8.0, registration="node")


def one_hour(value: float) -> Callable[[Path], tuple[Any, Any]]:
    """One value of one hour in a day, which the mean would hide."""

    def compare(folder: Path) -> tuple[Any, Any]:
        dataset = siblings.of_the_store()
        dataset["t2m"].values[3, 2, 2] = value
        return daily_coarse(open_era5(siblings.written(folder, dataset)), BLOCK).values, None

    return compare


def rain_in_millimetres(folder: Path) -> tuple[Any, Any]:
    # about 0.02 mm an hour, which say to be metres
    dataset = siblings.of_the_store("tp")
    dataset["tp"].values[:] *= 450
    return daily_coarse(open_era5(siblings.written(folder, dataset)), BLOCK).values, None


def rain_over_a_continent(_: Path) -> tuple[Any, Any]:
    """Up to 24 mm a day in metres, on 141 x 151 nodes."""
    times = DAY + np.arange(1, 25).astype("timedelta64[h]")
    grid = Grid(name="land", rows=141, cols=151, step=0.25, north=70.0, west=0.0, registration="node")
    hourly = 1e-3 * np.random.default_rng(1).random((24, *grid.shape)).astype("float32")
    coords = {"time": times.astype("datetime64[ns]"), "latitude": grid.lat, "longitude": grid.lon}
    rain = xr.Dataset({"tp": (("time", "latitude", "longitude"), hourly, {"units": "mm"})}, coords)
    return daily_coarse(rain, grid, days=np.array([DAY])).values, None


def preliminary_by_attribute(folder: Path) -> tuple[Any, Any]:
    early = siblings.of_the_store(attrs={"GRIB_expver": "0005"}).drop_vars("expver")
    read = open_era5(siblings.written(folder, early))
    assert read.attrs["preliminary_from"] == f"{DAY}T00"
    return read["t2m"].values, weather(siblings.written(folder, siblings.of_the_store(), "right.nc"))


ENTRIES = [
    *(of_file("ERA5", name, make, weather) for name, (make, _) in siblings.ERA5_SIBLINGS.items()),
    *(
        named("ERA5", name, weather, bare)
        for name in (
            "data_stream-enda_stepType-instant.nc", "data_stream-moda_stepType-avgua.nc",
            "2m_temperature_0_daily-mean.nc", "reanalysis-era5-land.nc",
            "e5.oper.fc.sfc.accumu.128_228_tp.ll025sc.2022010106_2022011606.nc",
            "e5.moda.an.sfc.128_167_2t.ll025sc.2022010100_2022120100.nc",
            "ecmwf-era5_enda_es_sfc_202201100000.2t.nc",
        )
    ),
    of_file("ERA5", "precipitation summed since midnight (ERA5-Land)", siblings.running_sum, weather),
    of_file("ERA5", "amounts of the hour that begins at its stamp", bounds_that_begin, weather),
    of_file("ERA5", "an axis of dates (monthly means)", months, weather),
    of_file("ERA5", "a series at one point", lambda: bare().isel(latitude=0, longitude=0), weather),
    Entry(group="ERA5", name="preliminary hours by time (expver 0005)", compare=preliminary),
    Entry(
        group="ERA5", name="two members that disagree", compare=members(siblings.of_the_store, warmer)
    ),
    Entry(
        group="ERA5",
        name="two members on different grids",
        compare=members(siblings.of_the_store, lambda: siblings.of_the_store("u10").isel(latitude=slice(0, 4))),
    ),
    *(of_file("CAMS", name, make, composition) for name, (make, _) in siblings.COMPOSITION_SIBLINGS.items()),
    of_file(
        "CAMS", "EAC4 in place of forecasts", siblings.eac4, lambda p: open_cams(p, product=GLOBAL_FORECASTS)
    ),
    of_file("CAMS", "forecasts in place of EAC4", siblings.forecasts, lambda p: open_cams(p, product=EAC4)),
    of_file("CAMS", "runs that overlap", lambda: siblings.forecasts(tuple(range(0, 24, 3))), composition),
    of_file(
        "CAMS",
        "steps of a day ahead as today's air",
        lambda: siblings.forecasts(tuple(range(24, 48, 3)), (0,)),
        lambda p: open_cams(p, longest_lead=12),
    ),
    *(of_file("CAMS-Europe", name, make, analysis) for name, (make, _) in siblings.EUROPEAN_SIBLINGS.items()),
    of_file("CAMS-Europe", "four runs as one", four_runs, lambda p: read_ensemble_run(p, DAY)),
    *(
        named("GHAP", name, satellite, siblings.satellite)
        for name in (
            "GHAP_PM2.5_M1K_202201_V1.nc", "GHAP_PM2.5_Y1K_2022_V1.nc", "GHAP_O3_D1K_20220110_V1.nc",
            "CHAP_PM2.5_D1K_20220110_V4.nc", "GHAP_PM2.5_D10K_20220110_V1.nc",
            "ghap_pm2.5_m1k_202201_v1.nc", "GHAP-PM2.5-M1K-202201.nc", "LGHAP.PM25.D001.A20220110.nc",
            "V6GL02.04.CNNPM25.0p01.Europe.202201-202201.nc",
        )
    ),
    of_file(
        "GHAP",
        "another day by its time coordinate",
        lambda: siblings.satellite(time=np.datetime64("2022-01-11", "ns")),
        satellite,
    ),
    *(
        of_file(
            "GHAP", f"{key}: {value}", lambda key=key, value=value: satellite_that_says(key, value), satellite
        )
        for key, value in (
            ("title", "Monthly PM2.5"), ("temporal_resolution", "year"), ("product", "PM2.5 uncertainty"),
            ("long_name", "monthly mean PM2.5"),
        )
    ),
    of_file(
        "GHAP",
        "a month by its coverage",
        lambda: siblings.satellite().assign_attrs(
            time_coverage_start="2022-01-01", time_coverage_end="2022-01-31"
        ),
        satellite,
    ),
    *(
        named("terrain", name, terrain, lambda: siblings.ground({}))
        for name in (
            "ETOPO_2022_v1_30s_N90W180_bed.nc", "GMTED2010_std_7p5arcsec.nc4", "GEBCO_2023_sub_ice_topo.nc",
            "GEBCO_2023_TID.nc",
        )
    ),
    *(
        of_file("terrain", f"{key}: {value}", lambda key=key, value=value: siblings.ground({key: value}), terrain)
        for key, value in (
            ("cell_methods", "area: maximum"), ("vertical_datum", "WGS84 ellipsoid"), ("long_name", "slope"),
        )
    ),
    of_file("terrain", "an infinite height", infinite_ground, terrain),
    *(
        Entry(group="ERA5", name=name, compare=one_hour(value))
        for name, value in (
            ("one hour of 0 K in a day", 0.0), ("one hour of 9.97e36 in a day", 9.96921e36),
            ("one hour of -9999 in a day", -9999.0),
        )
    ),
    Entry(group="ERA5", name="rain in metres that says millimetres, over a continent", compare=rain_over_a_continent),
    Entry(group="ERA5", name="rain in millimetres that says metres, on a nearly dry day", compare=rain_in_millimetres),
    Entry(group="ERA5", name="preliminary by an attribute only", compare=preliminary_by_attribute),
    of_file(
        "terrain",
        "depths, positive down",
        lambda: siblings.ground({"positive": "down"}),
        terrain,
    ),
    Entry(group="terrain", name="a tile of SRTM that is cut off", compare=short_tile),
    Entry(group="terrain", name="a GeoTIFF that is cut off", compare=tile(lambda b: b[: len(b) // 2])),
    Entry(group="terrain", name="a GeoTIFF damaged in the middle", compare=tile(lambda b: hurt(b, 0.5))),
    of_bytes("damaged in the middle (NetCDF4), seen when values are read", hurt),
    of_bytes("cut off (NetCDF3)", lambda b: b[: len(b) - 64], "NETCDF3_64BIT"),
    Entry(group="files", name="an archive damaged in the middle", compare=damaged_archive),
    of_bytes("packed by gzip", gzip.compress),
    of_bytes("packed by bzip2", bz2.compress),
    of_bytes("HDF4", lambda b: b"\x0e\x03\x13\x01" + b[4:]),
    of_bytes("a Git LFS pointer", lambda b: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
    of_bytes("a git-annex pointer", lambda b: b"../.git/annex/objects/aa/SHA256E-s9--00.nc"),
    of_bytes("an address in place of data", lambda b: b"s3://bucket/era5/t2m.nc\n"),
    of_bytes(
        "an object store's refusal",
        lambda b: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    ),
    forecast_from("t2m", 0.0),
    forecast_from("u10", np.inf),
    forecast_from("no2", 1e6),
    forecast_from("map", np.inf),
    forecast_above(1e6),
    forecast_above(np.inf),
    forecast_above(np.nan),
]  # fmt: skip
