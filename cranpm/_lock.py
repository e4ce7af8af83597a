"""One process at a time at a folder or a file, on Linux, macOS and Windows."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout


class LockHeldError(RuntimeError):
    """Somebody else holds the lock; ``holder`` says who, as far as known."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by {holder}")
        self.holder = holder


class Lock:
    """Taken when made, without waiting; it goes with the process, however that ends.

    Processes that are forked from the holder do not share it: a data worker that outlives a killed trainer for some
    seconds keeps nobody out. Who holds it stands in a file beside the lock, for Windows lets nobody read a locked one.

    Parameters
    ----------
    path : Path
        The file to lock, in a folder that is there. It is made, and removed when the lock is released.

    Raises
    ------
    LockHeldError
        If somebody else holds it.
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._note = path.with_name(f"{path.name}.holder")
        # not thread-local: what one thread took, another may release
        self._lock = FileLock(path, blocking=False, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise LockHeldError(self._holder()) from None
        with contextlib.suppress(OSError):
            self._note.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")

    def _holder(self) -> str:
        try:
            return self._note.read_text(encoding="utf-8").strip() or "another process"
        except (OSError, ValueError):
            return "another process"

    def release(self) -> None:
        """Let go of it; a second call does nothing."""
        if not self._lock.is_locked:
            return
        with contextlib.suppress(OSError):
            self._note.unlink()
        # while it is held: removed later, it could be the file that somebody else has locked meanwhile.
        # Windows refuses this, and removes the file itself when it is released
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._lock.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
