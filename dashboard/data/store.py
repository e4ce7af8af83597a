"""What the process shares between pages: opened datasets, stations, checkpoints, the ground, and `fields`."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cranpm import paths, registry
from cranpm.data.errors import StoreError
from cranpm.data.stations.station_day import open_station_day
from cranpm.data.store.dataset import Dataset
from cranpm.data.store.schema import STATION_COLUMNS
from cranpm.plot.pyramid import Pyramid

from .fields import FieldCache, FieldUnavailableError

log = logging.getLogger(__name__)


class Store:
    """Datasets, checkpoints and fields of this process. Methods may be called from several threads."""

    def __init__(self, *, cache_bytes: int | None = None) -> None:
        self._lock = threading.RLock()
        self._datasets: dict[str, Dataset] = {}
        self.fields = FieldCache(self.dataset, self.days, cache_bytes=cache_bytes)
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
        """Checkpoint folders by name; nothing is opened but their JSON."""
        found: dict[str, Path] = {}
        for entry in registry.list_checkpoints():
            found.setdefault(_slug(entry.name), entry.path)
        return found

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
    """A folder's name as a link may carry it, see ``state._NAME``."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "-" for c in name)
    return plain.strip("_-.")[:60] or "data"


@lru_cache(maxsize=1)
def get_store() -> Store:
    """The store shared by all pages of this process."""
    return Store()
