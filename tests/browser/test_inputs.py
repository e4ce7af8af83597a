"""What a forecast was made from, as a real browser shows it: text, readable on both grounds, in its column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Page

from cranpm.model import CranPM
from cranpm.model.checkpoint import save_checkpoint

HARM = "<img src=x onerror=alert(1)>"

LOOK = """
(strip) => {
  const parse = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => {
    const c = v / 255
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  const light = (text) => { const [r, g, b] = parse(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
  const ground = () => {
    let el = strip
    while (el) {
      const colour = getComputedStyle(el).backgroundColor
      if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour
      el = el.parentElement || el.getRootNode().host
    }
    return 'rgb(255, 255, 255)'
  }
  const under = light(ground())
  const contrast = (el) => {
    const above = light(getComputedStyle(el).color)
    return (Math.max(above, under) + 0.05) / (Math.min(above, under) + 0.05)
  }
  const box = strip.getBoundingClientRect()
  return {
    contrasts: [strip, ...strip.querySelectorAll('span, summary, li')].map(contrast),
    left: box.left, right: box.right, overflow: strip.scrollWidth - strip.clientWidth,
    wide: document.documentElement.scrollWidth,
  }
}
"""


@pytest.fixture(scope="module")
def unusual(
    load_file: Callable[[str], ModuleType],
    scene: ModuleType,
    drawn: CranPM,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A page whose dataset has a hostile source, and PM10 far beyond what its checkpoint was trained on.

    PM10 is 14 ug m-3 on the init day and 13 on the day before, for a network trained on 12 +- 0.1: 20 and 10 s.d. away.
    """
    root = tmp_path_factory.mktemp("unusual")
    dataset = scene.write_scene(root / "data" / "testbed", domain=scene.SMALL, days=4)
    meta = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(meta | {"source": HARM}))
    statistics = scene.statistics()
    narrow = replace(statistics, mean=statistics.mean | {"pm10": 12.0}, std=statistics.std | {"pm10": 0.1})
    save_checkpoint(
        root / "checkpoints" / "narrow", drawn, narrow, card="For tests.", meta={"title": "Narrow"}
    )
    serving = load_file("tests/dashboard/serving.py")
    with serving.served(serving.variables(root), Path(root / "log.txt")) as address:
        yield f"{address}/dashboard?layer=forecast&checkpoint=narrow&init_time=2022-01-12"


def test_gaps_and_unusual_inputs_of_a_forecast_are_told(
    tab: Page, unusual: str, page_tests: ModuleType, screenshot: Callable[[str], None]
) -> None:
    tab.goto(unusual)
    strip = tab.locator(".cranpm-inputs")
    strip.get_by_text("2 of 72 inputs beyond the training range").wait_for(timeout=200_000)
    said = strip.inner_text()
    assert HARM in said  # as text
    assert strip.locator("img").count() == 0
    # the lake of missing cells is half a degree wide, in a domain of 6.88 degrees that is mostly land
    assert "0.6 % of the land today, 0.0 % of weather and composition" in said
    page_tests.wait_for_text(tab, "T+1 to T+3 ready", 200)
    strip.locator("summary").focus()
    tab.keyboard.press(" ")
    strip.get_by_text("pm10@t: 100.00% of it beyond 11.2 to 12.8 ug m-3, as far as 14").wait_for()
    assert strip.get_by_text("pm10@t-1: 100.00%").count() == 1
    assert tab.get_by_role("button", name="Play days").count() == 1  # space opened the list and did not play
    screenshot("inputs")


@pytest.mark.parametrize("width", [1280, 900])
@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_the_strip_is_readable_and_keeps_to_its_column(
    tab: Page, unusual: str, page_tests: ModuleType, screenshot: Callable[[str], None], width: int, dark: int
) -> None:
    tab.set_viewport_size({"width": width, "height": 720})
    tab.goto(f"{unusual}&dark={dark}")
    strip = tab.locator(".cranpm-inputs")
    strip.locator("summary").click(timeout=200_000)
    page_tests.wait_for_picture(tab, "theme=dark" if dark else "theme=light")
    strip.locator("li").nth(1).scroll_into_view_if_needed()
    tab.wait_for_timeout(300)
    screenshot(f"inputs-{width}-{'dark' if dark else 'light'}")
    found = strip.evaluate(LOOK)
    assert len(found["contrasts"]) == 6  # the strip, source, hash, summary, two entries
    assert min(found["contrasts"]) >= 4.5
    assert 0 <= found["left"] < found["right"] <= 308
    assert found["overflow"] <= 0
    assert found["wide"] <= width
