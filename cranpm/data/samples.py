"""The one door from physical arrays to tensors: normalise, fill gaps, and let the mask travel along.

Shapes: Hc, Wc coarse grid; box = Hc + 1, Wc + 1; S tile size; everything float32 unless said otherwise.
Only NumPy and torch are needed here, so that training can run on a bare GPU node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cranpm.domain.channels import DAY_CHANNELS, channel_index
from cranpm.domain.grid import Domain, fine_to_coarse
from cranpm.domain.interpolation import bilinear
from cranpm.domain.normalise import (
    PM_OFFSET,
    Statistics,
    normalise_coarse,
    normalise_elevation,
    normalise_latitude,
    normalise_longitude,
    normalise_pm2p5,
)

LOCAL_PATCH = 16
"""Fine cells along one local token."""

MAX_MISSING_LAND = 0.25
"""Share of a day's or a tile's land that may lack PM2.5 before it is refused."""

MAX_MISSING_COARSE = 0.25
"""Share of a coarse channel's nodes that may be missing before the day is refused."""


class MissingInputError(ValueError):
    """Too much of an input is missing for a forecast that deserves the name."""


@dataclass(frozen=True, kw_only=True)
class CoarseSample:
    """Global inputs of one init day.

    ``fields`` (70, Hc, Wc) z-scores with gaps at 0, the channel's mean; ``valid`` (Hc, Wc) bool, where any channel has
    a value; ``known_pm2p5`` (Hc, Wc) bool, where PM2.5 of day t has one; ``elevation`` (Hc, Wc) metres;
    ``wind`` (2, Hc, Wc) 10 m wind of day t towards east and north [m s-1]; ``wind_box`` (2, Hc+1, Wc+1) numpy;
    ``latitude`` (Hc,), ``longitude`` (Wc,).
    """

    fields: torch.Tensor
    valid: torch.Tensor
    known_pm2p5: torch.Tensor
    elevation: torch.Tensor
    wind: torch.Tensor
    latitude: torch.Tensor
    longitude: torch.Tensor
    wind_box: np.ndarray


def coarse_sample(
    today: np.ndarray,
    yesterday: np.ndarray,
    coarse_elevation: np.ndarray,
    *,
    domain: Domain,
    statistics: Statistics,
    name: str = "coarse day",
) -> CoarseSample:
    """Tensors of the global branch from the coarse fields of days t and t-1.

    Parameters
    ----------
    today, yesterday : ndarray, shape (35, Hc + 1, Wc + 1)
        Day channels in store units on the coarse box; NaN where missing.
    coarse_elevation : ndarray, shape (Hc + 1, Wc + 1)
        Mean elevation round each node [m].
    name : str
        Named in messages, for instance the init day.

    Raises
    ------
    MissingInputError
        If a channel lacks more than `MAX_MISSING_COARSE` of its nodes.
    """
    box, grid = domain.coarse_box.shape, domain.coarse
    for label, fields in (("t", today), ("t-1", yesterday)):
        if fields.shape != (len(DAY_CHANNELS), *box):
            raise ValueError(
                f"{name}: coarse fields of day {label} must be (35, {box[0]}, {box[1]}), got {fields.shape}."
            )
        missing = np.isnan(fields).mean(axis=(1, 2))
        worst = int(missing.argmax())
        if missing[worst] > MAX_MISSING_COARSE:
            msg = (
                f"{name}: channel {DAY_CHANNELS[worst].name!r} of day {label} lacks {missing[worst]:.0%} of its nodes; "
                f"at most {MAX_MISSING_COARSE:.0%} may be missing. Get that day again before forecasting from it."
            )
            raise MissingInputError(msg)
    both = np.concatenate([today, yesterday])[:, : grid.rows, : grid.cols]
    scores = normalise_coarse(both, statistics)
    known = np.isfinite(scores)
    wind_box = today[[channel_index("u10"), channel_index("v10")]]
    # an unknown wind is treated as calm: no direction is preferred where none is known
    wind_box = np.where(np.isfinite(wind_box).all(axis=0), wind_box, 0.0).astype(np.float32)
    return CoarseSample(
        fields=torch.from_numpy(np.where(known, scores, np.float32(0))),
        valid=torch.from_numpy(known.any(axis=0)),
        known_pm2p5=torch.from_numpy(known[channel_index("pm2p5")].copy()),
        elevation=torch.from_numpy(np.array(coarse_elevation[: grid.rows, : grid.cols], dtype=np.float32)),
        wind=torch.from_numpy(np.array(wind_box[:, : grid.rows, : grid.cols])),
        latitude=torch.from_numpy(grid.lat.astype(np.float32)),
        longitude=torch.from_numpy(grid.lon.astype(np.float32)),
        wind_box=wind_box,
    )


def wind_at_tokens(wind_box: np.ndarray, row_start: int, col_start: int, tile_size: int) -> np.ndarray:
    """10 m wind at the centres of a tile's tokens, bilinear between coarse nodes.

    Parameters
    ----------
    wind_box : ndarray, shape (2, Hc + 1, Wc + 1)
        Wind towards east and north [m s-1].
    row_start, col_start : int
        First fine row and column of the tile.

    Returns
    -------
    ndarray, shape (2, tile_size / 16, tile_size / 16)
    """
    centres = np.arange(tile_size // LOCAL_PATCH) * LOCAL_PATCH + (LOCAL_PATCH - 1) / 2
    rows, cols = fine_to_coarse(row_start + centres), fine_to_coarse(col_start + centres)
    return bilinear(wind_box, rows[:, None], cols[None, :])


def local_fields(
    pm2p5: torch.Tensor,
    pm2p5_before: torch.Tensor,
    elevation: torch.Tensor,
    latitude: torch.Tensor,
    longitude: torch.Tensor,
    *,
    fill: float = PM_OFFSET,
) -> torch.Tensor:
    """The five local channels of tiles; gaps in PM2.5 take the product's mean, never 0 ug m-3.

    Parameters
    ----------
    pm2p5, pm2p5_before : Tensor, shape (B, S, S)
        PM2.5 of days t and t-1 [ug m-3], NaN where missing.
    elevation : Tensor, shape (B, S, S)
        [m].
    latitude, longitude : Tensor, shape (B, S)
        Cell centres [degrees].
    fill : float
        `Statistics.pm2p5_fill` [ug m-3].

    Returns
    -------
    Tensor, shape (B, 5, S, S)
    """
    size, gap = pm2p5.shape[-1], normalise_pm2p5(fill)
    return torch.stack(
        [
            torch.nan_to_num(normalise_pm2p5(pm2p5), nan=gap),
            normalise_elevation(elevation),
            normalise_latitude(latitude)[:, :, None].expand(-1, -1, size),
            normalise_longitude(longitude)[:, None, :].expand(-1, size, -1),
            torch.nan_to_num(normalise_pm2p5(pm2p5_before), nan=gap),
        ],
        dim=1,
    )


def refuse_missing_land(pm2p5: np.ndarray, land: np.ndarray, name: str) -> float:
    """Share of land without PM2.5; refuses a day or tile that lacks too much.

    Raises
    ------
    MissingInputError
        If more than `MAX_MISSING_LAND` of the land is missing.
    """
    cells = int(land.sum())
    share = float((np.isnan(pm2p5) & land).sum() / cells) if cells else 0.0
    if share > MAX_MISSING_LAND:
        msg = (
            f"{name}: {share:.0%} of the land has no PM2.5; at most {MAX_MISSING_LAND:.0%} may be missing. "
            "Choose another init day or fill that day from its source."
        )
        raise MissingInputError(msg)
    return share
