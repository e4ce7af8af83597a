"""`cranpm dashboard` up to the server's own start; tests/test_wheel.py serves a page with it."""

from __future__ import annotations

import runpy
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cranpm import extras
from cranpm.cli.app import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that were handed to Panel."""
    seen: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(runpy, "run_module", lambda *_module, **_how: seen.append(list(sys.argv)))
    monkeypatch.setattr(webbrowser, "get", lambda: object())
    return seen


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dashboard", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def test_the_page_is_served_to_this_machine_only_and_opened(served: list[list[str]], port: int) -> None:
    code, said = run("--port", port)
    assert code == 0, said
    (line,) = served
    folder = Path(line[2])
    assert line[:2] == ["panel", "serve"] and (folder / "main.py").is_file() and folder.name == "dashboard"
    assert line[line.index("--address") + 1] == "127.0.0.1" and "--show" in line
    allowed = {word.partition("=")[2] for word in line if word.startswith("--allow-websocket-origin")}
    assert allowed == {f"127.0.0.1:{port}", f"localhost:{port}"}


def test_behind_a_proxy_its_address_may_ask_too(served: list[list[str]], port: int) -> None:
    code, said = run("--port", port, "--no-show", "--origin", "air.example.org", "air.example.org:8443")
    assert code == 0, said
    assert "--show" not in served[0]
    assert served[0][-2:] == [
        "--allow-websocket-origin=air.example.org",
        "--allow-websocket-origin=air.example.org:8443",
    ]


def test_at_every_address_the_machines_name_may_ask_too(served: list[list[str]], port: int) -> None:
    code, said = run("--port", port, "--no-show", "--address", "0.0.0.0")
    assert code == 0, said
    assert f"--allow-websocket-origin={socket.gethostname()}:{port}" in served[0]


def test_a_taken_port_is_explained(served: list[list[str]], taken_port: int) -> None:
    code, said = run("--port", taken_port)
    assert code == 2 and f"Port {taken_port} of 127.0.0.1 cannot be used" in said
    assert f"cranpm dashboard --port {taken_port + 1}" in said
    assert f"make dashboard PORT={taken_port + 1}" in said
    assert not served


def test_an_address_that_is_none_is_explained(served: list[list[str]], port: int) -> None:
    code, said = run("--port", port, "--address", "no such host")
    assert code == 2 and "'no such host' is no address of this machine" in said and not served


def test_without_the_extra_one_sentence_says_how_to_get_it(
    served: list[list[str]], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "missing_modules", lambda extra: ["panel", "bokeh"])
    code, said = run("--port", port)
    assert code == 2 and not served
    assert (
        "The dashboard needs panel, bokeh, which are not installed: pip install 'cranpm-explorer[dashboard]'"
        in said
    )


def test_without_a_browser_the_address_is_said(
    served: list[list[str]], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    code, said = run("--port", port)
    assert (
        code == 0 and f"No browser was found on this machine. Open http://127.0.0.1:{port}/dashboard" in said
    )
    assert "--show" not in served[0]


@pytest.mark.parametrize(("show", "option"), [("--show", "--show"), ("", "--no-show")])
def test_make_serves_with_the_same_command(show: str, option: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", "dashboard", "PORT=5017", f"SHOW={show}"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert f"cranpm dashboard --port 5017 {option}\n" in result.stdout
