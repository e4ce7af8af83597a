"""Batches of whole days at the coarse nodes, and means of the fine product that are computed once for all rivals."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from cranpm._files import write_atomically
from cranpm.baselines.learned.blocks import NodeInputs
from cranpm.baselines.learned.days import read_change, read_inputs
from cranpm.baselines.nodes import node_means
from cranpm.data.samples import MissingInputError
from cranpm.data.store.source import DaySource
from cranpm.paths import cache_dir
from cranpm.training.batches.batches import SUBSTITUTES, BadSampleError
from cranpm.training.batches.source import TrainingData

_WINDOW = 256
"""Cells along the side of the window that tells a day from one prepared anew."""

_OF_THE_DAYS = {"init_days", "first", "last", "days_sha256"}
"""Parts of a fingerprint that say which days were chosen, not where they come from."""


@dataclass(frozen=True, kw_only=True)
class RivalBatch:
    """Some init days: inputs, change (B, L, H, W) by each lead in network units, and the weight of each node."""

    inputs: NodeInputs
    change: torch.Tensor
    weight: torch.Tensor
    init_days: tuple[np.datetime64, ...]
    faults: tuple[str, ...] = ()
    """Why the step's own days cannot be learned from; this batch is then a substitute, which is not trained on."""

    @property
    def today(self) -> torch.Tensor:
        """One entry a sample, for whoever counts them."""
        return self.change[:, 0]

    def to(self, device: torch.device | str) -> RivalBatch:
        """The batch on another device."""
        return RivalBatch(
            inputs=self.inputs.to(device),
            change=self.change.to(device),
            weight=self.weight.to(device),
            init_days=self.init_days,
            faults=self.faults,
        )


class NodeMeans:
    """Means of a source's fine maps at the nodes, one small file a day, read again by every later run.

    A window in the middle of the day's map is part of the file's name, so that a day that was prepared anew, from other
    values, is averaged anew.

    Parameters
    ----------
    data : TrainingData
        Where its days come from decides the folder.
    folder : path, optional
        Instead of one in the cache.
    """

    def __init__(self, data: TrainingData, folder: Path | None = None) -> None:
        self._source = data.source
        self._paths: dict[np.datetime64, Path] = {}
        origin = {name: value for name, value in data.fingerprint.items() if name not in _OF_THE_DAYS}
        key = hashlib.sha256(json.dumps([origin, data.source.domain.to_dict()], sort_keys=True).encode())
        self.folder = folder or cache_dir() / "node-means" / key.hexdigest()[:16]

    def __call__(self, day: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """Mean and share of a day (see `node_means`)."""
        path = self._path(day)
        try:
            mean, share = np.load(path, allow_pickle=False)
        except (OSError, ValueError):  # not there yet, or cut short by whoever filled the disk
            mean, share = node_means(self._source.pm2p5(day, slice(None), slice(None)), self._source.domain)
            buffer = io.BytesIO()
            np.save(buffer, np.stack([mean, share]), allow_pickle=False)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, buffer.getvalue())
        return mean, share

    def _path(self, day: np.datetime64) -> Path:
        """Of a day's file; its window is read once a process."""
        if day not in self._paths:
            rows, cols = (
                slice(max(0, (n - _WINDOW) // 2), (n + _WINDOW) // 2) for n in self._source.domain.fine.shape
            )
            seen = np.ascontiguousarray(self._source.pm2p5(day, rows, cols), dtype=np.float32)
            self._paths[day] = self.folder / f"{day}-{hashlib.sha256(seen.tobytes()).hexdigest()[:12]}.npy"
        return self._paths[day]


class RivalDays(IterableDataset[RivalBatch]):
    """Endless batches, from a given step on; step k always holds the same days, whatever worker reads it.

    Days form one endless sequence, epoch after epoch, each of which holds every day once in an order of its own.

    Parameters
    ----------
    data : TrainingData
    means : NodeMeans
    init_days : sequence of datetime64
        Training days.
    leads : sequence of int
    days_per_step, seed : int
    """

    def __init__(
        self,
        data: TrainingData,
        means: NodeMeans,
        init_days: Sequence[np.datetime64],
        leads: Sequence[int],
        *,
        days_per_step: int,
        seed: int,
    ) -> None:
        self._data, self._means, self._leads = data, means, tuple(leads)
        self.init_days, self.days_per_step, self.seed = list(init_days), days_per_step, seed
        self.first_step = 0
        """Where iteration begins."""

    def days_of(self, step: int) -> tuple[np.datetime64, ...]:
        """Init days of one step."""
        count = len(self.init_days)
        places = [step * self.days_per_step + k for k in range(self.days_per_step)]
        orders = {
            epoch: np.random.default_rng([self.seed, epoch]).permutation(count)
            for epoch in {place // count for place in places}
        }
        return tuple(self.init_days[orders[place // count][place % count]] for place in places)

    def read(self, init_days: Sequence[np.datetime64]) -> RivalBatch:
        """The batch of some init days.

        Raises
        ------
        MissingInputError, BadSampleError
            If a day lacks too much, holds infinite values, or has nothing to learn from.
        """
        source: DaySource = self._data.source
        inputs = read_inputs(source, self._means, self._data.statistics, init_days)
        pairs = [read_change(self._means, day, self._leads, source.domain.coarse) for day in init_days]
        change, weight = (torch.stack(parts) for parts in zip(*pairs, strict=True))
        for number, day in enumerate(init_days):
            if torch.isinf(inputs.frames[number]).any() or torch.isinf(change[number]).any():
                raise BadSampleError(
                    f"init day {day} holds infinite values; expected finite ones, or NaN for gaps."
                )
            if not bool(weight[number].any()):
                raise BadSampleError(f"init day {day}: no node has PM2.5 on it and on a valid day.")
        return RivalBatch(inputs=inputs, change=change, weight=weight, init_days=tuple(init_days))

    def batch(self, step: int) -> RivalBatch:
        """The batch of one step, or a later one as its substitute, with the reason."""
        faults: list[str] = []
        for ahead in range(SUBSTITUTES):
            try:
                batch = self.read(self.days_of(step + ahead))
            except (BadSampleError, MissingInputError) as error:
                faults.append(str(error))
                continue
            return RivalBatch(**{**vars(batch), "faults": tuple(faults[:1])})
        raise BadSampleError(f"{SUBSTITUTES} steps in a row cannot be used; the first: {faults[0]}")

    def __iter__(self) -> Iterator[RivalBatch]:
        worker = get_worker_info()
        offset, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        step = self.first_step + offset
        while True:
            yield self.batch(step)
            step += stride


class ValidationDays:
    """One batch a validation day, read once; a day that cannot be used is left out with a warning.

    Parameters
    ----------
    days : RivalDays
        Reads them.
    init_days : sequence of datetime64
    """

    def __init__(self, days: RivalDays, init_days: Sequence[np.datetime64]) -> None:
        self._days, self._init_days = days, list(init_days)
        self._kept: list[RivalBatch] | None = None

    def __len__(self) -> int:
        return len(self._init_days)

    def __iter__(self) -> Iterator[RivalBatch]:
        if self._kept is None:
            self._kept = [batch for day in self._init_days if (batch := self._day(day)) is not None]
            if not self._kept:
                raise BadSampleError(
                    f"None of the {len(self._init_days)} validation days can be used; see the warnings."
                )
        yield from self._kept

    def _day(self, day: np.datetime64) -> RivalBatch | None:
        try:
            return self._days.read([day])
        except (BadSampleError, MissingInputError) as error:
            warnings.warn(f"Validation day {day} is left out: {error}", stacklevel=2)
            return None
