"""From an init day to labelled maps in three steps: read, forecast, label; of many days they may overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from cranpm.data.store.source import DaySource
from cranpm.domain import Statistics
from cranpm.forecasting.day import ForecastDay, load_day
from cranpm.forecasting.engine import (
    DEFAULT_MEMORY,
    UNOBSERVED,
    ForecastMaps,
    RunObserver,
    run_forecast,
)
from cranpm.forecasting.output import ForecastOrigin, forecast_dataset, unusual_attribute
from cranpm.model import CranPM


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

    def read(self, init: np.datetime64) -> ForecastDay:
        """The inputs of a day; see `cranpm.forecasting.day.load_day`."""
        return load_day(self.source, init, self.statistics, self.device)

    def forecast(self, day: ForecastDay, observer: RunObserver = UNOBSERVED) -> ForecastMaps:
        """The maps of a day; see `cranpm.forecasting.engine.run_forecast`."""
        return run_forecast(
            self.network,
            day,
            self.leads,
            memory_budget=self.memory_budget,
            precision=self.precision,
            observer=observer,
        )

    def label(self, day: ForecastDay, maps: ForecastMaps) -> xr.Dataset:
        """The maps as a CF dataset; see `cranpm.forecasting.output.forecast_dataset`."""
        return forecast_dataset(
            maps.fields,
            init_time=day.init_time,
            grid=self.source.domain.fine,
            origin=self.origin,
            negative=maps.negative,
            attributes={
                "seconds": round(maps.seconds, 2),
                "device": maps.device,
                "precision": maps.precision,
                "tiles": maps.num_tiles,
                "tiles_without_land": maps.skipped_tiles,
                **unusual_attribute(day.unusual),
            },
        )
