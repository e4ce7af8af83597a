"""Where and how a run is computed, as opposed to what it learns (the recipe)."""

from __future__ import annotations

from dataclasses import dataclass

SAVE_EVERY = 100
"""Steps between saved states."""


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """Where and how a run is computed.

    Nothing here changes what is learned, but the number of processes and, through the numbers that dropout draws,
    whether a step is taken in parts.
    """

    devices: int = 1
    """Processes on each machine; each takes every so many-th day group."""
    nodes: int = 1
    """Machines."""
    workers: int = 1
    """Processes that read data, for each device."""
    micro_batch: int | None = None
    """Tiles whose activations are held at a time; the gradient stays that of the recipe's batch. None: as many as the
    memory holds (`cranpm.training.report.step_memory.choose_micro_batch`)."""
    memory: int | None = None
    """Bytes that each process may take of its device's memory; None: all, or its share of a machine's."""
    save_every: int = SAVE_EVERY
    validate_every: int = 200
    """Steps between validations."""
    validation_days: int = 24
    """At most so many days of the validation split, spread over it."""
    max_minutes: float | None = None
    """Ends the tile stage properly (validation, average, export) after this long; pretraining and the schedule
    keep their steps."""
    launcher: str = "popen"
    """Of further processes: "popen" starts the command again for each (any device), "fork" clones this one (CPU)."""
    bar: bool = True
    """Show the steps of training as they pass."""

    @property
    def processes(self) -> int:
        """Processes of all machines together."""
        return self.devices * self.nodes
