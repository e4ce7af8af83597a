"""The page in a real browser: the map appears, answers, fills in, and its link restores it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page

_FIND = """
(selector) => {
  const walk = (root) => {
    for (const el of root.querySelectorAll('*')) {
      if (el.matches(selector)) return el
      if (el.shadowRoot) { const found = walk(el.shadowRoot); if (found) return found }
    }
  }
  return walk(document)
}
"""

MAP_IS_THERE = f"() => ({_FIND})('.cranpm-furniture') !== undefined"
"""Whether the map has begun, its pictures aside."""

_WRITTEN = "el => el.querySelector('.readout').innerText"
"""What stands beside the pointer."""


def furniture(tab: Page, expression: str = "el => el.dataset.complete || ''") -> Any:
    """Something of the map's own element, which lies in shadow roots."""
    return tab.evaluate(
        f"() => {{ const el = ({_FIND})('.cranpm-furniture'); return el ? ({expression})(el) : '' }}"
    )


def wait_for_picture(tab: Page, part: str, seconds: float = 60.0) -> str:
    """Wait until a picture whose address holds ``part`` is complete on the map; returns its address."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        address = furniture(tab)
        if part in address:
            tab.wait_for_timeout(400)
            return address
        tab.wait_for_timeout(100)
    pytest.fail(
        f"No picture with {part!r} within {seconds:g} s; on the map: {furniture(tab)!r}; {tab.problems}"
    )  # type: ignore[attr-defined]


def wait_for_other(tab: Page, part: str, seconds: float = 60.0) -> None:
    """Wait until a second map whose address holds ``part`` is complete."""
    tab.wait_for_function(
        f"(part) => (({_FIND})('.cranpm-furniture')?.dataset.otherComplete || '').includes(part)",
        arg=part,
        timeout=1000 * seconds,
    )


def wait_for_text(tab: Page, text: str, seconds: float = 60.0) -> None:
    tab.get_by_text(text).first.wait_for(state="visible", timeout=1000 * seconds)


def wait_for_url(tab: Page, *parts: str, seconds: float = 20.0) -> str:
    """Wait until the page's link holds all parts."""
    tab.wait_for_url(
        lambda url: all(part in url for part in parts), timeout=1000 * seconds, wait_until="commit"
    )
    return tab.url


def place_on_screen(tab: Page, lat: float, lon: float) -> tuple[float, float]:
    """Screen position of a place."""
    return tuple(
        tab.evaluate(
            f"""([lat, lon]) => {{
              const R = 6378137, x = R * lon * Math.PI / 180, y = R * Math.asinh(Math.tan(lat * Math.PI / 180))
              const models = [...Bokeh.documents[0]._all_models.values()]
              const fig = models.find((m) => m.tags && m.tags.includes('cranpm-map'))
              const box = ({_FIND})('.cranpm-furniture').getBoundingClientRect()
              return [box.left + (x - fig.x_range.start) / (fig.x_range.end - fig.x_range.start) * box.width,
                      box.bottom - (y - fig.y_range.start) / (fig.y_range.end - fig.y_range.start) * box.height]
            }}""",
            [lat, lon],
        )
    )


@pytest.fixture
def today(tab: Page, dashboard: str) -> Page:
    """The map of the init day, loaded."""
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=0")
    wait_for_picture(tab, "_today_")
    return tab


def worker_of(server: psutil.Process, seconds: float = 90.0) -> psutil.Process:
    """The process that forecasts for a server; it is started ahead of the first forecast."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any("spawn_main" in word for word in child.cmdline()):
                    return child
        time.sleep(0.02)
    pytest.fail("The server started no worker")


def test_a_forecast_can_be_cancelled(
    tab: Page, load_file: Callable[[str], ModuleType], machine: dict[str, str], tmp_path: Path
):
    """On a server of its own, whose worker pauses until the button is pressed: a fast one would be done before."""
    serving = load_file("tests/dashboard/serving.py")
    dashboard = serving.Dashboard(machine | {"CRANPM_RUNS": str(tmp_path / "runs")}, tmp_path / "log.txt")
    with serving.running(dashboard):
        tab.goto(
            f"{dashboard.address}/dashboard?layer=forecast&checkpoint=random&init_time=2022-01-11",
            wait_until="commit",
        )
        worker = worker_of(psutil.Process(dashboard.pid))
        worker.suspend()
        try:
            tab.get_by_role("button", name="Cancel").first.click()
        finally:
            worker.resume()
        wait_for_text(tab, "Cancelled after", 150)
        assert tab.problems == []  # type: ignore[attr-defined]


def test_the_map_shows_the_field_in_its_colours(today: Page, screenshot):
    """At Milan the field is above 40 ug/m3 and falls off around it: light in the middle, darker outside."""
    wait_for_text(today, "testbed (simulated)")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        centre = [round(v) for v in place_on_screen(today, 45.4642, 9.19)]
        edge = [round(v) for v in place_on_screen(today, 46.3, 11.5)]
        shot = np.asarray(Image.open(io.BytesIO(today.screenshot())).convert("RGB")).astype(int)
        bright, dark = (shot[y - 6 : y + 7, x + 25 : x + 38].mean(axis=(0, 1)) for x, y in (centre, edge))
        # viridis: green and red grow with the value
        if bright[0] > dark[0] + 30 and bright[1] > dark[1] + 20:
            break
        today.wait_for_timeout(300)
    else:
        pytest.fail(f"Milan {bright}, far away {dark}")
    screenshot("map_po_valley")
    assert today.problems == []  # type: ignore[attr-defined]


def test_wheel_zoom_brings_new_tiles_and_the_link_follows(today: Page):
    asked: list[str] = []
    today.on("request", lambda request: asked.append(request.url) if "/tiles/" in request.url else None)
    x, y = place_on_screen(today, 45.4642, 9.19)
    today.mouse.move(x, y)
    for _ in range(4):
        today.mouse.wheel(0, -300)
        today.wait_for_timeout(150)
    wait_for_url(today, "region=moved")
    today.wait_for_timeout(500)
    zooms = {int(url.split("?")[0].split("/")[-3]) for url in asked}
    assert max(zooms) >= 9


def read_off(tab: Page, lat: float, lon: float) -> str:
    """What is written beside the pointer over a place, once answers have stopped coming in."""
    x, y = place_on_screen(tab, lat, lon)
    tab.mouse.move(x - 3, y)
    tab.mouse.move(x, y)
    tab.wait_for_timeout(800)
    tab.wait_for_function(f"() => ({_FIND})('.readout.on')")
    text, before = furniture(tab, _WRITTEN), ""
    while text != before:
        tab.wait_for_timeout(400)
        text, before = furniture(tab, _WRITTEN), text
    return text


def test_the_pointer_shows_the_exact_value(today: Page, scene: ModuleType):
    domain = scene.SMALL
    field = scene.pm2p5_of(2, domain)
    text = read_off(today, 45.2, 9.9)
    row, col = domain.fine.index_of(45.2, 9.9)
    near = field[row - 3 : row + 4, col - 3 : col + 4]
    value = float(text.split(" µg")[0].strip())
    assert near.min() - 0.1 <= value <= near.max() + 0.1
    assert "45.2" in text
    assert "m" in text


def test_a_forecast_runs_fills_in_and_says_where_it_looked(tab: Page, dashboard: str, screenshot):
    tab.goto(f"{dashboard}?layer=forecast&region=po_valley&checkpoint=random&stations=1")
    wait_for_text(tab, "testbed (simulated)")
    wait_for_text(tab, "T+1 to T+3 ready", 200)
    wait_for_picture(tab, "/10000")
    x, y = place_on_screen(tab, 45.1, 9.9)
    tab.mouse.click(x, y)
    wait_for_text(tab, "Time series")
    wait_for_text(tab, "CAMS-like forecast")
    tab.wait_for_timeout(800)
    screenshot("series")
    wait_for_url(tab, "place=45.")
    tab.get_by_text("Where does this place look?").first.click()
    wait_for_text(tab, "Attention is not source apportionment")
    tab.wait_for_timeout(1200)
    screenshot("attention")
    # the run is found again by a second page at once, at another lead time, through the link alone
    link = wait_for_url(tab, "lead_time=1").replace("lead_time=1", "lead_time=3")
    tab.goto(link)
    wait_for_picture(tab, "_T3_")
    wait_for_text(tab, "Time series")
    wait_for_text(tab, "T+1 to T+3 ready", 20)
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_map_whose_tiles_do_not_come_can_be_used_all_the_same(tab: Page, dashboard: str):
    """Nothing lies over it meanwhile that takes pointer and clicks."""
    tab.route("**/tiles/**", lambda route: None)  # asked for, never answered
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=0&init_time=2022-01-11")
    tab.wait_for_function(f"() => ({_FIND})('.cranpm-furniture')?.dataset.picture")
    assert "µg/m³" in read_off(tab, 45.2, 9.9)
    tab.mouse.click(*place_on_screen(tab, 45.2, 9.9))
    wait_for_text(tab, "Time series")
    wait_for_url(tab, "place=45.")


def test_a_map_under_way_is_seen_where_tiles_come_slowly(today: Page):
    """New versions several times a second, each slower to load than that: some are shown, at last the newest."""
    started = furniture(today)
    today.route("**/tiles/**", lambda route: (time.sleep(0.02), route.continue_()))
    today.evaluate(
        """([from]) => {
          const models = [...Bokeh.documents[0]._all_models.values()]
          const picture = models.find((m) => m.data && m.data.url && m.data.url[0] === from)
          let version = 0
          const timer = setInterval(() => {
            version += 1
            picture.data = {...picture.data, url: [from.replace(/^(tiles.[^/]+).[^/]+/, `$1/${version}`)]}
            if (version === 40) { window.versions_end = true; clearInterval(timer) }
          }, 200)
        }""",
        [started],
    )
    shown = set()
    while not today.evaluate("() => window.versions_end === true"):
        shown.add(furniture(today, "el => el.dataset.picture"))
        today.wait_for_timeout(50)
    assert len(shown - {started}) >= 2
    wait_for_picture(today, "/40/", 20)
    today.unroute("**/tiles/**")
    assert today.problems == []  # type: ignore[attr-defined]


def test_a_link_restores_the_view(tab: Page, dashboard: str):
    query = "layer=target&lead_time=1&init_time=2022-01-11&scale=eaqi"
    query += "&extent=8.000,44.800,11.000,46.200&place=45.4642,9.1900"
    tab.goto(f"{dashboard}?{query}&stations=0")
    wait_for_picture(tab, "scale=eaqi")
    wait_for_text(tab, "valid Wednesday 12 January 2022")
    wait_for_text(tab, "Time series")
    tab.wait_for_timeout(900)
    url = wait_for_url(tab, "extent=", "dataset=testbed")
    west, south, east, north = (float(v) for v in url.split("extent=")[1].split("&")[0].split(","))
    # the frame has another shape than the box and its size changed when the drawer opened: same scale, box inside
    assert west - 0.3 <= 8.0 + 3.0
    assert south < 45.4642 < north
    assert west < 9.19 < east


def test_a_hostile_link_shows_the_map_and_a_notice(tab: Page, dashboard: str):
    tab.goto(f"{dashboard}?layer=%3Cimg%20src=x%20onerror=alert(1)%3E&dataset=../../etc&extent=nan,1,2,3")
    wait_for_text(tab, "testbed (simulated)")
    wait_for_text(tab, "the default is used")
    assert tab.evaluate("() => document.querySelectorAll('img[src=x]').length") == 0
    assert not [p for p in tab.problems if "alert" in p]  # type: ignore[attr-defined]


def test_station_names_are_text(tab: Page, dashboard: str):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=1")
    wait_for_picture(tab, "_today_")
    x, y = place_on_screen(tab, 45.4642, 9.19)
    tab.mouse.move(x - 2, y)
    tab.mouse.move(x, y)
    tab.wait_for_function(f"() => ({_FIND})('.readout.on .station:not(:empty)')")
    text = furniture(tab, _WRITTEN)
    assert "<img src=x onerror=alert(1)>Milano" in text
    assert furniture(tab, "el => el.querySelectorAll('img').length") == 0


def test_dark_theme_and_keys(today: Page, screenshot):
    today.get_by_label("Toggle theme").click()
    wait_for_picture(today, "theme=dark")
    today.evaluate("() => document.activeElement.blur()")  # keys belong to a control that has the focus
    today.keyboard.press("ArrowLeft")
    wait_for_picture(today, "_today_2022-01-11_")
    today.keyboard.press("2")
    wait_for_text(today, "11 January 2022")
    today.wait_for_timeout(500)
    wait_for_url(today, "lead_time=2", "dark=1")
    screenshot("dark")
