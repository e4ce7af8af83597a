"""Baselines and inputs on the map, as a person gets at them: found in a list, read off with the pointer, linked."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Page


def test_an_input_is_found_by_typing_and_read_off_in_its_unit(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=today&region=po_valley&init_time=2022-01-12")
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="More", exact=True).click()
    page_tests.wait_for_picture(tab, "_persistence_")
    tab.get_by_label("Baseline or input").first.click()
    tab.get_by_placeholder("Search").fill("humidity at 850")
    tab.get_by_text("Specific humidity at 850 hPa (q_850)").first.click()
    page_tests.wait_for_picture(tab, "scale=q_850&")
    page_tests.wait_for_text(tab, "Specific humidity at 850 hPa")
    # the scene's humidity is 0.004 everywhere
    assert page_tests.read_off(tab, 45.2, 9.9).startswith("0.0040 kg/kg")
    screenshot("input")
    tab.get_by_role("button", name="Change", exact=True).last.click()
    page_tests.wait_for_picture(tab, "_input.q_850.change_")
    assert page_tests.read_off(tab, 45.2, 9.9).startswith("0.00000 kg/kg")
    link = page_tests.wait_for_url(tab, "layer=input.q_850.change")
    tab.goto(link)
    page_tests.wait_for_picture(tab, "_input.q_850.change_")
    page_tests.wait_for_text(tab, "Specific humidity at 850 hPa, day t minus t−1")
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_coarse_baseline_shows_the_value_of_its_node(tab: Page, dashboard: str, page_tests: ModuleType):
    """The scene's CAMS forecast of day 2 is 13 + 2 + (lead - 1); the pointer names the node, 45.25 N 10 E."""
    tab.goto(f"{dashboard}?layer=cams&lead_time=3&region=po_valley&init_time=2022-01-12")
    page_tests.wait_for_picture(tab, "_cams_")
    text = page_tests.read_off(tab, 45.2, 9.95)
    assert text.startswith("17.0 µg/m³")
    assert "45.25° N  10.00° E" in text


def test_a_baseline_that_the_data_do_not_allow_says_what_is_missing(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.goto(f"{dashboard}?layer=damped&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "This needs training days to know what is usual")
    assert tab.problems == []  # type: ignore[attr-defined]


def test_a_link_to_a_layer_that_does_not_exist_falls_back_with_a_notice(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.goto(f"{dashboard}?layer=input.u10.t-2&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "the default is used")
