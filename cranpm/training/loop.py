"""The training loop on PyTorch Lightning: residual in, loss out, schedule, averages, export."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from cranpm.data.sampler import TileSampler
from cranpm.data.source import DaySource, init_times
from cranpm.domain import Statistics
from cranpm.model import CranPM
from cranpm.training.batches import TrainingBatch, TrainingDays
from cranpm.training.heads import CoarseHead
from cranpm.training.module import Training
from cranpm.training.recipes import Recipe


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
    coarse_head: CoarseHead | None = None,
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
    coarse_head : CoarseHead, optional
        Its readout, where the recipe goes on teaching the coarse change.
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
    module = Training(recipe, network, coarse_head)
    settings = {"tile_size": recipe.tile_size, "seed": recipe.seed, "leads": recipe.leads}
    sampler = TileSampler(
        days,
        source.land,
        source.domain.fine,
        tiles_per_day=recipe.tiles_per_day,
        hotspot_ratio=recipe.hotspot_ratio,
        **settings,
    )
    batches = TrainingDays(
        source,
        sampler,
        statistics,
        days_per_step=recipe.days_per_step,
        coarse_change=recipe.coarse_weight > 0,
    )
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
