"""Reading a dataset on disk (layout: `schema`; writing: `writer`).

What is visible is what ``days.json`` lists. A file that should be there and is not, or that its checksum disowns, is an
error: a gap never turns into a value, and a loss never turns into a gap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import xarray as xr
import zarr

from cranpm._json import JsonObject
from cranpm.data.errors import DayNotInStoreError, StoreError, StoreLockedError
from cranpm.data.store.encoded_day import EncodedDay, encode_day
from cranpm.data.store.encoding import decode_pm2p5
from cranpm.data.store.schema import (
    FORMAT,
    ArraySpec,
    coarse_specs,
    coordinate_attrs,
    pm2p5_spec,
    static_specs,
)
from cranpm.data.store.writer import DatasetWriter
from cranpm.data.store.zarr_files import chunk_file
from cranpm.domain import DAY_CHANNELS, Domain, Statistics
from cranpm.domain.days import Day, as_day

__all__ = [
    "Dataset",
    "DatasetWriter",
    "DayNotInStoreError",
    "EncodedDay",
    "StoreError",
    "StoreLockedError",
    "encode_day",
]

_Filter = tuple[str, str, pd.Timestamp | list[str]]
"""Column, comparison and value, as `pandas.read_parquet` takes them."""

_DAMAGED = "The file is damaged or not all of it is there; build or fetch this dataset again."


class Dataset:
    """A dataset, opened lazily; reads only the chunks that a window touches.

    Made by `Dataset.open`. May be used from several threads and sent to other processes. ``refresh()`` shows days
    that were appended since.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        try:
            self._files, self._path = fsspec.core.url_to_fs(root)
        except (ValueError, ImportError) as error:  # no such protocol, or its package is not installed
            msg = f"{root} cannot be reached: {error}. Expected a folder, or an address that fsspec reads."
            raise StoreError(msg) from error
        self._is_local = "://" not in root
        self.meta: JsonObject = self._read_json("dataset.json")
        if self.meta.get("format") != FORMAT:
            msg = (
                f"{root} has layout {self.meta.get('format')!r}; this program reads {FORMAT}. Build it again."
            )
            raise StoreError(msg)
        self.domain = Domain.from_dict(self.meta["domain"])
        self._specs = {spec.name: spec for spec in (pm2p5_spec(self.domain), *coarse_specs(self.domain))}
        self.refresh()

    @classmethod
    def open(cls, root: str | Path) -> Dataset:
        """Open a dataset folder, or any address that fsspec reads.

        Raises
        ------
        StoreError
            If there is no dataset, or only part of one.
        """
        return cls(str(root))

    def __reduce__(self) -> tuple[Callable[[str], Dataset], tuple[str]]:
        return Dataset.open, (self.root,)

    def __repr__(self) -> str:
        held = f"{len(self.days)} days" + (f", {self.days[0]} ... {self.days[-1]}" if len(self.days) else "")
        return f"<Dataset {self.name!r}: {self.source}, {self.domain.title}, {held}>"

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.meta["name"]

    @property
    def title(self) -> str:
        """Name for people."""
        return self.meta["title"]

    @property
    def source(self) -> str:
        """Where the values come from; to be shown wherever they are."""
        return self.meta["source"]

    @property
    def simulated(self) -> bool:
        """Whether the values are simulated."""
        return bool(self.meta["simulated"])

    @property
    def days(self) -> np.ndarray:
        """Days held, datetime64[D], sorted; they need not follow each other."""
        return self._sorted_days

    def refresh(self) -> None:
        """Look again which days there are."""
        self.listed_days = [as_day(day) for day in self._read_json("days.json")["days"]]
        self._slots = {day: slot for slot, day in enumerate(self.listed_days)}
        self._sorted_days = np.sort(np.array(list(self._slots), dtype="datetime64[D]"))
        self._groups: dict[str, zarr.Group] = {}

    def pm2p5_raw(self, day: Day, rows: slice = slice(None), cols: slice = slice(None)) -> np.ndarray:
        """PM2.5 as stored on a window of the fine grid, uint16 tenths of ug m-3, 65535 where there is none."""
        return self._read("pm2p5", day, rows, cols)

    def pm2p5(self, day: Day, rows: slice = slice(None), cols: slice = slice(None)) -> xr.DataArray:
        """PM2.5 on a window of the fine grid, float32 [ug m-3], NaN where there is none."""
        values = decode_pm2p5(self.pm2p5_raw(day, rows, cols))
        grid, attrs = self.domain.fine, self._specs["pm2p5"].attrs
        return xr.DataArray(
            values,
            dims=("latitude", "longitude"),
            coords={
                "latitude": ("latitude", grid.lat[rows], coordinate_attrs("latitude")),
                "longitude": ("longitude", grid.lon[cols], coordinate_attrs("longitude")),
                "time": as_day(day).astype("datetime64[ns]"),
            },
            name="pm2p5",
            attrs={key: attrs[key] for key in ("standard_name", "long_name", "units", "cell_methods")}
            | {"source": self.source},
        )

    def era5(self, day: Day) -> np.ndarray:
        """Weather of one day in the order of ``ERA5_CHANNELS``, float32 (30, Hc + 1, Wc + 1)."""
        return self._read("era5", day)

    def cams(self, day: Day) -> np.ndarray:
        """Composition of one day in the order of ``CAMS_CHANNELS``, float32 (5, Hc + 1, Wc + 1) [ug m-3]."""
        return self._read("cams", day)

    def cams_forecast(self, day: Day) -> np.ndarray:
        """Physical model's PM2.5 forecast started that day, valid 1..3 days later, float32 (3, Hc + 1, Wc + 1)."""
        return self._read("cams_forecast", day)

    def coarse(self, day: Day) -> xr.DataArray:
        """The 35 coarse fields of one day on the node box, in store units."""
        box = self.domain.coarse_box
        return xr.DataArray(
            np.concatenate([self.era5(day), self.cams(day)]),
            dims=("channel", "latitude", "longitude"),
            coords={
                "channel": [c.name for c in DAY_CHANNELS],
                "units": ("channel", [c.units for c in DAY_CHANNELS]),
                "latitude": ("latitude", box.lat, coordinate_attrs("latitude")),
                "longitude": ("longitude", box.lon, coordinate_attrs("longitude")),
                "time": as_day(day).astype("datetime64[ns]"),
            },
            name="coarse",
            attrs={"source": self.source},
        )

    @cached_property
    def static(self) -> xr.Dataset:
        """Elevation, land and terrain complexity on the fine grid; coarse elevation and land. Read when used."""
        for spec in static_specs(self.domain):
            self._require(f"static.zarr/{chunk_file(spec)}", f"Static field {spec.name!r}")
        static = xr.open_zarr(self._zarr_store("static.zarr"), consolidated=True, chunks=None)
        return static.drop_vars("crs").assign_attrs(source=self.source)

    def stations(self) -> pd.DataFrame:
        """The station table, one row a station (columns: ``tables.STATION_COLUMNS``)."""
        return self._read_parquet("stations.parquet")

    def observations(
        self,
        day: Day | None = None,
        station_id: str | Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Station values, daily means [ug m-3]; of one day or of some stations if asked."""
        filters: list[_Filter] = []
        if day is not None:
            filters.append(("time", "==", pd.Timestamp(as_day(day).astype("datetime64[s]"))))
        if station_id is not None:
            wanted = [station_id] if isinstance(station_id, str) else list(station_id)
            filters.append(("station_id", "in", wanted))
        return self._read_parquet("observations.parquet", filters or None)

    @property
    def has_stations(self) -> bool:
        """Whether station tables are held."""
        return bool(self._files.exists(f"{self._path}/stations.parquet"))

    @property
    def statistics(self) -> Statistics | None:
        """Channel statistics of the training days; None before they are computed."""
        if not self._files.exists(f"{self._path}/statistics.json"):
            return None
        return Statistics.from_dict(self._read_json("statistics.json"))

    def write_statistics(self, statistics: Statistics) -> None:
        """Keep channel statistics with the dataset (takes the writer's lock for a moment)."""
        with DatasetWriter.open(self.root) as writer:
            writer.write_statistics(statistics)

    def _read(self, name: str, day: Day, *window: slice) -> np.ndarray:
        spec, slot = self._specs[name], self._slot(day)
        store = "pm2p5.zarr" if name == "pm2p5" else "coarse.zarr"
        file = f"{store}/{chunk_file(spec, slot)}"
        self._require(file, f"Day {as_day(day)} of {name!r}")
        try:
            array = self._array(store, spec)
            return np.asarray(array[(slot, *window)])  # type: ignore[index]
        except StoreError:
            raise
        except Exception as error:  # a damaged chunk fails in many ways: checksum, index, decompression
            msg = f"Cannot read {file} of {self.root} ({type(error).__name__}: {error}). {_DAMAGED}"
            raise StoreError(msg) from error

    def _slot(self, day: Day) -> int:
        wanted = as_day(day)
        if wanted not in self._slots:
            raise DayNotInStoreError(self._no_such_day(wanted))
        return self._slots[wanted]

    def _no_such_day(self, day: np.datetime64) -> str:
        if not len(self.days):
            return f"Dataset {self.name!r} holds no days yet. {self._how_to_add(day)}"
        nearest = self.days[np.abs(self.days - day).argmin()]
        return (
            f"Day {day} is not in dataset {self.name!r}, which holds {len(self.days)} days from {self.days[0]} to "
            f"{self.days[-1]} (nearest: {nearest}). {self._how_to_add(day)}"
        )

    def _how_to_add(self, day: np.datetime64) -> str:
        if not self.simulated:
            return "Choose another day or add this one to the dataset."
        where = f"--domain {self.domain.name} --out {self.root}"
        return f"Add it with 'cranpm testbed build --start {day} --days 1 {where}'."

    def _array(self, store: str, spec: ArraySpec) -> zarr.Array:
        if store not in self._groups:
            self._groups[store] = self._open_group(store)
        return self._groups[store][spec.name]  # type: ignore[return-value]

    def _open_group(self, store: str) -> zarr.Group:
        """The store's arrays, checked against the list of days and the grid."""
        group = zarr.open_group(self._zarr_store(store), mode="r", use_consolidated=True)
        slots = np.array(list(self._slots), dtype="datetime64[D]")
        if len(slots):
            self._require(f"{store}/time/c/0", "The time axis")
        held = np.asarray(group["time"][: len(slots)])  # type: ignore[index]
        if not np.array_equal(held, slots.astype(np.int64)):
            msg = f"{store} of {self.root} disagrees with days.json about which days it holds. {_DAMAGED}"
            raise StoreError(msg)
        for spec in self._specs.values():
            if spec.name in group and group[spec.name].shape[1:] != spec.shape:  # type: ignore[union-attr]
                msg = (
                    f"{spec.name} of {self.root} has maps of shape {group[spec.name].shape[1:]}; "  # type: ignore[union-attr]
                    f"domain {self.domain.name!r} needs {spec.shape}. Build the dataset again."
                )
                raise StoreError(msg)
        return group

    def _zarr_store(self, name: str) -> zarr.storage.LocalStore | zarr.storage.FsspecStore:
        if self._is_local:
            return zarr.storage.LocalStore(f"{self._path}/{name}", read_only=True)
        return zarr.storage.FsspecStore.from_url(f"{self.root}/{name}", read_only=True)

    def _require(self, file: str, what: str) -> None:
        # Zarr takes an absent file, and a shard of no bytes, for "no data"
        try:
            size = self._files.info(f"{self._path}/{file}")["size"]
        except FileNotFoundError:
            size = None
        if not size:
            found = "no such file" if size is None else "an empty file"
            raise StoreError(f"{what} is missing: {found} {file} in {self.root}. {_DAMAGED}")

    def _read_json(self, name: str) -> JsonObject:
        try:
            return json.loads(self._files.cat_file(f"{self._path}/{name}"))
        except FileNotFoundError:
            if name == "dataset.json":
                msg = (
                    f"No dataset at {self.root}: it has no dataset.json. Build the simulated one with "
                    "'cranpm testbed build --days 16 --start 2022-01-03', or name another folder."
                )
            else:
                msg = f"{self.root} is half a dataset: it has no {name}. {_DAMAGED}"
            raise StoreError(msg) from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"{name} of {self.root} is not JSON ({error}). {_DAMAGED}") from error

    def _read_parquet(self, name: str, filters: list[_Filter] | None = None) -> pd.DataFrame:
        self._require(name, "The table")
        try:
            with self._files.open(f"{self._path}/{name}") as file:
                return pd.read_parquet(
                    file, engine="pyarrow", filters=filters, page_checksum_verification=True
                )
        except Exception as error:
            msg = f"Cannot read {name} of {self.root} ({type(error).__name__}: {error}). {_DAMAGED}"
            raise StoreError(msg) from error
