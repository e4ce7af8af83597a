"""A page and its server: killed and started again, out of reach, full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page

NOTICE = ".cranpm-cut-off"
VIEW = "layer=today&init_time=2022-01-11&extent=8.000,44.800,11.000,46.200&place=45.4642,9.1900&stations=0"


@pytest.fixture
def server(load_file, machine: dict[str, str], tmp_path: Path) -> Iterator:
    """A server of this test's own."""
    serving = load_file("tests/dashboard/serving.py")
    with serving.running(serving.Dashboard(machine, tmp_path / "log.txt")) as dashboard:
        yield dashboard


@pytest.mark.parametrize(("dark", "width"), [(0, 1280), (1, 900)])
def test_after_a_kill_the_page_says_so_waits_and_shows_the_same_view_again(
    tab: Page, server, page_tests: ModuleType, screenshot, dark: int, width: int
):
    tab.set_viewport_size({"width": width, "height": 720})
    tab.goto(f"{server.address}/dashboard?{VIEW}&dark={dark}")
    page_tests.wait_for_picture(tab, "_today_2022-01-11_")
    page_tests.wait_for_text(tab, "Time series", 120)
    # the page writes its whole link when something changes; until then the address is what was opened
    tab.keyboard.press("2")
    page_tests.wait_for_url(tab, "lead_time=2", "region=moved")
    tab.keyboard.press("1")
    tab.wait_for_timeout(1000)  # until the view has settled and the link says so
    link = page_tests.wait_for_url(tab, "lead_time=1", "extent=", "place=45.4642,9.1900", f"dark={dark}")
    target = tab.get_by_role("button", name="Target")
    box = target.bounding_box()
    assert box is not None

    server.kill()
    tab.locator(NOTICE).wait_for(timeout=5_000)
    assert "cut off from its server" in tab.locator(NOTICE).inner_text()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("3")
    tab.wait_for_timeout(1500)
    pressed = tab.locator("button", has_text="Target").get_attribute("aria-pressed")
    assert pressed == "false"  # neither highlighted while the map is another's
    assert tab.url == link
    screenshot(f"cut_off_{'dark' if dark else 'light'}_{width}")

    server.start()
    tab.locator(NOTICE).wait_for(state="detached", timeout=60_000)
    page_tests.wait_for_picture(tab, "_today_2022-01-11_")
    page_tests.wait_for_text(tab, "Time series", 120)
    tab.wait_for_timeout(1000)
    back = page_tests.wait_for_url(tab, "extent=", "place=45.4642,9.1900", f"dark={dark}")
    assert _without_extent(back) == _without_extent(link)
    assert _extent(back) == pytest.approx(_extent(link), abs=0.02)
    tab.get_by_role("button", name="Target").click()
    page_tests.wait_for_picture(tab, "_target_")
    page_tests.wait_for_text(tab, "valid Wednesday 12 January 2022")


def _extent(link: str) -> list[float]:
    return [float(v) for v in link.split("extent=")[1].split("&")[0].split(",")]


def _without_extent(link: str) -> str:
    before, after = link.split("extent=")
    return before + after[after.index("&") :]


class Crowd:
    """Visitors that keep their pages open, in a loop of their own beside the browser's."""

    def __init__(self, load: ModuleType, address: str) -> None:
        self._load, self._address = load, address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.visitors: list = []

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def come(self) -> None:
        self.visitors.append(self.do(self._load.Visitor(self._address).open()))

    def go(self) -> None:
        self._loop.call_soon_threadsafe(self.visitors.pop().close)


def test_a_full_house_says_so_and_lets_the_next_in_by_itself(
    load_file, tab: Page, machine: dict[str, str], tmp_path: Path, page_tests: ModuleType, screenshot
):
    load = load_file("scripts/load_page.py")
    small = machine | {"CRANPM_MAX_PAGES": "2"}
    with load_file("tests/dashboard/serving.py").served(small, tmp_path / "log.txt") as address:
        crowd = Crowd(load, address)
        crowd.come()
        crowd.come()
        answer = tab.goto(f"{address}/dashboard?{VIEW}&dark=1")
        assert answer is not None and answer.status == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        tab.get_by_role("heading", name="All 2 pages are taken").wait_for()
        screenshot("full_dark_1280")
        tab.set_viewport_size({"width": 900, "height": 720})
        tab.goto(f"{address}/dashboard?{VIEW}&dark=0")
        screenshot("full_light_900")
        tab.wait_for_timeout(10_000)  # it has tried again and was refused again
        tab.get_by_role("heading", name="All 2 pages are taken").wait_for()
        assert crowd.do(crowd.visitors[0].tile(7, 66, 45)) < 30  # those inside go on
        crowd.go()
        tab.locator(".cranpm-badge").wait_for()
        page_tests.wait_for_picture(tab, "_today_2022-01-11_")
        assert "place=45.4642" in tab.url
        with pytest.raises(load.RefusedError):
            crowd.come()
        refused = [p for p in tab.problems if "503" not in p]  # type: ignore[attr-defined]
        assert refused == []
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
