"""The notebooks as pages: taken from ``notebooks/``, executed on a testbed of their own, drawn without a network.

Notebooks hold no outputs in git. MyST-NB executes them and keeps the results in ``_build``, so that a second build
executes only those that have changed (``make clean`` forgets them). HoloViews puts Bokeh's scripts into every output of
a notebook; here they are files of the site, and a page loads them once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bokeh.resources
import panel
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

TESTBED = ("--days", "8", "--start", "2022-01-03")
"""Enough for a forecast, its targets and the days around them: half a minute on two cores."""

ENVIRONMENT = {
    # a comparison of three parts, short; notebook 04 says how to do it at length
    "CRANPM_ABLATION_STEPS": "24",
    "CRANPM_ABLATION_SEEDS": "2",
    "CRANPM_ABLATION_VARIANTS": "R3 R5",
}

LOADS_SCRIPTS = "application/javascript"
"""Kind of the outputs with which HoloViews brings megabytes of scripts into a notebook."""

PANEL_FILES = f"https://cdn.holoviz.org/panel/{panel.__version__}/dist/"
SCRIPTS = ("bokeh.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js", "bokeh-gl.min.js", "panel.min.js")


def copy_notebooks(app: Sphinx, config: Config) -> None:
    """Bring the notebooks below the folder of the site, where Sphinx looks for pages."""
    source, target = Path(app.srcdir).parent / "notebooks", Path(app.srcdir) / "tutorials"
    names = {path.name for path in source.glob("*.ipynb")}
    for old in target.glob("*.ipynb"):
        if old.name not in names:
            old.unlink()
    for name in names:
        content = (source / name).read_bytes()
        if not (target / name).is_file() or (target / name).read_bytes() != content:
            (target / name).write_bytes(content)


def prepare_machine(app: Sphinx) -> None:
    """A data folder with a small testbed for the notebooks, away from the reader's own data and runs."""
    machine = Path(app.outdir).parent / "machine"
    os.environ |= ENVIRONMENT
    os.environ |= {"CRANPM_DATA": str(machine / "data"), "CRANPM_RUNS": str(machine / "runs")}
    command = [sys.executable, "-m", "cranpm", "testbed", "build", *TESTBED]
    subprocess.run([*command, "--out", str(machine / "data" / "testbed")], check=True)


def copy_scripts(app: Sphinx) -> None:
    """Bokeh's and Panel's scripts beside the site's own."""
    target = Path(app.outdir) / "_static" / "bokeh"
    target.mkdir(parents=True, exist_ok=True)
    places = (
        Path(bokeh.resources.__file__).parent / "server/static/js",
        Path(panel.__file__).parent / "dist",
    )
    for name in SCRIPTS:
        found = next(place / name for place in places if (place / name).is_file())
        shutil.copyfile(found, target / name)
    for folder in ("css", "bundled/theme"):
        shutil.copytree(places[1] / folder, target.parent / "panel" / folder, dirs_exist_ok=True)


def tidy_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """What a notebook shows while it runs, as a page shows it afterwards."""
    depth = app.env.docname.count("/")
    for output in list(doctree.findall(nodes.container)):
        if any(
            isinstance(child, nodes.Element) and child.get("mime_type") == LOADS_SCRIPTS
            for child in output.children
        ):
            output.parent.remove(output)
    for raw in doctree.findall(nodes.raw):
        if PANEL_FILES in raw.astext():
            raw.children[0] = nodes.Text(raw.astext().replace(PANEL_FILES, "../" * depth + "_static/panel/"))
    for output in doctree.findall(nodes.literal_block):
        if "stream" in output.get("classes", ()):
            output.rawsource = as_a_terminal_ends(output.astext())
            output.children[:] = [nodes.Text(output.rawsource)]


BAR = re.compile(r"(?P<what>.*?): .*\[\d+:\d\d[^\[\]]*\]$")
"""One state of a progress bar: ``Forecast:  12%|#  | 16/131 [00:20<00:43,  2.67tile/s]``."""


def as_a_terminal_ends(text: str) -> str:
    """The text with every progress bar as it was last.

    A bar goes back to the beginning of its line; MyST-NB, which puts the parts of a stream together, gives each state a
    line of its own.
    """
    kept: list[str] = []
    before = None
    for line in text.splitlines():
        bar = BAR.match(line)
        if bar and before == bar["what"]:
            kept.pop()
        kept.append(line.rstrip())
        before = bar["what"] if bar else None
    return "\n".join(kept)


def load_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """A page with pictures loads the scripts from the site, before the pictures ask for them."""
    if "Bokeh.embed" in context.get("body", ""):
        for name in SCRIPTS:
            app.add_js_file(f"bokeh/{name}")


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook into the build."""
    app.connect("config-inited", copy_notebooks)
    app.connect("builder-inited", prepare_machine)
    app.connect("builder-inited", copy_scripts)
    app.connect("doctree-read", tidy_outputs)
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
