"""When a run's state is saved, and how it comes back: Lightning's own checkpoint, through `state.TrainStates`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.types import _MAP_LOCATION_TYPE, _PATH
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities.types import STEP_OUTPUT

from cranpm.training.batches.batches import TrainingBatch, TrainingDays
from cranpm.training.batches.validation import ValidationBatches
from cranpm.training.fit.health import refuse_non_finite
from cranpm.training.fit.module import as_healthy
from cranpm.training.state.rng import RandomState, random_state, restore_random_state
from cranpm.training.state.session import Session
from cranpm.training.state.signals import TrainingStopped
from cranpm.training.state.state import SavedState, TrainStates


class StateIO(CheckpointIO):
    """Lightning's door to the disk: states are written whole or not at all, and verified before they are read."""

    def __init__(self, states: TrainStates, saved: SavedState | None) -> None:
        self._states, self._saved = states, saved

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: object | None = None
    ) -> None:
        if "loops" not in checkpoint:  # bare weights, on their way from a forked process to this one
            torch.save(checkpoint, path)
            return
        for part in ("state_dict", "current_model_state"):
            refuse_non_finite(checkpoint.get(part, {}).items(), f"Step {checkpoint['global_step']}")
        facts = checkpoint.pop("facts", {})
        self._states.save(checkpoint, int(checkpoint["global_step"]), **facts)

    def load_checkpoint(
        self, path: _PATH, map_location: _MAP_LOCATION_TYPE = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        if self._saved is not None and Path(path) == self._saved.folder:
            return self._saved.load()
        return torch.load(path, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: _PATH) -> None:
        """Bare weights only; states are removed by `TrainStates` itself."""
        Path(path).unlink(missing_ok=True)


class StateSaver(Checkpoint):
    """Saves every so many steps, before each validation, when asked to stop, and at the end.

    A ``Checkpoint`` callback, so that Lightning runs it after all others: averages are up to date when it saves.

    Parameters
    ----------
    session : Session
        Without ``states`` nothing is saved; asking for a stop then just ends the run.
    every, validate_every : int
        Steps between saves, and between validations.
    max_minutes : float, optional
        Ends the run properly (validation, average, export) after this long.
    """

    def __init__(
        self,
        session: Session,
        *,
        every: int,
        validate_every: int,
        max_minutes: float | None = None,
    ) -> None:
        self._states, self._stop = session.states, session.stop
        self._every, self._validate_every = every, validate_every
        self._max_seconds = None if max_minutes is None else 60 * max_minutes
        self._seconds_before = session.seconds_spent
        self._begun = time.monotonic()
        self._restored: RandomState | None = None
        self._saved_step = -1
        self._before_step: RandomState | None = None
        """Random streams at the beginning of the step at hand; None between steps."""

    @property
    def seconds(self) -> float:
        """Seconds trained, earlier starts included."""
        return self._seconds_before + time.monotonic() - self._begun

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begun = time.monotonic()
        self._stop.listen()
        self._stop.may_break_off = lambda: trainer.world_size == 1 and not as_healthy(pl_module).updating
        self._saved_step = trainer.global_step  # what was just loaded is on disk already

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: TrainingBatch, batch_idx: int
    ) -> None:
        if self._restored is not None:  # as late as can be: nothing may draw between this and the step
            restore_random_state(self._restored)
            self._restored = None
        self._before_step = random_state()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: object, **__: object
    ) -> None:
        step, self._before_step = trainer.global_step, None
        asked, late = self._agree(trainer)
        due = step % self._every == 0 or step % self._validate_every == 0
        if asked or late or due or step >= trainer.max_steps:
            self._save(trainer)
            asked = self._agree(trainer)[0]  # somebody may have asked while it was written
        as_healthy(pl_module).updating = False
        if asked:
            raise TrainingStopped("As asked.")
        if late:
            trainer.should_stop = True

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        if not isinstance(exception, TrainingStopped):
            return
        if trainer.world_size == 1 and not as_healthy(pl_module).updating:
            self._save(trainer)  # a step was broken off: weights are those before it, and so are the streams
        exception.args = (f"{exception} {self._message(trainer)}",)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._random = random_state()

    def on_validation_batch_start(self, trainer: L.Trainer, *_: object, **__: object) -> None:
        if self._stop.asked and trainer.training is False and self._saved_step >= 0:
            raise TrainingStopped("While validating.")  # this very step was saved before validation began

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        restore_random_state(self._random)
        if (
            self._states is not None and trainer.is_global_zero
        ):  # the state of this step is older than its scores
            self._states.save_scores(trainer.global_step, _scores(trainer))

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        streams: list[RandomState | None] = [self._before_step or random_state()]
        if trainer.world_size > 1:
            streams = [None] * trainer.world_size
            torch.distributed.all_gather_object(streams, random_state())
        checkpoint["random"] = streams
        checkpoint["health"] = as_healthy(pl_module).health.state_dict()
        checkpoint["facts"] = {
            "seconds": round(self.seconds, 1),
            "skipped": as_healthy(pl_module).health.total,
        }

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._restored = checkpoint["random"][trainer.global_rank]
        as_healthy(pl_module).health.load_state_dict(checkpoint["health"])

    def _agree(self, trainer: L.Trainer) -> tuple[bool, bool]:
        """Whether to stop and whether time is up, the same on every process."""
        asked = self._stop.asked is not None
        late = self._max_seconds is not None and time.monotonic() - self._begun > self._max_seconds
        if trainer.world_size == 1:
            return asked, late
        flags = torch.tensor([asked, late], dtype=torch.float32, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(flags)
        return bool(flags[0] > 0), bool(flags[1] > 0)

    def _save(self, trainer: L.Trainer) -> None:
        if self._states is not None and trainer.global_step != self._saved_step:
            trainer.save_checkpoint(
                Path(self._states.folder) / f"step-{trainer.global_step}", weights_only=False
            )
            self._saved_step = trainer.global_step
            self._stop.message = f"State of step {trainer.global_step} saved."

    def _message(self, trainer: L.Trainer) -> str:
        if self._states is None:
            return f"Stopped at step {trainer.global_step}; this run keeps no state."
        return f"Stopped at step {trainer.global_step}; its state is in {self._states.folder}. Go on with --resume."


class HealthWatch(Callback):
    """Names the samples of a step that was left out, and ends the run after too many in a row."""

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: TrainingBatch,
        batch_idx: int,
    ) -> None:
        training = as_healthy(pl_module)
        health = training.health
        if health.skipped:
            loss = float(training.latest.get("loss", torch.tensor(torch.nan)))
            health.refuse_or_warn(trainer.global_step, training.describe(batch), loss)
            training.log("train/skipped", float(health.total), batch_size=1)


class Position(Callback):
    """Tells the data where to begin and which share is this process's, once Lightning knows."""

    def __init__(self, first_step: int, batches: TrainingDays, validation: ValidationBatches | None) -> None:
        self._first_step, self._batches, self._validation = first_step, batches, validation

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._batches.first_step = self._first_step
        for batches in (self._batches, self._validation):
            if batches is not None:
                batches.share = (trainer.global_rank, trainer.world_size)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_rank:  # the same weights everywhere, but not the same dropout
            torch.manual_seed(as_healthy(pl_module).seed + 1_000_003 * trainer.global_rank)


def _scores(trainer: L.Trainer) -> dict[str, float]:
    """The last validation's figures."""
    return {
        name.removeprefix("validation/"): round(float(value), 6)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("validation/")
    }
