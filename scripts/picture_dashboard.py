"""Pictures of the dashboard's features for the documentation: drives a served page in headless Chromium.

Start the page on the testbed (``cranpm dashboard``), then

.venv/bin/python scripts/picture_dashboard.py --address http://localhost:5006/dashboard --day 2022-01-08

Every picture waits for what it shows. Names given at the end make these alone again: ``... series whatif``.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

OUT = Path(__file__).parents[1] / "docs" / "images" / "dashboard"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
MILAN = (45.4642, 9.19)
SEEN = "cranpm-first-minute"
"""Under which the browser remembers that the first steps were seen."""
QUALITY = 70
"""Of WebP, at which small text is still sharp; a picture takes about 40 kB."""

FIND = """
(selector) => {
  const walk = (root) => {
    for (const el of root.querySelectorAll('*')) {
      if (el.matches(selector)) return el
      if (el.shadowRoot) { const found = walk(el.shadowRoot); if (found) return found }
    }
  }
  return walk(document)
}
"""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture: the link that it opens, what is done there, and the window."""

    query: dict[str, object]
    then: Callable[[Page], None] = lambda page: None
    layer: str = "forecast"
    shows: str = ""
    """What the address of the map's tiles names; by default the layer."""
    size: tuple[int, int] = (1280, 720)
    captions: bool = False
    """Whether the first steps stay open."""


def on_screen(page: Page, lat: float, lon: float) -> tuple[float, float]:
    """Where a place lies in the window [pixels]."""
    x, y = page.evaluate(
        f"""([lat, lon]) => {{
          const R = 6378137, x = R * lon * Math.PI / 180, y = R * Math.asinh(Math.tan(lat * Math.PI / 180))
          const models = [...Bokeh.documents[0]._all_models.values()]
          const fig = models.find((m) => m.tags && m.tags.includes('cranpm-map'))
          const box = ({FIND})('.cranpm-furniture').getBoundingClientRect()
          return [box.left + (x - fig.x_range.start) / (fig.x_range.end - fig.x_range.start) * box.width,
                  box.bottom - (y - fig.y_range.start) / (fig.y_range.end - fig.y_range.start) * box.height]
        }}""",
        [lat, lon],
    )
    return x, y


def text(page: Page, words: str, seconds: float = 240.0) -> None:
    """Wait until words are seen."""
    page.get_by_text(words).first.wait_for(state="visible", timeout=1000 * seconds)


def hover(page: Page) -> None:
    """The value under the pointer."""
    x, y = on_screen(page, 45.2, 9.6)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.wait_for_function(f"() => ({FIND})('.readout.on')")


def tab_of_drawer(name: str) -> Callable[[Page], None]:
    """Open a tab of the drawer."""

    def open_(page: Page) -> None:
        text(page, "Time series")
        page.get_by_text(name).first.click()

    return open_


def footprint(page: Page) -> None:
    """Attention over the map, with its numbers."""
    tab_of_drawer("Where does this place look?")(page)
    text(page, "Half of the attention lies on")


def trust(page: Page) -> None:
    """The test of a place, done."""
    footprint(page)
    page.get_by_role("button", name="How far can I trust").focus()
    page.keyboard.press("Enter")
    text(page, "Without the whole bridge it would change by", 500)
    page.get_by_role("row", name="the whole bridge").scroll_into_view_if_needed()


def what_if(page: Page) -> None:
    """The panel beside the difference it made."""
    text(page, "tiles in", 400)
    switch = page.get_by_label("CAMS hidden").first
    if not switch.is_visible():
        page.get_by_text("Switches and sliders").first.click()
    switch.scroll_into_view_if_needed()


def scores(page: Page) -> None:
    """Errors of what is in view."""
    page.get_by_role("tab", name="Scores").click()
    page.get_by_role("rowheader", name="Persistence").first.wait_for()


def press(name: str, then: str) -> Callable[[Page], None]:
    """Press a button and wait for words."""

    def do(page: Page) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()
        text(page, then)

    return do


def inputs(page: Page) -> None:
    """The strip below the controls, with the budget above it."""
    page.locator(".cranpm-inputs").scroll_into_view_if_needed()


AROUND = "-2,39,20,52"
VALLEY = {"region": "po_valley", "stations": 0}
PLACE = VALLEY | {"place": "{:.4f},{:.4f}".format(*MILAN)}
SHOTS: dict[str, Shot] = {
    "map": Shot(query={"stations": 0}),
    "value": Shot(query=VALLEY, then=hover),
    "stations": Shot(query=VALLEY | {"stations": 1}),
    "station": Shot(
        query=PLACE | {"stations": 1, "station": "STATION"}, then=lambda page: text(page, "Terrain and rep")
    ),
    "series": Shot(query=PLACE, then=lambda page: text(page, "CAMS-like forecast")),
    "footprint": Shot(query=PLACE | {"region": "", "extent": AROUND, "overlay": "attention"}, then=footprint),
    "trust": Shot(query=PLACE, then=trust),
    "whatif": Shot(query=VALLEY | {"whatif": "wind_turn:180"}, layer="whatif", then=what_if),
    "swipe": Shot(query=VALLEY | {"compare": "swipe", "against": "target"}),
    "side": Shot(query=VALLEY | {"compare": "side", "against": "cams"}),
    "difference": Shot(
        query=VALLEY | {"compare": "difference", "against": "target", "stations": 1}, shows="difference"
    ),
    "areas": Shot(query=VALLEY | {"numbers": 1, "stations": 1}, then=scores),
    "inputs": Shot(query=VALLEY, then=inputs, size=(1280, 900)),
    "layers": Shot(query=VALLEY | {"stations": 0, "region": ""}, layer="error"),
    "share": Shot(query=VALLEY, then=press("Link and code", "Python")),
    "first_minute": Shot(query=VALLEY, captions=True),
    "table": Shot(query=VALLEY | {"stations": 1}, then=press("Table", "Find a name or id")),
    "dark": Shot(
        query=PLACE | {"region": "", "extent": AROUND, "dark": 1, "overlay": "attention"}, then=footprint
    ),
    "narrow": Shot(query=PLACE, size=(900, 720), then=lambda page: text(page, "Time series")),
    "phone": Shot(query=VALLEY, size=(420, 760)),
}


def take(browser: Browser, address: str, shot: Shot, shared: dict[str, object]) -> Image.Image:
    """Open the link of a picture, do what belongs to it, and look."""
    width, height = shot.size
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(120_000)
    try:
        page = context.new_page()
        if not shot.captions:
            page.add_init_script(f"localStorage.setItem('{SEEN}', 'seen')")
        query = shared | {"layer": shot.layer} | shot.query
        if query.get("station") == "STATION":
            query["station"] = str(shared["station"])
        query = {name: value for name, value in query.items() if name != "station" or "station" in shot.query}
        page.goto(f"{address}?{urlencode(query, safe=',:')}")
        page.wait_for_function(
            f"() => ({FIND})('.cranpm-furniture')?.dataset.complete?.includes('_{shot.shows or shot.layer}_')",
            timeout=200_000,
        )
        shot.then(page)
        page.wait_for_timeout(2500)
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    finally:
        context.close()


def nearest_station() -> str:
    """Id of the station nearest to Milan in the testbed."""
    import cranpm
    from cranpm.forecasting.place_series import nearest_station as nearest

    found = nearest(cranpm.open_dataset(), *MILAN)
    if found is None:
        raise SystemExit("The dataset has no station near Milan.")
    return found.station_id


def main() -> None:
    """Make the pictures that are asked for; what fails is told, the others are made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--address", required=True, help="of the served page, ending in /dashboard")
    parser.add_argument("--day", required=True, help="init day, YYYY-MM-DD")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SHOTS)}; by default all")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in SHOTS]
    if unknown:
        parser.error(f"no picture {unknown[0]!r}; there are {', '.join(SHOTS)}")
    shared: dict[str, object] = {
        "dataset": "testbed",
        "checkpoint": "demo",
        "init_time": asked.day,
        "lead_time": 1,
        "station": nearest_station(),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name in asked.names or SHOTS:
            try:
                picture = take(browser, asked.address, SHOTS[name], shared)
            except Error as error:
                failed.append(name)
                print(f"{name}: {error.message.splitlines()[0]}", flush=True)
                continue
            picture.save(OUT / f"{name}.webp", quality=QUALITY, method=6)
            print(f"{name}: {(OUT / f'{name}.webp').stat().st_size / 1000:.0f} kB", flush=True)
        browser.close()
    if failed:
        sys.exit(f"Not made: {', '.join(failed)}")


if __name__ == "__main__":
    main()
