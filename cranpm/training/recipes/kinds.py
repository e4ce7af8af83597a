"""What parts of training need to know of a recipe, whatever network it trains."""

from __future__ import annotations

from typing import Protocol

from cranpm.domain.splits import Splits


class DayChoice(Protocol):
    """Which days a run reads."""

    @property
    def splits(self) -> Splits:
        """Days to train, validate and test on."""

    @property
    def leads(self) -> tuple[int, ...]:
        """Lead times [days]."""

    @property
    def puff_share(self) -> float:
        """Share of init days that get puffs; 0 for none."""


class Schedule(Protocol):
    """How the learning rate changes from step to step."""

    @property
    def steps(self) -> int:
        """All of them."""

    @property
    def warmup_steps(self) -> int:
        """Those in which it rises."""

    @property
    def learning_rate(self) -> float:
        """At its peak."""

    @property
    def min_lr(self) -> float:
        """At the end."""
