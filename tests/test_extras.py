"""Packages that only some need: what is missing is said in one sentence, wherever it is met."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cranpm import extras
from cranpm.cli.app import app

GRIB = b"GRIB" + bytes(4) + b"\x02"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """``without("panel")``: as on a machine where these packages are not installed."""

    def remove(*modules: str) -> None:
        held = extras._is_installed
        monkeypatch.setattr(extras, "_is_installed", lambda name: not name.startswith(modules) and held(name))

    return remove


def test_a_missing_package_is_named_with_the_command_that_brings_it(without) -> None:
    without("cfgrib")
    expected = r"^Reading a\.grib needs cfgrib, which is not installed: pip install 'cranpm-explorer\[grib\]', or wait$"
    with pytest.raises(extras.MissingExtraError, match=expected):
        extras.load("cfgrib", "Reading a.grib", instead="wait")


def test_a_package_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("Cannot find the ecCodes library")

    monkeypatch.setattr(extras, "_is_installed", lambda name: True)
    monkeypatch.setattr(extras, "import_module", broken)
    with pytest.raises(
        extras.MissingExtraError, match=r"not usable \(Cannot find the ecCodes library\).*\[grib\]"
    ):
        extras.load("cfgrib", "Reading a.grib")


def test_what_is_there_is_imported() -> None:
    assert extras.load("nbformat", "The test") is importlib.import_module("nbformat")
    extras.require("notebooks", "The test")
    assert not extras._is_installed("no_such_package.below")


def test_reading_grib_without_its_library(without, tmp_path: Path) -> None:
    from cranpm.data.files.openers import open_lazily

    without("cfgrib")
    (tmp_path / "a.grib").write_bytes(GRIB)
    with pytest.raises(
        extras.MissingExtraError, match=r"Reading a\.grib needs cfgrib.*\[grib\].*or download NetCDF"
    ):
        open_lazily(tmp_path / "a.grib")


def test_reading_geotiff_without_its_library(without, tmp_path: Path) -> None:
    from cranpm.data.readers.elevation import read_elevation
    from cranpm.domain import get_domain

    without("rioxarray")
    (tmp_path / "a.tif").write_bytes(b"II*\x00" + bytes(4))
    expected = r"Reading a\.tif needs rioxarray.*\[data\].*or use ETOPO"
    with pytest.raises(extras.MissingExtraError, match=expected):
        read_elevation([tmp_path / "a.tif"], get_domain("alps").fine)


def test_fetching_without_the_stores_client_ends_with_a_line(without, tmp_path: Path) -> None:
    without("ecmwf")
    period = ["--start", "2022-01-10", "--end", "2022-01-10", "--raw", str(tmp_path)]
    result = CliRunner().invoke(app, ["data", "fetch", "era5-single-levels", *period, "--yes"])
    said = " ".join(result.output.split())
    assert result.exit_code == 2 and "Traceback" not in said
    assert "Fetching ERA5 and CAMS needs ecmwf.datastores, which is not installed: pip install" in said
    assert "'cranpm-explorer[data]'" in said


def test_drawing_without_the_dashboards_packages() -> None:
    code = """if True:
        from cranpm import extras
        extras._is_installed = lambda name: name != "holoviews"
        import cranpm.plot.style"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.splitlines()[-1] == (
        "cranpm.extras.MissingExtraError: Drawing with cranpm.plot needs holoviews, which is not installed: "
        "pip install 'cranpm-explorer[dashboard]'"
    )


def test_the_doctor_tells_which_extras_are_missing(
    without, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path))
    without("rioxarray")
    said = " ".join(CliRunner().invoke(app, ["doctor"]).output.split())
    assert "optional downloads of ERA5 and CAMS, GeoTIFF elevation: not installed: rioxarray" in said
    assert "mend with: pip install 'cranpm-explorer[data]'" in said
    assert "ok reading GRIB files: installed" in said
