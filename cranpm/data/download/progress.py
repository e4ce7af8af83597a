"""Where a fetch stands, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cranpm._progress import Clock
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
        self._call, self._files, self._moved = call, Clock(files), Clock(total)
        self._before = 0
        self._file = self._state = ""

    def more(self, files: int) -> None:
        """Count further files that are to come."""
        self._files.total += files

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
        self._moved.tick(max(done - self._last, 0) if self._last >= 0 else 0)
        self._last = done
        self._state = "downloading"
        self._send(done, total)

    def finish(self, receipt: Receipt) -> None:
        """Count a file as complete."""
        self._files.tick()
        self._state = "complete"
        self._send(receipt.bytes, receipt.bytes)
        self._before += receipt.bytes

    def _send(self, done: int, total: int | None) -> None:
        if self._call is None:
            return
        left = None
        if self._moved.total and self._moved.done:  # what was there before moved in no time
            left = self._moved.seconds_for(max(self._moved.total - self._before - done, 0))
        elif self._files.done:
            left = self._files.seconds_left
        self._call(
            FetchProgress(
                file=self._file,
                state=self._state,
                files_done=self._files.done,
                files=self._files.total,
                bytes_done=done,
                bytes_total=total,
                seconds_left=left,
            )
        )
