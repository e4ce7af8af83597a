"""Two maps compared, as a person does it: drag the handle, read both values off, look at the difference, go back."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

INIT = 2
"""Day of the scene on which the link starts, 12 January."""

PLACE = (45.2, 9.9)


@pytest.fixture
def cells(tab: Page) -> dict[str, dict[str, Any]]:
    """The last answer about a cell, by field: what stands on the card is one of these."""
    answers: dict[str, dict[str, Any]] = {}

    def note(response: Any) -> None:
        if "/cell/" in response.url and response.ok:
            answers[response.url.split("/cell/")[1].split("?")[0]] = response.json()

    tab.on("response", note)
    return answers


def wait_for_other(tab: Page, page_tests: ModuleType, part: str) -> None:
    page_tests.wait_for_other(tab, part)
    tab.wait_for_timeout(300)


def handle_of(tab: Page) -> Locator:
    return tab.get_by_role("slider", name="Handle between map A")


def brightness(tab: Page, x: float, y: float) -> float:
    shot = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB")).astype(float)
    return float(shot[round(y) - 5 : round(y) + 6, round(x) + 22 : round(x) + 33].mean())


def drag_to(tab: Page, x: float, y: float) -> None:
    box = handle_of(tab).bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(x, y, steps=6)
    tab.mouse.up()
    tab.wait_for_timeout(300)


def test_the_handle_uncovers_one_map_or_the_other_and_the_link_keeps_it(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    """Milan is bright at 1 km and dark at the 0.25 degrees of CAMS."""
    tab.goto(
        f"{dashboard}?layer=today&compare=swipe&against=cams&region=po_valley&stations=0&init_time=2022-01-12"
    )
    page_tests.wait_for_picture(tab, "_today_")
    wait_for_other(tab, page_tests, "_cams_")
    x, y = page_tests.place_on_screen(tab, 45.4642, 9.19)
    drag_to(tab, x + 120, y)
    left = brightness(tab, x, y)
    screenshot("swipe")
    drag_to(tab, x - 120, y)
    right = brightness(tab, x, y)
    assert left > right + 25, (left, right)
    # by keys, while the day stays: the handle has the focus since it was dragged
    before = int(handle_of(tab).get_attribute("aria-valuenow") or "")
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    expect(handle_of(tab)).to_have_attribute("aria-valuenow", str(before + 8))
    tab.keyboard.press("Home")
    expect(handle_of(tab)).to_have_attribute("aria-valuenow", "0")
    link = page_tests.wait_for_url(tab, "swipe=0.000", "init_time=2022-01-12")
    tab.goto(link.replace("swipe=0.000", "swipe=0.250"))
    wait_for_other(tab, page_tests, "_cams_")
    expect(handle_of(tab)).to_have_attribute("aria-valuenow", "25")
    assert tab.problems == []  # type: ignore[attr-defined]


def quarter_of(tab: Page, page_tests: ModuleType) -> float:
    """How far each half is painted from where the whole figure would be [px]."""
    return float(page_tests.furniture(tab, "el => el.clientWidth / 4"))


def wait_for_halves(tab: Page, page_tests: ModuleType, *, on: bool) -> None:
    tab.wait_for_function(
        f"(on) => (({page_tests._FIND})('.cranpm-furniture')?.dataset.split !== undefined) === on", arg=on
    )


def read_at(tab: Page, page_tests: ModuleType, x: float, y: float) -> str:
    """What the card says of a point on the screen, once it says the same twice."""
    tab.mouse.move(x - 3, y)
    tab.mouse.move(x, y)
    tab.wait_for_function(f"() => ({page_tests._FIND})('.readout.on')")
    text, before = page_tests.furniture(tab, page_tests._WRITTEN), ""
    while text != before:
        tab.wait_for_timeout(500)
        text, before = page_tests.furniture(tab, page_tests._WRITTEN), text
    return text


def wait_until_at(tab: Page, page_tests: ModuleType, x: float, y: float) -> tuple[float, float]:
    """Where `PLACE` has come to lie on the map, once that is within 4 pixels of a point of the screen."""
    for _ in range(50):
        there: tuple[float, float] = page_tests.place_on_screen(tab, *PLACE)
        if there == pytest.approx((x, y), abs=4):
            break
        tab.wait_for_timeout(100)
    assert there == pytest.approx((x, y), abs=4)
    return there


def test_side_by_side_both_halves_show_one_place_move_together_and_are_read_together(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    """Milan is bright in the left half, at 1 km, and dark in the right one, at the 0.25 degrees of CAMS."""
    query = "layer=today&against=cams&region=po_valley&stations=0&init_time=2022-01-12"
    tab.goto(f"{dashboard}?{query}&compare=swipe")
    page_tests.wait_for_picture(tab, "_today_")
    wait_for_other(tab, page_tests, "_cams_")
    tab.get_by_role("button", name="Side by side").click()
    wait_for_halves(tab, page_tests, on=True)
    expect(handle_of(tab)).to_have_count(0)
    quarter = quarter_of(tab, page_tests)
    for _ in range(60):  # tiles of the new view come in
        x, y = page_tests.place_on_screen(tab, 45.4642, 9.19)
        left, right = brightness(tab, x - quarter, y), brightness(tab, x + quarter, y)
        if left > right + 25:
            break
        tab.wait_for_timeout(300)
    assert left > right + 25, (left, right)
    x, y = (round(part) for part in page_tests.place_on_screen(tab, *PLACE))
    texts = [read_at(tab, page_tests, x + side * quarter, y) for side in (-1, 1)]
    assert texts[0] == texts[1] and re.match(r"A\s*[\d.]+ µg/m³[\s\S]*B\s*[\d.]+ µg/m³", texts[0]), texts
    assert page_tests.furniture(tab, "el => el.querySelector('.twin').classList.contains('on')")
    screenshot("side_by_side")

    # a wheel in the right half keeps the place under the pointer, and so it does in the left
    tab.mouse.move(x + quarter, y)
    tab.mouse.wheel(0, -300)
    page_tests.wait_for_url(tab, "region=moved", "compare=side")
    there = wait_until_at(tab, page_tests, x, y)
    # a drag in the left half moves both, and may end in the right one
    tab.mouse.move(x - quarter, y)
    tab.mouse.down()
    tab.mouse.move(x - quarter + 300, y, steps=5)
    tab.mouse.up()
    wait_until_at(tab, page_tests, there[0] + 300, there[1])
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_narrow_window_has_a_handle_and_says_why(tab: Page, dashboard: str, page_tests: ModuleType):
    tab.set_viewport_size({"width": 860, "height": 760})
    query = "layer=today&against=cams&region=po_valley&stations=0&init_time=2022-01-12"
    tab.goto(f"{dashboard}?{query}&compare=side&dark=1")
    wait_for_other(tab, page_tests, "_cams_")
    expect(tab.get_by_text("Too narrow for two maps side by side")).to_be_visible()
    expect(handle_of(tab)).to_be_visible()
    tab.set_viewport_size({"width": 1280, "height": 760})
    wait_for_halves(tab, page_tests, on=True)
    expect(handle_of(tab)).to_have_count(0)
    expect(tab.get_by_text("Too narrow for two maps side by side")).to_be_hidden()
    # by keys: the map has the focus, both halves have a cross in their middle, the card reads both
    tab.get_by_role("application", name="Map of PM2.5").focus()
    tab.keyboard.press("ArrowUp")
    tab.wait_for_function(f"() => /A[\\s\\S]*B/.test(({page_tests._FIND})('.readout.on')?.innerText || '')")
    crosses = page_tests.furniture(
        tab, "el => [...el.querySelectorAll('.crosshair')].map((one) => one.offsetLeft / el.clientWidth)"
    )
    assert crosses == pytest.approx([0.25, 0.75], abs=0.03)


def test_the_pointer_reads_both_and_the_difference_is_b_minus_a(
    tab: Page, dashboard: str, page_tests: ModuleType, scene: ModuleType, cells: dict[str, dict[str, Any]]
):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=0&init_time=2022-01-12&lead_time=1")
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="Swipe").click()
    wait_for_other(
        tab, page_tests, "_target_2022-01-12_T1"
    )  # the first B: what the forecasts are held against
    tab.get_by_label("Layer of B").click()
    tab.get_by_text("Blurred persistence", exact=True).last.click()
    wait_for_other(tab, page_tests, "_blurred_")
    tab.get_by_label("Layer of B").click()
    tab.get_by_text("Target", exact=True).last.click()
    wait_for_other(tab, page_tests, "_target_2022-01-12_T1")
    text = page_tests.read_off(tab, *PLACE)
    a, b = (float(re.search(rf"{letter}\s*([\d.]+) µg/m³", text).group(1)) for letter in "AB")  # type: ignore[union-attr]
    cell = next(cell for name, cell in cells.items() if "_today_" in name)
    row, col = cell["row"], cell["col"]
    fields = [np.round(scene.pm2p5_of(INIT + day, scene.SMALL), 1)[row, col] for day in (0, 1)]
    assert (a, b) == pytest.approx(fields, abs=0.051)

    tab.get_by_role("button", name="Difference").click()
    page_tests.wait_for_picture(tab, "_difference_")
    page_tests.wait_for_text(tab, "Difference, B minus A")
    text = page_tests.read_off(tab, *PLACE)
    cell = next(cell for name, cell in cells.items() if "_difference_" in name)
    assert (cell["row"], cell["col"]) == (row, col)
    assert cell["value"] == pytest.approx(fields[1] - fields[0], abs=0.011)
    assert text.startswith(f"B − A+{cell['text']} µg/m³"), text

    tab.get_by_role("button", name="Off").click()
    page_tests.wait_for_picture(tab, "_today_")
    expect(handle_of(tab)).to_have_count(0)
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_hostile_comparison_shows_the_map_and_a_notice(tab: Page, dashboard: str, page_tests: ModuleType):
    tab.goto(
        f"{dashboard}?layer=today&compare=swipe&against=%3Cimg%20src=x%3E&against_checkpoint=nobodys&swipe=nan"
    )
    page_tests.wait_for_text(tab, "the default is used")
    page_tests.wait_for_text(tab, "There is no checkpoint")
    page_tests.wait_for_picture(tab, "_today_")
    expect(handle_of(tab)).to_have_attribute("aria-valuenow", "50")


def test_two_checkpoints_are_held_against_the_stations(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    """The second one's forecast is started by choosing it."""
    query = "layer=forecast&checkpoint=random&init_time=2022-01-11&region=po_valley&compare=difference"
    tab.goto(f"{dashboard}?{query}")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    page_tests.wait_for_text(tab, "A and B are the same map")
    tab.get_by_label("Checkpoint of B").click()
    tab.get_by_text("demo", exact=True).last.click()
    card = tab.locator(".cranpm-errors")
    page_tests.wait_for_url(tab, "against=&", "against_checkpoint=demo")
    tab.get_by_text("B: T+1 to T+3 ready").first.wait_for(timeout=200_000)
    card.get_by_text(re.compile(r"stations on 12 Jan 2022")).wait_for()
    number = int(re.search(r"over ([\d,]+) stations", card.inner_text()).group(1))  # type: ignore[union-attr]
    tab.wait_for_timeout(500)
    circles = tab.evaluate(
        """() => [...Bokeh.documents[0]._all_models.values()]
             .filter((m) => m.data && m.data.kind && m.data.colour).map((m) => [...m.data.kind])[0]"""
    )
    assert len(circles) == number > 20
    assert all("error of A" in text for text in circles)
    assert "nearer" in card.inner_text() or "No significant" in card.inner_text()
    screenshot("checkpoints_compared")
    assert tab.problems == []  # type: ignore[attr-defined]
