from __future__ import annotations

import sys
import time
from pathlib import Path

import panel as pn
import pytest
from cranpm.dashboard.views.first_run import FirstRun, TestbedBuild


def child(code: str) -> TestbedBuild:
    return TestbedBuild([sys.executable, "-c", code])


def wait_until(build: TestbedBuild, state: str) -> None:
    end = time.monotonic() + 20
    while build.state != state and time.monotonic() < end:
        time.sleep(0.05)
    assert build.state == state
    time.sleep(0.1)  # the reading threads end after the process


@pytest.fixture(autouse=True)
def no_timer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    class Timer:
        def stop(self) -> None: ...

    monkeypatch.setattr(pn.state, "add_periodic_callback", lambda *_, **__: Timer())
    monkeypatch.setenv("CRANPM_DATA", str(tmp_path))


def test_progress_is_shown_and_the_map_opens_by_itself():
    line = '{"stage": "simulating days", "done": 4, "total": 16, "seconds_left": 30.0}'
    build = child(f"print({line!r}, flush=True); import time; time.sleep(0.6)")
    opened: list[bool] = []
    page = FirstRun(lambda: opened.append(True), build)
    page.start()
    end = time.monotonic() + 20
    while not build.progress and time.monotonic() < end:
        time.sleep(0.02)
    page.poll()
    assert page.bar.value == 25
    assert "Simulating days · 30 s left" in page.text.object
    assert opened == []
    wait_until(build, "done")
    page.poll()
    page.poll()
    assert opened == [True]


def test_a_failure_is_told_in_one_line_with_the_command_and_can_be_tried_again():
    build = child(
        "import sys; print('error: no room on /data/very/private/disk', file=sys.stderr); sys.exit(2)"
    )
    page = FirstRun(lambda: None, build)
    page.start()
    wait_until(build, "failed")
    page.poll()
    assert "no room on" in page.text.object
    assert "/data/very" not in page.text.object
    assert "cranpm testbed build" in page.text.object
    assert page.retry.visible


def test_what_is_no_progress_is_ignored():
    build = child("print('Building ...'); print('[1]'); print('{broken')")
    FirstRun(lambda: None, build).start()
    wait_until(build, "done")
    assert build.progress == {}


def test_pages_share_one_build():
    build = child("import time; time.sleep(0.5)")
    build.start()
    process = build._process
    build.start()
    assert build._process is process
    wait_until(build, "done")
