"""Numbers of an area as people get them: a box drawn with the pointer, a named region by keyboard, what is in view."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest
from playwright.sync_api import Page


def cells(tab: Page) -> int:
    """The number of cells that the statistics are of."""
    text = tab.get_by_text(re.compile(r"n = [\d,]+ cells")).first.inner_text()
    return int(re.sub(r"\D", "", text.split("cells")[0]))


def test_a_box_is_drawn_and_its_numbers_are_told(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=1&init_time=2022-01-11")
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="Draw a box").click()
    tab.wait_for_timeout(700)
    start, end = page_tests.place_on_screen(tab, 45.9, 8.6), page_tests.place_on_screen(tab, 45.1, 10.1)
    tab.mouse.move(*start)
    tab.mouse.down()
    for share in (0.25, 0.5, 0.75, 1.0):
        tab.mouse.move(*(a + share * (b - a) for a, b in zip(start, end)))
        tab.wait_for_timeout(60)
    tab.mouse.up()
    page_tests.wait_for_url(tab, "numbers=1", "box=8.")
    page_tests.wait_for_text(tab, "Drawn box")
    page_tests.wait_for_text(tab, "Share of the area above")
    # 0.8 by 1.5 degrees of 0.01, to a pixel or two
    assert abs(cells(tab) - 80 * 150) < 600
    west, south, east, north = (float(v) for v in tab.url.split("box=")[1].split("&")[0].split(","))
    assert [west, south, east, north] == pytest.approx([8.6, 45.1, 10.1, 45.9], abs=0.03)
    tab.wait_for_timeout(500)
    screenshot("area_statistics")
    tab.get_by_role("tab", name="Scores").click()
    page_tests.wait_for_text(tab, "Against the target: n =")
    page_tests.wait_for_text(tab, "Against stations: n =")
    tab.wait_for_timeout(400)
    screenshot("area_scores")
    tab.get_by_role("tab", name="Six regions").click()
    # the scene is smaller than any of them
    page_tests.wait_for_text(tab, "None of the six regions lies in this dataset")
    # the map moves again, and the box is let go
    tab.mouse.move(*end)
    tab.mouse.down()
    tab.mouse.move(end[0] - 60, end[1] - 40, steps=4)
    tab.mouse.up()
    page_tests.wait_for_url(tab, "region=moved")
    tab.get_by_role("button", name="Remove the box").click()
    page_tests.wait_for_url(tab, "box=&")
    page_tests.wait_for_text(tab, "In view")
    assert tab.problems == []  # type: ignore[attr-defined]


def test_numbers_of_what_is_in_view_by_keyboard_follow_the_view(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.goto(f"{dashboard}?layer=today&stations=0&init_time=2022-01-11")
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="Statistics").focus()
    tab.keyboard.press("Enter")
    page_tests.wait_for_text(tab, "In view")
    tab.get_by_text(re.compile(r"n = [\d,]+ cells")).first.wait_for()
    before = cells(tab)
    page_tests.furniture(tab, "el => el.focus() || ''")
    for _ in range(2):
        tab.keyboard.press("+")
        tab.wait_for_timeout(600)
    for _ in range(50):
        if cells(tab) < before / 4:
            break
        tab.wait_for_timeout(200)
    assert cells(tab) < before / 4
    assert tab.problems == []  # type: ignore[attr-defined]
