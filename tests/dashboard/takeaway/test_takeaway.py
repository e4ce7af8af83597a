"""Files of a view hold the values of the map, where they are, and where they come from."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cranpm.dashboard.data.fields import FieldUnavailableError
from cranpm.dashboard.data.forecasts import Forecasts
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State
from cranpm.dashboard.takeaway.crop import crop_dataset, geotiff_bytes, netcdf_bytes
from cranpm.dashboard.takeaway.picture import map_png
from cranpm.dashboard.takeaway.report import report_html
from cranpm.dashboard.takeaway.tables import series_csv, stations_csv
from cranpm.dashboard.takeaway.view import View
from PIL import Image

from cranpm.domain import get_domain

INIT = dt.date(2022, 1, 11)
BOX = (8.0, 44.0, 10.5, 48.0)  # 400 x 250 cells, with sea and a gap
GRID = get_domain("alps").fine


@pytest.fixture
def view_of(store: Store) -> Any:
    """``view_of(layer="today", ...)``: a view through its link, as the server gets it."""

    def view(run: Any = None, **changes: Any) -> View:
        state = State(
            dataset="testbed", init_time=INIT, lead_time=1, **({"box": BOX, "layer": "today"} | changes)
        )
        query = dict(part.split("=", 1) for part in state.to_query().split("&"))
        found = View.of_query(store, {key: value.replace("%40", "@") for key, value in query.items()})
        return View(store=store, state=found.state, dataset=found.dataset, run=run)

    return view


def expected(store: Store, day: str) -> np.ndarray:
    field = store.dataset("testbed").pm2p5(day)
    return field.sel(latitude=slice(48, 44), longitude=slice(8, 10.5)).to_numpy()


def test_a_netcdf_crop_is_the_map_and_follows_cf(view_of: Any, store: Store, tmp_path: Path):
    path = tmp_path / "crop.nc"
    path.write_bytes(netcdf_bytes(view_of(layer="target")))
    with xr.open_dataset(path, engine="h5netcdf") as crop:
        assert crop["pm2p5"].dims == ("time", "latitude", "longitude")
        np.testing.assert_array_equal(crop["pm2p5"].to_numpy()[0], expected(store, "2022-01-12"))
        assert np.isnan(crop["pm2p5"]).sum() > 0
        assert str(crop["time"].values[0])[:10] == "2022-01-12"
        assert str(crop["forecast_reference_time"].values)[:10] == "2022-01-11"
        assert crop.attrs["source"] == "testbed (simulated)"
        assert crop.attrs["simulated"] == 1
        assert crop.attrs["Conventions"] == "CF-1.11"
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as raw:
        refuse_what_cf_forbids(raw)


def test_no_scheduler_is_asked_for_a_lock(view_of: Any, monkeypatch: pytest.MonkeyPatch):
    """The server has a Dask client of its own loop; a lock of it is not to be had from another thread."""
    import dask.base
    from xarray.backends import locks

    class Client:
        def get(self, *_: Any, **__: Any) -> None:
            raise AssertionError("nothing is computed by it")

    usual = dask.base.get_scheduler
    monkeypatch.setattr(dask.base, "get_scheduler", lambda *a, **k: usual(*a, **k) or Client().get)
    monkeypatch.setattr("dask.distributed.Client", Client)
    assert locks.get_dask_scheduler() == "distributed"  # what xarray would take
    monkeypatch.setattr(locks, "_get_lock_maker", lambda name: _refuse if name == "distributed" else _plain)
    assert len(netcdf_bytes(view_of())) > 1000


def _plain(_name: str) -> Any:
    import threading

    return threading.Lock()


def _refuse(_name: str) -> Any:
    raise AssertionError("a lock of the scheduler was asked for")


@pytest.mark.parametrize("layer", ["today", "input.elevation", "input.q_500.change", "cams"])
def test_every_kind_of_layer_is_written(view_of: Any, layer: str, tmp_path: Path):
    (tmp_path / "crop.nc").write_bytes(netcdf_bytes(view_of(layer=layer)))
    with xr.open_dataset(tmp_path / "crop.nc", engine="h5netcdf", decode_cf=False) as raw:
        refuse_what_cf_forbids(raw)


def refuse_what_cf_forbids(raw: xr.Dataset) -> None:
    """The rules of CF 1.11 that a crop could break: chapters 2.4, 3.1, 3.3, 4, 5.6, 7.1, 7.3."""
    bounds = {array.attrs["bounds"] for array in raw.variables.values() if "bounds" in array.attrs}
    for name, array in raw.variables.items():
        assert name in bounds or name == "crs" or array.attrs.get("units"), f"{name} has no units (3.1)"
        if name in bounds:
            assert not {"axis", "standard_name"} & set(array.attrs), (
                f"{name}: attributes of its coordinate (7.1)"
            )
        assert str(name).isidentifier(), f"{name} (2.3)"
    for name in ("latitude", "longitude", "time"):
        assert "_FillValue" not in raw[name].attrs, f"{name}: a coordinate has no missing value (2.5.1)"
        steps = np.diff(raw[name].to_numpy())
        assert (steps > 0).all() or (steps < 0).all(), f"{name} is not monotonic (5)"
    assert raw["latitude"].attrs["units"] == "degrees_north"
    assert raw["longitude"].attrs["units"] == "degrees_east"
    assert raw["time"].attrs["calendar"] == "proleptic_gregorian"
    field = next(array for array in raw.data_vars.values() if array.ndim == 3)
    assert raw[field.attrs["grid_mapping"]].attrs["grid_mapping_name"] == "latitude_longitude"
    assert field.attrs["_FillValue"].dtype == field.dtype
    lower, upper = raw[raw["time"].attrs["bounds"]].to_numpy()[0]
    assert lower <= raw["time"].to_numpy()[0] < upper


def test_layers_have_their_own_names_and_units(view_of: Any, fake_run: ModuleType):
    wind = crop_dataset(view_of(layer="input.u10.t"))
    assert wind["u10"].attrs["units"] == "m s-1"
    assert wind["u10"].shape == (1, 17, 11)
    assert float(wind["u10"].mean()) == pytest.approx(4.0)
    run = forecast(fake_run)
    change = crop_dataset(view_of(run, layer="change"))
    assert "standard_name" not in change["pm2p5_change"].attrs
    assert change.attrs["checkpoint_sha256"] == "c0ffee"
    assert change.attrs["precision"] == "float32"
    assert float(crop_dataset(view_of(run, layer="forecast"))["pm2p5"].max()) == 10.0


def forecast(fake_run: ModuleType) -> Any:
    """A finished run of 10 ug/m3 everywhere."""
    from types import SimpleNamespace

    run = fake_run.FakeRun()
    run.finish_tiles(9)
    run.become("done", precision="float32")
    run.request = SimpleNamespace(checkpoint_hash="c0ffee")
    return run


def test_a_geotiff_lies_where_the_cells_are(view_of: Any, store: Store):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.MemoryFile(geotiff_bytes(view_of())) as memory, memory.open() as file:
        assert file.crs.to_epsg() == 4326
        assert np.isnan(file.nodata)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.tags()["source"] == "testbed (simulated)"
        np.testing.assert_array_equal(file.read(1), expected(store, "2022-01-11"))
        # the cell that holds Milan, by the file's own georeference
        row, col = file.index(9.19, 45.4642)
        at = GRID.index_of(45.4642, 9.19)
        assert file.read(1)[row, col] == np.float32(store.dataset("testbed").pm2p5("2022-01-11")[at])
        assert file.descriptions == ("pm2p5 [ug m-3]",)


def test_a_picture_is_coloured_like_the_map(view_of: Any):
    shot = np.asarray(Image.open(io.BytesIO(map_png(view_of()))).convert("RGB")).astype(int)
    assert 1000 < max(shot.shape) < 2000
    yellow = (shot[..., 0] > 180) & (shot[..., 1] > 190) & (shot[..., 2] < 90)  # viridis' upper end, at Milan
    assert yellow.sum() > 1000
    classes = map_png(view_of(scale="eaqi", stations=False))
    assert len(classes) > 10_000
    png = Image.open(io.BytesIO(classes))
    assert png.text["Source"] == "testbed (simulated)"


def test_series_and_stations_are_read_back_by_pandas(view_of: Any, scene: ModuleType, fake_run: ModuleType):
    text = series_csv(view_of(forecast(fake_run), place=scene.MILAN))
    assert text.startswith("# PM2.5 of the cell at 45.4642 N 9.1900 E")
    assert "# source: testbed (simulated)\n" in text
    table = pd.read_csv(io.StringIO(text), comment="#").set_index("time")
    assert table.loc["2022-01-12", "forecast"] == 10.0
    assert table.loc["2022-01-13", "forecast"] == 20.0
    assert np.isnan(table.loc["2022-01-10", "forecast"])
    stations = pd.read_csv(io.StringIO(stations_csv(view_of())), comment="#")
    assert {"station_id", "observed", "shown", "difference"} <= set(stations)
    milan = stations.set_index("station_id").loc["TB000"]
    assert milan["shown"] - milan["observed"] == pytest.approx(milan["difference"], abs=2e-3)
    with pytest.raises(FieldUnavailableError, match="Pick a place first"):
        series_csv(view_of())


def test_names_are_no_formulas(view_of: Any, store: Store, monkeypatch: pytest.MonkeyPatch):
    table = store.stations("testbed").copy()
    table.loc[1, "name"] = "=HYPERLINK(1)"
    monkeypatch.setattr(store, "stations", lambda name: table)
    assert "'=HYPERLINK(1)" in stations_csv(view_of())


def test_a_report_is_one_page_of_text(view_of: Any, store: Store, scene: ModuleType, fake_run: ModuleType):
    view = view_of(forecast(fake_run), place=scene.MILAN, layer="forecast", box=None)
    page = report_html(view, Forecasts(store, watcher="test"))
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;Milano" in page
    assert "testbed (simulated)" in page
    assert "checkpoint sha256: c0ffee" in page
    assert "Terrain and representativeness" in page
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")  # nothing is loaded from elsewhere
    with pytest.raises(FieldUnavailableError, match="Pick a place first"):
        report_html(view_of(), Forecasts(store, watcher="test"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"dataset": "testbed", "init_time": "1999-01-01"}, "1999-01-01 is not in this dataset"),
        ({"dataset": "testbed", "init_time": "2022-01-11", "layer": "../etc"}, "cannot be “../etc”"),
        ({"dataset": "nothing", "init_time": "2022-01-11"}, "no dataset “nothing”"),
    ],
)
def test_a_link_that_cannot_be_is_refused(store: Store, query: dict[str, str], said: str):
    with pytest.raises(FieldUnavailableError, match=said):
        View.of_query(store, query)


def test_what_is_not_there_is_said(view_of: Any):
    with pytest.raises(FieldUnavailableError, match="No forecast has been run"):
        netcdf_bytes(view_of(layer="forecast"))
    with pytest.raises(FieldUnavailableError, match="No cell has its centre in this area"):
        netcdf_bytes(view_of(box=(-60.0, 20.0, -50.0, 30.0)))
