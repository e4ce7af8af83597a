"""Layouts of the composition products that no real sample shows whole, rebuilt from their documentation."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from cranpm.data.errors import NotThisProductError, TimeAxisError
from cranpm.data.mock_providers.cams import cams_file
from cranpm.data.mock_providers.files import plane
from cranpm.data.readers import cams
from cranpm.data.regrid.averaging import cell_means
from cranpm.domain import Grid

GRID = Grid(name="nodes", rows=9, cols=9, step=0.25, north=46.0, west=9.0, registration="node")
DAY = np.datetime64("2022-01-10")


def zipped(folder: Path, members: dict[str, xr.Dataset]) -> Path:
    path = folder / "download.nc"  # named as asked for, not as it is
    with zipfile.ZipFile(path, "w") as archive:
        for name, dataset in members.items():
            archive.writestr(name, bytes(dataset.to_netcdf(engine="h5netcdf")))
    return path


@pytest.mark.parametrize(("year", "first"), [(2019, 71.9), (2022, 71.95)])
def test_the_european_reanalysis_before_and_after_its_grid_changed(
    tmp_path: Path, year: int, first: float
) -> None:
    # whole tenths up to 2019, centres on x.x5 since 2020; fill -999; dimensions time, lat, lon
    lat, lon = first - 0.1 * np.arange(300), -24.95 + 0.1 * np.arange(400)
    times = np.arange(f"{year}-01-10T00", f"{year}-01-11T00", dtype="datetime64[h]").astype("datetime64[ns]")
    field = np.full((24, 300, 400), 14.0, np.float32)
    field[:, :100] = -999.0
    coords = {"time": times, "lat": lat, "lon": lon}
    member = xr.Dataset({"pm2p5": (("time", "lat", "lon"), field, {"units": "µg/m3"})}, coords)
    opened = cams.open_cams(zipped(tmp_path, {f"cams.eaq.vra.ENSa.pm2p5.l0.{year}-01.nc": member}))
    assert opened["pm2p5"].dims == ("time", "latitude", "longitude")
    assert int(opened["pm2p5"].isel(time=0).isnull().sum()) == 100 * 400
    assert opened["pm2p5"].max().item() == 14.0
    with pytest.raises(NotThisProductError, match="finer than 'nodes'; average them first"):
        cams.daily_coarse(opened, GRID)
    means = cell_means(
        opened["pm2p5"].mean("time").values, opened["latitude"].values, opened["longitude"].values, GRID
    )
    assert means == pytest.approx(14.0)


def test_eac4_in_the_new_layout_with_gases_on_the_lowest_level(tmp_path: Path) -> None:
    times = np.arange("2022-01-10T00", "2022-01-11T00", 3, dtype="datetime64[h]").astype("datetime64[ns]")
    lat, lon = np.arange(46.5, 42.0, -0.75), np.arange(8.25, 12.75, 0.75)
    shape = (8, lat.size, lon.size)
    slope = 1 + 0.01 * np.arange(lat.size)[:, None] + 0.02 * np.arange(lon.size)
    coords = {"valid_time": times, "latitude": lat, "longitude": lon}
    dims = ("valid_time", "latitude", "longitude")
    surface = {"pm2p5": (dims, np.full(shape, 9e-9) * slope, {"units": "kg m**-3"})}
    gas = (np.full(shape, 5e-8) * slope)[:, None]
    level = {"go3": ((dims[0], "model_level", *dims[1:]), gas, {"units": "kg kg**-1"})}
    path = zipped(
        tmp_path,
        {
            "data_sfc.nc": xr.Dataset(surface, coords),
            "data_mlev.nc": xr.Dataset(level, {**coords, "model_level": [60.0]}),
        },
    )
    weather = xr.Dataset(
        {
            "sp": (("time", *dims[1:]), np.full(shape, 90e3)),
            "t2m": (("time", *dims[1:]), np.full(shape, 280.0)),
        },
        {"time": times, "latitude": lat, "longitude": lon},
    )
    daily = cams.daily_coarse(cams.open_cams(path, weather=weather), GRID)
    assert list(daily["channel"].values) == ["pm2p5", "o3"]
    # at 46.5 N, 8.25 E the slope is 1; node 46 N, 9 E lies one column and two thirds of a row on: 1.02 + 0.00667
    factor = 1.02 + 0.01 * (0.5 / 0.75)
    density = 90e3 / (287.05 * 280.0)
    assert daily[0, 0, 0, 0].item() == pytest.approx(9.0 * factor, rel=1e-5)
    assert daily[0, 1, 0, 0].item() == pytest.approx(50.0 * factor * density, rel=1e-5)


def test_runs_and_steps_of_the_global_forecasts_become_times_and_single_runs(tmp_path: Path) -> None:
    request = {
        "date": ["2022-01-10/2022-01-12"],
        "time": ["00:00", "12:00"],
        "leadtime_hour": ["0", "3", "6", "9"],
        "variable": ["particulate_matter_2.5um"],
        "area": [46.4, 8.8, 43.6, 11.6],
    }
    (tmp_path / "near").write_bytes(cams_file(request))
    near = cams.open_cams(tmp_path / "near")
    assert near.sizes["time"] == 3 * 8, "every three hours, each once"
    far = request | {"time": ["00:00"], "leadtime_hour": [str(h) for h in range(24, 94, 3)]}
    (tmp_path / "far").write_bytes(cams_file(far))
    with pytest.raises(TimeAxisError, match="stands there twice"):
        cams.open_cams(tmp_path / "far")
    run = cams.open_cams_run(tmp_path / "far", DAY)
    assert run["time"].values[0] == np.datetime64("2022-01-11T00")
    assert run.sizes["time"] == 24
    expected = 12 * plane(np.array([44.0]), np.array([10.0]), float((DAY + 1).astype(int))).item()
    tomorrow = cams.daily_coarse(run, GRID, days=np.array([DAY + 1]))
    assert tomorrow.sel(latitude=44.0, longitude=10.0).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(TimeAxisError, match="expected a run of 2022-01-20"):
        cams.open_cams_run(tmp_path / "far", np.datetime64("2022-01-20"))


def test_a_month_of_one_kind_comes_as_a_bare_file(tmp_path: Path) -> None:
    request = {
        "date": ["2022-01-10/2022-01-10"],
        "time": ["00:00", "12:00"],
        "leadtime_hour": ["0", "3"],
        "variable": ["particulate_matter_2.5um"],
        "area": [46.4, 8.8, 43.6, 11.6],
    }
    with zipfile.ZipFile(io.BytesIO(cams_file(request))) as archive:
        (tmp_path / "bare.zip").write_bytes(archive.read("data_sfc.nc"))
    assert cams.open_cams(tmp_path / "bare.zip").sizes["time"] == 4
