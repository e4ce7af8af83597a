"""Do the tiles of a forecast show? A switch draws them, the legend has the number, the link keeps it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from playwright.sync_api import Page, expect

TILES_DRAWN = """() => {
  const models = [...Bokeh.documents[0]._all_models.values()]
  const boxes = models.filter((m) => m.data && m.data.left && m.data.top && !m.data.colour)
  return boxes.map((m) => [...m.data.left].length).filter((n) => n > 0).sort().join(" ")
}"""
"""How many boxes each layer of boxes has, those without any aside."""


def test_the_tiles_of_a_forecast_are_drawn_and_their_seams_measured(
    tab: Page, dashboard: str, page_tests: ModuleType, screenshot: Callable[[str], None]
):
    tab.goto(f"{dashboard}?layer=forecast&checkpoint=random&init_time=2022-01-12&stations=0")
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    switch, legend = tab.get_by_label("Tile seams").first, tab.locator(".cranpm-seams")
    expect(switch).not_to_be_checked()
    switch.press(" ")
    expect(switch).to_be_checked()
    expect(legend).to_contain_text("4 tiles of 512 × 512 cells", timeout=30_000)
    tab.wait_for_function(f"() => ({TILES_DRAWN})() === '4 4'")  # four tiles, four strips that two share
    screenshot("seams")
    link = page_tests.wait_for_url(tab, "seams=1")
    tab.goto(link)
    page_tests.wait_for_picture(tab, "_forecast_")
    expect(legend).to_contain_text("4 tiles of 512 × 512 cells", timeout=60_000)
    expect(switch).to_be_checked()
    tab.get_by_role("button", name="Today", exact=True).click()
    page_tests.wait_for_picture(tab, "_today_")
    expect(legend).to_have_count(0)
    expect(switch).to_be_hidden()
    tab.wait_for_function(f"() => ({TILES_DRAWN})() === ''")
    assert tab.problems == []  # type: ignore[attr-defined]
