"""The training loop on PyTorch Lightning: data, callbacks, and what happens at each step, in one place."""

from __future__ import annotations

import importlib.util
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from cranpm.data.sampler import TileSampler
from cranpm.data.store.source import DaySource, init_times
from cranpm.domain import Statistics
from cranpm.model import CranPM
from cranpm.model.extensions.coarse_forecast import CoarseForecast
from cranpm.training.batches.batches import TrainingDays
from cranpm.training.batches.puffs import Puffs
from cranpm.training.batches.station_points import StationReader
from cranpm.training.batches.validation import validation_batches
from cranpm.training.fit.callbacks import Position, StateIO, StateSaver
from cranpm.training.fit.ema import WeightAverage
from cranpm.training.fit.health import HealthWatch
from cranpm.training.fit.module import Training
from cranpm.training.recipes.recipes import Recipe
from cranpm.training.state.progress import Bar, Pace
from cranpm.training.state.signals import StopRequest, ignore_signals_in_worker
from cranpm.training.state.state import SavedState, TrainStates
from cranpm.training.state.throughput import matmul_rate

SAVE_EVERY = 100
"""Steps between saved states."""


def train(
    recipe: Recipe,
    source: DaySource,
    statistics: Statistics,
    out: Path | str,
    *,
    network: CranPM | None = None,
    coarse_head: CoarseForecast | None = None,
    validate_every: int = 200,
    validation_days: int = 24,
    workers: int = 1,
    max_seconds: float | None = None,
    seconds_before: float = 0.0,
    callbacks: list[Callback] | None = None,
    states: TrainStates | None = None,
    saved: SavedState | None = None,
    save_every: int = SAVE_EVERY,
    stop: StopRequest | None = None,
    devices: int = 1,
    nodes: int = 1,
    launcher: str = "popen",
    bar: bool = True,
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
        Logs (TensorBoard and CSV).
    network : CranPM, optional
        Go on from this one, for instance after `pretrain_global`; a new one by default.
    coarse_head : CoarseForecast, optional
        Its readout, where the recipe goes on teaching the coarse change.
    max_seconds : float, optional
        Stop after this long; the schedule does not know of it.
    seconds_before : float
        What pretraining took, for the record; a resumed run knows its own.
    states : TrainStates, optional
        Where the run's state is kept; without it nothing can be resumed.
    saved : SavedState, optional
        Go on from this state, exactly.
    stop : StopRequest, optional
        Asked for a stop, the state is saved and `TrainingStopped` raised.
    devices, nodes : int
        Processes of one machine, and machines; each process takes every so many-th day group.
    launcher : str
        "popen" starts the command again for each further process (any device); "fork" clones this one (CPU only).
    bar : bool
        Show the steps as they pass.

    Returns
    -------
    CranPM
        In eval mode; the averaged weights if the recipe averages.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    L.seed_everything(recipe.seed, workers=True, verbose=False)
    module = Training(recipe, network, coarse_head)
    batches = training_batches(recipe, source, statistics)
    every_station = station_reader(recipe, source, with_held_out=True)
    validation = validation_batches(recipe, source, statistics, days=validation_days, stations=every_station)
    loaders: dict[str, Any] = {"train_dataloaders": _loader(batches, workers)}
    if validation is not None:
        loaders["val_dataloaders"] = validation
    stop = stop or StopRequest()
    pace = Pace(recipe, matmul_rate(_device(), recipe.bfloat16, seconds=0.1))
    first_step = 0 if saved is None else saved.step
    trainer = L.Trainer(
        max_steps=recipe.steps,
        precision=recipe.precision,  # type: ignore[arg-type]
        gradient_clip_val=recipe.gradient_clip,
        val_check_interval=validate_every if validation is not None else None,
        check_val_every_n_epoch=None,
        limit_val_batches=None if validation is not None else 0,
        num_sanity_val_steps=0,
        logger=_loggers(Path(out)),
        enable_checkpointing=True,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=min(10, max(1, recipe.steps // 50)),
        plugins=[] if states is None else [StateIO(states, saved)],
        callbacks=[
            Position(first_step, batches, *([] if validation is None else [validation.batches])),
            LearningRateMonitor(),
            pace,
            *([Bar(pace)] if bar else []),
            HealthWatch(),
            *_averaging(recipe),
            *(callbacks or []),
            StateSaver(
                states,
                every=save_every,
                validate_every=validate_every if validation is not None else recipe.steps,
                stop=stop,
                max_seconds=max_seconds,
                seconds_before=seconds_before if saved is None else saved.document.get("seconds", 0.0),
            ),
        ],
        **_processes(devices, nodes, launcher),
    )
    with stop:
        trainer.fit(module, **loaders, ckpt_path=None if saved is None else str(saved.folder))
    return module.network.eval()


def training_batches(recipe: Recipe, source: DaySource, statistics: Statistics) -> TrainingDays:
    """Endless training batches."""
    sampler = TileSampler(
        init_times(source, "train", recipe.splits, recipe.leads),
        source.land,
        source.domain.fine,
        tile_size=recipe.tile_size,
        tiles_per_day=recipe.tiles_per_day,
        hotspot_ratio=recipe.hotspot_ratio,
        seed=recipe.seed,
        leads=recipe.leads,
    )
    return TrainingDays(
        source,
        sampler,
        statistics,
        days_per_step=recipe.days_per_step,
        coarse_change=recipe.coarse_weight > 0,
        stations=station_reader(recipe, source),
        puffs=Puffs.of(recipe, source),
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


def _loggers(out: Path) -> list[Any]:
    loggers: list[Any] = [CSVLogger(out, name="csv")]
    if importlib.util.find_spec("tensorboard") is not None:
        return [*loggers, TensorBoardLogger(out, name="tensorboard")]
    print("TensorBoard is not installed; curves go to CSV only.")  # noqa: T201
    return loggers


def _processes(devices: int, nodes: int, launcher: str) -> dict[str, Any]:
    if devices * nodes == 1:
        return {"accelerator": "auto", "devices": 1}
    strategy = DDPStrategy(
        start_method=launcher,  # type: ignore[arg-type]
        # the token stage leaves out the decoder, and held biases take no part in most steps
        find_unused_parameters=True,
        timeout=timedelta(hours=2),  # others wait while the first process pretrains
    )
    return {"accelerator": "auto", "devices": devices, "num_nodes": nodes, "strategy": strategy}


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _loader(batches: TrainingDays, workers: int) -> DataLoader:
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=ignore_signals_in_worker if workers else None,
        # a stream of its own: starting workers draws a seed, and must not move the network's dropout
        generator=torch.Generator().manual_seed(batches.sampler.seed),
    )
