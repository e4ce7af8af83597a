"""Parts that come into a page that is there already, and change while the browser mounts them."""

from __future__ import annotations

from types import ModuleType

from playwright.sync_api import Page, expect

STEPPED = """
window.held = null
window.MessageChannel = class extends MessageChannel {
  constructor() {
    super()
    const post = this.port2.postMessage.bind(this.port2)
    this.port2.postMessage = (...said) => {
      window.held === null ? post(...said) : window.held.push(() => post(...said))
    }
  }
}
"""
"""React does its work in messages to itself; while ``held`` is a list they are kept there, one by one."""

RELEASE_ONE = "() => { const next = window.held.shift(); if (next) next(); return window.held.length }"

TURN_ON = """
() => {
  const models = [...Bokeh.documents[0]._all_models.values()]
  const overlay = models.find((m) => m.data?.attributes?.label === 'Draw on the map')
  overlay.data.setv({value: !overlay.data.value})
  return overlay.data.value
}
"""


def test_what_changes_between_drawing_and_listening_is_shown(
    tab: Page, dashboard: str, page_tests: ModuleType
):
    """React's steps are let go one by one: the switch changes when it is drawn and its effects have not run yet."""
    tab.add_init_script(STEPPED)
    tab.goto(f"{dashboard}?layer=today&stations=0&place=45.1,9.9")
    page_tests.wait_for_picture(tab, "_today_")
    page_tests.wait_for_text(tab, "Time series")
    tab.evaluate("() => { window.held = [] }")
    tab.get_by_text("Where does this place look?").first.click()
    switch = tab.get_by_label("Draw on the map").first
    for _ in range(600):
        if switch.count():
            break
        tab.evaluate(RELEASE_ONE)
        tab.wait_for_timeout(50)
    else:
        raise AssertionError("The tab was never drawn")
    shown = switch.is_checked()
    assert tab.evaluate(TURN_ON) is not shown
    tab.evaluate(
        "() => { const waiting = window.held; window.held = null; for (const next of waiting) next() }"
    )
    expect(switch).to_be_checked(checked=not shown, timeout=20_000)
    assert tab.problems == []  # type: ignore[attr-defined]
