"""One trainer per folder."""

from __future__ import annotations

from pathlib import Path

from cranpm._lock import Lock, LockHeldError


def lock_run(folder: Path) -> Lock:
    """Lock a run's folder for training, making it where it is not there.

    Raises
    ------
    RuntimeError
        If another trainer holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return Lock(folder / ".writer.lock")
    except LockHeldError as error:
        raise RuntimeError(
            f"Another trainer is at work in {folder} ({error.holder}). Wait for it to end, or end it. "
            "Or name another folder with --out."
        ) from None
