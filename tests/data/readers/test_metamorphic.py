"""A file told in another way gives the same bits. Flip, roll, repack, rename, re-chunk, reorder, NetCDF to Zarr."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cranpm.data.readers.era5 import daily_coarse, open_era5
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.readers.layout import standardise
from cranpm.domain import Grid, domain_from_corner

DOMAIN = domain_from_corner("meta", "Meta", north=47.0, west=9.0, coarse_rows=8, coarse_cols=8)
BOX, DAY = DOMAIN.coarse_box, np.datetime64("2022-01-10")
TIMES = pd.date_range("2022-01-10", periods=24, freq="h")


def weather(seed: int) -> xr.Dataset:
    """Values on a lattice of 1/64 K, so that packing as int16 loses nothing."""
    random = np.random.default_rng(seed)
    values = (280 + random.integers(-600, 600, (24, BOX.rows, BOX.cols)) / 64).astype(np.float32)
    wind = (random.integers(-600, 600, (24, BOX.rows, BOX.cols)) / 64).astype(np.float32)
    values[3, 2, 2] = np.nan
    dims = ("time", "latitude", "longitude")
    coords = {"time": TIMES, "latitude": BOX.lat, "longitude": BOX.lon}
    return xr.Dataset(
        {"t2m": (dims, values, {"units": "K"}), "u10": (dims, wind, {"units": "m s**-1"})}, coords
    )


PACKED = {"dtype": "int16", "scale_factor": 1 / 64, "_FillValue": -32767, "zlib": True}
RETELL = {
    "rows flipped": lambda d: (d.isel(latitude=slice(None, None, -1)), {}),
    "longitudes rolled to 0..360": lambda d: (
        d.assign_coords(longitude=d["longitude"] % 360).roll(longitude=3, roll_coords=True), {}
    ),
    "times reversed": lambda d: (d.isel(time=slice(None, None, -1)), {}),
    "packed": lambda d: (d, {"t2m": {**PACKED, "add_offset": 280.0}, "u10": PACKED}),
    "doubles": lambda d: (d.astype(np.float64), {}),
    "new names": lambda d: (
        d.rename(time="valid_time", latitude="lat", longitude="lon").assign_coords(number=0), {}
    ),
    "long names": lambda d: (d.rename(t2m="2m_temperature", u10="10m_u_component_of_wind"), {}),
    "other chunks": lambda d: (d, {v: {"chunksizes": (5, 3, 4)} for v in ("t2m", "u10")}),
    "dimensions in another order": lambda d: (d.transpose("longitude", "time", "latitude"), {}),
    "a variable more": lambda d: (d.assign(skt=d["t2m"]), {}),
}  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from(sorted(RETELL)), min_size=1, max_size=3, unique=True),
    st.sampled_from(["NETCDF4", "NETCDF3_64BIT"]),
)
def test_a_file_told_in_another_way_gives_the_same_bits(seed: int, ways: list[str], format: str) -> None:
    right, told, encoding = weather(seed), weather(seed), {}
    renames = {"new names", "long names"} & set(ways)
    for way in sorted(ways, key=lambda w: w in renames):  # names last, so that the others find theirs
        told, more = RETELL[way](told)
        encoding |= {k: encoding.get(k, {}) | v for k, v in more.items()}
    encoding = {k: v for k, v in encoding.items() if k in told}
    if "doubles" in ways or format == "NETCDF3_64BIT":
        encoding = {
            k: {a: b for a, b in v.items() if a not in ("zlib", "chunksizes")} for k, v in encoding.items()
        }
    if "other chunks" in ways and "dimensions in another order" in ways:
        encoding = {k: {a: b for a, b in v.items() if a != "chunksizes"} for k, v in encoding.items()}
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "right.nc", Path(folder) / "told.nc"
        right.to_netcdf(paths[0])
        told.to_netcdf(paths[1], format=format, encoding=encoding)
        expected, got = (daily_coarse(open_era5(path), BOX) for path in paths)
    np.testing.assert_array_equal(got.values, expected.values)
    assert np.isnan(got.sel(channel="t2m").values[0, 2, 2]), "an hour that is missing makes the day missing"


@given(st.permutations(range(4)))
@settings(max_examples=6, deadline=None)
def test_files_in_any_order_and_from_zarr_give_the_same_bits(order: list[int]) -> None:
    whole = weather(1)
    parts = [whole.isel(time=slice(6 * k, 6 * k + 6)) for k in range(4)]
    np.testing.assert_array_equal(daily_coarse([parts[k] for k in order], BOX), daily_coarse(whole, BOX))
    with tempfile.TemporaryDirectory() as folder:
        whole.to_zarr(Path(folder) / "a.zarr", zarr_format=3)
        opened = standardise(xr.open_zarr(Path(folder) / "a.zarr"))
        np.testing.assert_array_equal(daily_coarse(opened, BOX), daily_coarse(whole, BOX))


@pytest.mark.parametrize("told", ["flipped", "floats", "a wider block"])
def test_a_satellite_map_told_in_another_way_gives_the_same_tenths(told: str, tmp_path: Path) -> None:
    fine = DOMAIN.fine
    margin = 30 if told == "a wider block" else 5
    block = Grid(
        name="b", rows=fine.rows + 2 * margin, cols=fine.cols + 2 * margin, step=0.01, registration="cell",
        north=round(fine.north + margin / 100, 9), west=round(fine.west - margin / 100, 9),
    )  # fmt: skip
    tenths = np.random.default_rng(2).integers(20, 900, fine.shape).astype(np.uint16)
    tenths[:50, :70] = 65535
    raw = np.pad(tenths, margin, constant_values=65535)
    attrs = {"scale_factor": 0.1, "_FillValue": np.uint16(65535)}
    dataset = xr.Dataset({"PM2.5": (("lat", "lon"), raw, attrs)}, {"lat": block.lat, "lon": block.lon})
    if told == "flipped":
        dataset = dataset.isel(lat=slice(None, None, -1))
    if told == "floats":
        values = np.where(raw == 65535, np.nan, raw * 0.1).astype(np.float32)
        dataset = dataset.assign({"PM2.5": (("lat", "lon"), values, {"units": "ug/m3"})})
    dataset.to_netcdf(tmp_path / "GHAP_PM2.5_D1K_20220110_V1.nc")
    np.testing.assert_array_equal(
        read_ghap_day(tmp_path / "GHAP_PM2.5_D1K_20220110_V1.nc", DAY, fine), tenths
    )
