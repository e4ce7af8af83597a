"""What happens when numbers stop being finite: the step is left out and named, and too many in a row end the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from cranpm.training.batches.batches import TrainingBatch


class NonFiniteError(RuntimeError):
    """Losses, gradients or weights that are NaN or infinite; the message names where they came from."""


class Health:
    """Leaves out steps whose gradient is not finite.

    Parameters
    ----------
    most : int
        Steps in a row that may be left out.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_row = self.total = 0
        self.skipped = False
        """Whether the step just made was left out."""

    def skip_nonfinite(self, norm: torch.Tensor, parameters: Sequence[torch.Tensor]) -> None:
        """Drop the gradients if their norm is not finite: the optimiser then moves nothing, momenta included.

        Processes of one run share their gradients, so that all of them come to the same verdict.
        """
        self.skipped = not bool(torch.isfinite(norm))
        self.in_row = self.in_row + 1 if self.skipped else 0
        if self.skipped:
            self.total += 1
            for parameter in parameters:
                parameter.grad = None

    def state_dict(self) -> dict[str, int]:
        return {"in_row": self.in_row, "total": self.total}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.in_row, self.total = state["in_row"], state["total"]


class HealthWatch(Callback):
    """Says which samples a left-out step held, and ends the run after too many in a row."""

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: TrainingBatch, batch_idx: int
    ) -> None:
        health = module.health
        if not health.skipped:
            return
        what = describe_batch(module, batch)
        loss = float(module.latest.get("loss", torch.tensor(torch.nan)))
        if health.in_row > health.most:
            raise NonFiniteError(
                f"{health.in_row} steps in a row had a loss or gradient that is not finite (at most {health.most} may "
                f"be left out); the last, step {trainer.global_step}, with loss {loss:g}: {what}. Mend those data, or "
                "lower the learning rate; then resume from the last saved state."
            )
        warnings.warn(
            f"Step {trainer.global_step} left out, {health.in_row} in a row (at most {health.most}), loss {loss:g}: "
            f"{what}",
            stacklevel=1,
        )
        module.log("train/skipped", float(health.total), batch_size=1)

    def state_dict(self) -> dict[str, Any]:
        return {}


def describe_batch(module: Any, batch: TrainingBatch) -> str:
    """The samples of a batch in words; only the guilty ones where they can be told apart."""
    if batch.faults:
        return "; ".join(batch.faults)
    tiles = [tile for group in batch.groups for tile in group.tiles]
    guilty = _not_finite(module, batch)
    chosen = [tile for tile, bad in zip(tiles, guilty) if bad] or tiles
    names = [f"init day {t.init_time} lead {t.lead} tile at row {t.row}, col {t.col}" for t in chosen[:8]]
    more = f" and {len(chosen) - 8} more" if len(chosen) > 8 else ""
    draws = ", ".join(f"epoch {group.epoch} group {group.index}" for group in batch.groups)
    return f"{'; '.join(names)}{more} (drawn as {draws})"


@torch.no_grad()
def _not_finite(module: Any, batch: TrainingBatch) -> list[bool]:
    """Which tiles give a forecast that is not finite."""
    was_training = module.network.training
    module.network.eval()
    try:
        delta = module.network(batch.global_inputs, batch.local_inputs, batch.day_index)
        return (~torch.isfinite(delta)).flatten(1).any(dim=1).tolist()
    except (ValueError, RuntimeError):  # the network's own door refuses them: then all are named
        return []
    finally:
        module.network.train(was_training)


def refuse_non_finite(named: Iterable[tuple[str, torch.Tensor]], what: str) -> None:
    """Raise if a weight is NaN or infinite.

    Raises
    ------
    NonFiniteError
        Naming the first of them.
    """
    for name, tensor in named:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"{what} is not saved: {name} holds values that are not finite.")
