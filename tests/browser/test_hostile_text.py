"""Names, links, files and errors that hold HTML: every door, and none of it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pandas as pd
import pytest
from playwright.sync_api import Page

from cranpm.model import CranPM

HARM = "<img src=x onerror=alert(1)>"
NAME = "img-src-x-onerror-alert-1"  # the folder of that name in a link

LISTEN = """
window.ran = []
window.alert = (what) => window.ran.push(what)
document.addEventListener('securitypolicyviolation', (event) => window.ran.push(event.violatedDirective))
"""

COUNT = """
() => {
  let found = 0
  const walk = (root) => { for (const el of root.querySelectorAll('*')) {
    if (el.matches('img[src="x"], [onerror]')) found += 1
    if (el.shadowRoot) walk(el.shadowRoot)
  } }
  walk(document)
  return found
}
"""


@pytest.fixture(scope="module")
def hostile(
    load_file, scene: ModuleType, drawn: CranPM, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a page whose dataset, stations and checkpoint have such names, and whose checkpoint is damaged."""
    root = tmp_path_factory.mktemp("hostile")
    dataset = scene.write_scene(root / "data" / HARM, domain=scene.SMALL, days=3)
    meta = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps(meta | {"source": HARM, "title": HARM, "name": HARM}))
    stations = pd.read_parquet(dataset / "stations.parquet")
    for column in ("name", "area"):
        stations[column] = HARM
    stations.to_parquet(dataset / "stations.parquet")
    weights = scene.write_checkpoint(root / "checkpoints" / HARM, drawn) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    serving = load_file("tests/dashboard/serving.py")
    with serving.served(serving.variables(root), Path(root / "log.txt")) as address:
        yield f"{address}/dashboard"


def test_nothing_of_it_runs(tab: Page, hostile: str):
    tab.add_init_script(LISTEN)
    link = "&".join(
        f"{name}={quote(HARM)}" for name in ("layer", "region", "init_time", "dataset", quote(HARM))
    )
    tab.goto(f"{hostile}?{link}&place=45.4642,9.19&checkpoint={NAME}&scale=continuous")
    # the link's values and names
    for text in ("“layer” cannot be “<img src=x", "part “<img src=x onerror=alert(1)>” is not known"):
        tab.get_by_text(text).first.wait_for()
    # the dataset's source on the badge, the station in the drawer, the checkpoint's folder in the worker's error
    tab.locator(".cranpm-badge").filter(has_text=HARM).wait_for()
    tab.get_by_text(f"Nearest station: {HARM}").first.wait_for()
    tab.get_by_text(f"{HARM}/model.safetensors is damaged").first.wait_for(timeout=150_000)
    tab.get_by_role("button", name="Link and code").click()
    tab.get_by_text("Take this view with you").first.wait_for()
    assert tab.evaluate(COUNT) == 0
    assert tab.evaluate("() => window.ran") == []


def test_the_policy_stops_what_gets_through_all_the_same(tab: Page, hostile: str):
    """The second lock: markup put into the page by force, a handler and a script, does not run."""
    tab.add_init_script(LISTEN)
    tab.goto(f"{hostile}?layer=today")
    tab.locator(".cranpm-badge").wait_for()
    tab.evaluate(
        """() => {
          document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="alert(1)">')
          const script = document.createElement('script')
          script.textContent = 'alert(2)'
          document.body.append(script)
        }"""
    )
    tab.wait_for_function("() => window.ran.length >= 2")
    assert {what.split("-")[0] for what in tab.evaluate("() => window.ran")} == {
        "script"
    }  # violations, no alerts
