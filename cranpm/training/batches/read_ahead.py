"""Reading the next items by a thread while one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Read = TypeVar("_Read")


def read_ahead(
    read: Callable[[_Item], _Read], items: Iterable[_Item], depth: int = 2
) -> Generator[_Read, None, None]:
    """What ``read`` makes of each item, in order; the next ones are read by a thread while this one is used."""
    waiting: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="days")
    try:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
