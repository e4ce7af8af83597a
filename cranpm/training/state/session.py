"""One start of a run: from a state or from nothing, to its end or to a stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lightning.pytorch.callbacks import Callback

from cranpm.training.state.signals import StopRequest
from cranpm.training.state.state import SavedState, TrainStates


@dataclass(kw_only=True)
class Session:
    """Where one start of a run writes, what it goes on from, who may stop it and who gets its messages."""

    out: Path
    """Folder of the logs (TensorBoard and CSV)."""
    states: TrainStates | None = None
    """Where the run's state is kept; without it nothing can be resumed."""
    saved: SavedState | None = None
    """Go on from this state, exactly."""
    stop: StopRequest = field(default_factory=StopRequest)
    """Asked for a stop, the state is saved and `TrainingStopped` raised."""
    seconds_before: float = 0.0
    """What earlier stages took, for the record; a resumed stage knows its own."""
    skipped_before: int = 0
    """Steps that earlier stages left out."""
    report: Callable[[str], None] = print
    """Takes lines for people."""
    callbacks: Sequence[Callback] = ()
    """Of Lightning, besides those that every run has."""

    @property
    def seconds_spent(self) -> float:
        """Seconds of training before this start."""
        return self.seconds_before if self.saved is None else self.saved.document.get("seconds", 0.0)
