"""About: whose data and which model are on the page, opened and closed by keyboard."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Page, expect


def test_about_tells_data_licences_and_model_by_keyboard(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=today&checkpoint=random&stations=0&init_time=2022-01-12")
    page_tests.wait_for_picture(tab, "_today_")
    tab.get_by_role("button", name="About").focus()
    tab.keyboard.press("Enter")
    page_tests.wait_for_text(tab, "no number on this page describes the real world")
    page_tests.wait_for_text(tab, "For tests.")  # the card of the checkpoint
    page_tests.wait_for_text(tab, "Global land mask, 30 arc seconds: MIT")
    screenshot("about")
    tab.keyboard.press("Escape")
    expect(tab.get_by_text("no number on this page")).to_be_hidden()
    assert tab.problems == []  # type: ignore[attr-defined]
