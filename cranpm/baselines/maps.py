"""What every method hands over: maps by lead time, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

Maps = Mapping[int, np.ndarray]
"""Lead time [days] to map (H, W) [ug m-3]."""

Method = Callable[[np.datetime64], Maps]
"""Init day to maps."""

Today = Callable[[np.datetime64], np.ndarray]
"""Gives the fine PM2.5 map of a day, (H, W), NaN where missing."""


class LazyMaps(Mapping[int, np.ndarray]):
    """Maps that are made anew each time they are asked for, and not kept.

    A map of Europe takes 117 MB; two dozen methods with three leads each would take 8 GB at once.

    Parameters
    ----------
    leads : sequence of int
        Lead times [days].
    make : callable
        Gives the map of a lead time.

    Examples
    --------
    >>> maps = LazyMaps((1, 2), lambda lead: np.full((2, 2), float(lead)))
    >>> sorted(maps), float(maps[2][0, 0])
    ([1, 2], 2.0)
    """

    def __init__(self, leads: Sequence[int], make: Callable[[int], np.ndarray]) -> None:
        self._leads, self._make = tuple(leads), make

    def __getitem__(self, lead: int) -> np.ndarray:
        if lead not in self._leads:
            raise KeyError(lead)
        return self._make(lead)

    def __iter__(self) -> Iterator[int]:
        return iter(self._leads)

    def __len__(self) -> int:
        return len(self._leads)
