"""What physical models forecast: CAMS global (0.4 degrees) and the CAMS European ensemble (0.1 degrees), row by row.

Each in two forms. *Interpolated* is the forecast itself on the fine grid, which loses 1-km detail by construction.
*On today's map* is fair to a coarse model: the fine map of today plus the change that the model foretells from today to
the day in question, so that its own bias drops out. Both runs start at 00 UTC of the init day, of which they have seen
nothing yet. The persisted analysis is a row of its own: it is no forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from cranpm.baselines.maps import LazyMaps, Maps, Method, Today
from cranpm.data.download.receipts import receipts
from cranpm.data.errors import MissingSourceError
from cranpm.data.readers.cams_europe import ENSEMBLE_FORECASTS, EnsembleRun, read_ensemble_run
from cranpm.data.regrid.gridding import place
from cranpm.domain import CAMS_CHANNELS, LEAD_DAYS, Domain, Grid
from cranpm.domain.days import as_day

GLOBAL, EUROPE, PERSISTED = "CAMS global forecast", "CAMS Europe ensemble", "CAMS global analysis, persisted"
ON_TODAY = ", on today's map"

_PM25 = [channel.name for channel in CAMS_CHANNELS].index("pm2p5")


class CoarseForecasts(Protocol):
    """What the global rows need of a `cranpm.data.store.dataset.Dataset`."""

    domain: Domain

    @property
    def simulated(self) -> bool:
        """Whether the days are those of the testbed."""

    def cams(self, day: np.datetime64) -> np.ndarray:
        """(5, Hc + 1, Wc + 1) [ug m-3]."""

    def cams_forecast(self, day: np.datetime64) -> np.ndarray:
        """(3, Hc + 1, Wc + 1) [ug m-3]."""


def on_fine_grid(values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, fine: Grid) -> np.ndarray:
    """A coarse map interpolated bilinearly, float32 (H, W); NaN where it does not reach."""
    return place(fine, values.astype(np.float32), latitude, longitude, interpolate=True, name="forecast")


def add_change(today: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Today's map plus a foretold change, never negative; missing where either is [ug m-3]."""
    if today.shape != change.shape:
        raise ValueError(f"Expected today's map with shape {change.shape}, got {today.shape}.")
    return np.maximum(today + change, 0).astype(np.float32)


def global_rows(dataset: CoarseForecasts, today: Today) -> dict[str, Method]:
    """Named methods as `cranpm.verification.evaluate.evaluate` takes them, of the global system.

    A testbed's rows say that they are simulated.

    Raises
    ------
    MissingSourceError
        From a row, on a day that no forecast started on.
    """
    box, fine = dataset.domain.coarse_box, dataset.domain.fine

    def start(day: np.datetime64) -> np.ndarray:
        return dataset.cams(day)[_PM25]

    def ahead(day: np.datetime64) -> np.ndarray:
        values = dataset.cams_forecast(day)
        if not np.isfinite(values).any():
            raise MissingSourceError(f"No CAMS forecast that started on {day} is in the dataset.")
        return values

    def interpolated(day: np.datetime64) -> Maps:
        values = ahead(day)
        return LazyMaps(LEAD_DAYS, lambda n: on_fine_grid(values[n - 1], box.lat, box.lon, fine))

    def fair(day: np.datetime64) -> Maps:
        changes, map_now = ahead(day) - start(day), today(day)
        return LazyMaps(
            LEAD_DAYS, lambda n: add_change(map_now, on_fine_grid(changes[n - 1], box.lat, box.lon, fine))
        )

    def persisted(day: np.datetime64) -> Maps:
        return dict.fromkeys(LEAD_DAYS, on_fine_grid(start(day), box.lat, box.lon, fine))

    note = " (simulated)" if dataset.simulated else ""
    rows = {GLOBAL: interpolated, GLOBAL + ON_TODAY: fair, PERSISTED: persisted}
    return {name + note: row for name, row in rows.items()}


@dataclass(frozen=True)
class EuropeanEnsemble:
    """Runs of the European ensemble by the day that they start on."""

    runs: Mapping[np.datetime64, Path]

    @classmethod
    def from_downloads(cls, raw: Path, domain: Domain) -> EuropeanEnsemble:
        """All runs that were fetched for a domain."""
        found = receipts(raw, ENSEMBLE_FORECASTS, domain.name)
        return cls({r.first: r.path for r in found if r.first is not None and not r.absent})

    def run(self, day: np.datetime64) -> EnsembleRun:
        """The run that starts on a day.

        Raises
        ------
        MissingSourceError
            If it was not fetched, saying how to get it.
        """
        day = as_day(day)
        if day not in self.runs:
            msg = (
                f"No run of the CAMS European ensemble starts on {day}. Run 'cranpm data fetch {ENSEMBLE_FORECASTS} "
                f"--start {day} --end {day}'; the store keeps about three years."
            )
            raise MissingSourceError(msg)
        return _read(self.runs[day], day)

    def interpolated(self, day: np.datetime64, fine: Grid) -> Maps:
        """The ensemble's forecast on the fine grid."""
        run = self.run(day)
        return LazyMaps(LEAD_DAYS, lambda n: on_fine_grid(run.values[n], run.latitude, run.longitude, fine))

    def on_todays_map(self, day: np.datetime64, today: np.ndarray, fine: Grid) -> Maps:
        """Today's fine map plus what the run changes between its own first day and the day in question."""
        run = self.run(day)

        def on_today(lead: int) -> np.ndarray:
            change = run.values[lead] - run.values[0]
            return add_change(today, on_fine_grid(change, run.latitude, run.longitude, fine))

        return LazyMaps(LEAD_DAYS, on_today)


@lru_cache(maxsize=2)
def _read(path: Path, day: np.datetime64) -> EnsembleRun:
    return read_ensemble_run(path, day)


def europe_rows(ensemble: EuropeanEnsemble, fine: Grid, today: Today) -> dict[str, Method]:
    """Named methods of the European ensemble, apart from the global system's."""
    return {
        EUROPE: lambda day: ensemble.interpolated(day, fine),
        EUROPE + ON_TODAY: lambda day: ensemble.on_todays_map(day, today(day), fine),
    }
