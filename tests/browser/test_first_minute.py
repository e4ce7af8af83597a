"""What a newcomer does who has read nothing: presses what is offered, closes it, wants it back."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from playwright.sync_api import Locator, Page, expect

FORBIDDEN = """
Object.defineProperty(window, "localStorage", {get() { throw new DOMException("forbidden", "SecurityError") }})
"""


def captions(tab: Page) -> Locator:
    return tab.get_by_role("region", name="First steps")


def test_four_captions_lead_a_newcomer_through_the_page(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
) -> None:
    tab.goto(f"{dashboard}?layer=forecast&region=po_valley&checkpoint=random&init_time=2022-01-11")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    page_tests.wait_for_text(tab, "MiB")
    guide = captions(tab)
    expect(guide.get_by_role("listitem")).to_have_count(4)
    screenshot("first_minute")

    guide.get_by_role("button", name="Click the map").click()
    page_tests.wait_for_text(tab, "Time series")
    page_tests.wait_for_url(tab, "place=45.")

    guide.get_by_role("button", name="Why here?").click()
    page_tests.wait_for_text(tab, "Attention is not source apportionment")

    guide.get_by_role("button", name="How good?").click()
    page_tests.wait_for_url(tab, "numbers=1", "place=&")
    expect(tab.get_by_role("rowheader", name="Persistence").first).to_be_visible()

    guide.get_by_role("button", name="What if?").click()
    expect(tab.get_by_label("CAMS hidden").first).to_be_visible()
    expect(tab.get_by_text("Switches and sliders").first).to_be_in_viewport()
    screenshot("first_minute_pressed")

    # to the next visit of this browser it is known; the button brings it back, Escape takes it away
    tab.goto(f"{dashboard}?layer=today&region=po_valley")
    page_tests.wait_for_picture(tab, "_today_")
    expect(captions(tab)).to_have_count(0)
    tab.get_by_role("button", name="First steps").click()
    expect(captions(tab).get_by_role("button", name="Click the map")).to_be_focused()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    page_tests.wait_for_url(tab, "place=45.")
    tab.keyboard.press("Escape")
    expect(captions(tab)).to_have_count(0)
    assert "place=45." in tab.url
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_link_that_opens_a_place_is_not_covered(tab: Page, dashboard: str, page_tests: ModuleType) -> None:
    tab.goto(f"{dashboard}?layer=today&place=45.4642,9.1900")
    page_tests.wait_for_text(tab, "Time series")
    expect(captions(tab)).to_have_count(0)


@pytest.mark.parametrize("dark", [0, 1])
def test_first_steps_and_summary_in_a_narrow_window_of_a_browser_that_keeps_nothing(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None], dark: int
) -> None:
    tab.set_viewport_size({"width": 900, "height": 760})
    tab.add_init_script(FORBIDDEN)
    tab.goto(f"{dashboard}?layer=today&region=po_valley&checkpoint=random&dark={dark}")
    page_tests.wait_for_picture(tab, "_today_")
    expect(captions(tab)).to_be_visible()
    tab.wait_for_timeout(700)  # the margins of a page move at first
    box = captions(tab).bounding_box()
    assert (
        box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 900 - 44
    )  # beside the map's buttons
    assert page_tests.furniture(tab, "el => el.getBoundingClientRect().right") <= 900
    screenshot(f"first_minute_900_{dark}")
    summary = tab.get_by_text("of the area with values is above 25 µg/m³")
    expect(summary).to_have_count(1)
    assert "Today of Wednesday 12 January 2022" in str(summary.text_content())
    tab.get_by_role("button", name="Close the first steps").click()
    expect(captions(tab)).to_have_count(0)
    assert tab.problems == []  # type: ignore[attr-defined]
