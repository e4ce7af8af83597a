"""Wheel tick to new picture in a real browser: this page against a plain ``hv.Image`` with ``rasterize``.

Serves both over the same field in the same run, turns the wheel over the map, and reads the pixels of the screen until
they change and until they rest. It prints a table and writes JSON.

.venv/bin/python scripts/bench_page.py --ticks 12
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
SIZE = {"width": 1280, "height": 720}
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip

PLAIN_PAGE = """
import datashader as ds, holoviews as hv, panel as pn
from holoviews.operation.datashader import rasterize
from cranpm.registry import find_dataset
from cranpm.data.store.dataset import Dataset
pn.extension()
data = Dataset.open(find_dataset().path)
field = data.pm2p5(data.days[-2]).sortby("latitude")
image = hv.Image(field, ["longitude", "latitude"])
drawn = rasterize(image, aggregator=ds.mean("pm2p5"))
drawn = drawn.opts(cmap="viridis", width=960, height=640, clim=(0, 60), tools=[], active_tools=["wheel_zoom"])
pn.panel(drawn).servable()
"""

# Watches canvases from inside the page: a screenshot takes longer than what is measured. `tick` notes the time of
# the next wheel event, the time of the first change of pixels after it, and of the last.
WATCH = """
() => {
  const canvases = () => {
    const found = []
    const walk = (root) => { for (const el of root.querySelectorAll('*')) {
      if (el.tagName === 'CANVAS' && el.width > 500) found.push(el)
      if (el.shadowRoot) walk(el.shadowRoot) } }
    walk(document)
    return found
  }
  const probe = document.createElement('canvas'); probe.width = 48; probe.height = 32
  const context = probe.getContext('2d', {willReadFrequently: true})
  const look = () => {
    context.clearRect(0, 0, 48, 32)
    for (const canvas of canvases()) context.drawImage(canvas, 0, 0, 48, 32)
    const data = context.getImageData(0, 0, 48, 32).data
    let hash = 0
    for (let i = 0; i < data.length; i++) hash = (hash * 31 + data[i]) | 0
    return hash
  }
  window.look = look
  window.tick = (quiet) => new Promise((resolve) => {
    let start = 0, first = 0, last = 0, before = look()
    addEventListener('wheel', () => { start = performance.now() }, {once: true, capture: true})
    const frame = () => {
      const now = performance.now()
      if (start > 0) {
        const hash = look()
        if (hash !== before) { before = hash; last = now; if (first === 0) first = now }
        if (now - Math.max(last, start) > quiet) { resolve([first - start, last - start]); return }
      }
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(target: str) -> Iterator[str]:
    """Address of ``panel serve TARGET`` while the block runs."""
    port = free_port()
    command = [sys.executable, "-m", "panel", "serve", target, "--port", str(port), "--address", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/{Path(target).stem}"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


def measure(page: Any, at: tuple[float, float], *, ticks: int, delta: int) -> dict[str, list[float]]:
    """Milliseconds from each wheel tick to the first and to the last change of pixels."""
    result: dict[str, list[float]] = {"first": [], "last": []}
    page.mouse.move(*at)
    for number in range(ticks):
        waiting = page.evaluate_handle("() => { window.done = window.tick(1600); return 0 }")
        waiting.dispose()
        page.mouse.wheel(0, delta if number % 2 == 0 else -delta)
        first, last = page.evaluate("() => window.done")
        if last > 0:
            result["first"].append(first)
            result["last"].append(last)
    return result


def problems(found: dict[str, Any], ticks: int) -> list[str]:
    """What makes the figures worthless; empty if they can be used.

    Two depths of one page whose times agree to a tenth of a millisecond were measured on one picture.
    """
    said = []
    for page in ("cranpm", "plain"):
        for depth in ("full", "deep"):
            for what in ("first", "last"):
                count = found.get(f"{page}_{depth}", {}).get(what, {}).get("count", 0)
                if count < max(1, ticks // 2):
                    said.append(f"{page}, {depth}: {count} of {ticks} ticks changed the picture ({what})")
        if found.get(f"{page}_full") and found.get(f"{page}_full") == found.get(f"{page}_deep"):
            said.append(f"{page}: the same figures twice; the view did not change between them")
        if found.get(f"{page}_zoomed") is False:
            said.append(f"{page}: zooming in left the same picture")
    return said


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
        "count": len(ordered),
    }


def run(ticks: int = 12) -> dict[str, Any]:
    """Measure both pages; needs a dataset and Chromium."""
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {"machine": platform.node(), "cores": os.cpu_count()}
    found["load"] = psutil.getloadavg()[0]
    plain = ROOT / "out" / "bench_plain.py"
    plain.parent.mkdir(exist_ok=True)
    plain.write_text(PLAIN_PAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        for name, target, query, at in (
            ("cranpm", "dashboard", "?layer=today&stations=0", (830, 460)),
            ("plain", str(plain), "", (540, 300)),
        ):
            with serve(target) as address:
                page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
                page.goto(address + query, timeout=120_000)
                page.wait_for_timeout(15_000)
                page.evaluate(WATCH)
                # at Berlin on both pages: over the sea, where one is soon, no tick changes a pixel
                pictures: list[int] = []
                for depth, zooms in (("full", 0), ("deep", 12)):
                    page.mouse.move(*at)
                    for _ in range(zooms):
                        page.mouse.wheel(0, -120)
                        page.wait_for_timeout(400)
                    page.wait_for_timeout(3000)
                    pictures.append(page.evaluate("() => window.look()"))
                    times = measure(page, at, ticks=ticks, delta=-120)
                    found[f"{name}_{depth}"] = {
                        key: summary(values) for key, values in times.items() if values
                    }
                found[f"{name}_zoomed"] = pictures[0] != pictures[1]
                page.close()
        browser.close()
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench_browser.json")
    options = parser.parse_args()
    found = run(options.ticks)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2))
    lines = [f"{'page':14} {'repaint median / p95 [ms]':>28} {'last new pixels median / p95 [ms]':>36}"]
    for name in ("cranpm_full", "cranpm_deep", "plain_full", "plain_deep"):
        row = found.get(name) or {}
        cells = [
            f"{row[k]['median']:.0f} / {row[k]['p95']:.0f}" if k in row else "-" for k in ("first", "last")
        ]
        lines.append(f"{name:14} {cells[0]:>28} {cells[1]:>36}")
    sys.stdout.write("\n".join(lines) + "\n")
    wrong = problems(found, options.ticks)
    sys.stdout.writelines(f"FAILED: {problem}\n" for problem in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
