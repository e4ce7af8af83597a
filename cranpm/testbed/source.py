"""Days straight from the simulated world, without a store: what training on a bare GPU node reads.

Needs only torch, NumPy, safetensors and an exported geography file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cranpm._files import replacing
from cranpm._progress import Clock, Progress
from cranpm.data.store.station_days import StationDays
from cranpm.testbed.geography.geography import Geography
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import cams_like, observe, retrieval
from cranpm.testbed.simulation.constants import DEFAULT_SEED, WorldConstants
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.puffs import puff_path
from cranpm.testbed.simulation.world import WORLD_VERSION, DayState, World, source_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

_OPEN_DAYS = 1024
"""Day files a source keeps mapped; only the windows that are read come into memory."""


class _OpenDay(NamedTuple):
    coarse: np.ndarray
    fields: torch.Tensor
    constants: WorldConstants


def day_file(folder: Path, day: np.datetime64 | str) -> Path:
    """Where a day is kept."""
    return folder / f"{day}.safetensors"


def holds_days(folder: Path | str) -> bool:
    """Whether a folder has days of the world, also ones that an earlier version wrote."""
    return any(any(Path(folder).glob(f"????-??-??{suffix}")) for suffix in (".safetensors", ".npz"))


def world_folder(work: Path) -> Path:
    """Where scripts keep the day files of the frozen world."""
    return work / f"world-{WORLD_VERSION}-{DEFAULT_SEED}"


class WorldSource:
    """Days of the simulated world, prepared once (one file of about 14 MB a day) and seen by its instruments.

    Parameters
    ----------
    geography : Geography
    folder : Path
        Where day files are; see `simulate_days`.

    Raises
    ------
    ValueError
        If the days are of several worlds.
    """

    def __init__(self, geography: Geography, folder: Path | str) -> None:
        self._geography, self._folder = geography, Path(folder)
        _convert_old_days(self._folder)
        self.domain = geography.domain
        self.days = np.array(
            sorted(path.stem for path in self._folder.glob(day_file(Path(), "????-??-??").name)),
            dtype="datetime64[D]",
        )
        self.land, self.elevation = geography.land, geography.elevation
        self.coarse_elevation = geography.coarse_elevation
        self._kept: OrderedDict[str, _OpenDay] = OrderedDict()
        self.constants = self._day(self.days[0]).constants if len(self.days) else WorldConstants()
        """Of the world that the days are of; each day has a seed, commonly the same."""
        self.name, self.simulated = source_name(self.constants), True
        self._scaler = downscaler(geography, constants=self.constants)

    def _day(self, day: np.datetime64) -> _OpenDay:
        key = str(day.astype("datetime64[D]"))
        if key not in self._kept:
            with safe_open(day_file(self._folder, key), framework="pt") as file:  # mapped, not read
                opened = _OpenDay(
                    coarse=file.get_tensor("coarse").numpy(),
                    fields=file.get_tensor("fields"),
                    constants=_constants_of(file.metadata()),
                )
            world = getattr(self, "constants", opened.constants)
            if (opened.constants.name, opened.constants.changes) != (world.name, world.changes):
                raise ValueError(
                    f"{day_file(self._folder, key)} is of {opened.constants.name!r}, other days there of "
                    f"{world.name!r}. Keep each world in a folder of its own."
                )
            self._kept[key] = opened
            while len(self._kept) > _OPEN_DAYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def coarse(self, day: np.datetime64) -> np.ndarray:
        """See `cranpm.data.store.source.DaySource`."""
        return self._day(day).coarse

    def puff_response(self, day: np.datetime64) -> np.ndarray | None:
        """What puffs added to a day do, (4, Hc + 1, Wc + 1) [ug m-3]; None where nobody asked (`simulate_days`)."""
        path = puff_path(self._folder, day)
        return np.load(path).astype(np.float32) if path.exists() else None

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        """See `cranpm.data.store.source.DaySource`."""
        held = self._day(day)
        truth = self._scaler.window(held.fields, rows, cols)
        instrument = retrieval(self._scaler, held.constants.seed, held.constants.instruments)
        return instrument.window(truth, day_number(day), rows, cols).numpy()

    @cached_property
    def stations(self) -> StationDays:
        """What the network of stations reports; needs pandas. Made once and kept beside the days."""
        from cranpm.testbed.instruments.stations import draw_stations

        table = draw_stations(self._geography, self.constants.seed)
        digest = hashlib.sha256(" ".join(map(str, [self._geography.hash, *self.days])).encode()).hexdigest()
        path = self._folder / f"stations-{digest[:12]}.npy"
        if path.exists():
            values = np.load(path)
        else:
            values = np.stack([self._observed(day, table) for day in self.days])
            with replacing(path) as draft, draft.open("wb") as file:
                np.save(file, values)
        return StationDays(
            station_id=table["station_id"].to_numpy(dtype=str),
            latitude=table["latitude"].to_numpy(dtype=np.float64),
            longitude=table["longitude"].to_numpy(dtype=np.float64),
            days=self.days,
            values=values,
        )

    def _observed(self, day: np.datetime64, table: pd.DataFrame) -> np.ndarray:
        held = self._day(day)
        constants = held.constants
        return observe(self._scaler, held.fields.float(), day, table, constants.seed, constants.instruments)


def simulate_days(
    geography: Geography,
    folder: Path | str,
    periods: Sequence[tuple[str, int]],
    *,
    seed: int | None = None,
    constants: WorldConstants | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> None:
    """Simulate periods of (first day, number of days) into day files; days already there are not made again."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _convert_old_days(folder)
    world = World(geography, constants=constants, seed=seed, device=device)
    wanted = [np.datetime64(start, "D") + np.arange(days) for start, days in periods]
    missing = [[day for day in days if not day_file(folder, day).exists()] for days in wanted]
    clock = Clock(sum(map(len, missing)), progress)
    for days in filter(None, missing):
        for state in world.run(days[0], int((days[-1] - days[0]).astype(int)) + 1):
            if state.day in days:
                _prepare_day(state, geography, day_file(folder, state.day))
                clock.tick()


def _prepare_day(state: DayState, geography: Geography, path: Path) -> None:
    """Keep what windows of a day are made from, so that a tile costs milliseconds."""
    coarse = np.concatenate([state.era5, cams_like(state, geography)]).astype(np.float32)
    # half precision: 0.05 % of PM2.5, below the product's own tenths
    fields = downscaler(geography, constants=state.constants).fields(state).half()
    _write_day(path, torch.from_numpy(coarse), fields, replace(state.constants, seed=state.seed))


def _write_day(path: Path, coarse: torch.Tensor, fields: torch.Tensor, constants: WorldConstants) -> None:
    facts = {"seed": str(constants.seed)}
    if constants.changes or constants.name != WorldConstants().name:
        facts["constants"] = json.dumps(constants.to_dict())
    with replacing(path) as draft:
        tensors = {"coarse": coarse.contiguous(), "fields": fields.contiguous()}
        save_file(tensors, draft, metadata=facts)


def _constants_of(facts: dict[str, str]) -> WorldConstants:
    """Of a day, from the facts in its file; files of world 1 name the seed alone."""
    named = json.loads(facts["constants"]) if "constants" in facts else {}
    return replace(WorldConstants.from_dict(named), seed=int(facts["seed"]))


def _convert_old_days(folder: Path) -> None:
    """Days that an earlier version wrote as .npz, which cannot be mapped, are written anew with the same content."""
    old = sorted(folder.glob("????-??-??.npz"))
    if old:
        log.info("%d days in %s are converted to .safetensors.", len(old), folder)
    for path in old:
        try:
            with np.load(path) as day:
                coarse, fields, seed = day["coarse"], day["fields"], int(day["seed"])
        except FileNotFoundError:
            continue  # another process was faster
        _write_day(
            day_file(folder, path.stem),
            torch.from_numpy(coarse),
            torch.from_numpy(fields),
            WorldConstants(seed=seed),
        )
        path.unlink(missing_ok=True)
