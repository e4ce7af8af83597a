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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 150.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def variables(root: Path, data: Path | None = None) -> dict[str, str]:
    """Of a machine whose datasets, checkpoints and runs lie below a folder, and that has no real files."""
    return {
        "CRANPM_DATA": str(data or root / "data"),
        "CRANPM_CHECKPOINTS": str(root / "checkpoints"),
        "CRANPM_RUNS": str(root / "runs"),
        "CRANPM_REAL_DATA": "",
    }


class Dashboard:
    """A server process that can be killed and started again at the same address.

    Parameters
    ----------
    environment : mapping
        Variables of its machine.
    log : Path
        Takes what it prints; a second start goes on there.
    options : str
        Of ``panel serve``.
    program : list of str, optional
        Stands in for ``-m panel``.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        *options: str,
        program: Sequence[str] = ("-m", "panel"),
    ) -> None:
        self.log = log
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._variables = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", **environment}
        self._command = [sys.executable, *program, "serve", "dashboard", "--port", str(self._port), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("a") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._variables,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait_until_up(self.address, self._process, self.log)

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As the kernel does when memory runs out: nothing is said, nothing tidied up."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(15)

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def running(dashboard: Dashboard) -> Iterator[Dashboard]:
    """Started when the block begins, stopped when it ends."""
    try:
        dashboard.start()
        yield dashboard
    finally:
        dashboard.stop()


@contextlib.contextmanager
def served(environment: Mapping[str, str], log: Path, *options: str) -> Iterator[str]:
    """Address of a running dashboard with these variables; what it prints goes to ``log``."""
    with running(Dashboard(environment, log, *options)) as dashboard:
        yield dashboard.address


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
