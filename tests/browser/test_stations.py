"""Stations as people use them: click one and read its card, narrow them down, find one in the table by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from playwright.sync_api import Page


def test_a_click_on_a_station_opens_its_card(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=1&init_time=2022-01-11")
    page_tests.wait_for_picture(tab, "_today_")
    page_tests.wait_for_url(tab, "extent=7.")  # the view has come to rest
    tab.wait_for_timeout(800)
    x, y = page_tests.place_on_screen(tab, 45.4642, 9.19)
    tab.mouse.click(x + 3, y)
    page_tests.wait_for_url(tab, "station=TB000", "place=45.4642,9.1900")
    page_tests.wait_for_text(tab, "all days held (n = 3)")
    page_tests.wait_for_text(tab, "<img src=x onerror=alert(1)>Milano")
    page_tests.wait_for_text(tab, "Terrain and representativeness")
    page_tests.wait_for_text(tab, "FAIRMODE target")
    tab.wait_for_timeout(600)
    screenshot("station_card")
    # the link alone brings the card back
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)
    page_tests.wait_for_text(tab, "all days held (n = 3)")
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_station_is_found_in_the_table_by_keyboard(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=1&init_time=2022-01-11")
    page_tests.wait_for_picture(tab, "_today_")
    button = tab.get_by_role("button", name="Table")
    button.focus()
    tab.keyboard.press("Enter")
    page_tests.wait_for_text(tab, "of 60 stations")
    tab.locator(".tabulator-row").first.wait_for()
    screenshot("station_table")
    field = tab.get_by_label("Find a name or id")
    field.focus()
    tab.keyboard.type("TB000")
    tab.keyboard.press("Enter")
    page_tests.wait_for_text(tab, "1 of 60 stations")
    box = tab.locator(".tabulator-row input[type=checkbox]").first
    box.focus()
    tab.keyboard.press("Space")
    page_tests.wait_for_url(tab, "station=TB000")
    page_tests.wait_for_text(tab, "all days held (n = 3)")
    assert tab.problems == []  # type: ignore[attr-defined]


def test_the_table_is_sorted_and_filters_narrow_it(tab: Page, dashboard: str, page_tests: ModuleType):
    tab.goto(
        f"{dashboard}?layer=today&region=po_valley&stations=1&init_time=2022-01-11&station_types=traffic"
    )
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="Table").click()
    tab.locator(".tabulator-row").first.wait_for()
    assert set(tab.locator(".tabulator-cell[tabulator-field=station_type]").all_inner_texts()) == {"traffic"}
    tab.locator(".tabulator-col[tabulator-field=altitude]").click()
    tab.wait_for_timeout(500)
    heights = [
        float(text) for text in tab.locator(".tabulator-cell[tabulator-field=altitude]").all_inner_texts()
    ]
    assert len(heights) > 5
    assert heights in (sorted(heights), sorted(heights, reverse=True))
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="σz ≥ 50 m").click()
    page_tests.wait_for_url(tab, "terrain=complex")
    # all of the scene lies in flat terrain
    tab.wait_for_function(
        "() => [...Bokeh.documents[0]._all_models.values()].some((m) => m.data?.kind && m.data.kind.length === 0)"
    )
    assert tab.problems == []  # type: ignore[attr-defined]
