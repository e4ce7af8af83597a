"""Days straight from the simulated world, without a store: what training on a bare GPU node reads.

Needs only torch, NumPy and an exported geography file.
"""

from __future__ import annotations

import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cranpm._files import replacing
from cranpm.testbed.instruments.downscale import downscaler
from cranpm.testbed.instruments.instruments import cams_like, retrieval
from cranpm.testbed.simulation.noise import day_number
from cranpm.testbed.simulation.puffs import puff_path
from cranpm.testbed.simulation.world import DEFAULT_SEED, SOURCE, WORLD_VERSION, World

_OPEN_DAYS = 1024
"""Day files a source keeps mapped; only the windows that are read come into memory."""


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
    """

    def __init__(self, geography: Any, folder: Path | str) -> None:
        self._scaler = downscaler(geography)
        self._folder = Path(folder)
        self.name = SOURCE
        self.domain = geography.domain
        self.days = np.array(
            sorted(p.stem for p in self._folder.glob("????-??-??.npz")), dtype="datetime64[D]"
        )
        self.land, self.elevation = geography.land, geography.elevation
        self.coarse_elevation = geography.coarse_elevation
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def _day(self, day: np.datetime64) -> dict[str, Any]:
        key = str(day.astype("datetime64[D]"))
        if key not in self._kept:
            arrays = _map_arrays(self._folder / f"{key}.npz")
            fields = torch.from_numpy(arrays["fields"])
            self._kept[key] = {"coarse": arrays["coarse"], "fields": fields, "seed": int(arrays["seed"])}
            while len(self._kept) > _OPEN_DAYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def coarse(self, day: np.datetime64) -> np.ndarray:
        return self._day(day)["coarse"]

    def puff_response(self, day: np.datetime64) -> np.ndarray | None:
        """What puffs added to a day do, (4, Hc + 1, Wc + 1) [ug m-3]; None where nobody asked (`testbed.puffs`)."""
        path = puff_path(self._folder, day)
        return np.load(path).astype(np.float32) if path.exists() else None

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        held = self._day(day)
        truth = self._scaler.window(held["fields"], rows, cols)
        return retrieval(self._scaler, held["seed"]).window(truth, day_number(day), rows, cols).numpy()


def _map_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an uncompressed .npz file, mapped from disk (``np.load`` maps .npy files only)."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for member in archive.infolist():
            file.seek(member.header_offset + 26)  # lengths of name and extra field, then both, then the data
            name, extra = struct.unpack("<HH", file.read(4))
            file.seek(member.header_offset + 30 + name + extra)
            np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            # "c": PyTorch wants writable memory; what would be written stays in this process
            arrays[member.filename.removesuffix(".npy")] = np.memmap(
                path, dtype, "c", file.tell(), shape or (1,), "F" if fortran else "C"
            ).reshape(shape)
    return arrays


def simulate_days(
    geography: Any,
    folder: Path | str,
    periods: Sequence[tuple[str, int]],
    *,
    seed: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Simulate periods of (first day, number of days) into day files; days already there are not made again."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    world = World(geography, seed=DEFAULT_SEED if seed is None else seed, device=device)
    total, done = sum(days for _, days in periods), 0
    for start, days in periods:
        first = np.datetime64(start, "D")
        wanted = [first + np.timedelta64(i, "D") for i in range(days)]
        missing = [day for day in wanted if not (folder / f"{day}.npz").exists()]
        done += days - len(missing)
        if not missing:
            continue
        span = int((missing[-1] - missing[0]).astype(int)) + 1
        for state in world.run(missing[0], span):
            _prepare_day(state, geography, folder / f"{state.day}.npz")
            done += 1
            if progress:
                progress(min(done, total), total)


def _prepare_day(state: Any, geography: Any, path: Path) -> None:
    """Keep what windows of a day are made from, so that a tile costs milliseconds."""
    coarse = np.concatenate([state.era5, cams_like(state, geography)]).astype(np.float32)
    # half precision: 0.05 % of PM2.5, below the product's own tenths
    fields = downscaler(geography).fields(state).half().numpy()
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, coarse=coarse, fields=fields, seed=np.uint64(state.seed))
