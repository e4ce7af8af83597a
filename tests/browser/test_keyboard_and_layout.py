"""The page by keyboard, in narrow windows, and on a dark ground."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from playwright.sync_api import Page, expect

PLACE = "47,9.5"


@pytest.fixture
def today(tab: Page, dashboard: str, page_tests: ModuleType) -> Page:
    tab.goto(f"{dashboard}?layer=today")
    page_tests.wait_for_picture(tab, "_today_")
    return tab


def init_day(tab: Page) -> str:
    return tab.url.partition("init_time=")[2].partition("&")[0]


def test_every_button_has_a_name(today: Page) -> None:
    today.get_by_role("button", name="Play days").wait_for()  # controls come after the map
    buttons = today.get_by_role("button")
    names = [
        buttons.nth(k).evaluate("el => el.getAttribute('aria-label') || el.textContent")
        for k in range(buttons.count())
    ]
    assert len(names) > 15 and all(name.strip() for name in names), names
    assert today.get_by_role("button", name="Play days").count() == 1
    assert today.get_by_role("application", name="Map of PM2.5").count() == 1


def test_keys_on_a_control_are_the_controls_own(today: Page, page_tests: ModuleType) -> None:
    page_tests.wait_for_url(today, "init_time=")
    before = init_day(today)
    today.get_by_role("button", name="Today", exact=True).focus()
    today.keyboard.press("ArrowLeft")
    today.get_by_role("button", name="Po Valley").focus()
    today.keyboard.press(" ")
    page_tests.wait_for_url(today, "region=po_valley")  # the key reached the chip
    expect(today.get_by_role("button", name="Play days")).to_have_count(1)  # and did not start playing
    assert init_day(today) == before
    today.evaluate("() => document.activeElement.blur()")
    today.keyboard.press("ArrowLeft")
    today.wait_for_url(lambda url: before not in url.partition("init_time=")[2][:10])


def test_a_place_is_picked_without_a_pointer(today: Page, page_tests: ModuleType) -> None:
    today.get_by_role("application", name="Map of PM2.5").focus()
    today.keyboard.press("+")
    today.wait_for_timeout(600)  # the flight of a zoom takes 320 ms
    today.keyboard.press("ArrowUp")
    today.keyboard.press("Enter")
    page_tests.wait_for_url(today, "place=4")
    page_tests.wait_for_text(today, "Time series")
    today.keyboard.press("Escape")
    today.wait_for_url(lambda url: "place=4" not in url)


@pytest.mark.parametrize("width", [900, 768])
def test_the_map_keeps_its_room_beside_an_open_drawer(
    tab: Page, dashboard: str, page_tests: ModuleType, width: int, screenshot: Callable[[str], None]
) -> None:
    tab.set_viewport_size({"width": width, "height": 760})
    tab.goto(f"{dashboard}?layer=today&place={PLACE}")
    page_tests.wait_for_picture(tab, "_today_")
    page_tests.wait_for_text(tab, "Time series")
    tab.wait_for_timeout(500)
    screenshot(f"narrow-{width}")
    map_width, map_height = page_tests.furniture(tab, "el => [el.clientWidth, el.clientHeight]")
    assert map_width >= width - 308 - 20 and map_height >= 300
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_map_is_what_one_arrives_at_and_the_controls_are_a_press_away(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
) -> None:
    tab.set_viewport_size({"width": 412, "height": 840})
    tab.set_extra_http_headers(
        {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/140.0.0.0 Mobile Safari/537.36"}
    )
    tab.goto(f"{dashboard}?layer=today")
    page_tests.wait_for_picture(tab, "_today_")
    tab.wait_for_timeout(500)
    screenshot("phone")
    assert page_tests.furniture(tab, "el => el.clientWidth") >= 400
    covering = "() => document.elementFromPoint(200, 420).closest('.MuiDrawer-root') !== null"
    assert not tab.evaluate(covering)
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 412
    tab.get_by_label("Open drawer").click()
    tab.get_by_role("button", name="Today", exact=True).click()
    screenshot("phone-controls")


def test_without_a_drawer_the_map_ends_where_a_narrow_window_does(
    tab: Page, dashboard: str, page_tests: ModuleType
) -> None:
    """Its buttons, and the handle between two maps in its middle, are in sight."""
    tab.set_viewport_size({"width": 900, "height": 760})
    tab.goto(f"{dashboard}?layer=today&compare=swipe&against=persistence")
    page_tests.wait_for_picture(tab, "_today_")
    tab.wait_for_timeout(500)
    left, right = page_tests.furniture(
        tab, "el => [el.getBoundingClientRect().left, el.getBoundingClientRect().right]"
    )
    assert right <= 900 and right - left >= 900 - 308 - 20
    for element in (
        tab.get_by_role("button", name="Zoom in"),
        tab.get_by_role("slider", name="Handle between"),
    ):
        box = element.bounding_box()
        assert box is not None and box["x"] >= left and box["x"] + box["width"] <= right


def test_charts_opened_dark_by_a_link_are_drawn_for_a_dark_ground(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
) -> None:
    tab.goto(f"{dashboard}?layer=today&dark=1&place={PLACE}")
    page_tests.wait_for_picture(tab, "theme=dark")
    page_tests.wait_for_text(tab, "Time series")
    tab.wait_for_timeout(500)
    screenshot("dark-by-link")
    colours = tab.evaluate(
        """() => {
          const models = [...Bokeh.documents[0]._all_models.values()]
          return models.filter((m) => m.type === "LinearAxis" && m.visible).map((m) => m.major_label_text_color)
        }"""
    )
    assert "#9fb0bd" in colours, (
        colours
    )  # `GROUNDS[True]["soft"]`, whose contrast is tested where it is defined
