"""What happens when numbers stop being finite: the step is left out and named, and too many in a row end the run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import torch

from cranpm.model import CranPM
from cranpm.training.batches.batches import TrainingBatch


class NonFiniteError(RuntimeError):
    """Losses, gradients or weights that are NaN or infinite; the message names where they came from."""


class Health:
    """Leaves out steps whose gradient is not finite.

    Parameters
    ----------
    most : int
        Steps in a row that may be left out.
    stage : str
        What to call the stage in messages; nothing by default.
    """

    def __init__(self, most: int, stage: str = "") -> None:
        self.most, self._of = most, f" of {stage}" if stage else ""
        self.in_row = self.total = 0
        self.skipped = False
        """Whether the step just made was left out."""

    def clip(self, parameters: Sequence[torch.Tensor], limit: float) -> None:
        """Clip gradients by their norm, 0 for no limit; drop them if it is not finite."""
        self.skip_nonfinite(torch.nn.utils.clip_grad_norm_(parameters, limit or torch.inf), parameters)

    def skip_nonfinite(self, norm: torch.Tensor, parameters: Sequence[torch.Tensor]) -> None:
        """Drop the gradients if their norm is not finite: the optimiser then moves nothing, momenta included.

        Processes of one run share their gradients, so that all of them decide alike.
        """
        self.count(bool(torch.isfinite(norm)))
        if self.skipped:
            for parameter in parameters:
                parameter.grad = None

    def count(self, usable: bool) -> None:
        """Keep count of a step that is made, or left out."""
        self.skipped = not usable
        self.in_row = 0 if usable else self.in_row + 1
        self.total += self.skipped

    def refuse_or_warn(self, step: int, what: str, loss: float | None = None) -> None:
        """Warn of the step just made, or end the run, if it was left out.

        Parameters
        ----------
        step : int
        what : str
            Its samples, in words.
        loss : float, optional

        Raises
        ------
        NonFiniteError
            If it is one too many in a row.
        """
        if not self.skipped:
            return
        text = what if loss is None else f"loss {loss:g}: {what}"
        if self.in_row > self.most:
            raise NonFiniteError(
                f"{self.in_row} steps in a row{self._of} cannot be learned from, for values that are not finite (at "
                f"most {self.most} may be left out); the last, step {step}, {text}. Mend those data, or lower the "
                "learning rate; then resume from the last saved state."
            )
        warnings.warn(
            f"Step {step}{self._of} left out, {self.in_row} in a row (at most {self.most}), {text}",
            stacklevel=2,
        )

    def state_dict(self) -> dict[str, int]:
        """Counters, for the saved state."""
        return {"in_row": self.in_row, "total": self.total}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take counters over from a saved state."""
        self.in_row, self.total = state["in_row"], state["total"]


def describe_batch(network: CranPM, batch: TrainingBatch) -> str:
    """The samples of a batch in words; only those that give non-finite values, where they can be found."""
    if batch.faults:
        return "; ".join(batch.faults)
    tiles = [tile for group in batch.groups for tile in group.tiles]
    bad_tiles = _not_finite(network, batch)
    chosen = [tile for tile, is_bad in zip(tiles, bad_tiles) if is_bad] or tiles
    names = [f"init day {t.init_time} lead {t.lead} tile at row {t.row}, col {t.col}" for t in chosen[:8]]
    more = f" and {len(chosen) - 8} more" if len(chosen) > 8 else ""
    draws = ", ".join(f"epoch {group.epoch} group {group.index}" for group in batch.groups)
    return f"{'; '.join(names)}{more} (drawn as {draws})"


@torch.no_grad()
def _not_finite(network: CranPM, batch: TrainingBatch) -> list[bool]:
    """Which tiles give a forecast that is not finite."""
    was_training = network.training
    network.eval()
    try:
        delta = network(batch.global_inputs, batch.local_inputs, batch.day_index)
        return (~torch.isfinite(delta)).flatten(1).any(dim=1).tolist()
    except (ValueError, RuntimeError):  # the network's own door refuses them: then all are named
        return []
    finally:
        network.train(was_training)


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
