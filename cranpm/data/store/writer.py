"""Writing a dataset: one writer at a time, a day at a time, each day visible only when all of it is there."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm._files import remove_partial_files, write_atomically
from cranpm._json import JsonObject
from cranpm._lock import Lock, LockHeldError
from cranpm.data.errors import StoreError, StoreLockedError
from cranpm.data.store.creation import DatasetDescription, create_dataset, replace_static
from cranpm.data.store.encoded_day import EncodedDay
from cranpm.data.store.schema import coarse_specs, pm2p5_spec
from cranpm.data.store.tables import check_observations, check_stations
from cranpm.data.store.zarr_files import chunk_file, commit_days
from cranpm.domain import Domain, Statistics
from cranpm.domain.days import as_day

log = logging.getLogger(__name__)


class DatasetWriter:
    """Appends days to a dataset folder; use as a context manager.

    A second writer on the same folder is refused; the lock goes with the process, however it ends.
    """

    def __init__(self, root: Path, lock: Lock) -> None:
        self.root = root
        self._lock: Lock | None = lock
        self.meta: JsonObject = json.loads((root / "dataset.json").read_text())
        self.domain = Domain.from_dict(self.meta["domain"])
        self._pm2p5, self._coarse = pm2p5_spec(self.domain), coarse_specs(self.domain)
        self._days: list[np.datetime64] = [
            as_day(day) for day in json.loads((root / "days.json").read_text())["days"]
        ]

    @classmethod
    def create(cls, root: str | Path, domain: Domain, described: DatasetDescription) -> DatasetWriter:
        """Start an empty dataset.

        Parameters
        ----------
        root : path
            A folder that does not exist or is empty.
        domain : Domain
        described : DatasetDescription
            What it is, for ``dataset.json``.

        Raises
        ------
        StoreError
            If there is something at ``root`` already.
        """
        create_dataset(Path(root), domain, described)
        return cls.open(root)

    @classmethod
    def open(cls, root: str | Path) -> DatasetWriter:
        """Continue a dataset.

        Raises
        ------
        StoreError
            If there is no dataset at ``root``.
        StoreLockedError
            If another process is writing to it.
        """
        root = Path(root)
        if not (root / "dataset.json").exists():
            raise StoreError(f"No dataset at {root}: no dataset.json. Create it with DatasetWriter.create.")
        try:
            lock = Lock(root / ".writer.lock")
        except LockHeldError as error:
            msg = f"{root} is being written by {error.holder}. Wait for it to end, or end it."
            raise StoreLockedError(msg) from None
        try:
            writer = cls(root, lock)
            writer._recover()
        except BaseException:
            lock.release()
            raise
        return writer

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def days(self) -> np.ndarray:
        """Days held, datetime64[D], sorted."""
        return np.sort(np.array(self._days, dtype="datetime64[D]"))

    def append_encoded(self, encoded: EncodedDay) -> bool:
        """Append a day made by `encode_day`; one that is there already stays as it is, and False is returned."""
        if self._lock is None:
            raise StoreError(f"This writer of {self.root} is closed. Open another with DatasetWriter.open.")
        if encoded.day in self._days:
            log.info("%s is in %s already and stays as it is.", encoded.day, self.root.name)
            return False
        slot, days = len(self._days), [*self._days, encoded.day]
        for name, (spec, content) in encoded.files.items():
            write_atomically(self._store(name) / chunk_file(spec, slot), content)
        if encoded.observations is not None:
            self._add_observations(encoded.observations)
        commit_days(self.root / "pm2p5.zarr", (self._pm2p5,), days)
        commit_days(self.root / "coarse.zarr", self._coarse, days)
        self._write_days(days)
        return True

    def write_static(
        self,
        *,
        elevation: np.ndarray,
        land: np.ndarray,
        coarse_elevation: np.ndarray,
        coarse_land: np.ndarray,
        terrain_complexity: np.ndarray,
        overwrite: bool = False,
    ) -> None:
        """Write the fields that do not change with time; shapes as in `schema.static_specs`."""
        target = self.root / "static.zarr"
        values = {
            "elevation": elevation,
            "land": land,
            "coarse_elevation": coarse_elevation,
            "coarse_land": coarse_land,
            "terrain_complexity": terrain_complexity,
        }
        if target.exists() and not overwrite:
            raise StoreError(f"{target} exists; nothing was overwritten. Pass overwrite=True to replace it.")
        attrs = {key: self.meta[key] for key in ("title", "source", "version")}
        replace_static(target, self.domain, values, attrs)

    def write_stations(self, stations: pd.DataFrame, observations: pd.DataFrame | None = None) -> None:
        """Write the station table, and the observation table if given, in place of what is there."""
        _write_parquet(self.root / "stations.parquet", check_stations(stations))
        if observations is not None:
            _write_parquet(self.root / "observations.parquet", check_observations(observations))

    def write_statistics(self, statistics: Statistics) -> None:
        """Write the channel statistics of the training days."""
        statistics.vectors()  # refuses incomplete ones
        content = json.dumps(statistics.to_dict(), indent=2).encode()
        write_atomically(self.root / "statistics.json", content)

    def _store(self, name: str) -> Path:
        return self.root / ("pm2p5.zarr" if name == "pm2p5" else "coarse.zarr")

    def _write_days(self, days: list[np.datetime64]) -> None:
        # the commit: readers believe this list and nothing else
        content = json.dumps({"days": [str(day) for day in days]}).encode()
        write_atomically(self.root / "days.json", content)
        self._days = days

    def _recover(self) -> None:
        """Undo what a killed writer had begun: the stores go back to the days that were committed."""
        remove_partial_files(self.root)
        for name, specs in (("pm2p5.zarr", (self._pm2p5,)), ("coarse.zarr", self._coarse)):
            document = json.loads((self.root / name / "zarr.json").read_text())
            held = document["consolidated_metadata"]["metadata"]["time"]["shape"][0]
            if held > len(self._days):
                commit_days(self.root / name, specs, self._days)

    def _add_observations(self, observations: pd.DataFrame) -> None:
        path = self.root / "observations.parquet"
        if path.exists():
            before = _read_parquet(path)
            before = before[~before["time"].isin(observations["time"].unique())]
            observations = pd.concat([before, observations], ignore_index=True)
        _write_parquet(path, observations)


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    # with checksums: a flipped bit of a packed table unpacks to other values
    content = frame.to_parquet(
        None, engine="pyarrow", index=False, compression="zstd", write_page_checksum=True
    )
    write_atomically(path, content)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, engine="pyarrow", page_checksum_verification=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"Cannot read {path.name} of {path.parent} ({error}): it is damaged. Prepare the stations again."
        )
        raise StoreError(msg) from error
