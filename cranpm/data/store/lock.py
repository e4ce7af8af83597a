"""One writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from cranpm.data.errors import StoreLockedError


def take_lock(root: Path) -> int:
    """Lock a dataset folder for writing; closing the returned file descriptor lets go of it.

    The lock belongs to the open file: it goes with the process, however that ends, and leaves nothing to clean up.

    Raises
    ------
    StoreLockedError
        If another writer holds it.
    """
    path = root / ".writer.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 100).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        msg = f"{path.parent} is being written by another process ({holder}). Wait for it to end, or end it."
        raise StoreLockedError(msg) from None
    with contextlib.suppress(OSError):
        os.truncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()}".encode(), 0)
    return handle
