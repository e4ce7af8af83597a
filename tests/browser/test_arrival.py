"""What a page shows does not depend on the moment at which its first field is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page

NEVER_READY = """
(() => {
  const send = WebSocket.prototype.send
  let message = []
  WebSocket.prototype.send = function (frame) {
    // a message is a header, metadata and contents, each a frame of text
    message.push(frame)
    if (message.length < 3) return
    if (!String(frame).includes("document_ready")) message.forEach((part) => send.call(this, part))
    message = []
  }
})()
"""
"""A browser whose report that the page is ready does not come in."""

PROGRAM = Path(__file__).parents[1] / "dashboard" / "slow_field.py"


@pytest.mark.parametrize("moment", ["copied", "sent"])
def test_a_field_that_arrives_while_the_page_is_mounted_is_shown_with_all_that_belongs_to_it(
    load_file: Callable[[str], ModuleType],
    tab: Page,
    page_tests: ModuleType,
    machine: dict[str, str],
    tmp_path: Path,
    moment: str,
):
    """The link opens a place, so that map, title, legend and drawer all change with the first picture."""
    serving = load_file("tests/dashboard/serving.py")
    variables = machine | {"CRANPM_TEST_MOMENT": moment}
    dashboard = serving.Dashboard(variables, tmp_path / "log.txt", program=(str(PROGRAM),))
    with serving.running(dashboard):
        tab.goto(f"{dashboard.address}/dashboard?layer=today&init_time=2022-01-11&place=45.4642,9.1900")
        page_tests.wait_for_text(tab, "testbed (simulated)")
        page_tests.wait_for_picture(tab, "_today_2022-01-11_")
        page_tests.wait_for_text(tab, "Time series")
        page_tests.wait_for_url(tab, "dataset=testbed", "place=45.4642,9.1900")
    assert tab.problems == []  # type: ignore[attr-defined]
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_a_click_that_comes_before_the_report_that_the_page_is_ready_is_answered(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    tab.add_init_script(NEVER_READY)
    tab.goto(f"{dashboard}?layer=today&region=po_valley&stations=1&init_time=2022-01-11")
    tab.wait_for_function(page_tests.MAP_IS_THERE)
    tab.get_by_label("Toggle theme").click()
    page_tests.wait_for_picture(tab, "theme=dark")
    assert tab.problems == []  # type: ignore[attr-defined]
