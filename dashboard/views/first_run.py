"""First run on an empty machine: builds the testbed in a process of its own, shows how far it is, opens the map.

One build serves all pages of this process; the child writes JSON lines that :class:`TestbedBuild` reads.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import lru_cache

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback

from cranpm import paths
from cranpm._json import JsonObject
from cranpm._progress import duration

from ..markup import Html, Markup, without_paths
from ..theme import PILL
from .header import BRAND
from .problem import CARD_STYLES

ARGUMENTS = ["testbed", "build", "--days", "16", "--start", "2022-01-03"]
COMMAND = " ".join(["cranpm", *ARGUMENTS])


class TestbedBuild:
    """The child process that builds the testbed, and the last thing it said."""

    __test__ = False  # pytest: not a test case

    def __init__(self, command: list[str] | None = None) -> None:
        self._command = command or [sys.executable, "-m", "cranpm", *ARGUMENTS, "--json-progress"]
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._errors: list[str] = []
        self.progress: JsonObject = {}

    def start(self) -> None:
        """Start unless it runs already."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            self.progress, self._errors = {}, []
            paths.data_dir().mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                text=True,
            )
            for read in (self._read_progress, self._read_errors):
                threading.Thread(target=read, args=(self._process,), daemon=True).start()

    def _read_progress(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                self.progress = said

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._errors = [*self._errors[-20:], line.rstrip()]

    @property
    def state(self) -> str:
        """ "idle", "running", "done" or "failed"."""
        if self._process is None:
            return "idle"
        code = self._process.poll()
        return "running" if code is None else "done" if code == 0 else "failed"

    @property
    def error(self) -> str:
        """The last line that the child complained with."""
        lines = [line for line in self._errors if line.strip()]
        return lines[-1] if lines else "The build stopped without a word."


@lru_cache(maxsize=1)
def shared_build() -> TestbedBuild:
    return TestbedBuild()


class FirstRun:
    """Welcome, progress and the way into the map.

    Parameters
    ----------
    opened : callable
        Called once when the dataset is there.
    """

    def __init__(self, opened: Callable[[], None], build: TestbedBuild | None = None) -> None:
        self._opened = opened
        self.build = build or shared_build()
        self.text = Html("", sizing_mode="stretch_width", margin=(4, 0, 0, 0))
        self.bar = pmui.LinearProgress(
            value=0, variant="indeterminate", sizing_mode="stretch_width", margin=(18, 0, 0, 0)
        )
        self.retry = pmui.Button(label="Try again", variant="outlined", visible=False, margin=(12, 0, 0, 0))
        self.retry.on_click(lambda _event: self.start())
        self.root = pn.Column(
            Html(_WELCOME, sizing_mode="stretch_width", margin=0),
            self.bar, self.text, self.retry,
            sizing_mode="stretch_width",
            css_classes=["cranpm-first-run"],
            styles=CARD_STYLES,
        )  # fmt: skip
        self._poll: PeriodicCallback | None = None

    def start(self) -> None:
        """Start the build, or join the one that runs."""
        self.retry.visible = False
        self.build.start()
        if self._poll is None:
            self._poll = pn.state.add_periodic_callback(self.poll, period=400)
        self.poll()

    def poll(self) -> None:
        """Show how far the build is; open the map at the end."""
        state, progress = self.build.state, self.build.progress
        share = float(progress.get("done") or 0) / max(float(progress.get("total") or 0), 1.0)
        self.bar.variant = "determinate" if share > 0 else "indeterminate"
        self.bar.value = round(100 * min(max(share, 0.0), 1.0))
        self.bar.visible = state != "failed"
        if state == "failed":
            self.retry.visible = True
            self._say(f"The build stopped: {without_paths(self.build.error)} The same by hand: {COMMAND}")
        elif state == "done":
            self._say("Opening the map …")
            if self._poll is not None:
                self._poll.stop()
                self._poll = None
                self._opened()
        else:
            seconds = progress.get("seconds_left")
            left = "" if seconds is None else duration(seconds)
            what = str(progress.get("stage") or "Preparing land, mountains and towns …")
            self._say(f"{what[:1].upper()}{what[1:]}" + (f" · {left} left" if left else ""))

    def _say(self, text: str) -> None:
        html = Markup(
            "<div style='font-size:13.5px;color:var(--mui-palette-text-secondary)'>{}</div>"
        ).format(text)
        if self.text.object != html:
            self.text.object = html


_WELCOME = Markup(
    "{brand}<h2 style='margin:22px 0 6px;font-size:21px'>First start: building the testbed</h2>"
    "<p style='margin:0 0 8px'>There are no data on this machine yet. The explorer makes its own: "
    "<b>real geography</b> (land, mountains, towns) with <b>simulated weather and PM2.5</b>, "
    "in the same files that real data would use. "
    "This happens once and takes about two minutes; the map then opens by itself.</p>"
    "<p style='margin:0;font-size:13.5px;color:var(--mui-palette-text-secondary)'>Everything made here is marked "
    "<span style='{pill};padding:1px 8px'>testbed (simulated)</span>. "
    "It says nothing about the air anywhere.</p>"
).format(brand=BRAND, pill=PILL)


def first_run_pane(opened: Callable[[], None]) -> pn.Column:
    """The first-run page with its build started."""
    page = FirstRun(opened)
    pn.state.onload(page.start)
    return page.root
