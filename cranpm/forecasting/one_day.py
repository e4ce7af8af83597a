"""From an init day to labelled maps in three steps: read, forecast, label; of many days they may overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from cranpm.data.store.source import DaySource
from cranpm.domain import Grid, Statistics, plan_tiles
from cranpm.domain.regions import Region
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.engine import (
    UNOBSERVED,
    ForecastMaps,
    RunObserver,
    TileSelection,
    run_forecast,
)
from cranpm.forecasting.intervention_names import steps_in_words
from cranpm.forecasting.interventions import intervene, switched
from cranpm.forecasting.output import ForecastOrigin, forecast_dataset, unusual_attribute
from cranpm.forecasting.resources.memory import DEFAULT_MEMORY
from cranpm.model import CranPM
from cranpm.model.checkpoint import Checkpoint


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecaster:
    """What the days of a request share: the network and its units, the data, lead times, and how it is computed."""

    network: CranPM
    statistics: Statistics
    """Of the checkpoint."""
    source: DaySource
    origin: ForecastOrigin
    leads: tuple[int, ...]
    device: torch.device
    precision: str = "auto"
    memory_budget: int = DEFAULT_MEMORY
    region: Region | None = None
    """A box whose cells alone are forecast, by the tiles that hold any of them; None for the whole map."""
    interventions: tuple[tuple[str, float], ...] = ()
    """What is changed; see `cranpm.forecasting.intervention_names`."""

    def read(self, init: np.datetime64) -> ForecastDay:
        """The inputs of a day, changed where it is asked for; see `cranpm.forecasting.day.load_day`."""
        day = load_day(self.source, init, self.statistics, self.device)
        return intervene(day, self.interventions, self.statistics)

    def forecast(self, day: ForecastDay, observer: RunObserver = UNOBSERVED) -> ForecastMaps:
        """The maps of a day; see `cranpm.forecasting.engine.run_forecast`."""
        plan = plan_tiles(self.source.domain.fine.shape)
        only = None if self.region is None else plan.tiles_over(*self._window)
        with switched(self.network, self.interventions) as network:
            return run_forecast(
                network,
                day,
                self.leads,
                tiles=TileSelection(plan=plan, only=only),
                memory_budget=self.memory_budget,
                precision=self.precision,
                observer=observer,
            )

    def label(self, day: ForecastDay, maps: ForecastMaps) -> xr.Dataset:
        """The maps as a CF dataset; see `cranpm.forecasting.output.forecast_dataset`."""
        rows, cols = self._window
        changed = steps_in_words(self.interventions)
        return forecast_dataset(
            {lead: np.ascontiguousarray(values[rows, cols]) for lead, values in maps.fields.items()},
            init_time=day.init_time,
            grid=self.source.domain.fine
            if self.region is None
            else self.source.domain.fine.window(rows, cols),
            origin=self.origin,
            negative=maps.negative,
            attributes={
                **({} if self.region is None else {"region": self.region.name}),
                **({"interventions": changed} if changed else {}),
                "seconds": round(maps.seconds, 2),
                "device": maps.device,
                "precision": maps.precision,
                "tiles": maps.num_tiles,
                "tiles_without_land": maps.skipped_tiles,
                **({} if maps.expected_memory is None else {"expected_memory_bytes": maps.expected_memory}),
                **unusual_attribute(day.unusual),
            },
        )

    @property
    def _window(self) -> tuple[slice, slice]:
        return window_of(self.source.domain.fine, self.region)


def origin_of(source: DaySource, checkpoint: Checkpoint) -> ForecastOrigin:
    """What a forecast from this source by this checkpoint is made from and with."""
    return ForecastOrigin(
        source=source.name,
        simulated=source.simulated,
        checkpoint=checkpoint.folder.name,
        checkpoint_hash=checkpoint.hash,
    )


def window_of(grid: Grid, region: Region | None) -> tuple[slice, slice]:
    """Rows and columns whose centres lie in a box; all of them without one.

    Raises
    ------
    ValueError
        If there are none.
    """
    if region is None:
        return slice(0, grid.rows), slice(0, grid.cols)
    inside = [
        np.flatnonzero((low <= axis) & (axis <= high))
        for axis, low, high in (
            (grid.lat, region.south, region.north),
            (grid.lon, region.west, region.east),
        )
    ]
    if not all(len(each) > 1 for each in inside):
        west, south, east, north = grid.extent
        raise ValueError(
            f"Region {region.title!r} has no cells in this domain, which covers {south:g} to {north:g} N, {west:g} to "
            f"{east:g} E."
        )
    rows, cols = (slice(int(each[0]), int(each[-1]) + 1) for each in inside)
    return rows, cols
