"""The training loop on PyTorch Lightning: residual in, loss out, schedule, averages, export."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from cranpm.data.sampler import TileSampler
from cranpm.data.source import DaySource, init_times
from cranpm.domain import PM_SCALE, Statistics
from cranpm.domain.normalise import normalise_pm2p5
from cranpm.model import CranPM
from cranpm.model.decoder import apply_growth
from cranpm.model.parameters import parameter_groups as decay_groups
from cranpm.training.batches import TrainingBatch, TrainingDays
from cranpm.training.losses import focal_frequency_loss, land_mse, token_mse
from cranpm.training.recipes import Recipe


class TokenHead(torch.nn.Module):
    """Reads the mean change of its patch from a fused token, as the decoder's head would; used in training only."""

    def __init__(self, width: int, patch: int, growth: tuple[int, ...]) -> None:
        super().__init__()
        self.patch, self.growth = patch, growth
        self.norm = torch.nn.LayerNorm(width)
        self.read = torch.nn.Linear(width, 1 + len(growth))
        torch.nn.init.zeros_(self.read.weight)
        torch.nn.init.zeros_(self.read.bias)

    def forward(self, tokens: torch.Tensor, fields: torch.Tensor) -> torch.Tensor:
        """Tokens (B, Nl, Dl) and local fields (B, 5, S, S) to mean changes (B, Nl)."""
        amounts = None
        if self.growth:
            amounts = torch.nn.functional.avg_pool2d(fields[:, self.growth], self.patch).flatten(2)
        return apply_growth(self.read(self.norm(tokens)).transpose(1, 2), amounts)


class Training(L.LightningModule):
    """CRAN-PM with its loss, optimiser and schedule."""

    def __init__(self, recipe: Recipe, network: CranPM | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = CranPM(recipe.model) if network is None else network
        model = recipe.model
        self.token_head = TokenHead(model.local_width, model.local_patch, model.growth_channels)

    def losses(self, batch: TrainingBatch) -> dict[str, torch.Tensor]:
        """Each term of eq. 6 on one batch, in network units, and the RMSE of the batch in ug m-3.

        While the token stage lasts, only the mean change of each local patch is learned, straight from the fused
        tokens: the decoder, most of the cost, waits until there is something to draw.
        """
        context = self.network.encode_global(batch.global_inputs)
        today, target = torch.nan_to_num(normalise_pm2p5(batch.today)), normalise_pm2p5(batch.target)
        terms: dict[str, torch.Tensor] = {}
        if self.training and self.global_step < self.recipe.token_steps:
            tokens, _ = self.network.fuse(batch.local_inputs, context, batch.day_index)
            terms["token"] = token_mse(
                self.token_head(tokens, batch.local_inputs.fields), target - today, batch.mask
            )
            terms["loss"] = terms["token"]
            terms["rmse"] = PM_SCALE * terms["token"].detach().sqrt()
            still = token_mse(torch.zeros_like(tokens[..., 0]), target - today, batch.mask)
            terms["persistence"] = PM_SCALE * still.detach().sqrt()
            return terms
        delta = self.network.forecast_delta(batch.local_inputs, context, batch.day_index).float()
        forecast = today + delta
        pixel = land_mse(forecast, target, batch.mask)
        terms["persistence"] = PM_SCALE * land_mse(today, target, batch.mask).detach().sqrt()
        terms |= {"pixel": pixel, "rmse": PM_SCALE * pixel.detach().sqrt(), "loss": pixel}
        if self.recipe.frequency_weight:
            terms["frequency"] = focal_frequency_loss(forecast, target, batch.mask)
            terms["loss"] = terms["loss"] + self.recipe.frequency_weight * terms["frequency"]
        return terms

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> torch.Tensor:
        terms = self.losses(batch)
        self.log_dict({f"train/{k}": v.detach() for k, v in terms.items()}, prog_bar=False, batch_size=1)
        self.log("rmse", terms["rmse"], prog_bar=True, logger=False, batch_size=1)
        return terms["loss"]

    def validation_step(self, batch: TrainingBatch, batch_idx: int) -> None:
        terms = self.losses(batch)
        # squared, so that the epoch's mean pools cells instead of averaging per-batch errors
        squares = {"squared": terms["rmse"].square(), "squared_persistence": terms["persistence"].square()}
        self.log_dict({f"validation/{k}": v for k, v in squares.items()}, on_epoch=True, batch_size=1)

    def on_validation_epoch_end(self) -> None:
        values = self.trainer.callback_metrics
        ratio = values["validation/squared"] / values["validation/squared_persistence"]
        self.log("validation/skill", 1 - ratio.sqrt(), prog_bar=True)

    def configure_optimizers(self) -> dict[str, Any]:
        recipe = self.recipe
        optimiser = torch.optim.AdamW(
            parameter_groups(self, recipe), lr=recipe.learning_rate, betas=(0.9, 0.98)
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(step, recipe))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device)


def parameter_groups(network: torch.nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Weights with decay; biases, norms and tables without; alpha and beta without and at their own rate."""
    priors = [p for name, p in network.named_parameters() if is_prior(name)]
    own_rate = {id(p) for p in priors}
    decayed, free = decay_groups(network, recipe.weight_decay)
    free["params"] = [p for p in free["params"] if id(p) not in own_rate]
    rate = recipe.learning_rate * recipe.prior_rate
    return [decayed, free, {"params": priors, "weight_decay": 0.0, "lr": rate}]


def is_prior(name: str) -> bool:
    """Whether a parameter is the strength of a physical prior."""
    return name.rsplit(".", 1)[-1] in ("raw_alpha", "beta", "raw_reach")


def rate_factor(step: int, recipe: Recipe) -> float:
    """Learning rate relative to its peak: linear warm-up, then cosine."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    progress = min(1.0, (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps))
    floor = recipe.least_learning_rate / recipe.learning_rate
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


class Pace(Callback):
    """Logs samples per second and the share of time spent waiting for data."""

    def __init__(self) -> None:
        self._ended = time.perf_counter()
        self._waited = self._worked = 0.0
        self._samples = 0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: TrainingBatch, batch_idx: int) -> None:
        self._begun = time.perf_counter()
        self._waited += self._begun - self._ended

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: TrainingBatch, batch_idx: int
    ) -> None:
        self._ended = time.perf_counter()
        self._worked += self._ended - self._begun
        self._samples += len(batch.today)
        if (batch_idx + 1) % 20 == 0:
            total = self._waited + self._worked
            module.log("pace/samples_per_second", self._samples / total, batch_size=1)
            module.log("pace/waiting_share", self._waited / total, batch_size=1)
            self._waited = self._worked = 0.0
            self._samples = 0


def train(
    recipe: Recipe,
    source: DaySource,
    statistics: Statistics,
    out: Path | str,
    *,
    network: CranPM | None = None,
    validate_every: int = 200,
    validation_days: int = 24,
    workers: int = 1,
    max_seconds: float | None = None,
    callbacks: list[Callback] | None = None,
) -> CranPM:
    """Train a network.

    Parameters
    ----------
    recipe : Recipe
    source : DaySource
        Days; split by the recipe.
    statistics : Statistics
        Of the training days.
    out : Path
        Logs (TensorBoard and CSV) and training state.
    network : CranPM, optional
        Go on from this one, for instance after `pretrain_global`; a new one by default.
    max_seconds : float, optional
        Stop after this long; the schedule does not know of it.

    Returns
    -------
    CranPM
        In eval mode; the averaged weights if the recipe averages.
    """
    L.seed_everything(recipe.seed, workers=True, verbose=False)
    out = Path(out)
    days = init_times(source, "train", recipe.splits, recipe.leads)
    module = Training(recipe, network)
    settings = {"tile_size": recipe.tile_size, "seed": recipe.seed, "leads": recipe.leads}
    sampler = TileSampler(
        days,
        source.land,
        source.domain.fine,
        tiles_per_day=recipe.tiles_per_day,
        hotspot_ratio=recipe.hotspot_ratio,
        **settings,
    )
    batches = TrainingDays(source, sampler, statistics, days_per_step=recipe.days_per_step)
    loaders: dict[str, Any] = {"train_dataloaders": _loader(batches, workers)}
    held = init_times(source, "validation", recipe.splits, recipe.leads)
    if held:
        chosen = [held[i] for i in np.linspace(0, len(held) - 1, min(validation_days, len(held))).astype(int)]
        judge = TileSampler(
            chosen, source.land, source.domain.fine, tiles_per_day=6, hotspot_ratio=0.0, **settings
        )
        loaders["val_dataloaders"] = _FixedBatches(
            TrainingDays(source, judge, statistics, days_per_step=1), len(chosen)
        )
    averaging: list[Callback] = []
    if recipe.average_decay is not None:
        # not before the map stage: until then the decoder is what it was drawn to be, and would weigh in the average
        first = recipe.token_steps + 1
        averaging.append(EMAWeightAveraging(decay=recipe.average_decay, update_starting_at_step=first))
    trainer = L.Trainer(
        max_steps=recipe.steps,
        max_time=None if max_seconds is None else {"seconds": int(max_seconds)},
        precision=recipe.precision,  # type: ignore[arg-type]
        gradient_clip_val=recipe.gradient_clip,
        val_check_interval=validate_every if held else None,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=[CSVLogger(out, name="csv"), TensorBoardLogger(out, name="tensorboard")],
        enable_checkpointing=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        callbacks=[
            TQDMProgressBar(refresh_rate=10),
            LearningRateMonitor(),
            Pace(),
            *averaging,
            *(callbacks or []),
        ],
    )
    trainer.fit(module, **loaders)
    return module.network.eval()


class _FixedBatches:
    """The same validation batches every time, read once."""

    def __init__(self, batches: TrainingDays, number: int) -> None:
        self._batches, self._number = batches, number
        self._kept: list[TrainingBatch] = []

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Any:
        if not self._kept:
            stream = iter(self._batches)
            self._kept = [next(stream) for _ in range(self._number)]
        return iter(self._kept)


def _loader(batches: TrainingDays, workers: int) -> DataLoader:
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
    )
