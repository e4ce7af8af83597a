"""What if, as a person asks it: a switch, a map of the difference, the way back, and a link that asks it again."""

from __future__ import annotations

import re
from types import ModuleType

from playwright.sync_api import Page


def difference(tab: Page, page_tests: ModuleType, lat: float, lon: float) -> float:
    text = page_tests.read_off(tab, lat, lon)
    return float(re.match(r"([+−]?[\d.]+) µg/m³", text).group(1).replace("−", "-"))  # type: ignore[union-attr]


def test_a_switch_shows_the_difference_undo_leads_back_and_the_link_asks_again(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=forecast&region=po_valley&checkpoint=random&stations=0&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    tab.get_by_text("Switches and sliders").first.click()
    tab.get_by_label("CAMS hidden").first.click(force=True)
    page_tests.wait_for_picture(tab, "_whatif_2022-01-12_T1_", 120)
    page_tests.wait_for_text(tab, "If: CAMS hidden")
    page_tests.wait_for_text(tab, "tiles in", 120)
    # weights of the checkpoint are drawn: whatever it says, it says something else without CAMS
    assert difference(tab, page_tests, 45.1, 9.9) != 0
    screenshot("whatif")
    link = page_tests.wait_for_url(tab, "layer=whatif", "whatif=hide_cams:1")
    tab.get_by_role("button", name="Undo").first.click()
    page_tests.wait_for_picture(tab, "_forecast_2022-01-12_T1_")
    tab.goto(link)
    page_tests.wait_for_picture(tab, "_whatif_2022-01-12_T1_", 60)
    assert tab.get_by_label("CAMS hidden").first.is_checked()
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_link_with_changes_that_nobody_offers_shows_the_forecast(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.goto(f"{dashboard}?layer=today&whatif=wind_turn:720&checkpoint=random&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "the default is used")
    page_tests.wait_for_picture(tab, "_today_")
