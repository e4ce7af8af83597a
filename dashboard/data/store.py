"""What the process shares between pages: opened datasets, stations, checkpoints, the ground, and `fields`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from cranpm import paths, registry
from cranpm.data.stations.station_day import open_station_day
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.schema import STATION_COLUMNS
from cranpm.plot.pyramid import Pyramid

from .fields import FieldCache, FieldUnavailableError

T = TypeVar("T")

_UNKNOWN = np.iinfo(np.int16).min
"""An elevation that is missing, among whole metres."""


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A dataset and the state of its files when it was opened."""

    dataset: Dataset
    stamp: tuple[tuple[int, int], ...]
    version: str


class Store:
    """Datasets, checkpoints and fields of this process. Methods may be called from several threads."""

    def __init__(self, *, cache_bytes: int | None = None) -> None:
        self._lock = threading.RLock()
        self._opened: dict[str, _Opened] = {}
        self.fields = FieldCache(self.dataset, self.days, cache_bytes=cache_bytes)
        self._ground: dict[tuple[Hashable, ...], Any] = {}
        self._building: dict[tuple[Hashable, ...], threading.Lock] = {}

    # -- datasets ------------------------------------------------------------------------------------------------

    def dataset_folders(self) -> dict[str, Path]:
        """Folders that hold a dataset, by name."""
        return {_slug(entry.name): entry.path for entry in registry.list_datasets()}

    def dataset(self, name: str) -> Dataset:
        """An opened dataset; opened anew when days were added or another one stands in its place.

        Raises
        ------
        FieldUnavailableError
            If there is none of that name.
        StoreError
            If it is damaged.
        """
        return self._open(name).dataset

    def version(self, name: str) -> str:
        """Eight digits that change when another dataset stands under this name; days may be added without."""
        return self._open(name).version

    def _open(self, name: str) -> _Opened:
        folder = self.dataset_folders().get(name)
        if folder is None:
            raise FieldUnavailableError(f"There is no dataset “{name}” on this machine.")
        stamp = tuple(_stamp(folder / file) for file in ("dataset.json", "days.json"))
        with self._lock:
            known = self._opened.get(name)
            if known is None or known.stamp != stamp:
                dataset = Dataset.open(folder)
                identity = json.dumps([dataset.meta.get(key) for key in ("name", "version", "hash")])
                version = hashlib.sha256(identity.encode()).hexdigest()[:8]
                known = self._opened[name] = _Opened(dataset=dataset, stamp=stamp, version=version)
                for key in [key for key in self._ground if key[:2] == ("dataset", name)]:
                    if key[2] not in (version, stamp):
                        del self._ground[key]
            return known

    def stations(self, name: str) -> pd.DataFrame:
        """The station table; empty where the dataset has none.

        Raises
        ------
        StoreError
            If it is damaged.
        """
        opened = self._open(name)
        if not opened.dataset.has_stations:
            return pd.DataFrame(columns=[*STATION_COLUMNS])
        return self._once(("dataset", name, opened.stamp, "stations"), opened.dataset.stations)

    def observations(self, name: str, day: dt.date) -> pd.DataFrame:
        """Station values of one day; empty where the dataset has none."""
        dataset = self.dataset(name)
        if not dataset.has_stations:
            return pd.DataFrame(columns=["station_id", "time", "pm2p5"])
        return dataset.observations(np.datetime64(day, "D"))

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

    def days(self, name: str) -> list[dt.date]:
        """Days of a dataset, sorted."""
        return [np.datetime64(day, "D").astype(dt.date) for day in self.dataset(name).days]

    # -- checkpoints ---------------------------------------------------------------------------------------------

    def checkpoints(self) -> dict[str, Path]:
        """Checkpoint folders by name; nothing is opened but their JSON."""
        found: dict[str, Path] = {}
        for entry in registry.list_checkpoints():
            found.setdefault(_slug(entry.name), entry.path)
        return found

    # -- the ground under the map --------------------------------------------------------------------------------

    def land(self, name: str) -> Pyramid:
        """Land as a pyramid: 1 on land, NaN on the sea; kept as one byte a cell."""

        def build() -> Pyramid:
            land = self._static(name, "land") > 0
            return Pyramid(
                lambda r, c: np.where(land[r, c], np.float32(1), np.float32(np.nan)),
                self.dataset(name).domain.fine,
            )

        return self._once(("dataset", name, self.version(name), "land"), build)

    def elevation(self, name: str, row: int, col: int) -> float:
        """Elevation of a fine cell [m], to the metre; NaN where it is unknown."""
        metres = int(self._elevation(name)[row, col])
        return float("nan") if metres == _UNKNOWN else float(metres)

    def mean_elevation(self, name: str, rows: slice, cols: slice) -> float:
        """Mean elevation of a window of the fine grid [m]; unknown cells are left out, NaN without any."""
        metres = self._elevation(name)[rows, cols]
        known = metres[metres != _UNKNOWN]
        return float(known.mean()) if known.size else float("nan")

    def _elevation(self, name: str) -> np.ndarray:
        def build() -> np.ndarray:
            metres = self._static(name, "elevation")
            return np.where(np.isfinite(metres), np.round(metres), _UNKNOWN).astype(np.int16)

        return self._once(("dataset", name, self.version(name), "elevation"), build)

    def _static(self, name: str, field: str) -> np.ndarray:
        """A static field, not kept: a dataset of its own reads it, for xarray keeps what was read through one."""
        return Dataset.open(self.dataset(name).root).static[field].to_numpy()

    def _once(self, key: tuple[Hashable, ...], build: Callable[[], T]) -> T:
        """Something that is built once and kept; while it is built, only those who want it wait."""
        with self._lock:
            if key in self._ground:
                return self._ground[key]
            building = self._building.setdefault(key, threading.Lock())
        with building:
            if key not in self._ground:
                built = build()
                with self._lock:
                    self._ground[key] = built
                    self._building.pop(key, None)
            return self._ground[key]


def _slug(name: str) -> str:
    """A folder's name as a link may carry it, see ``state._NAME``."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "-" for c in name)
    return plain.strip("_-.")[:60] or "data"


def _stamp(path: Path) -> tuple[int, int]:
    """Tells whether a file was written again."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=1)
def get_store() -> Store:
    """The store shared by all pages of this process."""
    return Store()
