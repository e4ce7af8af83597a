"""Today's PM2.5 map from a physical model and stations, for days that the satellite product does not reach.

GHAP, which the network is trained on, ends on 31 December 2022. A forecast of a later day therefore starts from another
kind of map. That is a shift of the input's distribution, and it is never made silently: this is a source of its own
name, a dataset that uses it says so in its ``source``, and its forecasts need a verification of their own.

The map is the daily mean of the CAMS European ensemble's analysis (0.1 degrees), interpolated to the fine grid, plus
what stations observed beyond it, spread over `REACH` km and shrunk where few of them stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cranpm.data.errors import MissingSourceError, OutsideDomainError
from cranpm.data.readers.cams import open_cams
from cranpm.data.readers.products import EUROPE_ANALYSIS
from cranpm.data.regrid.daily import daily_values, join_times
from cranpm.data.regrid.gridding import place
from cranpm.data.store.encoding import PM2P5_FILL, PM2P5_SCALE
from cranpm.data.units import check_range
from cranpm.domain import Domain
from cranpm.domain.grid import KM_PER_DEGREE

LIVE_TARGET = "cams-europe-forecasts"
"""Source in the manifest; preparing with it as target makes a live dataset."""

LIVE_LABEL = "live: CAMS-Europe analysis with stations"

SHIFT = (
    "Live input: x_t is the CAMS-Europe analysis corrected with stations, not the satellite product that the network "
    "was trained on (it ends on 2022-12-31). It is smoother, its errors are the physical model's, and scores measured "
    "with the satellite product do not hold for it."
)
"""To be shown wherever a forecast from such a map is."""

REACH = 60.0
"""Distance over which a station's correction fades [km]."""

BACKGROUND_WEIGHT = 1.0
"""Weight of "no correction"; one station alone corrects half of its difference."""

_LARGEST_CORRECTION = 100.0


@dataclass(frozen=True, kw_only=True)
class LiveQuality:
    """How the map does at stations: uncorrected, and at each station corrected by all others only."""

    stations: int
    bias: float
    rmse: float
    rmse_corrected: float


def live_map(
    analyses: Sequence[Path], day: np.datetime64, domain: Domain, stations: pd.DataFrame | None = None
) -> tuple[np.ndarray, LiveQuality | None]:
    """PM2.5 of a day on the fine grid.

    Parameters
    ----------
    analyses : sequence of Path
        Downloads of the European analysis that hold the day.
    stations : DataFrame, optional
        ``latitude, longitude, pm2p5`` of the day; without it the analysis stays as it is.

    Returns
    -------
    map : ndarray, shape (H, W), uint16
        Tenths of ug m-3, 65535 where the analysis does not reach.
    quality : LiveQuality or None
        None without stations.

    Raises
    ------
    DataFileError
        Or one of its kinds: no analysis of the ensemble at the surface, the day is not whole, another region, values
        that cannot be.
    """
    if not analyses:
        raise MissingSourceError(f"No download of {LIVE_TARGET} holds {day}.")
    fields = [open_cams(p, product=EUROPE_ANALYSIS, species="pm2p5")["pm2p5"] for p in analyses]
    hourly = join_times(fields, name="CAMS-Europe pm2p5")
    mean = daily_values(
        hourly,
        np.array([day]),
        accumulated=False,
        min_share=0.75,
        incomplete="raise",
        name="CAMS-Europe pm2p5",
    )[0]
    check_range(mean, 0, 5000, "ug m-3", name="CAMS-Europe pm2p5")
    lat, lon = hourly["latitude"].values, hourly["longitude"].values
    fine = place(domain.fine, mean, lat, lon, interpolate=True, name="CAMS-Europe")
    quality = None
    if stations is not None and len(stations):
        correction, quality = _correction(fine, domain, stations)
        fine = fine + correction
    if not np.isfinite(fine).any():
        raise OutsideDomainError(f"The analysis of {day} has no value in {domain.name!r}.")
    missing = np.isnan(fine)
    tenths = np.rint(np.clip(np.nan_to_num(fine), 0, 6000) / PM2P5_SCALE).astype(np.uint16)
    tenths[missing] = PM2P5_FILL
    return tenths, quality


def _correction(fine: np.ndarray, domain: Domain, stations: pd.DataFrame) -> tuple[np.ndarray, LiveQuality]:
    """What stations saw beyond the analysis, on the fine grid, and how well it serves stations it has not seen."""
    inside = domain.fine.contains(stations["latitude"], stations["longitude"])
    stations = stations[np.asarray(inside)]
    cells = [domain.fine.index_of(a, b) for a, b in zip(stations["latitude"], stations["longitude"])]
    modelled = np.array([fine[cell] for cell in cells])
    known = np.isfinite(modelled) & np.isfinite(stations["pm2p5"].to_numpy(float))
    lat, lon = (stations[c].to_numpy(float)[known] for c in ("latitude", "longitude"))
    beyond = np.clip(
        stations["pm2p5"].to_numpy(float)[known] - modelled[known], -_LARGEST_CORRECTION, _LARGEST_CORRECTION
    )
    box = domain.coarse_box
    node_lat, node_lon = np.meshgrid(box.lat, box.lon, indexing="ij")
    weight, total = np.full(box.shape, BACKGROUND_WEIGHT), np.zeros(box.shape)
    for a, b, value in zip(lat, lon, beyond):
        near = _weight(node_lat - a, node_lon - b, a)
        weight += near
        total += near * value
    coarse = total / weight
    return place(domain.fine, coarse, box.lat, box.lon, interpolate=True, name="correction"), _quality(
        lat, lon, beyond
    )


def _weight(dlat: np.ndarray, dlon: np.ndarray, lat: float | np.ndarray) -> np.ndarray:
    squared = (dlat**2 + (dlon * np.cos(np.radians(lat))) ** 2) * KM_PER_DEGREE**2
    return np.exp(-squared / (2 * REACH**2))


def _quality(lat: np.ndarray, lon: np.ndarray, beyond: np.ndarray) -> LiveQuality:
    between = _weight(lat[:, None] - lat, lon[:, None] - lon, lat[:, None])
    np.fill_diagonal(between, 0.0)  # each station is corrected by the others only
    left = beyond - between @ beyond / (between.sum(axis=1) + BACKGROUND_WEIGHT)
    return LiveQuality(
        stations=beyond.size,
        bias=float(-beyond.mean()) if beyond.size else 0.0,
        rmse=float(np.sqrt((beyond**2).mean())) if beyond.size else 0.0,
        rmse_corrected=float(np.sqrt((left**2).mean())) if beyond.size else 0.0,
    )
