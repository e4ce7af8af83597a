"""The training loop on PyTorch Lightning: data, callbacks, and what happens at each step, in one place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, IterableDataset

from cranpm import extras
from cranpm.data.sampler import TileSampler
from cranpm.data.store.source import DaySource, init_times
from cranpm.domain.tiling import TILE_SIZE
from cranpm.model import CranPM
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.training.batches.batches import TrainingDays, WideSteps
from cranpm.training.batches.puffs import Puffs
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationReader
from cranpm.training.batches.validation import validation_batches
from cranpm.training.fit.callbacks import HealthWatch, Position, StateIO, StateSaver
from cranpm.training.fit.ema import WeightAverage
from cranpm.training.fit.module import HealthyModule, Training
from cranpm.training.fit.progress import Bar, Pace
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.recipes.rivals import RivalRecipe
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.signals import ignore_signals_in_worker
from cranpm.training.state.throughput import matmul_rate


def train(
    recipe: Recipe,
    data: TrainingData,
    options: TrainerOptions,
    session: Session,
    *,
    network: CranPM | None = None,
    coarse_head: CoarseForecast | None = None,
) -> CranPM:
    """Train a network on tiles.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
        Days, split by the recipe, and statistics of the training days.
    options : TrainerOptions
    session : Session
        Its ``saved`` state, if there is one, is of this stage.
    network : CranPM, optional
        Go on from this one, for instance after `pretrain_global`; a new one by default.
    coarse_head : CoarseForecast, optional
        Its readout, where the recipe goes on training it on the coarse change.

    Returns
    -------
    CranPM
        In eval mode; the averaged weights if the recipe averages.

    Raises
    ------
    TrainingStopped
        If asked to stop.
    NonFiniteError
        If more than ``recipe.max_skipped_steps`` steps in a row cannot be learned from.
    """
    begin_training(recipe.seed)
    module = Training(recipe, network, coarse_head, options.micro_batch)
    module.health.total = session.skipped_before  # a resumed stage knows its own
    batches = training_batches(recipe, data)
    every_station = station_reader(recipe, data.source, with_held_out=True)
    validation = validation_batches(recipe, data, days=options.validation_days, stations=every_station)
    first_step = 0 if session.saved is None else session.saved.step
    fit_module(
        module,
        recipe,
        options,
        session,
        Loaders(batch_loader(batches, options.workers, batches.sampler.seed, prefetch=4), validation),
        pace=Pace(recipe, matmul_rate(_device(), recipe.bfloat16, seconds=0.1)),
        first=[Position(first_step, batches, validation)],
        further=_averaging(recipe),
    )
    return module.network.eval()


def begin_training(seed: int) -> None:
    """What every training here does before it draws its first weight."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    L.seed_everything(seed, workers=True, verbose=False)


@dataclass(frozen=True)
class Loaders:
    """What a network learns from, and what it is validated on."""

    training: DataLoader[Any]
    """Endless batches."""
    validation: Iterable[Any] | None = None
    """Batches of validation days; None for no validation."""


def fit_module(
    module: HealthyModule,
    recipe: Recipe | RivalRecipe,
    options: TrainerOptions,
    session: Session,
    loaders: Loaders,
    *,
    pace: Pace,
    first: Sequence[Callback] = (),
    further: Sequence[Callback] = (),
) -> None:
    """Fit a network with state, logs, health and progress: the one trainer of every network here.

    Parameters
    ----------
    module : HealthyModule
    recipe : Recipe or RivalRecipe
    options : TrainerOptions
    session : Session
    loaders : Loaders
    pace : Pace
    first, further : sequence of Callback
        Before and after those that every run has; the session's and the saving of states come last.

    Raises
    ------
    TrainingStopped
        If asked to stop.
    NonFiniteError
        If more than ``recipe.max_skipped_steps`` steps in a row cannot be learned from.
    """
    validation = loaders.validation
    validate_every = options.validate_every if validation is not None else None
    trainer = L.Trainer(
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=_strategy(options),
        max_steps=recipe.steps,
        precision=recipe.precision,  # type: ignore[arg-type]
        gradient_clip_val=recipe.gradient_clip,
        val_check_interval=validate_every,
        check_val_every_n_epoch=None,
        limit_val_batches=None if validation is not None else 0,
        num_sanity_val_steps=0,
        logger=run_loggers(session.out),
        enable_checkpointing=True,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=min(10, max(1, recipe.steps // 50)),
        plugins=[] if session.states is None else [StateIO(session.states, session.saved)],
        callbacks=[
            *first,
            LearningRateMonitor(),
            pace,
            *([Bar(pace)] if options.bar else []),
            HealthWatch(),
            *further,
            *session.callbacks,
            StateSaver(
                session,
                every=options.save_every,
                validate_every=validate_every or recipe.steps,
                max_minutes=options.max_minutes,
            ),
        ],
    )
    with session.stop, warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*(does not have many workers|no `val_dataloader`|LeafSpec).*"
        )
        trainer.fit(
            module,
            train_dataloaders=loaders.training,
            val_dataloaders=validation,
            ckpt_path=None if session.saved is None else str(session.saved.folder),
        )


def training_batches(recipe: Recipe, data: TrainingData) -> TrainingDays:
    """Endless training batches."""
    source = data.source
    days = init_times(source, "train", recipe.splits, recipe.leads)

    def sampler_of(tile_size: int, tiles_per_day: int) -> TileSampler:
        return TileSampler(
            days,
            source.land,
            source.domain.fine,
            tile_size=tile_size,
            tiles_per_day=tiles_per_day,
            hotspot_ratio=recipe.hotspot_ratio,
            seed=recipe.seed,
            leads=recipe.leads,
        )

    # on a domain smaller than that no forecast has such a tile either
    wide = None
    if recipe.wide_tile_interval > 0 and min(source.domain.fine.shape) >= TILE_SIZE:
        wide = WideSteps(sampler_of(TILE_SIZE, recipe.wide_tiles_per_day), recipe.wide_tile_interval)
    return TrainingDays(
        source,
        sampler_of(recipe.tile_size, recipe.tiles_per_day),
        data.statistics,
        days_per_step=recipe.days_per_step,
        coarse_change=recipe.coarse_weight > 0,
        stations=station_reader(recipe, source),
        puffs=Puffs.of(recipe, source),
        wide=wide,
    )


def station_reader(recipe: Recipe, source: DaySource, *, with_held_out: bool = False) -> StationReader | None:
    """Station values for the loss; None where the recipe does not ask for them."""
    if not recipe.station_weight:
        return None
    stations = getattr(source, "stations", None)
    if stations is None:
        raise ValueError(
            f"The recipe weighs stations ({recipe.station_weight}), but {source.name!r} has none. "
            "Train on a dataset with stations, or set station_weight=0."
        )
    return StationReader(stations, source.domain.fine, with_held_out=with_held_out)


def _averaging(recipe: Recipe) -> list[Callback]:
    if recipe.average_decay is None:
        return []
    # not before the map stage: until then the decoder is what it was drawn to be, and would weigh in the average
    return [WeightAverage(decay=recipe.average_decay, update_starting_at_step=recipe.token_steps + 1)]


def run_loggers(out: Path) -> list[Logger]:
    """CSV, and TensorBoard where it is installed, in the run's folder."""
    loggers: list[Logger] = [CSVLogger(out, name="csv")]
    if not extras.missing_modules("tensorboard"):
        return [*loggers, TensorBoardLogger(out, name="tensorboard")]
    print(f"TensorBoard is not installed ({extras.how_to_install('tensorboard')}); curves go to CSV only.")  # noqa: T201
    return loggers


def _strategy(options: TrainerOptions) -> DDPStrategy | str:
    if options.processes == 1:
        return "auto"
    return DDPStrategy(
        start_method=options.launcher,  # type: ignore[arg-type]
        # the token stage leaves out the decoder, and held biases take no part in most steps
        find_unused_parameters=True,
        timeout=timedelta(hours=2),  # others wait while the first process pretrains
    )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batch_loader(batches: IterableDataset, workers: int, seed: int, *, prefetch: int) -> DataLoader[Any]:
    """Batches as they come, read by so many processes, each ``prefetch`` ahead."""
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=ignore_signals_in_worker if workers else None,
        # a stream of its own: starting workers draws a seed, and must not move the network's dropout
        generator=torch.Generator().manual_seed(seed),
    )
