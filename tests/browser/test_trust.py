"""How far a picture of attention can be trusted: one press in the drawer, and an answer in words, plot and table."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Page, expect

QUESTION = "How far can I trust this picture?"


def test_one_press_tests_the_place_and_another_place_asks_anew(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=forecast&checkpoint=random&stations=0&init_time=2022-01-12&place=45.1,9.9")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    tab.get_by_text("Where does this place look?").first.click()
    page_tests.wait_for_text(tab, "Share of attention per coarse token")
    button = tab.get_by_role("button", name=QUESTION)
    button.focus()
    tab.keyboard.press("Enter")
    page_tests.wait_for_text(tab, "forecasts of this tile")
    page_tests.wait_for_text(tab, "Without the whole bridge it would change by", 120)
    page_tests.wait_for_text(tab, "Attention is not source apportionment")
    expect(tab.get_by_role("row", name="4 most attended")).to_be_visible()
    expect(tab.get_by_role("row", name="the whole bridge")).to_be_visible()
    assert "changes by 0 of" not in tab.locator(".cranpm-trust").inner_text()
    tab.get_by_role("row", name="the whole bridge").scroll_into_view_if_needed()
    screenshot("trust")
    tab.mouse.click(*page_tests.place_on_screen(tab, 46.5, 7.5))
    expect(tab.get_by_role("row", name="4 most attended")).to_be_hidden()
    expect(button).to_be_enabled()
    assert tab.problems == []  # type: ignore[attr-defined]
