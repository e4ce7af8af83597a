"""The words of the field: grids, channels, normalisation, tiles, regions, splits. NumPy only."""

from __future__ import annotations

from cranpm.domain.channels import (
    CAMS_CHANNELS,
    COARSE_CHANNELS,
    DAY_CHANNELS,
    ERA5_CHANNELS,
    LEAD_DAYS,
    LOCAL_CHANNELS,
    Channel,
    channel_index,
)
from cranpm.domain.grid import (
    COARSE,
    COARSE_BOX,
    DOMAINS,
    EUROPE,
    FINE,
    Domain,
    Grid,
    OutsideGridError,
    domain_from_corner,
    fine_to_coarse,
    get_domain,
)
from cranpm.domain.normalise import PM_OFFSET, PM_SCALE, MissingStatisticsError, Statistics
from cranpm.domain.regions import REGIONS, Region
from cranpm.domain.splits import Splits
from cranpm.domain.tiling import Tile, TilePlan, plan_tiles, split, stitch

__all__ = [
    "CAMS_CHANNELS",
    "COARSE",
    "COARSE_BOX",
    "COARSE_CHANNELS",
    "DAY_CHANNELS",
    "DOMAINS",
    "ERA5_CHANNELS",
    "EUROPE",
    "FINE",
    "LEAD_DAYS",
    "LOCAL_CHANNELS",
    "PM_OFFSET",
    "PM_SCALE",
    "REGIONS",
    "Channel",
    "Domain",
    "Grid",
    "MissingStatisticsError",
    "OutsideGridError",
    "Region",
    "Splits",
    "Statistics",
    "Tile",
    "TilePlan",
    "channel_index",
    "domain_from_corner",
    "fine_to_coarse",
    "get_domain",
    "plan_tiles",
    "split",
    "stitch",
]
