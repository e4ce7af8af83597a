"""Everything a forecast of one init day reads, loaded once and kept on one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from cranpm.data.datasets import DataLike, open_source
from cranpm.data.input_ranges import UnusualInput, check_inputs
from cranpm.data.samples import (
    CoarseSample,
    coarse_sample,
    local_fields,
    refuse_missing_land,
    wind_at_tokens,
)
from cranpm.data.store.source import DaySource
from cranpm.domain import LOCAL_CHANNELS, Domain, Statistics, Tile, channel_index, plan_tiles
from cranpm.domain.days import Day, as_day
from cranpm.domain.normalise import PM_OFFSET
from cranpm.model import GlobalInputs, LocalInputs


@dataclass(frozen=True, kw_only=True)
class ForecastDay:
    """Inputs of one init day; maps are (H, W) tensors on ``device``.

    ``pm2p5`` and ``pm2p5_before`` are days t and t-1 [ug m-3] with NaN where there is no value;
    ``missing_land`` is the share of land without a value on day t, ``missing_coarse`` that of the coarse fields'
    nodes, over all channels of both days.
    """

    init_time: np.datetime64
    domain: Domain
    coarse: CoarseSample
    pm2p5: torch.Tensor
    pm2p5_before: torch.Tensor
    elevation: torch.Tensor
    missing_land: float
    missing_coarse: float
    device: torch.device
    pm2p5_fill: float = PM_OFFSET
    """What gaps of the maps are filled with for the network [ug m-3] (`Statistics.pm2p5_fill`)."""
    unusual: tuple[UnusualInput, ...] = ()
    """Inputs beyond what the network was trained on, to be told with the forecast."""
    channel_maps: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Local channels by name as normalised (H, W) maps, where they are not what the other fields say: only in a
    counterfactual (`cranpm.forecasting.interventions`), where priors and channels may differ."""

    def global_inputs(self) -> GlobalInputs:
        """Inputs of the global branch, batch of one."""
        coarse = self.coarse
        return GlobalInputs(
            fields=coarse.fields[None].to(self.device),
            elevation=coarse.elevation[None].to(self.device),
            wind=coarse.wind[None].to(self.device),
            latitude=coarse.latitude.to(self.device),
            longitude=coarse.longitude.to(self.device),
            valid=coarse.valid[None].to(self.device),
            known_pm2p5=coarse.known_pm2p5[None].to(self.device),
        )

    def local_inputs(self, tiles: list[Tile], lead: int = 1) -> LocalInputs:
        """Inputs of the local branch for a batch of tiles."""
        fine, size = self.domain.fine, tiles[0].rows.stop - tiles[0].rows.start
        elevation = torch.stack([self.elevation[t.rows, t.cols] for t in tiles])
        latitude = torch.from_numpy(np.stack([fine.lat[t.rows] for t in tiles]).astype(np.float32)).to(
            self.device
        )
        longitude = torch.from_numpy(np.stack([fine.lon[t.cols] for t in tiles]).astype(np.float32)).to(
            self.device
        )
        wind = np.stack(
            [wind_at_tokens(self.coarse.wind_box, t.rows.start, t.cols.start, size) for t in tiles]
        )
        pm2p5 = torch.stack([self.pm2p5[t.rows, t.cols] for t in tiles])
        fields = local_fields(
            pm2p5,
            torch.stack([self.pm2p5_before[t.rows, t.cols] for t in tiles]),
            elevation,
            latitude,
            longitude,
            fill=self.pm2p5_fill,
        )
        for name, values in self.channel_maps.items():
            fields[:, channel_index(name, LOCAL_CHANNELS)] = torch.stack(
                [values[t.rows, t.cols] for t in tiles]
            )
        return LocalInputs(
            fields=fields,
            elevation=elevation,
            wind=torch.from_numpy(wind).to(self.device),
            latitude=latitude,
            longitude=longitude,
            lead=torch.full((len(tiles),), lead, dtype=torch.long, device=self.device),
            known=torch.isfinite(pm2p5),
        )

    def hilliest_tile(self) -> Tile:
        """A tile of the default plan that is good to look at: half full of PM2.5, its ground varies most.

        One of the middle of the domain, if there is any: near the rim much of what a place might attend to is missing.
        """
        height, width = self.domain.fine.shape
        rows, cols = range(height // 4, height * 3 // 4), range(width // 4, width * 3 // 4)

        def relief(tile: Tile) -> tuple[bool, bool, float]:
            known = torch.isfinite(self.pm2p5[tile.rows, tile.cols]).float().mean()
            ground = self.elevation[tile.rows, tile.cols]
            row, col = (tile.rows.start + tile.rows.stop) // 2, (tile.cols.start + tile.cols.stop) // 2
            return bool(known >= 0.5), row in rows and col in cols, float(ground.std())

        return max(plan_tiles(self.domain.fine.shape).tiles, key=relief)

    def has_support(self, tile: Tile) -> bool:
        """Whether any cell of the tile has PM2.5 today; a tile without makes no forecast."""
        return bool(torch.isfinite(self.pm2p5[tile.rows, tile.cols]).any())


def load_day(
    data: DataLike | DaySource,
    init_time: Day,
    statistics: Statistics,
    device: torch.device | str = "cpu",
) -> ForecastDay:
    """Read one init day.

    Parameters
    ----------
    data : str, path, Dataset or DaySource
        As `cranpm.open_dataset` takes it, or a source of days; must hold the init day and the day before.
    init_time : datetime64 or str
        Day t (UTC).
    statistics : Statistics
        Of the checkpoint, not of the dataset: a network keeps the units it was trained in.
    device : torch.device or str
        Where the 1-km fields are put.

    Returns
    -------
    ForecastDay
        Normalised coarse channels (z-scores; gaps filled with the mean and masked), today's and yesterday's PM2.5
        (H, W) [ug m-3] with NaN in gaps, elevation (H, W) [m].

    Raises
    ------
    MissingInputError
        If too much land or too much of a coarse channel is missing.
    ImpossibleInputError
        If a channel or a map holds a value that no air can have.
    """
    device, source = torch.device(device), open_source(data)
    init = as_day(init_time)
    before = init - np.timedelta64(1, "D")
    name, everything = f"init day {init}", (slice(None), slice(None))
    today, yesterday = source.coarse(init), source.coarse(before)
    pm2p5, pm2p5_before = (source.pm2p5(day, *everything) for day in (init, before))
    unusual = check_inputs(
        {"t": today, "t-1": yesterday},
        {"t": pm2p5, "t-1": pm2p5_before},
        statistics,
        ground={"elevation": source.elevation, "elevation of coarse nodes": source.coarse_elevation},
        name=name,
    )
    coarse = coarse_sample(
        today,
        yesterday,
        source.coarse_elevation,
        domain=source.domain,
        statistics=statistics,
        name=name,
    )
    missing = refuse_missing_land(pm2p5, source.land, name)
    return ForecastDay(
        init_time=init,
        domain=source.domain,
        coarse=coarse,
        pm2p5=torch.from_numpy(pm2p5).to(device),
        pm2p5_before=torch.from_numpy(pm2p5_before).to(device),
        elevation=torch.from_numpy(np.ascontiguousarray(source.elevation, dtype=np.float32)).to(device),
        missing_land=missing,
        missing_coarse=float(np.mean([np.isnan(fields).mean() for fields in (today, yesterday)])),
        device=device,
        pm2p5_fill=statistics.pm2p5_fill,
        unusual=unusual,
    )
