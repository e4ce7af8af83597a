"""The fields that pages show: announced by a key, built once, dropped when they outgrow memory.

A field is asked for by a key and known to the tile route by the key's id; only ids that a page has announced are
served (:meth:`FieldCache.announce`), and announcing is cheap. An id names content: another version of a dataset and
another run of the same question have other ids, so that neither this cache nor a browser's shows one for the other.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cranpm.data.store.dataset import Dataset
from cranpm.domain.tiling import plan_tiles
from cranpm.forecasting.array_file import ArrayFileError
from cranpm.plot.pyramid import Pyramid

from ..layers import WHATIF_BESIDE, Layer, layer_of
from ..settings import whole_number
from .differences import DifferenceKey, difference_of
from .layer_fields import FieldUnavailableError, raw_map, refuse_missing, values_of

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

    from .whatif import ChangedForecast, WhatIf

MAX_ANNOUNCED = 2000

_Source: TypeAlias = "Run | WhatIf | ChangedForecast | None"


@dataclass(frozen=True, kw_only=True)
class FieldKey:
    """Names one field: a layer of a dataset on a day, and of a forecast run where the layer needs one."""

    dataset: str
    layer: str
    init_time: dt.date
    lead_time: int = 0
    run: str = ""
    version: str = ""
    """Of the dataset, see `Store.version`."""

    @property
    def id(self) -> str:
        parts = (
            self.dataset,
            self.version,
            self.layer,
            self.init_time.isoformat(),
            f"T{self.lead_time}",
            self.run,
        )
        return "_".join(part for part in parts if part)

    @property
    def shown_layer(self) -> Layer:
        """The layer itself."""
        return layer_of(self.layer)


class Arriving:
    """The tiles of a run that a field has taken in; made before the field reads, a tile is at worst read twice."""

    def __init__(self, run: Run | WhatIf | ChangedForecast) -> None:
        self._run = run
        self._seen = len(run.status.done_list)

    def take(self) -> tuple[tuple[int, ...], bool]:
        """Numbers of tiles that are new since the last look, and whether none will follow."""
        status = self._run.status
        new, self._seen = status.done_list[self._seen :], len(status.done_list)
        return new, status.finished


class Field:
    """A field with its pyramid, and where it is still filling, what it waits for."""

    def __init__(
        self,
        key: FieldKey | DifferenceKey,
        pyramid: Pyramid,
        *,
        held_bytes: int,
        arriving: Sequence[Arriving] = (),
    ) -> None:
        self.key = key
        self.pyramid = pyramid
        self.nbytes = pyramid.nbytes + held_bytes
        self._arriving = list(arriving)
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Take in the tiles that have arrived since the last look."""
        with self._lock:
            for source in list(self._arriving):
                new, last = source.take()
                tiles = plan_tiles(self.pyramid.grid.shape).tiles if new else ()
                for index in new:
                    self.pyramid.update(tiles[index].rows, tiles[index].cols)
                if last:
                    self._arriving.remove(source)


class FieldCache:
    """Fields of this process, oldest dropped first; methods may be called from several threads.

    Parameters
    ----------
    dataset, days : callable
        Give a dataset, and its days, by name.
    cache_bytes : int, optional
        Memory that fields may take; default ``CRANPM_FIELD_CACHE_MB`` of `dashboard.settings`.
    """

    def __init__(
        self,
        dataset: Callable[[str], Dataset],
        days: Callable[[str], list[dt.date]],
        *,
        cache_bytes: int | None = None,
    ) -> None:
        self._dataset, self._days = dataset, days
        self.cache_bytes = cache_bytes or whole_number("CRANPM_FIELD_CACHE_MB") * 2**20
        self._lock = threading.RLock()
        self._building: dict[str, threading.Lock] = {}
        self._announced: OrderedDict[str, tuple[FieldKey | DifferenceKey, tuple[_Source, ...]]] = (
            OrderedDict()
        )
        self._fields: OrderedDict[str, Field] = OrderedDict()

    def announce(self, key: FieldKey, run: _Source = None) -> str:
        """Make a field known to the tile route; returns its id.

        Raises
        ------
        FieldUnavailableError
            If the field's days are not in the dataset, or its run has no map.
        """
        self._check(key, run)
        return self._announce(key, (run,))

    def announce_difference(self, first: tuple[FieldKey, _Source], second: tuple[FieldKey, _Source]) -> str:
        """Make the second field minus the first known to the tile route, and both of them; returns its id.

        Raises
        ------
        FieldUnavailableError
            As for `announce`.
        """
        for key, run in (first, second):
            self.announce(key, run)
        return self._announce(DifferenceKey(first=first[0], second=second[0]), (first[1], second[1]))

    def _announce(self, key: FieldKey | DifferenceKey, runs: tuple[_Source, ...]) -> str:
        with self._lock:
            self._announced[key.id] = (key, runs)
            self._announced.move_to_end(key.id)
            while len(self._announced) > MAX_ANNOUNCED:
                self._announced.popitem(last=False)
        return key.id

    def field(self, field_id: str) -> Field:
        """An announced field, built now if it is not in memory.

        Raises
        ------
        KeyError
            If nobody announced it.
        StoreError, ArrayFileError, OSError
            If it cannot be read.
        """
        with self._lock:
            key, runs = self._announced[field_id]
            found = self.peek(field_id)
            if found is not None:
                return found
            building = self._building.setdefault(field_id, threading.Lock())
        try:
            with building:
                found = self.peek(field_id)
                if found is None:
                    found = self._build(key, runs)
                    self._keep(field_id, found)
                return found
        finally:
            with self._lock:
                self._building.pop(field_id, None)

    def peek(self, field_id: str) -> Field | None:
        """A field if it is in memory."""
        with self._lock:
            found = self._fields.get(field_id)
            if found is not None:
                self._fields.move_to_end(field_id)
            return found

    @property
    def nbytes(self) -> int:
        """Memory that fields take now."""
        with self._lock:
            return sum(field.nbytes for field in self._fields.values())

    def _keep(self, field_id: str, field: Field) -> None:
        with self._lock:
            self._fields[field_id] = field
            while len(self._fields) > 1 and self.nbytes > self.cache_bytes:
                self._fields.popitem(last=False)

    def _check(self, key: FieldKey, run: _Source) -> None:
        refuse_missing(key.layer, key.init_time, key.lead_time, self._days(key.dataset))
        if not layer_of(key.layer).needs_run:
            return
        if run is None or run.state == "gone":
            raise FieldUnavailableError("No forecast has been run for this day and checkpoint.")
        if run.state == "queued":
            raise FieldUnavailableError("The forecast has not started yet.")
        try:
            run.map(key.lead_time)
        except FileNotFoundError:
            raise FieldUnavailableError(_NO_MAP.get(run.state, "The forecast has no map.")) from None

    def _build(self, key: FieldKey | DifferenceKey, runs: tuple[_Source, ...]) -> Field:
        if isinstance(key, DifferenceKey):
            arriving = [Arriving(run) for run in runs if run is not None]
            both = self.field(key.first.id), self.field(key.second.id)
            pyramid = difference_of(both[0].pyramid, both[1].pyramid)
            # it keeps both, also when they are dropped here
            return Field(key, pyramid, held_bytes=both[0].nbytes + both[1].nbytes, arriving=arriving)
        (run,) = runs
        dataset = self._dataset(key.dataset)
        grid = dataset.domain.fine
        valid = key.init_time + dt.timedelta(days=key.lead_time)

        if not layer_of(key.layer).needs_run:
            made = values_of(dataset, key.layer, key.init_time, key.lead_time)
            return Field(key, made.pyramid, held_bytes=made.held_bytes)
        assert run is not None
        arriving = [Arriving(run)]
        forecast = run.map(key.lead_time)
        if forecast.shape != grid.shape:
            raise ArrayFileError(
                f"The forecast's map has shape {forecast.shape}, the dataset's grid {grid.shape}."
            )
        if key.layer in ("forecast", "whatif", WHATIF_BESIDE.key):
            return Field(key, Pyramid(forecast.read, grid), held_bytes=0, arriving=arriving)
        packed = raw_map(dataset, key.init_time if key.layer == "change" else valid)
        reference = Pyramid.of_packed(packed, grid, num_levels=0)
        difference = Pyramid(lambda r, c: forecast.read(r, c) - reference.read(r, c), grid)
        return Field(key, difference, held_bytes=packed.nbytes, arriving=arriving)


_NO_MAP = {
    "running": "The forecast has not reached its first tile yet.",
    "failed": "The forecast stopped before it had a map.",
    "cancelled": "The forecast was cancelled before it had a map.",
}
