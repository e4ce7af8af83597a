"""What a person has who installs the wheel: every command works there, outside the checkout and without the network."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import cranpm

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DAYS = ("--days", "3", "--start", "2022-01-09")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def environment_module(load_file) -> Any:
    return load_file("tests/wheel/environment.py")


@pytest.fixture(scope="module")
def wheel(environment_module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_module.build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(environment_module, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As after ``pip install cranpm-explorer``, without any extra."""
    environment = environment_module.Environment(tmp_path_factory.mktemp("installed"), wheel)
    environment.add(PROJECT["dependencies"])
    return environment


@pytest.fixture(scope="module")
def testbed(installed) -> subprocess.CompletedProcess[str]:
    """Three simulated days of a small domain, built there."""
    return installed.run("testbed", "build", *DAYS, "--domain", "alps")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    about = f"cranpm_explorer-{cranpm.__version__}.dist-info/"
    assert not {name for name in names if not name.startswith(("cranpm/", about))}
    for folder, place in (("cranpm", "cranpm"), ("dashboard", "cranpm/dashboard")):
        ours = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")}
        below = {name.removeprefix(f"{place}/") for name in names if name.startswith(f"{place}/")}
        held = {name for name in below if name.endswith(".py") and not name.startswith("dashboard/")}
        assert held == ours, "also: nothing of an earlier build"
    assert names >= {
        "cranpm/py.typed",
        "cranpm/assets/data_manifest.yaml",
        "cranpm/assets/domains/india.yaml",
        "cranpm/assets/checkpoints/demo/model.safetensors",
        "cranpm/dashboard/static/map/start.js",
    }


def test_info_and_the_list_of_sources(installed) -> None:
    result = installed.run("info", "--json")
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["version"] == cranpm.__version__ and facts["datasets"] == []
    assert [checkpoint["name"] for checkpoint in facts["checkpoints"]] == ["demo"]
    sources = installed.run("data", "list")
    assert sources.returncode == 0 and "era5-single-levels" in sources.stdout, sources.stderr


def test_days_are_simulated_and_forecast_there(installed, testbed) -> None:
    assert testbed.returncode == 0, testbed.stderr
    said = installed.run("doctor")
    assert said.returncode == 0, said.stdout
    assert "testbed (simulated): 3 days, 2022-01-09 to 2022-01-11" in said.stdout
    assert "pip install 'cranpm-explorer[dashboard]'" in said.stdout, (
        "the extra that is missing, and how to get it"
    )
    done = installed.run(
        "forecast", "--init", "2022-01-10", "--lead", "1", "--data", "testbed", "--out", "tomorrow.nc"
    )
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(installed.work / "tomorrow.nc") as maps:
        values = maps["pm2p5"].values
        assert maps.attrs["simulated"] == 1 and values.shape == (
            1,
            1392,
            1392,
        )  # 56 x 25 cells, whole patches of 16
        assert (
            1 < np.nanmean(values) < 100
        )  # ug m-3; a network that did not load would be far away or all NaN
        assert np.isnan(values).any(), "the sea has no value"


def test_the_dashboard_asks_for_its_extra_and_is_then_served_and_stopped(installed, testbed) -> None:
    result = installed.run("dashboard", "--no-show")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "The dashboard needs panel" in result.stderr
    assert "pip install 'cranpm-explorer[dashboard]'" in result.stderr
    installed.add(PROJECT["optional-dependencies"]["dashboard"])
    with served(installed) as (address, log):
        page = _get(f"{address}/dashboard")
        assert "<title>CRAN-PM Explorer</title>" in page
        assert len(json.loads(_get(f"{address}/outline/coast/0.json"))["xs"]) > 50
        said = log.read_text()  # while it serves: a worker that is stopped as it starts complains
        assert "could not be built" not in said and "Traceback" not in said, said


def test_nothing_came_from_the_checkout(installed, testbed) -> None:
    """After all the commands above; and the recorder that says so sees an import from the checkout."""
    place, page = installed.ask(
        "import cranpm, cranpm.dashboard as d; print(cranpm.__file__, d.__file__)"
    ).split()
    assert Path(place).is_relative_to(installed.packages) and Path(page).is_relative_to(installed.packages)
    assert installed.opened_in_the_checkout == []
    assert str(ROOT) in installed.ask("import cranpm; print(cranpm.__file__)", PYTHONPATH=str(ROOT))
    assert any("cranpm" in path for path in installed.opened_in_the_checkout)


@contextlib.contextmanager
def served(installed: Any, seconds: float = 120) -> Iterator[tuple[str, Path]]:
    """Address and log of ``cranpm dashboard``; it must go when it is asked to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = installed.work / "dashboard.log"
    command = [str(installed.scripts / "cranpm"), "dashboard", "--no-show", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=installed.work, env=installed.variables(), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", log
        process.terminate()  # not Ctrl-C's signal: a shell's background jobs, and all they start, ignore that one
        process.wait(60)
    finally:
        process.kill()


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=120) as answer:
        return str(answer.read().decode())
