"""Random numbers that belong to a day, not to a run.

Every draw is keyed by (seed, stream, absolute day) through a counter-based generator, and every process with
memory is a finite filter over a fixed number of past days. So a day is the same whatever day a run started on.
"""

from __future__ import annotations

import numpy as np
import torch

EPOCH = np.datetime64("1970-01-01", "D")
"""Day number 0."""

STREAMS = {
    name: index
    for index, name in enumerate(("flow", "slow", "chemistry", "fires", "products", "stations", "puffs"))
}


def day_number(day: np.datetime64 | str) -> int:
    """Days since 1970-01-01."""
    return int((np.datetime64(str(day), "D") - EPOCH).astype(int))


def day_generator(seed: int, stream: str, day: int, part: int = 0) -> np.random.Generator:
    """The generator of one stream on one day (Philox, keyed)."""
    key = np.array([seed & 0xFFFFFFFFFFFFFFFF, (STREAMS[stream] << 32) | part], dtype=np.uint64)
    counter = np.array([0, 0, 0, day + (1 << 40)], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def red_kernel(age: torch.Tensor, memory: torch.Tensor, forcing_memory: float) -> torch.Tensor:
    """Response of a two-stage Ornstein-Uhlenbeck process to a kick ``age`` days ago, up to a constant.

    Parameters
    ----------
    age : Tensor
        Time since the kick [days]; zero response for negative ages.
    memory : Tensor
        Decay time of the process [days].
    forcing_memory : float
        Decay time of its forcing [days]; equal memories are kept 2 % apart, where the formula is 0/0.
    """
    memory = torch.where(
        (memory / forcing_memory - 1).abs() < 0.02, torch.full_like(memory, 1.02 * forcing_memory), memory
    )
    response = (torch.exp(-age / memory) - torch.exp(-age / forcing_memory)) / (memory - forcing_memory)
    return torch.where(age > 0, response, torch.zeros_like(response))
