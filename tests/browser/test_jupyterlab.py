"""A person opens JupyterLab, runs the first notebook and sees the map; and zooms in a map of all cells."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from playwright.sync_api import Page

from cranpm.model import CranPM

ROOT = Path(__file__).parents[2]
NOTEBOOK = os.environ.get("CRANPM_SHOW_NOTEBOOK", "00_first_forecast")
"""Which notebook to run; others than the first are run by hand, to look at their pictures."""


@pytest.fixture
def jupyterlab(scene: ModuleType, drawn: CranPM, tmp_path: Path) -> Iterator[str]:
    """Address of JupyterLab over a copy of the notebooks, so that running them changes no file of the repository."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    scene.write_scene(
        tmp_path / "data" / "testbed", days=4
    )  # all of the Alps: the notebook maps the Po Valley
    scene.write_checkpoint(tmp_path / "checkpoints" / "demo", drawn)
    machine = {
        "CRANPM_DATA": str(tmp_path / "data"),
        "CRANPM_CHECKPOINTS": str(tmp_path / "checkpoints"),
        "CRANPM_RUNS": str(tmp_path / "runs"),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    environment = os.environ | ({} if "CRANPM_SHOW_NOTEBOOK" in os.environ else machine)
    environment |= {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "share"),
    }
    log = tmp_path / "jupyter.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=ROOT)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"JupyterLab ended early:\n{log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not answer:\n{log.read_text()[-2000:]}")


@pytest.mark.timeout(600)
def test_a_person_runs_the_first_notebook_and_sees_the_map(tab: Page, jupyterlab: str, screenshot):
    _run_all(tab, jupyterlab, NOTEBOOK, screenshot)
    tab.locator(".bk-Canvas").first.wait_for(state="attached")
    tab.wait_for_timeout(1000)
    screenshot(f"jupyterlab_{NOTEBOOK}")
    assert tab.locator(".bk-Canvas").count() >= 2  # the whole map, and its change
    _assert_nothing_foreign(tab)


IMAGES = """
() => (window.Bokeh?.documents ?? []).flatMap((document) => [...document._all_models.values()])
  .filter((model) => model.type === 'ColumnDataSource' && model.data?.image?.length && model.data.dw?.length)
  .map((model) => model.data.dw[0])
"""
"""Widths of the pictures that Bokeh holds [degrees]."""

VIEW = """
() => (window.Bokeh?.documents ?? []).flatMap((document) => [...document._all_models.values()])
  .filter((model) => model.type === 'Figure').map((model) => model.x_range.end - model.x_range.start)[0]
"""
"""Width of what is in view [degrees]."""


@pytest.mark.timeout(600)
def test_the_whole_map_is_drawn_anew_where_a_person_zooms_in(
    tab: Page, jupyterlab: str, tmp_path: Path, screenshot
):
    """The picture and the kernel behind it: what is drawn after the wheel comes from Python."""
    show = "cranpm.plot_map(data.pm2p5(data.days[1]), zoomable=True)"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"import cranpm\n\ndata = cranpm.open_dataset()\n{show}")],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )
    nbformat.write(notebook, tmp_path / "notebooks" / "zoom.ipynb")
    _run_all(tab, jupyterlab, "zoom", screenshot)
    tab.locator(".bk-Canvas").first.wait_for(state="attached")
    tab.wait_for_function(f"() => ({IMAGES})().length === 1", timeout=120_000)
    (whole,) = tab.evaluate(IMAGES)
    assert whole == pytest.approx(14, rel=0.02)  # the Alps: 14 degrees
    _wait_for_kernel(tab, jupyterlab)  # which answers where people zoom
    box = tab.locator(".bk-Canvas").first.bounding_box()
    assert box is not None
    for _ in range(60):
        if tab.evaluate(VIEW) < whole / 4:
            break
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.mouse.wheel(0, -240)
        tab.wait_for_timeout(300)
    screenshot("jupyterlab_zooming")
    assert tab.evaluate(VIEW) < whole / 4  # the browser's part; what follows is Python's
    tab.wait_for_function(f"() => ({IMAGES})()[0] < {whole / 3}", timeout=240_000)
    screenshot("jupyterlab_zoomed")
    _assert_nothing_foreign(tab)


def _run_all(tab: Page, address: str, notebook: str, screenshot) -> None:
    """Open a notebook, run all of it, and wait for its end."""
    tab.set_viewport_size({"width": 1200, "height": 3600})  # cells out of view are not drawn
    tab.goto(f"{address}/lab/tree/notebooks/{notebook}.ipynb?reset")
    tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=180_000)
    _wait_for_kernel(tab, address)  # run earlier, JupyterLab would ask which kernel to take
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    failed = tab.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")
    last = tab.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").last
    deadline = time.monotonic() + 400
    while not re.search(r"\[\d+\]", last.inner_text()):
        if failed.count() or time.monotonic() > deadline:
            screenshot("jupyterlab_unfinished")
            pytest.fail("The notebook did not finish; see out/screenshots/jupyterlab_unfinished.png.")
        tab.wait_for_timeout(500)


def _assert_nothing_foreign(tab: Page) -> None:
    # HoloViews draws through Panel, which links its style sheets; pictures stand without them, so no network is needed
    foreign = [p for p in tab.problems if p.startswith("request") and ".css" not in p]  # type: ignore[attr-defined]
    assert foreign == []


def _wait_for_kernel(tab: Page, address: str, seconds: float = 240.0) -> None:
    """Wait until the notebook is connected to a kernel that waits for work.

    While a kernel starts on a slow machine, the server may answer the question for its kernels with an error 500.
    """
    end, said = time.monotonic() + seconds, "nothing asked yet"
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/api/kernels", timeout=30) as answer:
                kernels = json.load(answer)
        except (OSError, ValueError) as error:
            said = str(error)
        else:
            if any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels):
                tab.wait_for_timeout(1000)
                return
            said = str(kernels)
        tab.wait_for_timeout(500)
    pytest.fail(f"The notebook got no kernel within {seconds:g} s: {said}")
