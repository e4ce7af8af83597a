"""What a person sees while a network trains: a bar with samples/s, time left and memory; and the same in the logs."""

from __future__ import annotations

import sys
import time

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import STEP_OUTPUT
from tqdm import tqdm

from cranpm.memory import peak_memory
from cranpm.model import count_flops
from cranpm.training.batches.batches import TrainingBatch
from cranpm.training.fit.module import as_healthy
from cranpm.training.recipes.recipes import Recipe

LOG_EVERY = 20
"""Steps between two figures of pace."""


class Pace(Callback):
    """Logs samples per second, the share of time spent waiting for data, and the share of the matmul peak.

    Parameters
    ----------
    recipe : Recipe, optional
        With ``peak``, gives the floating-point operations of a batch.
    peak : float, optional
        FLOP/s of a plain matrix product on this device in this precision (`throughput.matmul_rate`).
    """

    def __init__(self, recipe: Recipe | None = None, peak: float | None = None) -> None:
        self._recipe, self._peak = recipe, peak
        self._ended = time.perf_counter()
        self._waited = self._worked = 0.0
        self._samples, self._flops = 0, 0.0
        self.latest: dict[str, float] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._ended = time.perf_counter()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: TrainingBatch, batch_idx: int
    ) -> None:
        self._begun = time.perf_counter()
        self._waited += self._begun - self._ended

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: STEP_OUTPUT,
        batch: TrainingBatch,
        batch_idx: int,
    ) -> None:
        self._ended = time.perf_counter()
        self._worked += self._ended - self._begun
        self._samples += len(batch.today)
        if self._recipe is not None and self._peak:
            self._flops += batch_flops(
                self._recipe, batch, with_decoder=trainer.global_step > self._recipe.token_steps
            )
        if (batch_idx + 1) % LOG_EVERY == 0 or not self.latest:
            total = max(self._waited + self._worked, 1e-9)
            self.latest = {
                "samples_per_second": self._samples * trainer.world_size / total,
                "waiting_share": self._waited / total,
                "memory_gb": memory_in_use(pl_module.device) / 1e9,
            }
            if self._peak and self._flops:
                self.latest["matmul_share"] = self._flops / total / self._peak
            for name, value in self.latest.items():
                pl_module.log(f"pace/{name}", value, batch_size=1)
            self._waited = self._worked = 0.0
            self._samples, self._flops = 0, 0.0


class Bar(Callback):
    """One line: steps, time left, error, samples per second, waiting, memory."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._bar: tqdm | None = None
        self._skill = ""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            self._bar = tqdm(
                total=trainer.max_steps,
                initial=trainer.global_step,
                desc="Training",
                unit="step",
                file=sys.stdout,
                mininterval=0.5 if sys.stdout.isatty() else 30,
                dynamic_ncols=True,
            )

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: object, **__: object
    ) -> None:
        if self._bar is None:
            return
        self._bar.update(trainer.global_step - self._bar.n)
        if trainer.global_step % 5 == 0 or trainer.global_step < 5:
            pace = self._pace.latest
            parts = [f"RMSE {float(as_healthy(pl_module).latest['rmse']):.2f} ug/m3", self._skill]
            if pace:
                parts.append(f"{pace['samples_per_second']:.1f} samples/s")
                parts.append(f"waiting {pace['waiting_share']:.0%}, {pace['memory_gb']:.1f} GB")
            self._bar.set_postfix_str(", ".join(part for part in parts if part), refresh=False)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        value = trainer.callback_metrics.get("validation/skill")
        if value is not None:
            self._skill = f"validation {float(value):+.1%} over persistence"
            if self._bar is not None:
                self._bar.set_postfix_str(self._skill)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def batch_flops(recipe: Recipe, batch: TrainingBatch, *, with_decoder: bool = True) -> float:
    """Floating-point operations of a training step on one batch: backward costs two forward passes."""
    fields = batch.global_inputs.fields
    flops = count_flops(recipe.model, batch.today.shape[-1], (fields.shape[-2], fields.shape[-1]))
    tile = flops["per_tile"] - (0 if with_decoder else flops["decoder"])
    return 3.0 * (len(fields) * (flops["global"] + flops["bridge_keys_values"]) + len(batch.today) * tile)


def memory_in_use(device: torch.device) -> int:
    """Peak bytes: of the GPU's tensors, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_memory()
