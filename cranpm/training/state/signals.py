"""Ending a run from outside: SIGTERM and SIGINT ask for a stop, the state is saved, the exit code says so."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

STOPPED_EXIT_CODE = 75
"""Exit code of a run that was asked to stop and saved its state (EX_TEMPFAIL: try again, here with --resume)."""

PATIENCE = 12.0
"""Seconds a stop may wait for the step at hand; then the step is broken off, and the state before it saved."""

LAST_WAIT = 12.0
"""Seconds more until the process leaves with the last saved state, should the step not let itself be broken off."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class TrainingStopped(Exception):
    """The run was asked to stop; what was saved is in ``message``."""


class StopRequest:
    """Remembers that somebody asked for a stop; a context manager round the whole run.

    The first signal lets the step end and the state be saved; a second one interrupts at once. A step that takes
    longer than `PATIENCE` is broken off where ``may_break_off`` allows, and at last the process leaves with the
    same exit code and the last saved state.
    """

    def __init__(self, patience: float | None = None) -> None:
        self.asked: signal.Signals | None = None
        self.message = ""
        self.may_break_off: Callable[[], bool] = lambda: False
        """Whether nothing is half changed just now."""
        self._patience = PATIENCE if patience is None else patience
        self._impatient = False
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self._timer: threading.Timer | None = None
        self._entered = 0

    def __enter__(self) -> StopRequest:
        self._entered += 1
        if self._entered > 1:
            return self
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.listen()
        return self

    def listen(self) -> None:
        """Take the signals (again: Lightning puts its own handlers in place when fitting begins)."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._receive)

    def __exit__(self, *_: object) -> None:
        self._entered -= 1
        if self._entered:
            return
        self._cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ask(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask for a stop from within."""
        self.asked = self.asked or number

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._impatient:
            if self.may_break_off():
                self._impatient = False
                self._cancel()
                raise TrainingStopped(f"The step took longer than {self._patience:.0f} s and was broken off.")
            return  # it is about to end
        if self.asked is not None:
            raise TrainingStopped(f"Stopped at once by a second signal. {self.message}".strip())
        self.asked = signal.Signals(number)
        print(f"{self.asked.name}: saving after this step ...", file=sys.stderr, flush=True)  # noqa: T201
        self._wait(self._patience, self._break_off)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, then)
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _break_off(self) -> None:
        """From the timer's thread: have the main thread run `_receive`."""
        self._impatient = True
        self._wait(LAST_WAIT, self._leave)
        _thread.interrupt_main(signal.SIGTERM)

    def _leave(self) -> None:
        print(  # noqa: T201
            f"The step does not end; leaving with the last saved state. {self.message}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(STOPPED_EXIT_CODE)


def ignore_signals_in_worker(_: int = 0) -> None:
    """For data workers: a Ctrl-C or a batch system's SIGTERM reaches them too, and they must outlive the last step."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
