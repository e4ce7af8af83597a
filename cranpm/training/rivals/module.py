"""A rival with its loss, optimiser and schedule, as PyTorch Lightning wants it; and when its training ends early."""

from __future__ import annotations

import json
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as dump_safetensors
from torch import Tensor

from cranpm._files import write_atomically
from cranpm.baselines.learned.blocks import Rival
from cranpm.domain import PM_SCALE
from cranpm.model.parameters import parameter_groups
from cranpm.training.fit.module import HealthyModule
from cranpm.training.fit.optimiser import rate_factor
from cranpm.training.fit.scores import validation_scores
from cranpm.training.recipes.rivals import RivalRecipe
from cranpm.training.rivals.days import RivalBatch

VALIDATIONS, BEST = "validations.json", "best.safetensors"


def node_mse(predicted: Tensor, change: Tensor, weight: Tensor) -> Tensor:
    """Mean squared error over nodes, each with its weight; where there is none, nothing counts.

    Parameters
    ----------
    predicted, change : Tensor, shape (B, L, H, W)
        In network units; ``change`` is NaN in gaps.
    weight : Tensor, shape (B, L, H, W)
        Area of the land cells with values; 0 in gaps (`cranpm.baselines.learned.days.read_change`).
    """
    known = weight > 0
    error = torch.where(known, predicted - torch.where(known, change, 0), 0)
    return (error.square() * weight).sum() / weight.sum().clamp(min=1e-6)


class RivalTraining(HealthyModule):
    """One rival, learning the change of 25-km PM2.5 by all lead times at once."""

    def __init__(self, recipe: RivalRecipe) -> None:
        super().__init__(recipe.max_skipped_steps)
        self.recipe = recipe
        self.network: Rival = recipe.rival.build()
        self.scores: dict[str, float] = {}
        """Figures of the last validation."""

    @property
    def seed(self) -> int:
        """See `HealthyModule`."""
        return self.recipe.seed

    def describe(self, batch: RivalBatch) -> str:
        """See `HealthyModule`."""
        return "; ".join(batch.faults) or "init days " + ", ".join(map(str, batch.init_days))

    def errors(self, batch: RivalBatch) -> tuple[Tensor, Tensor]:
        """Squared error of the rival, and of persistence."""
        predicted = self.network(batch.inputs).float()
        still = node_mse(torch.zeros_like(predicted), batch.change, batch.weight)
        return node_mse(predicted, batch.change, batch.weight), still

    def training_step(self, batch: RivalBatch, batch_idx: int) -> Tensor:
        loss, still = self.errors(batch)
        rmse = PM_SCALE * loss.detach().sqrt()
        self.latest = {"loss": loss.detach(), "rmse": rmse}
        figures = {"loss": loss.detach(), "rmse": rmse, "persistence": PM_SCALE * still.sqrt()}
        self.log_dict({f"train/{name}": value for name, value in figures.items()}, batch_size=1)
        # a substitute is not trained on: its loss makes every gradient one that is left out
        return loss * torch.nan if batch.faults else loss

    def on_validation_epoch_start(self) -> None:
        self._validated: list[tuple[float, float]] = []

    def validation_step(self, batch: RivalBatch, batch_idx: int) -> None:
        loss, still = self.errors(batch)
        self._validated.append((PM_SCALE**2 * float(loss), PM_SCALE**2 * float(still)))

    def on_validation_epoch_end(self) -> None:
        self.scores = validation_scores(self._validated)
        self.log_dict({f"validation/{name}": value for name, value in self.scores.items()})

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        recipe = self.recipe
        groups = parameter_groups(self.network, recipe.weight_decay)
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(step, recipe))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class KeepBest(Callback):
    """Keeps the weights of the best validation, and ends the run when none has been better for long.

    What it knows lies in the run's folder, so that a run that goes on from a saved state knows it, too: validations
    after that state are forgotten, as they will come again.

    Parameters
    ----------
    folder : Path
    patience : int
        Validations in a row without a lower error; 0 for no end.
    step : int
        Of the state that the run goes on from.
    """

    def __init__(self, folder: Path, patience: int, step: int = 0) -> None:
        self._folder, self._patience = folder, patience
        self.rows: list[dict[str, float]] = []
        """Figures of each validation, in order, with their ``step``."""
        path = folder / VALIDATIONS
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            self.rows = [row for row in known if row["step"] <= step]
            if known and min(known, key=_error)["step"] > step:  # its weights are of a future that is no more
                (folder / BEST).unlink(missing_ok=True)
                self.rows = []

    @property
    def best(self) -> dict[str, float] | None:
        """Figures of the best validation; None before the first."""
        return min(self.rows, key=_error) if self.rows else None

    @property
    def exhausted(self) -> bool:
        """Whether patience is at an end."""
        if not self._patience or not self.rows:
            return False
        return len(self.rows) - 1 - self.rows.index(min(self.rows, key=_error)) >= self._patience

    def weights(self) -> dict[str, Tensor] | None:
        """The best weights; None where nothing was validated."""
        path = self._folder / BEST
        return parse_safetensors(path.read_bytes()) if self.rows and path.is_file() else None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, RivalTraining)
        if trainer.sanity_checking:
            return
        step = trainer.global_step
        self.rows = [row for row in self.rows if row["step"] < step]
        self.rows.append({"step": step, **pl_module.scores})
        if self.best is self.rows[-1]:
            state = pl_module.network.state_dict()
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
            write_atomically(self._folder / BEST, dump_safetensors(tensors))
        write_atomically(self._folder / VALIDATIONS, json.dumps(self.rows, indent=1) + "\n")
        if self.exhausted:
            trainer.should_stop = True


def _error(row: dict[str, float]) -> float:
    """What validations are compared by; one that is not finite is never the best."""
    value = float(row["rmse"])
    return value if value == value else float("inf")
