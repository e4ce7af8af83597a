"""The page behind nginx, set up as the documentation says it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PASSWORD = "open sesame"


def documented() -> str:
    """The server block of the page on sharing."""
    page = (ROOT / "docs" / "howto" / "share.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    return block


def adapted(port: int, dashboard: int, people: Path) -> str:
    """The documented block with this machine's ports and password, and without the certificate that it has not."""
    block = documented()
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("http://127.0.0.1:5006;", f"http://127.0.0.1:{dashboard};"),
        ("/etc/nginx/people", str(people)),
        ("server_name maps.example.org;", "server_name 127.0.0.1;"),
    ):
        assert old in block
        block = block.replace(old, new)
    block, certificates = re.subn(r" *ssl_certificate.*\n", "", block)
    assert certificates == 2
    return block


@pytest.fixture
def proxy(load_file: Callable[[str], ModuleType], machine: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Address of the page behind a proxy with a password."""
    if not Path(NGINX).exists():
        pytest.skip("NO NGINX: the documented proxy is untested. Install it: apt-get install nginx-light")
    serving = load_file("tests/dashboard/serving.py")
    port, people = serving.free_port(), tmp_path / "people"
    people.write_text(f"ada:{{PLAIN}}{PASSWORD}\n")
    dashboard = serving.Dashboard(
        machine, tmp_path / "log.txt", "--use-xheaders", "--allow-websocket-origin", f"127.0.0.1:{port}"
    )
    written = tmp_path / "nginx.conf"
    inner = int(dashboard.address.rsplit(":", 1)[1])
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    written.write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/errors.txt;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}{adapted(port, inner, people)} }}\n"
    )
    # as root it would give its workers to a user who may not read the password
    user = "user root;" if os.geteuid() == 0 else ""
    command = [NGINX, "-c", str(written), "-e", str(tmp_path / "errors.txt"), "-g", f"daemon off; {user}"]
    with serving.running(dashboard):
        process = subprocess.Popen(command)
        try:
            _wait_until_heard(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_heard(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail("The proxy does not listen")


def test_the_page_works_through_the_documented_proxy_and_only_with_its_password(
    chromium: Browser, proxy: str, page_tests: ModuleType
):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{proxy}/dashboard")
    context = chromium.new_context(
        viewport={"width": 1280, "height": 720}, http_credentials={"username": "ada", "password": PASSWORD}
    )
    try:
        tab = context.new_page()
        tab.problems = []  # type: ignore[attr-defined]
        tab.on("pageerror", lambda error: tab.problems.append(str(error)))  # type: ignore[attr-defined]
        tab.goto(f"{proxy}/dashboard?layer=today&region=po_valley&init_time=2022-01-11")
        page_tests.wait_for_picture(tab, "_today_2022-01-11_")
        assert "µg/m³" in page_tests.read_off(tab, 45.2, 9.9)
        tab.get_by_role("button", name="Target", exact=True).click()
        page_tests.wait_for_picture(tab, "_target_2022-01-11_")
        assert tab.problems == []  # type: ignore[attr-defined]
    finally:
        context.close()
