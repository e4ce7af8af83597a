"""What the process shares between pages: opened datasets, checkpoints, fields and their pyramids.

A field is asked for by a key and known to the tile route by the key's id; only ids that a page has announced are
served (:meth:`Store.announce`), and announcing is cheap: arrays are read when the first tile is drawn and dropped
again, oldest first, when they outgrow ``CRANPM_FIELD_CACHE_MB``.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cranpm import paths
from cranpm.data.errors import StoreError
from cranpm.data.schema import STATION_COLUMNS
from cranpm.data.stations import open_station_day
from cranpm.data.store import Dataset
from cranpm.domain.tiling import plan_tiles
from cranpm.plot.pyramid import Pyramid

log = logging.getLogger(__name__)

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


class Store:
    """Datasets, checkpoints and fields of this process. Methods may be called from several threads."""

    def __init__(self, *, cache_bytes: int | None = None) -> None:
        megabytes = int(os.environ.get("CRANPM_FIELD_CACHE_MB", "1500"))
        self.cache_bytes = cache_bytes or megabytes * 2**20
        self._lock = threading.RLock()
        self._building: dict[str, threading.Lock] = {}
        self._datasets: dict[str, Dataset] = {}
        self._announced: OrderedDict[str, tuple[FieldKey, Any]] = OrderedDict()
        self._fields: OrderedDict[str, Field] = OrderedDict()
        self._ground: dict[tuple[str, str], Any] = {}

    # -- datasets ------------------------------------------------------------------------------------------------

    def dataset_folders(self) -> dict[str, Path]:
        """Folders that hold a dataset, by name."""
        root = paths.data_dir()
        if (root / "dataset.json").is_file():
            return {_slug(root.name): root}
        found = sorted(path.parent for path in root.glob("*/dataset.json"))
        return {_slug(path.name): path for path in found}

    def dataset(self, name: str) -> Dataset:
        """An opened dataset; days appended since are seen."""
        folder = self.dataset_folders().get(name)
        if folder is None:
            raise FieldUnavailableError(f"There is no dataset “{name}” on this machine.")
        with self._lock:
            if name not in self._datasets:
                self._datasets[name] = Dataset.open(folder)
            return self._datasets[name]

    def stations(self, name: str) -> pd.DataFrame:
        """The station table; empty where the dataset has none."""

        def read() -> pd.DataFrame:
            try:
                return self.dataset(name).stations()
            except StoreError as error:
                log.warning("No stations: %s", error)
                return pd.DataFrame(columns=[*STATION_COLUMNS])

        return self._once(("stations", name), read)

    def observations(self, name: str, day: dt.date) -> pd.DataFrame:
        """Station values of one day; empty where the dataset has none."""
        try:
            return self.dataset(name).observations(np.datetime64(day, "D"))
        except StoreError as error:
            log.warning("No observations: %s", error)
            return pd.DataFrame(columns=["station_id", "time", "pm2p5"])

    def station_files(self) -> dict[str, Path]:
        """External station days that may be opened, by name: NetCDF files in ``data/stations`` and the samples."""
        folders = [paths.data_dir() / "stations"]
        if os.environ.get("CRANPM_REAL_DATA"):
            folders.append(Path(os.environ["CRANPM_REAL_DATA"]) / "cams")
        files = [path for folder in folders for path in sorted(folder.glob("*station*.nc"))]
        return {_slug(path.stem): path for path in files}

    def station_file(self, name: str) -> tuple[pd.DataFrame, dt.date]:
        """Stations of an external file and its day.

        Returns
        -------
        tuple of DataFrame and date
            ``name, latitude, longitude, altitude, pm2p5, kind``.
        """
        path = self.station_files().get(name)
        if path is None:
            raise FieldUnavailableError(f"There is no station file “{name}” on this machine.")

        def read() -> tuple[pd.DataFrame, dt.date]:
            day = open_station_day(path)
            table = pd.DataFrame(
                {
                    "name": day["station_id"].values,
                    "latitude": day["latitude"].values,
                    "longitude": day["longitude"].values,
                    "altitude": day["altitude"].values,
                    "pm2p5": day["observed"].values,
                    "kind": [
                        f"external file, CAMS ensemble {value:.1f}" for value in day["cams_ensemble"].values
                    ],
                }
            )
            when: dt.date = day["time"].values.astype("datetime64[D]").item()
            return table.dropna(subset=["pm2p5"]), when

        return self._once(("station_file", name), read)

    def refresh(self, name: str) -> None:
        """Look again which days a dataset holds."""
        self.dataset(name).refresh()

    def days(self, name: str) -> list[dt.date]:
        """Days of a dataset, sorted."""
        return [np.datetime64(day, "D").astype(dt.date) for day in self.dataset(name).days]

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def checkpoints(self) -> dict[str, Path]:
        """Checkpoint folders by name: a config beside weights; nothing is opened but the config's JSON."""
        found: dict[str, Path] = {}
        for root in paths.checkpoint_roots():
            for config in sorted(root.glob("*/config.json")):
                if (config.parent / "model.safetensors").is_file():
                    found.setdefault(_slug(config.parent.name), config.parent)
        return found

    def checkpoint_summary(self, name: str) -> dict[str, Any]:
        """The config of a checkpoint, empty where it cannot be read."""
        try:
            return json.loads((self.checkpoints()[name] / "config.json").read_text(encoding="utf-8"))
        except (KeyError, OSError, ValueError):
            return {}

    # -- fields --------------------------------------------------------------------------------------------------

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
        days = self.days(key.dataset)
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
        dataset = self.dataset(key.dataset)
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

    # -- the ground under the map --------------------------------------------------------------------------------

    def land(self, name: str) -> Pyramid:
        """Land as a pyramid: 1 on land, NaN on the sea; kept as one byte a cell."""

        def build() -> Pyramid:
            dataset = self.dataset(name)
            land = np.asarray(dataset.static["land"].values) > 0
            return Pyramid(
                lambda r, c: np.where(land[r, c], np.float32(1), np.float32(np.nan)), dataset.domain.fine
            )

        return self._once(("land", name), build)

    def elevation(self, name: str) -> np.ndarray:
        """Elevation of the fine grid [m]."""
        return self._once(
            ("elevation", name), lambda: np.asarray(self.dataset(name).static["elevation"].values, np.float32)
        )

    def _once(self, key: tuple[str, str], build: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._ground:
                self._ground[key] = build()
            return self._ground[key]


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in name)[:60] or "data"


@lru_cache(maxsize=1)
def get_store() -> Store:
    """The store shared by all pages of this process."""
    return Store()
