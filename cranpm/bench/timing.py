"""Timing in turns: A B A B, so that whatever else the machine does hurts all forms alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

LEAST_ROUNDS = 3
MOST_ROUNDS = 50
PATIENCE = 3.0
"""A slow machine may take so many times the seconds it was given to reach the least rounds; then it stops."""

Form = Callable[[], object]
"""What is timed: does its work once."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Those of values (n,), n >= 1.

        Examples
        --------
        >>> Spread.of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
        Spread(median=3.0, low=2.0, high=4.0)
        """
        low, median, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
        return cls(median=median, low=low, high=high)


@dataclass(frozen=True)
class Turns:
    """Times of several forms, measured in turns: entry k of each is of the same round.

    Attributes
    ----------
    wall, cpu : dict of str to ndarray, shape (rounds,)
        Seconds that passed, and seconds of all threads of this process (not of its children).
    all_cpu : bool
        Whether the second are all of the work: not on a GPU, not with other processes.
    """

    wall: dict[str, np.ndarray] = field(default_factory=dict)
    cpu: dict[str, np.ndarray] = field(default_factory=dict)
    all_cpu: bool = True

    def combine(self, name: str, parts: Mapping[str, float]) -> None:
        """Add a form that was not run: so many times one, and so many times another, in the same round.

        Examples
        --------
        >>> turns = Turns({"day": np.array([1.0]), "tile": np.array([0.5])}, {"day": np.ones(1), "tile": np.ones(1)})
        >>> turns.combine("map", {"day": 1, "tile": 160})
        >>> turns.wall["map"].tolist()
        [81.0]
        """
        for times in (self.wall, self.cpu):
            times[name] = np.sum([count * times[part] for part, count in parts.items()], axis=0)


def time_in_turns(
    forms: Mapping[str, Form],
    device: torch.device,
    *,
    seconds: float,
    least: int = LEAST_ROUNDS,
    warm_up: bool = True,
) -> Turns:
    """Time forms in turns until the seconds are spent.

    Parameters
    ----------
    forms : mapping of str to callable
    device : torch.device
        On CUDA times are those between two events on the stream, and include waiting for the host.
    seconds : float
        Rounds go on until they have taken so long, and there are ``least`` of them; a machine that needs more than
        `PATIENCE` times as long for those stops earlier.
    least : int
    warm_up : bool
        Run each form once before, untimed: caches, kernels that are chosen on first use.

    Returns
    -------
    Turns
    """
    if warm_up:
        for form in forms.values():
            form()
    walls: dict[str, list[float]] = {name: [] for name in forms}
    cpus: dict[str, list[float]] = {name: [] for name in forms}
    begun = time.perf_counter()
    for done in range(MOST_ROUNDS):
        passed = time.perf_counter() - begun
        if done and passed > (seconds if done >= least else PATIENCE * seconds):
            break
        for name, form in forms.items():
            wall, cpu = _time(form, device)
            walls[name].append(wall)
            cpus[name].append(cpu)
    return Turns(
        {name: np.array(values) for name, values in walls.items()},
        {name: np.array(values) for name, values in cpus.items()},
        all_cpu=device.type == "cpu",
    )


def _time(form: Form, device: torch.device) -> tuple[float, float]:
    cpu = time.process_time()
    if device.type != "cuda":
        begun = time.perf_counter()
        form()
        return time.perf_counter() - begun, time.process_time() - cpu
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize(device)
    start.record()
    form()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3, time.process_time() - cpu
