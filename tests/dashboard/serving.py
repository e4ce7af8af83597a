"""Start ``panel serve dashboard`` on a free port and stop it again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 150.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Address of a running dashboard with these variables; what it prints goes to ``log``."""
    port = free_port()
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", "panel", "serve", "dashboard", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_until_up(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_up(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server stopped: {log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"{address}/outline/coast/9.json", timeout=2)
        except urllib.error.HTTPError:
            return  # a 404 of our own route: the server and its routes are up
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"No server within {START_SECONDS:g} s: {log.read_text()[-2000:]}")
