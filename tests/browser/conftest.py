from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cranpm.model import CranPM

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
OUT = Path(__file__).parents[2] / "out" / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser; its absence is a failure in CI and a loud skip elsewhere."""
    executable = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if executable is None:
        message = "NO CHROMIUM: the page itself is untested. Install it: apt-get install -y chromium"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


class Tab(Page):
    """For type checkers: a page with the lists below."""

    problems: list[str]


@pytest.fixture
def tab(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page of 1280 x 720 that refuses to talk to anything but this machine; ``problems`` collects errors.

    Where a test fails, what it saw last lies under out/.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(60_000)
    context.set_default_navigation_timeout(90_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on(
        "console", lambda said: problems.append(f"console: {said.text}") if said.type == "error" else None
    )
    page.on("request", lambda request: _note_foreign(request.url, problems))
    page.problems = problems  # type: ignore[attr-defined]
    yield page
    if request.node.stash.get(_FAILED, False):
        _keep(page, f"failed_{request.node.name}")
    context.close()


def _note_foreign(url: str, problems: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "data:", "blob:")):
        problems.append(f"request to {url}")


@pytest.fixture(scope="session")
def page_tests(load_file: Callable[[str], ModuleType]) -> ModuleType:
    """How the page's own tests wait for the map and find places on it, for the other browser tests."""
    return load_file("tests/browser/test_page.py")


@pytest.fixture(scope="session")
def machine(
    load_file, scene: ModuleType, drawn: CranPM, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Variables of a machine with a small dataset and a checkpoint of random weights."""
    root = tmp_path_factory.mktemp("machine")
    scene.write_scene(root / "data" / "testbed", domain=scene.SMALL, days=4)
    scene.write_checkpoint(root / "checkpoints" / "random", drawn)
    return load_file("tests/dashboard/serving.py").variables(root)


@pytest.fixture(scope="session")
def dashboard(load_file, machine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the served page."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with load_file("tests/dashboard/serving.py").served(machine, log) as address:
        yield f"{address}/dashboard"


@pytest.fixture
def screenshot(tab: Page):
    """Keeps a picture of the page under out/, to be looked at."""

    return partial(_keep, tab)


def _keep(tab: Page, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=OUT / f"{name}.png")
