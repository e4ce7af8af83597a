"""One trainer per folder (T7)."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from cranpm.data.errors import StoreLockedError
from cranpm.data.store.lock import take_lock

_held: set[int] = set()


class RunLock:
    """Holds a run's folder while training; a second trainer is refused.

    The lock goes with the process, however it ends. Data workers, which are forked from it, let go of their copy at
    once: else one that outlives a killed trainer for some seconds would keep the folder.

    Raises
    ------
    RuntimeError
        On entering, if another trainer holds the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle = -1

    def __enter__(self) -> RunLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._handle = take_lock(self._folder)
        except StoreLockedError as error:
            raise RuntimeError(
                f"Another trainer is at work in {self._folder}: {error} Or name another folder with --out."
            ) from None
        _held.add(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle in _held:
            _held.discard(self._handle)
            os.close(self._handle)


def _let_go_in_child() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
