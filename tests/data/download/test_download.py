"""One file over HTTP from a server with bad days."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from cranpm.data.download.download import (
    AccessRefusedError,
    DownloadError,
    DownloadLockedError,
    NotThereError,
    Retries,
    WrongContentError,
    download,
)
from cranpm.data.download.endpoints import USER_AGENT, polite_session
from cranpm.data.errors import DataFileError
from cranpm.data.files.openers import sniff
from cranpm.data.mock_providers.server import _Handler

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Server:
    """Serves one file; ``faults`` are consumed one a request."""

    def __init__(self) -> None:
        self.content, self.log, self.faults = CONTENT, [], {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.providers = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/file.zip"

    def answer(self, *_: Any) -> Any:
        return 200, {}, self.content

    def plan(self, *faults: Any) -> None:
        self.faults["file"] = list(faults)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    Thread(target=made._server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    made._server.shutdown()
    made._server.server_close()


def drop(after: int) -> Any:
    """Send that many bytes of what was asked for, then break the connection."""
    return lambda handler, body: handler.reply(200, {}, body, stop_after=after) or True


def status(code: int, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, body: handler.reply(code, named, b"busy") or True


def other(content: bytes) -> Any:
    return lambda handler, body: handler.reply(200, {}, content) or True


def get(server: Server, target: Path, **options: Any) -> Path:
    waits = options.pop("waits", [])
    retries = Retries(
        sleep=waits.append, **{k: options.pop(k) for k in ("tries", "first_wait") if k in options}
    )
    return download(server.url, target, session=polite_session(), retries=retries, **options)


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = get(server, tmp_path / "f.zip", hash=MD5, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["f.zip"]
    assert seen[-1] == (300_000, 300_000)
    assert server.log[0][2]["User-Agent"] == USER_AGENT
    assert "python" not in USER_AGENT, "Zenodo turns the default agent away"


def test_a_broken_connection_goes_on_at_the_next_byte(server: Server, tmp_path: Path) -> None:
    server.plan(drop(70_000), drop(100_000))
    assert get(server, tmp_path / "f", hash=MD5).read_bytes() == CONTENT
    ranges = [headers.get("Range") for _, _, headers in server.log]
    # 70,000 bytes came, then 100,000 more
    assert ranges == [None, "bytes=70000-", "bytes=170000-"]


def test_what_an_earlier_process_left_is_used(server: Server, tmp_path: Path) -> None:
    server.plan(drop(123_456), status(503))
    with pytest.raises(DownloadError, match="without progress. Run the same command again"):
        get(server, tmp_path / "f", tries=2)
    assert not (tmp_path / "f").exists()
    assert (tmp_path / ".f.part").stat().st_size == 123_456
    assert get(server, tmp_path / "f", hash=MD5).read_bytes() == CONTENT
    assert server.log[-1][2]["Range"] == "bytes=123456-"


def test_a_file_that_changed_meanwhile_is_fetched_from_the_beginning(server: Server, tmp_path: Path) -> None:
    server.plan(drop(100_000), status(503))
    with pytest.raises(DownloadError):
        get(server, tmp_path / "f", tries=2)
    server.content = bytes(reversed(CONTENT))
    assert get(server, tmp_path / "f").read_bytes() == server.content, (
        "never the head of one and the tail of the other"
    )


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    def whole(handler: Any, body: bytes) -> bool:
        del handler.headers["Range"]
        return False

    server.plan(drop(50_000), whole)
    assert get(server, tmp_path / "f", hash=MD5).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_when_it_says(server: Server, tmp_path: Path) -> None:
    server.plan(status(429, Retry_After="7"), status(503), status(503))
    waits: list[float] = []
    get(server, tmp_path / "f", waits=waits, first_wait=1.0)
    assert waits == [7.0, 2.0, 4.0], "the server's word first, then doubling"


def test_progress_forgives_earlier_failures(server: Server, tmp_path: Path) -> None:
    server.plan(*[drop(20_000)] * 12)
    assert get(server, tmp_path / "f", tries=3, hash=MD5).read_bytes() == CONTENT


def test_a_wrong_hash_is_fetched_once_more_and_then_refused(server: Server, tmp_path: Path) -> None:
    server.plan(other(b"x" * 300_000))
    assert get(server, tmp_path / "f", hash=MD5).read_bytes() == CONTENT
    server.content = b"y" * 300_000
    with pytest.raises(WrongContentError, match=r"g: expected md5:.*, got md5:"):
        get(server, tmp_path / "g", hash=MD5)
    assert not (tmp_path / "g").exists()
    assert (tmp_path / ".g.part").stat().st_size == 0, "bytes that are wrong are not resumed"


def test_a_web_page_in_place_of_data_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = b"<!DOCTYPE html><title>Sign in</title>"
    with pytest.raises(DataFileError, match="web page"):
        get(server, tmp_path / "f", accept=sniff)
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("code", "error", "match"),
    [
        (401, AccessRefusedError, "credentials that are valid and a licence"),
        (403, AccessRefusedError, "refuses access .403."),
        (404, NotThereError, "has no such file"),
        (418, DownloadError, "got status 418"),
    ],
)
def test_refusals_are_named_and_not_repeated(
    server: Server, tmp_path: Path, code: int, error: type[Exception], match: str
) -> None:
    server.plan(*[status(code)] * 3)
    with pytest.raises(error, match=match):
        get(server, tmp_path / "f")
    assert len(server.log) == 1


def test_a_size_that_was_announced_elsewhere_counts(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WrongContentError, match="expected 299999 bytes, got 300000"):
        get(server, tmp_path / "f", size=299_999)


def test_two_processes_do_not_write_one_file(server: Server, tmp_path: Path) -> None:
    def meanwhile(path: Path) -> None:
        with pytest.raises(DownloadLockedError, match=f"f is being fetched by process {os.getpid()} on"):
            get(server, tmp_path / "f")

    get(server, tmp_path / "f", accept=meanwhile)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_killed_at_any_byte_it_goes_on_and_ends_with_the_right_file() -> None:
    script = Path(__file__).parent / "killed_download.py"
    result = subprocess.run([sys.executable, str(script), "20"], capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr[-2000:]
    kills, files, resumed = (int(word) for word in result.stdout.split() if word.isdigit())
    assert kills >= 20 and files >= 5
    assert resumed >= 3, "what was there was used"
