"""A person opens JupyterLab, runs the first notebook and sees the map."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
NOTEBOOK = os.environ.get("CRANPM_SHOW_NOTEBOOK", "00_first_forecast")
"""Which notebook to run; others than the first are run by hand, to look at their pictures."""


@pytest.fixture
def jupyterlab(machine: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Address of JupyterLab over a copy of the notebooks, so that running them changes no file of the repository."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
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


def test_a_person_runs_the_first_notebook_and_sees_the_map(tab: Page, jupyterlab: str, screenshot):
    tab.set_viewport_size({"width": 1200, "height": 3200})  # cells out of view are not drawn
    tab.goto(f"{jupyterlab}/lab/tree/notebooks/{NOTEBOOK}.ipynb?reset")
    tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    last = tab.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").last
    deadline = time.monotonic() + 300
    while "[*]" in last.inner_text() or last.inner_text().strip() == "[ ]:":
        if time.monotonic() > deadline:
            screenshot("jupyterlab_unfinished")
            pytest.fail("The notebook did not finish; see out/screenshots/jupyterlab_unfinished.png.")
        tab.wait_for_timeout(300)
    assert (
        tab.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'] .ansi-red-fg"
        ).count()
        == 0
    )
    tab.locator(".bk-Canvas").last.wait_for()
    tab.wait_for_timeout(1000)
    screenshot(f"jupyterlab_{NOTEBOOK}")
    assert tab.locator(".bk-Canvas").count() >= 2  # the whole map, and its change
    assert [p for p in tab.problems if p.startswith("request")] == []  # type: ignore[attr-defined]
