"""Day groups to batches of tensors: several tiles share the encoding of their day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar, cast

import numpy as np
import torch
from torch.utils.data import IterableDataset

from cranpm.data.sampler import DayGroup, TileSampler
from cranpm.data.samples import (
    CoarseSample,
    MissingInputError,
    coarse_sample,
    local_fields,
    wind_at_tokens,
)
from cranpm.data.store.source import DaySource
from cranpm.domain import PM_SCALE, Statistics, channel_index
from cranpm.model import GlobalInputs, LocalInputs
from cranpm.training.batches.puffs import Puff, Puffs
from cranpm.training.batches.station_points import StationPoints, StationReader

_Bundle = TypeVar("_Bundle")
"""A tensor, a bundle of tensors, or anything else."""

SUBSTITUTES = 20
"""Later steps that are tried as a substitute for a batch that cannot be used."""


class BadSampleError(ValueError):
    """A sample that holds infinite values; the message names it."""


@dataclass(kw_only=True)
class TrainingBatch:
    """Inputs and targets of D days and B tiles.

    ``day_index`` (B,) says which day each tile belongs to; ``today`` and ``target`` (B, S, S) are PM2.5 of the init
    and the valid day [ug m-3], ``mask`` (B, S, S) where both exist; ``groups`` names the draws.
    """

    global_inputs: GlobalInputs
    local_inputs: LocalInputs
    day_index: torch.Tensor
    today: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor
    coarse_change: torch.Tensor | None = None
    """(D, leads, Hc, Wc) change of coarse PM2.5 by each lead, in network units, NaN where unknown; None where not asked
    for."""
    stations: StationPoints | None = None
    """Station values in the tiles; None where not asked for."""
    groups: tuple[DayGroup, ...]
    faults: tuple[str, ...] = ()
    """Why the step's own samples cannot be learned from; this batch is then a substitute, which is not trained on."""

    def to(self, device: torch.device | str) -> TrainingBatch:
        """The batch on another device."""
        return to_device(self, device)

    def pin_memory(self) -> TrainingBatch:
        """The batch in memory that a GPU copies from while it computes (called by ``DataLoader``)."""
        return _map_tensors(self, torch.Tensor.pin_memory)


def to_device(value: _Bundle, device: torch.device | str) -> _Bundle:
    """Tensors, and bundles of them, on another device; anything else as it is."""
    return _map_tensors(value, lambda tensor: tensor.to(device, non_blocking=True))


def _map_tensors(value: _Bundle, change: Callable[[torch.Tensor], torch.Tensor]) -> _Bundle:
    if isinstance(value, torch.Tensor):
        return cast(_Bundle, change(value))
    if isinstance(value, (TrainingBatch, GlobalInputs, LocalInputs, StationPoints)):
        return type(value)(**{f.name: _map_tensors(getattr(value, f.name), change) for f in fields(value)})
    return value


def make_batch(
    source: DaySource,
    groups: tuple[DayGroup, ...],
    statistics: Statistics,
    coarse: CoarseChange | None = None,
    stations: StationReader | None = None,
    puffs: Puffs | None = None,
) -> TrainingBatch:
    """Read the tiles of some day groups, all of one size.

    Where asked for, also the coarse change of their days, and station values.

    Raises
    ------
    BadSampleError, MissingInputError
        If a day or a tile holds infinite values or lacks too much; the message names it.
    """
    (tile_size,) = {group.tile_size for group in groups}
    drawn = [None if puffs is None else puffs.draw(group.epoch, group.init_time) for group in groups]
    change = None if coarse is None else coarse.read([g.init_time for g in groups], drawn)
    samples = _coarse_days(source, [group.init_time for group in groups], statistics, drawn)
    tiles = [(d, tile) for d, group in enumerate(groups) for tile in group.tiles]
    day = np.timedelta64(1, "D")
    fine = source.domain.fine
    today: list[np.ndarray] = []
    before: list[np.ndarray] = []
    target: list[np.ndarray] = []
    elevation, wind, latitude, longitude = [], [], [], []
    for d, tile in tiles:
        rows, cols = slice(tile.row, tile.row + tile_size), slice(tile.col, tile.col + tile_size)
        for parts, offset in ((today, 0), (before, -1), (target, tile.lead)):
            field = source.pm2p5(tile.init_time + offset * day, rows, cols)
            _refuse_infinite(
                field,
                f"init day {tile.init_time}, lead {tile.lead}, tile at row {tile.row}, "
                f"col {tile.col}: PM2.5 of {tile.init_time + offset * day}",
            )
            puff = drawn[d]
            if puff is not None and offset >= 0:
                field = field + puff.on_tile(offset, tile.row, tile.col, tile_size)
            parts.append(field)
        elevation.append(source.elevation[rows, cols])
        wind.append(wind_at_tokens(samples[d].wind_box, tile.row, tile.col, tile_size))
        latitude.append(fine.lat[rows])
        longitude.append(fine.lon[cols])
    stack = lambda parts: torch.from_numpy(np.stack(parts).astype(np.float32))  # noqa: E731
    now, then = stack(today), stack(target)
    lat, lon, height = stack(latitude), stack(longitude), stack(elevation)
    return TrainingBatch(
        global_inputs=_global_inputs(samples),
        local_inputs=LocalInputs(
            fields=local_fields(now, stack(before), height, lat, lon, fill=statistics.pm2p5_fill),
            elevation=height,
            wind=stack(wind),
            latitude=lat,
            longitude=lon,
            lead=torch.tensor([tile.lead for _, tile in tiles]),
            known=torch.isfinite(now),
        ),
        day_index=torch.tensor([d for d, _ in tiles]),
        today=now,
        target=then,
        mask=torch.isfinite(now) & torch.isfinite(then),
        coarse_change=change,
        stations=None if stations is None else stations.read([tile for _, tile in tiles], tile_size),
        groups=groups,
    )


def _refuse_infinite(values: np.ndarray, what: str) -> None:
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise BadSampleError(
            f"{what} holds {infinite} infinite value(s); expected finite ones, or NaN for gaps."
        )


def read_global(
    source: DaySource,
    init_times: Sequence[np.datetime64],
    statistics: Statistics,
    puffs_of_days: Sequence[Puff | None] = (),
) -> GlobalInputs:
    """Coarse inputs of some init days, with puffs where there are some."""
    return _global_inputs(_coarse_days(source, init_times, statistics, puffs_of_days))


def _coarse_days(
    source: DaySource,
    init_times: Sequence[np.datetime64],
    statistics: Statistics,
    puffs_of_days: Sequence[Puff | None],
) -> list[CoarseSample]:
    samples = [_coarse(source, day, statistics) for day in init_times]
    for index, puff in enumerate(puffs_of_days):
        if puff is not None:
            samples[index] = puff.on_coarse(samples[index], statistics)
    return samples


class CoarseChange:
    """How PM2.5 of the coarse product changes by each lead; fields read once are kept (0.2 MB a day)."""

    def __init__(self, source: DaySource, leads: Sequence[int]) -> None:
        self._source, self._leads = source, tuple(leads)
        self._channel = channel_index("pm2p5")
        self._kept: dict[np.datetime64, torch.Tensor] = {}

    def read(
        self, init_times: Sequence[np.datetime64], puffs_of_days: Sequence[Puff | None] = ()
    ) -> torch.Tensor:
        """Changes (D, leads, Hc, Wc) in network units, NaN in gaps."""
        one = np.timedelta64(1, "D")
        changes = [
            torch.stack([self._day(day + lead * one) - self._day(day) for lead in self._leads])
            for day in init_times
        ]
        for index, puff in enumerate(puffs_of_days):
            if puff is not None:
                changes[index] = puff.on_change(changes[index], self._leads)
        return torch.stack(changes)

    def _day(self, day: np.datetime64) -> torch.Tensor:
        if day not in self._kept:
            rows, cols = self._source.domain.coarse.shape
            field = self._source.coarse(day)[self._channel, :rows, :cols]
            self._kept[day] = torch.from_numpy((field / PM_SCALE).astype(np.float32))
        return self._kept[day]


def _coarse(source: DaySource, init_time: np.datetime64, statistics: Statistics) -> CoarseSample:
    days = init_time, init_time - np.timedelta64(1, "D")
    today, yesterday = (source.coarse(day) for day in days)
    for day, fields_of_day in zip(days, (today, yesterday)):
        _refuse_infinite(fields_of_day, f"init day {init_time}: coarse fields of {day}")
    return coarse_sample(
        today,
        yesterday,
        source.coarse_elevation,
        domain=source.domain,
        statistics=statistics,
        name=f"init day {init_time}",
    )


def _global_inputs(samples: list[CoarseSample]) -> GlobalInputs:
    together = {
        name: torch.stack([getattr(s, name) for s in samples])
        for name in ("fields", "elevation", "wind", "valid", "known_pm2p5")
    }
    return GlobalInputs(latitude=samples[0].latitude, longitude=samples[0].longitude, **together)


@dataclass(frozen=True)
class WideSteps:
    """Steps that draw larger tiles, of the same days, so that all relative positions of a forecast are learned."""

    sampler: TileSampler
    interval: int
    """Every so many-th step is one."""


class TrainingDays(IterableDataset):
    """Endless batches, from a given step on; step k always holds the same draws, whatever worker reads it.

    Day groups form one endless sequence, epoch after epoch, each of which holds every init day once in an order of its
    own. With n processes and d days a step, step k takes the groups n d k to n d (k + 1) - 1 of it, of which process r
    takes every n-th from the r-th on. So no day is left out or repeated within an epoch, whatever the number of
    processes; where n d does not divide the days, a step holds the end of one epoch and the beginning of the next.

    Parameters
    ----------
    wide : WideSteps, optional
        Steps with larger tiles; by default none.
    """

    def __init__(
        self,
        source: DaySource,
        sampler: TileSampler,
        statistics: Statistics,
        *,
        days_per_step: int,
        coarse_change: bool = False,
        stations: StationReader | None = None,
        puffs: Puffs | None = None,
        wide: WideSteps | None = None,
    ) -> None:
        self.wide = wide
        self.source, self.sampler, self.statistics = source, sampler, statistics
        self.days_per_step = days_per_step
        self.first_step = 0
        """Where iteration begins."""
        self.share = (0, 1)
        """(rank, world size): each process takes every world-size-th day group."""
        self.stations, self.puffs = stations, puffs
        self._coarse = CoarseChange(source, sampler.leads) if coarse_change else None

    def groups(self, step: int) -> tuple[DayGroup, ...]:
        """The day groups of one step on this process."""
        rank, size = self.share
        length = len(self.sampler)
        indices = [(step * self.days_per_step + k) * size + rank for k in range(self.days_per_step)]
        # the last of its kind, as biases are updated in the last of theirs
        is_wide = self.wide is not None and (step + 1) % self.wide.interval == 0
        sampler = self.wide.sampler if self.wide is not None and is_wide else self.sampler
        return tuple(sampler.group(i // length, i % length) for i in indices)

    def read(self, groups: tuple[DayGroup, ...]) -> TrainingBatch:
        """The batch of some day groups (see `make_batch`)."""
        return make_batch(
            self.source,
            groups,
            self.statistics,
            self._coarse,
            self.stations,
            self.puffs,
        )

    def batch(self, step: int) -> TrainingBatch:
        """The batch of one step on this process, or a later one as its substitute, with the reason."""
        faults: list[str] = []
        for ahead in range(SUBSTITUTES):
            try:
                batch = self.read(self.groups(step + ahead))
            except (BadSampleError, MissingInputError) as error:
                faults.append(str(error))
                continue
            batch.faults = tuple(faults[:1])
            return batch
        raise BadSampleError(f"{SUBSTITUTES} steps in a row cannot be used; the first: {faults[0]}")

    def __iter__(self) -> Iterator[TrainingBatch]:
        worker = torch.utils.data.get_worker_info()
        offset, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        step = self.first_step + offset
        while True:
            yield self.batch(step)
            step += stride
