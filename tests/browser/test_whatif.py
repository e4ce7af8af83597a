"""What if, as a person asks it: a switch, a map of the difference, the way back, and a link that asks it again."""

from __future__ import annotations

import re
from types import ModuleType

from playwright.sync_api import Page, expect


def difference(tab: Page, page_tests: ModuleType, lat: float, lon: float) -> float:
    text = page_tests.read_off(tab, lat, lon)
    return float(re.match(r"([+−]?[\d.]+) µg/m³", text).group(1).replace("−", "-"))  # type: ignore[union-attr]


def test_a_switch_shows_the_difference_undo_leads_back_and_the_link_asks_again(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=forecast&region=po_valley&checkpoint=random&stations=0&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    tab.get_by_text("Switches and sliders").first.click()
    tab.get_by_label("CAMS hidden").first.press(" ")  # by key: nothing to miss while the panel unfolds
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


def value_of(text: str, letter: str) -> float:
    return float(re.search(rf"{letter}\s*([+−]?[\d.]+) µg/m³", text).group(1).replace("−", "-"))  # type: ignore[union-attr]


def test_the_what_if_stands_beside_the_forecast_and_the_link_brings_it_back(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    query = "layer=forecast&region=po_valley&checkpoint=random&stations=0&init_time=2022-01-12"
    tab.goto(f"{dashboard}?{query}&compare=swipe&against=persistence")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    page_tests.wait_for_other(tab, "_persistence_")
    tab.get_by_label("Layer of B").click()
    tab.get_by_text("What if", exact=True).last.click()
    page_tests.wait_for_text(tab, "Nothing is changed yet")
    tab.get_by_text("Switches and sliders").first.click()
    switch = tab.get_by_label("CAMS hidden").first
    switch.press(" ")
    expect(switch).to_be_checked()
    page_tests.wait_for_other(tab, "_whatif_forecast_2022-01-12_T1_", 120)
    page_tests.wait_for_text(tab, "tiles in", 120)
    text = page_tests.read_off(tab, 45.1, 9.9)
    a, b = value_of(text, "A"), value_of(text, "B")
    assert a != b  # weights of the checkpoint are drawn: it says something else without CAMS
    screenshot("whatif_beside")
    tab.get_by_role("button", name="Difference").click()
    page_tests.wait_for_picture(tab, "_difference_")
    difference = value_of(page_tests.read_off(tab, 45.1, 9.9), "B − A")
    assert abs(difference - (b - a)) < 0.11
    link = page_tests.wait_for_url(tab, "compare=difference", "against=whatif_forecast", "whatif=hide_cams:1")
    tab.goto(link)
    page_tests.wait_for_picture(tab, "_difference_", 60)
    assert value_of(page_tests.read_off(tab, 45.1, 9.9), "B − A") != 0
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_link_with_changes_that_nobody_offers_shows_the_forecast(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.goto(f"{dashboard}?layer=today&whatif=wind_turn:720&checkpoint=random&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "the default is used")
    page_tests.wait_for_picture(tab, "_today_")
