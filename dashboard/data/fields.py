"""The fields that pages show: announced by a key, built when the first tile is drawn, dropped when they outgrow memory.

A field is asked for by a key and known to the tile route by the key's id; only ids that a page has announced are
served (:meth:`FieldCache.announce`), and announcing is cheap.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cranpm.data.store.dataset import Dataset
from cranpm.domain.tiling import plan_tiles
from cranpm.plot.pyramid import Pyramid

MAX_ANNOUNCED = 2000


class FieldUnavailableError(LookupError):
    """A layer that cannot be shown; the message says why, in words for the reader of the map."""


@dataclass(frozen=True, kw_only=True)
class FieldKey:
    """Names one field: a layer of a dataset on a day, and of a forecast run where the layer needs one."""

    dataset: str
    layer: str
    init_time: dt.date
    lead_time: int = 0
    run: str = ""

    @property
    def id(self) -> str:
        parts = (self.dataset, self.layer, self.init_time.isoformat(), f"T{self.lead_time}", self.run)
        return "_".join(part for part in parts if part)


class Field:
    """A field with its pyramid, and where it is still filling, its version."""

    def __init__(
        self, key: FieldKey, pyramid: Pyramid, *, held_bytes: int, run: Any = None, tiles_seen: int = 0
    ) -> None:
        self.key = key
        self.pyramid = pyramid
        self.nbytes = pyramid.nbytes + held_bytes
        self._run = run
        self._tiles_seen = tiles_seen
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Take in the tiles that have arrived since the last look."""
        if self._run is None:
            return
        with self._lock:
            done = self._run.status.done_list
            new, self._tiles_seen = done[self._tiles_seen :], len(done)
            tiles = plan_tiles(self.pyramid.grid.shape).tiles if new else ()
            for index in new:
                self.pyramid.update(tiles[index].rows, tiles[index].cols)


class FieldCache:
    """Fields of this process, oldest dropped first; methods may be called from several threads.

    Parameters
    ----------
    dataset, days : callable
        Give a dataset, and its days, by name.
    cache_bytes : int, optional
        Memory that fields may take; default ``CRANPM_FIELD_CACHE_MB``, or 1500 MB.
    """

    def __init__(
        self,
        dataset: Callable[[str], Dataset],
        days: Callable[[str], list[dt.date]],
        *,
        cache_bytes: int | None = None,
    ) -> None:
        self._dataset, self._days = dataset, days
        megabytes = int(os.environ.get("CRANPM_FIELD_CACHE_MB", "1500"))
        self.cache_bytes = cache_bytes or megabytes * 2**20
        self._lock = threading.RLock()
        self._building: dict[str, threading.Lock] = {}
        self._announced: OrderedDict[str, tuple[FieldKey, Any]] = OrderedDict()
        self._fields: OrderedDict[str, Field] = OrderedDict()

    def announce(self, key: FieldKey, run: Any = None) -> str:
        """Make a field known to the tile route; returns its id.

        Raises
        ------
        FieldUnavailableError
            If the field's days are not in the dataset.
        """
        self._check(key, run)
        with self._lock:
            self._announced[key.id] = (key, run)
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
        """
        with self._lock:
            key, run = self._announced[field_id]
            if field_id in self._fields:
                self._fields.move_to_end(field_id)
                return self._fields[field_id]
            building = self._building.setdefault(field_id, threading.Lock())
        with building:
            with self._lock:
                if field_id in self._fields:
                    return self._fields[field_id]
            field = self._build(key, run)
            with self._lock:
                self._fields[field_id] = field
                self._building.pop(field_id, None)
                while (
                    len(self._fields) > 1 and sum(f.nbytes for f in self._fields.values()) > self.cache_bytes
                ):
                    self._fields.popitem(last=False)
            return field

    def peek(self, field_id: str) -> Field | None:
        """A field if it is in memory."""
        with self._lock:
            return self._fields.get(field_id)

    def _check(self, key: FieldKey, run: Any) -> None:
        days = self._days(key.dataset)
        valid = key.init_time + dt.timedelta(days=key.lead_time)
        span = (
            f"The dataset holds {days[0]:%d %b %Y} to {days[-1]:%d %b %Y}."
            if days
            else "The dataset is empty."
        )
        if key.layer in ("today", "change") and key.init_time not in days:
            raise FieldUnavailableError(f"No field for {key.init_time:%d %b %Y}. {span}")
        if key.layer in ("target", "error") and valid not in days:
            raise FieldUnavailableError(f"No target yet for {valid:%d %b %Y}. {span}")
        if key.layer in ("forecast", "change", "error") and run is None:
            raise FieldUnavailableError("No forecast has been run for this day and checkpoint.")
        if run is not None:
            try:
                run.field(key.lead_time)
            except FileNotFoundError:
                raise FieldUnavailableError("The forecast has not reached its first tile yet.") from None

    def _build(self, key: FieldKey, run: Any) -> Field:
        dataset = self._dataset(key.dataset)
        grid = dataset.domain.fine
        valid = key.init_time + dt.timedelta(days=key.lead_time)

        def raw(day: dt.date) -> np.ndarray:
            return np.asarray(dataset.pm2p5_raw(np.datetime64(day, "D"), slice(None), slice(None)))

        if key.layer in ("today", "target"):
            packed = raw(key.init_time if key.layer == "today" else valid)
            return Field(key, Pyramid.of_packed(packed, grid), held_bytes=packed.nbytes)
        seen = len(run.status.done_list)  # before reading: a tile that arrives meanwhile is only read twice
        forecast = run.field(key.lead_time)
        if key.layer == "forecast":
            return Field(key, Pyramid.of_array(forecast, grid), held_bytes=0, run=run, tiles_seen=seen)
        packed = raw(key.init_time if key.layer == "change" else valid)
        reference = Pyramid.of_packed(packed, grid, num_levels=0)
        difference = Pyramid(lambda r, c: forecast[r, c] - reference.read(r, c), grid)
        return Field(key, difference, held_bytes=packed.nbytes, run=run, tiles_seen=seen)
