"""One day of a dataset from the downloads: which files hold it, and its fields on the domain's grids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from cranpm.data.download.providers import CUT_BY_PROVIDER, plain_files
from cranpm.data.download.receipts import Receipt, read_receipt, receipts
from cranpm.data.errors import MissingSourceError
from cranpm.data.live import LIVE_TARGET, live_map
from cranpm.data.manifest import load_manifest
from cranpm.data.readers import cams, era5
from cranpm.data.readers.ghap import read_ghap_day
from cranpm.data.readers.products import BY_SOURCE
from cranpm.data.regrid.alignment import check_coast, check_pressure
from cranpm.data.regrid.daily import join_times
from cranpm.data.station_tables import station_values
from cranpm.data.store.encoded_day import EncodedDay, encode_day
from cranpm.data.store.encoding import PM2P5_FILL
from cranpm.domain import CAMS_CHANNELS, ERA5_CHANNELS, LEAD_DAYS, Domain

SURFACE, LEVELS = "era5-single-levels", "era5-pressure-levels"
LONGEST_LEAD = 12
"""Hours that a step of the day's composition may lie ahead of its run; runs begin every 12 hours."""

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class DatasetRecipe:
    """What a dataset is made of.

    Parameters
    ----------
    raw : Path
        Folder of downloads.
    target, composition, elevation : str
        Sources of the fine PM2.5 maps, of the coarse composition and of the terrain.
    """

    raw: Path
    domain: Domain
    target: str = "ghap-pm25-d1k"
    composition: str = "cams-global-forecasts"
    elevation: str = "elevation-etopo-2022"

    def __post_init__(self) -> None:
        manifest = load_manifest()
        for name in self.sources:
            manifest.source(name)  # refuses unknown ones by name
        if self.composition not in BY_SOURCE:
            known = ", ".join(BY_SOURCE)
            raise ValueError(f"No composition can be made of {self.composition!r}; known: {known}.")

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the sources that a day is made from."""
        return self.target, SURFACE, LEVELS, self.composition, self.elevation

    @property
    def is_live(self) -> bool:
        """Whether the fine maps come from a physical model and stations, see `cranpm.data.live`."""
        return self.target == LIVE_TARGET

    @cached_property
    def found(self) -> dict[str, list[Receipt]]:
        """Complete downloads of each source."""
        manifest = load_manifest()
        cut = {name for name in self.sources if manifest.source(name).access.kind in CUT_BY_PROVIDER}
        return {
            name: [
                receipt
                for receipt in receipts(self.raw, name, self.domain.name if name in cut else None)
                if not receipt.absent
            ]
            for name in self.sources
        }

    def files(self, source: str, days: Iterable[np.datetime64], parts: tuple[str, ...] = ()) -> list[Path]:
        """Downloads of a source that touch any of the days, of some of its parts."""
        days = list(days)
        return [
            receipt.path
            for receipt in self.found[source]
            if (not parts or receipt.part in parts) and any(receipt.covers(day) for day in days)
        ]

    def missing(self, days: Iterable[np.datetime64]) -> dict[str, list[np.datetime64]]:
        """Source (and part) -> days without a download; empty if everything is there."""
        needed = {
            self.target: ("analysis",) if self.is_live else ("file",),
            SURFACE: ("surface", "precipitation"),
            LEVELS: ("levels",),
            self.composition: ("aerosol", "gases"),
        }
        lacking: dict[str, list[np.datetime64]] = {}
        for day in days:
            for source, parts in needed.items():
                for part in parts:
                    if not self.files(source, [day], (part,)):
                        lacking.setdefault(f"{source} ({part})", []).append(day)
            if not self.files(SURFACE, [day + _DAY], ("precipitation", "precipitation-end")):
                lacking.setdefault(f"{SURFACE} (precipitation until 24:00)", []).append(day)
        if not self.found[self.elevation]:
            lacking[self.elevation] = []
        elif tiles := self._missing_tiles():
            lacking[f"{self.elevation} ({tiles} tiles)"] = []
        return lacking

    def _missing_tiles(self) -> int:
        """Tiles of terrain that were never asked for: they would read as sea."""
        source = load_manifest().source(self.elevation)
        if "{lat}" not in source.resources[0].path:
            return 0
        return sum(read_receipt(file.path) is None for file in plain_files(source, self.domain, self.raw))


@dataclass(frozen=True, kw_only=True)
class StaticFields:
    """``coarse_elevation`` (Hc + 1, Wc + 1) [m] and ``land`` (H, W) bool."""

    coarse_elevation: np.ndarray
    land: np.ndarray


def make_day(recipe: DatasetRecipe, day: np.datetime64, static: StaticFields | None = None) -> EncodedDay:
    """All fields of a day, checked and compressed; runs in any process.

    Parameters
    ----------
    static : StaticFields, optional
        Terrain and land that the fields are held against; without it nobody notices a field that is upside down.

    Raises
    ------
    DataFileError
        Or one of its kinds, naming the file and what is wrong with it.
    """
    weather, target = _weather(recipe, day), _target(recipe, day)
    if recipe.is_live and static is not None:
        target = np.where(
            static.land, target, np.uint16(PM2P5_FILL)
        )  # the satellite product has no sea either
    if static is not None:
        pressure = weather[[channel.name for channel in ERA5_CHANNELS].index("sp")]
        check_pressure(pressure, static.coarse_elevation, name=f"ERA5 sp of {day}")
        check_coast(target != PM2P5_FILL, static.land, name=f"{recipe.target} of {day}")
    return encode_day(
        recipe.domain,
        day,
        pm2p5=target,
        era5=weather,
        cams=_composition(recipe, day),
        cams_forecast=_forecast(recipe, day),
    )


def _target(recipe: DatasetRecipe, day: np.datetime64) -> np.ndarray:
    paths = recipe.files(recipe.target, [day])
    if not paths:
        raise MissingSourceError(f"No download of {recipe.target} holds {day}. {_fetch(recipe.target, day)}")
    if recipe.is_live:
        return live_map(paths, day, recipe.domain, station_values(recipe.raw, recipe.domain, day))[0]
    return read_ghap_day(paths[0], day, recipe.domain.fine)


def _weather(recipe: DatasetRecipe, day: np.datetime64) -> np.ndarray:
    parts = [
        *recipe.files(SURFACE, [day], ("surface",)),
        *recipe.files(SURFACE, [day, day + _DAY], ("precipitation", "precipitation-end")),
        *recipe.files(LEVELS, [day], ("levels",)),
    ]
    opened = [member for path in parts for member in _opened_era5(path, _stamp(path))]
    names = [channel.name for channel in ERA5_CHANNELS]
    daily = era5.daily_coarse(opened, recipe.domain.coarse_box, channels=names, days=np.array([day]))
    return daily.values[0]


def _composition(recipe: DatasetRecipe, day: np.datetime64) -> np.ndarray:
    surface = recipe.files(SURFACE, [day], ("surface",))
    opened = [member for path in surface for member in _opened_era5(path, _stamp(path))]
    hours = slice(str(day), str(day + _DAY))
    weather = xr.Dataset(
        {v: join_times([m[v].sel(time=hours) for m in opened if v in m], name=v) for v in ("sp", "t2m")}
    ).load()
    files = recipe.files(recipe.composition, [day], ("aerosol", "gases"))
    product = BY_SOURCE[recipe.composition]
    fields = [
        cams.open_cams(path, weather=weather, day=day, product=product, longest_lead=LONGEST_LEAD)
        for path in files
    ]
    daily = cams.daily_coarse(
        fields, recipe.domain.coarse_box, channels=[c.name for c in CAMS_CHANNELS], days=np.array([day])
    )
    return daily.values[0]


def _forecast(recipe: DatasetRecipe, day: np.datetime64) -> np.ndarray | None:
    files = recipe.files(recipe.composition, [day], ("forecast",))
    if not files:
        return None  # stays missing in the store
    run = cams.open_cams_run(files[0], day)
    ahead = day + np.array(LEAD_DAYS, dtype="timedelta64[D]")
    daily = cams.daily_coarse(run, recipe.domain.coarse_box, channels=["pm2p5"], days=ahead)
    return daily.values[:, 0]


@lru_cache(maxsize=12)
def _opened_era5(path: Path, stamp: tuple[int, int]) -> tuple[xr.Dataset, ...]:
    """A month's file, opened once a process; the stamp makes a new one of a file that changed."""
    return tuple(era5.open_era5_members(path))


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size


def _fetch(source: str, day: np.datetime64) -> str:
    return f"Run 'cranpm data fetch {source} --start {day} --end {day}'."
