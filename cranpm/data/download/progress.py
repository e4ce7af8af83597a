"""Where a fetch stands, and how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cranpm.data.download.receipts import RawFile, Receipt


@dataclass(frozen=True, kw_only=True)
class FetchProgress:
    """Where a fetch stands. ``seconds_left`` is None until a file has been seen to move."""

    file: str
    state: str
    files_done: int
    files: int
    bytes_done: int = 0
    bytes_total: int | None = None
    seconds_left: float | None = None


class ProgressTracker:
    """Turns bytes into progress with the time left."""

    def __init__(self, call: Callable[[FetchProgress], None] | None, files: int, total: int) -> None:
        self._call, self._files, self._total = call, files, total
        self._done, self._before, self._moved, self._since = 0, 0, 0, time.monotonic()
        self._file = self._state = ""

    def more(self, files: int) -> None:
        """Count further files that are to come."""
        self._files += files

    def begin(self, file: RawFile) -> None:
        """Start on a file."""
        self._file, self._state, self._last = file.label, "asking", -1
        self._send(0, file.size)

    def state(self, state: str) -> None:
        """Say what is being waited for."""
        self._state = state
        self._send(0, None)

    def bytes(self, done: int, total: int | None) -> None:
        """Say how much of the file is here."""
        self._moved += max(done - self._last, 0) if self._last >= 0 else 0
        self._last = done
        self._state = "downloading"
        self._send(done, total)

    def finish(self, receipt: Receipt) -> None:
        """Count a file as complete."""
        self._done += 1
        self._before += receipt.bytes
        self._state = "complete"
        self._send(receipt.bytes, receipt.bytes)

    def _send(self, done: int, total: int | None) -> None:
        if self._call is None:
            return
        elapsed = time.monotonic() - self._since
        left = None
        if self._total and self._moved:
            left = max(self._total - self._before - done, 0) * elapsed / self._moved
        elif self._done:
            left = (self._files - self._done) * elapsed / self._done
        self._call(
            FetchProgress(
                file=self._file,
                state=self._state,
                files_done=self._done,
                files=self._files,
                bytes_done=done,
                bytes_total=total,
                seconds_left=left,
            )
        )
