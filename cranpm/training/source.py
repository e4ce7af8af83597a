"""Where training days come from: a dataset on disk, or the simulated world itself.

Both answer the same few questions, so that the loop does not know which it has. `WorldSource` needs only torch, NumPy
and an exported geography file: a bare GPU node makes its own training days.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cranpm.data.samples import decode_pm2p5
from cranpm.domain import Domain, Statistics
from cranpm.domain.normalise import compute_statistics
from cranpm.domain.splits import Splits


class TrainingSource(Protocol):
    """Days to train on."""

    name: str
    domain: Domain
    days: np.ndarray
    """Days held, datetime64[D], sorted."""
    land: np.ndarray
    """Fine land mask (H, W)."""
    elevation: np.ndarray
    """Fine elevation (H, W) [m]."""
    coarse_elevation: np.ndarray
    """(Hc + 1, Wc + 1) [m]."""

    def coarse(self, day: np.datetime64) -> np.ndarray:
        """ERA5 and CAMS fields of one day, (35, Hc + 1, Wc + 1), store units."""

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        """PM2.5 as the satellite product sees it, (h, w) float32 [ug m-3], NaN where missing."""


class DatasetSource:
    """Days of a `cranpm.data.store.Dataset` (any store that fsspec reaches)."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        static = dataset.static
        self.name = dataset.source
        self.domain: Domain = dataset.domain
        self.days = np.asarray(dataset.days, dtype="datetime64[D]")
        self.land = np.asarray(static["land"]).astype(bool)
        self.elevation = np.asarray(static["elevation"], dtype=np.float32)
        self.coarse_elevation = np.asarray(static["coarse_elevation"], dtype=np.float32)

    def coarse(self, day: np.datetime64) -> np.ndarray:
        return np.concatenate([self._dataset.era5(day), self._dataset.cams(day)])

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        return decode_pm2p5(self._dataset.pm2p5_raw(day, rows, cols))


class WorldSource:
    """Days of the simulated world, kept as one compact file each (about 4 MB) and seen by its instruments.

    Parameters
    ----------
    geography : Geography
    folder : Path
        Where day files are; see `simulate_days`.
    """

    def __init__(self, geography: Any, folder: Path | str) -> None:
        from cranpm.testbed.instruments import cams_like, ghap_like
        from cranpm.testbed.world import SOURCE, DayState

        self._cams_like, self._ghap_like = cams_like, ghap_like
        self._geography, self._folder = geography, Path(folder)
        self.name = SOURCE
        self.domain = geography.domain
        self.days = np.array(sorted(p.stem for p in self._folder.glob("????-??-??.npz")), dtype="datetime64[D]")
        self.land, self.elevation = geography.land, geography.elevation
        self.coarse_elevation = geography.coarse_elevation

        @lru_cache(maxsize=24)
        def state(day: np.datetime64) -> Any:
            with np.load(self._folder / f"{day}.npz") as arrays:
                return DayState.from_arrays(arrays)

        self._state = state

    def coarse(self, day: np.datetime64) -> np.ndarray:
        state = self._state(np.datetime64(day, "D"))
        return np.concatenate([state.era5, self._cams_like(state, self._geography)])

    def pm2p5(self, day: np.datetime64, rows: slice, cols: slice) -> np.ndarray:
        return self._ghap_like(self._state(np.datetime64(day, "D")), self._geography, rows, cols)


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
    from cranpm.testbed.world import DEFAULT_SEED, World

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
            temporary = folder / f".{state.day}.tmp.npz"
            np.savez(temporary, **state.to_arrays())
            os.replace(temporary, folder / f"{state.day}.npz")
            done += 1
            if progress:
                progress(min(done, total), total)


def init_times(source: TrainingSource, split: str, splits: Splits, leads: Sequence[int]) -> list[np.datetime64]:
    """Days that forecasts of every lead may start from without leaving the split or the store."""
    held = set(source.days.tolist())
    result = []
    for day in source.days:
        needed = [day - np.timedelta64(1, "D"), *(day + np.timedelta64(lead, "D") for lead in leads)]
        inside = all(splits.split_of(day, lead) == split for lead in leads)
        if inside and all(d.astype(object) in held for d in needed):
            result.append(day)
    return result


def source_statistics(source: TrainingSource, days: Sequence[np.datetime64]) -> Statistics:
    """Channel statistics over the given (training) days."""
    if not len(days):
        raise ValueError("No training days to compute statistics from.")
    return compute_statistics(
        (source.coarse(day) for day in days), period=f"{min(days)}..{max(days)}", source=source.name
    )
