"""Taking a view away as people do: open the dialog, take the files, put the tiles' address into another program."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import ModuleType
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from playwright.sync_api import Page


def test_files_of_a_view_hold_what_it_shows(
    tab: Page,
    dashboard: str,
    page_tests: ModuleType,
    scene: ModuleType,
    screenshot: Callable[[str], None],
    tmp_path,
):
    query = (
        "layer=today&stations=1&init_time=2022-01-11&box=8.5,45.0,9.5,46.0&station=TB000&place=45.4642,9.1900"
    )
    tab.goto(f"{dashboard}?{query}")
    page_tests.wait_for_picture(tab, "_today_")
    page_tests.wait_for_text(tab, "all days held")
    tab.get_by_role("button", name="Link and code").click()
    page_tests.wait_for_text(tab, "Report of the place")
    tab.wait_for_timeout(600)
    screenshot("takeaway")

    def take(title: str) -> bytes:
        address = tab.get_by_role("link", name=title).get_attribute("href")
        assert address is not None
        answer = tab.request.get(urljoin(tab.url, address), timeout=60_000)
        assert answer.status == 200, answer.text()
        assert answer.headers["content-disposition"].startswith("attachment; filename=")
        return answer.body()

    path = tmp_path / "crop.nc"
    path.write_bytes(take("NetCDF"))
    field = scene.pm2p5_of(1, scene.SMALL)
    with xr.open_dataset(path, engine="h5netcdf") as crop:
        assert crop["pm2p5"].shape == (1, 100, 100)
        row, col = scene.SMALL.fine.index_of(*scene.MILAN)
        here = crop["pm2p5"].sel(latitude=scene.MILAN[0], longitude=scene.MILAN[1], method="nearest")
        assert float(here.squeeze()) == pytest.approx(float(field[row, col]), abs=0.051)
    picture = Image.open(io.BytesIO(take("Picture (PNG)")))
    assert min(picture.size) > 600
    (tmp_path / "map.png").write_bytes(take("Picture (PNG)"))
    assert take("GeoTIFF")[:2] in (b"II", b"MM")
    series = pd.read_csv(io.BytesIO(take("Series (CSV)")), comment="#")
    assert np.isfinite(series["observed"]).sum() >= 3
    stations = pd.read_csv(io.BytesIO(take("Stations (CSV)")), comment="#")
    assert len(stations) > 40
    page = take("Report of the place").decode()
    assert "&lt;img src=x" in page
    # the report opens by itself, and runs nothing
    report = tmp_path / "report.html"
    report.write_text(page)
    alone = tab.context.new_page()
    alone.set_content(page)
    alone.get_by_text("Terrain and representativeness").wait_for()
    assert alone.evaluate("() => [...document.images].every((one) => one.naturalWidth > 300)")
    alone.close()
    # tiles as QGIS asks for them
    address = tab.locator("pre.cranpm-code", has_text="{z}/{x}/{y}").inner_text()
    tile = tab.request.get(address.format(z=7, x=67, y=45))
    assert tile.status == 200
    assert Image.open(io.BytesIO(tile.body())).size == (256, 256)
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_says_why(tab: Page, dashboard: str):
    base = dashboard.removesuffix("/dashboard")
    answer = tab.request.get(f"{base}/take/map.nc?dataset=testbed&init_time=2022-01-11&layer=forecast")
    assert answer.status == 404
    assert "No forecast has been run" in answer.text()
    answer = tab.request.get(f"{base}/take/secrets?dataset=testbed")
    assert answer.status == 404
    answer = tab.request.get(f"{base}/take/map.nc?dataset=../../etc&init_time=2022-01-11")
    assert answer.status == 404
    assert "cannot be" in answer.text()
