"""Kill a download at random moments until its file is there, again and again; prints the counts.

``python tests/data/download/killed_download.py 200`` takes less than a minute. A process of its own: it forks after the
imports, so that a kill costs no start-up.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from cranpm.data.download import download as module
from cranpm.data.download.download import Retries, download, file_hash
from cranpm.data.download.endpoints import polite_session
from cranpm.data.mock_providers.server import _Handler

CONTENT = np.random.default_rng(0).bytes(300_000)
PACE = 0.002
"""Seconds between two blocks of 4096 bytes: about 0.15 s a file."""


class SlowServer:
    """Serves one file, a block at a time."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.faults = {"file": _Always([_trickle])}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.providers = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}/file"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, *_: Any) -> Any:
        return 200, {}, CONTENT


class _Always(list):
    def pop(self, *_: Any) -> None:
        """A fault that stays."""


def _trickle(handler: Any, body: bytes) -> bool:
    write = handler.wfile.write

    def slowly(part: bytes) -> int:
        for start in range(0, len(part), 4096):
            write(part[start : start + 4096])
            time.sleep(PACE)
        return len(part)

    handler.wfile.write = slowly
    return False


def in_a_process(url: str, target: Path, digest: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        download(url, target, session=polite_session(), hash=digest, retries=Retries(first_wait=0.01))
    except BaseException:
        os._exit(1)
    os._exit(0)


def main(kills: int) -> None:
    module.BLOCK = 4096
    server, draw, killed, files, resumed = SlowServer(), random.Random(1), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "right").write_bytes(CONTENT)
        digest = file_hash(Path(folder) / "right")
        while killed < kills:
            target, files = Path(folder) / str(files), files + 1
            while not target.exists():
                child, ended = in_a_process(server.url, target, digest), False
                stop = time.monotonic() + draw.uniform(0, 0.25)
                while time.monotonic() < stop and not ended:
                    ended = os.waitpid(child, os.WNOHANG)[0] == child
                    time.sleep(0.001)
                if not ended:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    killed += 1
            assert target.read_bytes() == CONTENT, "a file that is there is whole and right"
        resumed = sum("Range" in headers for _, _, headers in server.log)
    print(f"{killed} kills, {files} files, {resumed} resumed transfers")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
