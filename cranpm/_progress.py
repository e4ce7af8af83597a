"""How far a long task is, and how long the rest of it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What is told while a task goes on: parts done, parts in all, and the seconds that the rest will take."""

    def __call__(self, done: int, total: int, seconds_left: float, /) -> None: ...


class StageProgress(Protocol):
    """As `Progress`, of a task in stages: the stage in words comes first; None where the time left is not known."""

    def __call__(self, stage: str, done: int, total: int, seconds_left: float | None, /) -> None: ...


class Clock:
    """Tells how long the rest of a task will take, at the pace since the clock was made.

    Parameters
    ----------
    total : int
        Parts of the task.
    progress : Progress, optional
        Told at each part that is done.
    """

    def __init__(self, total: int, progress: Progress | None = None) -> None:
        self.total, self._progress = total, progress
        self.done = 0
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the clock was made [s]."""
        return time.monotonic() - self._begun

    @property
    def seconds_left(self) -> float:
        """Of the parts that are not done [s]; infinite before the first one is."""
        return self.seconds_for(self.total - self.done)

    def seconds_for(self, parts: int) -> float:
        """What so many parts will take [s]; infinite before one is done."""
        return self.seconds / self.done * parts if self.done else float("inf")

    def tick(self, parts: int = 1) -> None:
        """So many parts more are done."""
        self.done += parts
        if self._progress is not None:
            self._progress(self.done, self.total, self.seconds_left)


@contextmanager
def reporting(progress: bool | Progress, what: str, *, unit: str) -> Iterator[Progress]:
    """What an argument ``progress`` asks for: True a bar, False nothing, a function that function."""
    if callable(progress):
        yield progress
        return
    if not progress:
        yield lambda done, total, seconds_left: None
        return
    from tqdm import tqdm

    # a notebook paints what comes by stderr like an error
    stream = sys.stdout if "ipykernel" in sys.modules else sys.stderr
    with tqdm(desc=what, unit=unit, file=stream) as bar:

        def show(done: int, total: int, seconds_left: float, /) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def duration(seconds: float) -> str:
    """Seconds as a person says them, in the largest unit of which there are about two.

    >>> duration(12.3), duration(240), duration(9000), duration(3e5)
    ('12 s', '4 min', '2.5 h', '3.5 days')
    """
    for unit, size, digits in (("days", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{max(seconds, 0):.0f} s"
