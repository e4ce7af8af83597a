"""The map's script: each file parses and defines functions only, and the whole is one module that a browser takes."""

from __future__ import annotations

import re

import pytest
from cranpm.dashboard.views.map import MODULES, STATIC, map_code
from playwright.sync_api import Page

FOLDER = STATIC / "map"

_PARSE = """
(text) => {
  try { new Function('"use strict";' + text); return "" } catch (error) { return String(error) }
}
"""

_IMPORT = """
async (text) => {
  const address = URL.createObjectURL(new Blob([text], {type: "text/javascript"}))
  return typeof (await import(address)).default
}
"""


def source(name: str) -> str:
    return (FOLDER / f"{name}.js").read_text(encoding="utf-8")


def test_every_file_is_part_of_the_script():
    assert sorted(MODULES) == sorted(path.stem for path in FOLDER.glob("*.js"))


@pytest.mark.parametrize("name", MODULES)
def test_a_file_says_what_it_is_for_and_runs_nothing_by_itself(name: str):
    text = source(name)
    assert text.startswith("// ")
    begins = {
        line.split("(")[0] for line in text.splitlines() if line and not line.startswith((" ", "//", "}"))
    }
    assert begins and all(begin.startswith(("function ", "async function ")) for begin in begins), begins


def test_files_share_one_scope_without_taking_each_others_names():
    defined = [
        name for module in MODULES for name in re.findall(r"^(?:async )?function (\w+)", source(module), re.M)
    ]
    assert len(defined) == len(set(defined)), defined


def test_files_parse_and_the_whole_is_a_module(tab: Page):
    assert tab.evaluate(_PARSE, "const a = 1; const a = 2") != "", "the check itself"
    assert {name: tab.evaluate(_PARSE, source(name)) for name in MODULES} == dict.fromkeys(MODULES, "")
    assert tab.evaluate(_IMPORT, map_code()) == "function"
