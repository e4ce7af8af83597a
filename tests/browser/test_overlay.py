"""Where a place looks, drawn over the map: switched on in the drawer, with a legend, and off again."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Page

CELLS = """
() => {
  const models = [...Bokeh.documents[0]._all_models.values()]
  const source = models.find((m) => m.type === 'ColumnDataSource' && m.data && 'alpha' in m.data && 'left' in m.data)
  return source ? source.data.left.length : -1
}
"""
"""Rectangles of the footprint that the browser holds."""


def test_the_footprint_of_a_place_is_drawn_with_its_legend_and_taken_away(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot
):
    tab.goto(f"{dashboard}?layer=forecast&checkpoint=random&stations=0&init_time=2022-01-12")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    tab.mouse.click(*page_tests.place_on_screen(tab, 45.1, 9.9))
    page_tests.wait_for_text(tab, "Time series")
    assert tab.evaluate(CELLS) == 0
    tab.get_by_text("Where does this place look?").first.click()
    page_tests.wait_for_text(tab, "Share of attention per coarse token")
    page_tests.wait_for_text(tab, "Attention is not source apportionment")
    # 28 x 28 nodes are 4 x 4 patches of 8 x 8, the last ones padded
    assert tab.evaluate(CELLS) == 16
    screenshot("footprint")
    tab.get_by_role("button", name="Elevation bias").first.click()
    page_tests.wait_for_text(tab, "higher ground costs")
    tab.wait_for_function(f"() => ({CELLS})() === 1024", timeout=20_000)
    link = page_tests.wait_for_url(tab, "overlay=elevation_bias")
    tab.get_by_label("Draw on the map").first.click(force=True)
    tab.wait_for_function(f"() => ({CELLS})() === 0", timeout=20_000)
    tab.goto(link)
    page_tests.wait_for_text(tab, "Elevation bias on the logits")
    # all that was opened after the page was there is styled anew, from this machine
    tab.get_by_text("Where does this place look?").first.click()
    page_tests.wait_for_text(tab, "higher ground costs")
    tab.get_by_label("Toggle theme").click()
    page_tests.wait_for_picture(tab, "theme=dark")
    page_tests.wait_for_url(tab, "dark=1")
    assert tab.problems == []  # type: ignore[attr-defined]
