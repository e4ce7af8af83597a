"""What the network attended to in a run: the bridge's own tensors, kept beside the map they made.

For every tile and lead time the queries of the forward pass that made the map are kept (half precision), once per day
the keys, the strength of the wind bias, which coarse tokens were masked, and the scan. Attention of a place is then
``softmax(q k^T / sqrt(d) + beta gamma)`` by the network's own function: nothing is encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch

from cranpm.data.samples import LOCAL_PATCH, wind_at_tokens
from cranpm.domain import Domain, Tile, TilePlan, plan_tiles
from cranpm.domain.interpolation import bilinear
from cranpm.forecasting.array_file import create_array_file
from cranpm.forecasting.day import ForecastDay
from cranpm.model import GlobalContext, ModelConfig, Trace, bridge_attention
from cranpm.model.extensions.transport import path_hours
from cranpm.model.layers.bias import (
    distance_bias,
    elevation_bias,
    squared_distance,
    wind_bias,
    wind_direction_cosine,
)

STRENGTHS = ("wind_beta", "bridge_reach", "local_alpha")
LOCAL_TENSORS = ("bridge_queries", "height_damping", *STRENGTHS)
GLOBAL_TENSORS = ("sectors", "order", "global_alpha")


class Footprint(TypedDict):
    """Where one place attended; made by `read_attention`, which says what each part is."""

    attention: np.ndarray
    """(layers, heads, rows, cols) over the coarse tokens, each summing to one."""
    wind_bias: np.ndarray
    """Of the same shape."""
    valid: np.ndarray | None
    latitude: np.ndarray
    longitude: np.ndarray
    elevation_bias: np.ndarray | None
    height_damping: np.ndarray | None
    elevation: np.ndarray
    tile_latitude: np.ndarray
    tile_longitude: np.ndarray
    wind: np.ndarray
    token_latitude: float
    token_longitude: float
    tile: int
    token: int
    sectors: np.ndarray | None
    order: np.ndarray | None
    beta: np.ndarray
    reach: np.ndarray | None
    alpha: float | None
    path: np.ndarray | None


class AttentionNotRecordedError(LookupError):
    """The run holds no recorded tensors for a place (sea, another tile set, or a network without a bridge)."""


class AttentionRecorder:
    """Writes a run's recorded tensors as ``.npy`` files into its folder.

    Parameters
    ----------
    folder : Path
        Run folder.
    plan : TilePlan
        Tiles of the run.
    day : ForecastDay
        Inputs of the run; wind and elevation at tokens are taken from them.
    """

    def __init__(self, folder: Path, plan: TilePlan, day: ForecastDay) -> None:
        self.folder, self.plan, self.day = Path(folder), plan, day
        self._queries: dict[int, np.ndarray] = {}
        self._damping: np.ndarray | None = None
        self._recorded: dict[int, np.ndarray] = {}

    def new_trace(self) -> Trace:
        """A trace that asks for what is kept of a batch of tiles."""
        return Trace(*LOCAL_TENSORS)

    def record_day(self, context: GlobalContext, trace: Trace, config: ModelConfig) -> None:
        """Keep what all tiles of the day share."""
        if not context.keys:
            return
        kept: dict[str, Any] = {
            "keys": torch.stack(context.keys)[:, 0].float().cpu().numpy(),
            "latitude": context.latitude.cpu().numpy(),
            "longitude": context.longitude.cpu().numpy(),
            "grid": np.array(context.grid),
            "elevation_scale": np.array(config.local_elevation_scale),
        }
        if context.paths is not None:
            kept["paths"] = context.paths[0].float().cpu().numpy()
            kept["path_hours"] = np.array(path_hours(config.num_leads))
        if context.valid is not None:
            kept["valid"] = context.valid[0].cpu().numpy()
        for name in GLOBAL_TENSORS:
            if name in trace:
                kept[name] = trace[name].cpu().numpy()
        np.savez(self.folder / "attention_day.npz", **kept)

    def record(self, leads: Sequence[int], tiles: list[Tile], trace: Trace) -> None:
        """Keep one pass: a batch of tiles at one lead time, or one tile at several."""
        if "bridge_queries" not in trace:
            return
        if "height_damping" in trace:
            self._record_damping(tiles, trace["height_damping"])
        values = trace["bridge_queries"].transpose(0, 1).half().cpu().numpy()  # (B, L, h, Nl, dh)
        maps = [(lead, tile) for lead in leads for tile in tiles]
        for (lead, tile), queries in zip(maps, values, strict=True):
            if lead not in self._queries:
                self._open(lead, queries.shape)
                self._record_strengths(trace)
            self._queries[lead][tile.index] = queries
            self._recorded[lead][tile.index] = True

    def _record_damping(self, tiles: list[Tile], share: torch.Tensor) -> None:
        """Mean over each token's cells; it is the same at all lead times."""
        tokens = torch.nn.functional.avg_pool2d(share[:, None].float(), LOCAL_PATCH)[:, 0].cpu().numpy()
        if self._damping is None:
            self._damping = np.full((self.plan.num_tiles, *tokens.shape[1:]), np.nan, np.float32)
        for tile, values in zip(tiles, tokens):
            self._damping[tile.index] = values

    def _open(self, lead: int, shape: tuple[int, ...]) -> None:
        path = self.folder / f"attention_queries_T{lead}.npy"
        shape = (self.plan.num_tiles, *shape)
        self._queries[lead] = create_array_file(path, shape, np.float16, 0)
        self._recorded[lead] = np.zeros(self.plan.num_tiles, dtype=bool)

    def _record_strengths(self, trace: Trace) -> None:
        kept: dict[str, Any] = {
            name: trace[name].float().cpu().numpy() for name in STRENGTHS if name in trace
        }
        np.savez(self.folder / "attention_strengths.npz", **kept)

    def close(self) -> None:
        """Finish the files; only then may `read_attention` be asked."""
        for lead, recorded in self._recorded.items():
            np.save(self.folder / f"attention_recorded_T{lead}.npy", recorded)
        if self._damping is not None:
            np.save(self.folder / "attention_damping.npy", self._damping)
        tokens = np.stack([self._token_fields(tile) for tile in self.plan.tiles])
        np.save(self.folder / "attention_tokens.npy", tokens)

    def _token_fields(self, tile: Tile) -> np.ndarray:
        """Wind towards east and north and mean elevation at a tile's tokens, (3, n, n)."""
        size = tile.rows.stop - tile.rows.start
        n = size // LOCAL_PATCH
        wind = wind_at_tokens(self.day.coarse.wind_box, tile.rows.start, tile.cols.start, size)
        elevation = (
            self.day.elevation[tile.rows, tile.cols].reshape(n, LOCAL_PATCH, n, LOCAL_PATCH).mean((1, 3))
        )
        return np.concatenate([wind, elevation.cpu().numpy()[None]]).astype(np.float32)


def read_attention(folder: Path, lead: int, lat: float, lon: float, domain: Domain) -> dict[str, Any]:
    """Where the local token that holds a place attended, in the run that made the map.

    Parameters
    ----------
    folder : Path
        Where an `AttentionRecorder` wrote.
    lead : int
        Lead time [days].
    lat, lon : float
        Place [degrees].
    domain : Domain
        Of the run.

    Returns
    -------
    dict
        A `Footprint`: ``attention`` (layers, heads, rows, cols) over the coarse tokens, each summing to one;
        ``wind_bias`` of the same shape, as added to the logits; ``valid`` (rows, cols), tokens that may be attended to,
        or None for all; ``latitude`` (rows,), ``longitude`` (cols,) of the coarse tokens;
        ``elevation_bias`` (n, n) of the tile's tokens as keys, ``height_damping`` (n, n) what height leaves of the
        change, mean over each token, 0..1, or None without it; ``elevation`` (n, n) [m]; ``tile_latitude``,
        ``tile_longitude`` (n,) of those tokens; ``wind`` (2,) towards east and north at the token [m s-1];
        ``token_latitude``, ``token_longitude``; numbers of ``tile`` and, in it, ``token``; ``sectors`` (groups,)
        and ``order`` (groups, 49) of the scan; ``beta`` and, where distance is penalised, ``reach`` [km] (layers,
        heads); ``alpha``; ``path`` (points, 3), or None without transport: age [h], latitude and longitude of the
        air's way here.

    Raises
    ------
    AttentionNotRecordedError
        If nothing was recorded for that place.
    OutsideGridError
        If the place lies outside the domain.
    """
    row, col = domain.fine.index_of(lat, lon)
    plan = plan_tiles(domain.fine.shape)
    tile = plan.tile_at(row, col)
    recorded = Path(folder) / f"attention_recorded_T{lead}.npy"
    if not recorded.exists() or not np.load(recorded)[tile.index]:
        raise AttentionNotRecordedError(
            "The network made no forecast in this tile, so there is nothing it attended to."
        )
    day, strengths = (
        _tensors(Path(folder) / name) for name in ("attention_day.npz", "attention_strengths.npz")
    )
    tokens = torch.from_numpy(
        np.load(Path(folder) / "attention_tokens.npy", mmap_mode="r")[tile.index].copy()
    )
    n = tokens.shape[-1]
    token_row, token_col = (row - tile.rows.start) // LOCAL_PATCH, (col - tile.cols.start) // LOCAL_PATCH
    token = token_row * n + token_col
    queries = np.load(Path(folder) / f"attention_queries_T{lead}.npy", mmap_mode="r")[tile.index, :, :, token]
    tile_lat, tile_lon = _token_centres(domain, tile, n)
    here = torch.tensor([[tile_lat[token_row]]]), torch.tensor([[tile_lon[token_col]]])
    wind = tokens[:2, token_row, token_col]
    layers, heads = queries.shape[:2]
    beta = strengths.get("wind_beta", torch.zeros(layers, heads))
    bias = _wind_bias(day, here, wind, beta)
    weights = bridge_attention(
        torch.from_numpy(queries.astype(np.float32))[:, :, None], day["keys"],
        bias + _far_or_missing(day, here, strengths.get("bridge_reach")),
    )  # fmt: skip
    rows, cols = (int(size) for size in day["grid"])
    alpha = strengths.get("local_alpha")
    uphill = None
    if alpha is not None:
        climbs = elevation_bias(tokens[2].reshape(1, -1), alpha, float(day["elevation_scale"]))
        uphill = climbs[0, token].reshape(n, n).numpy()
    footprint: Footprint = {
        "attention": weights[:, :, 0].reshape(layers, heads, rows, cols).numpy(),
        "wind_bias": bias[:, :, 0].reshape(layers, heads, rows, cols).numpy(),
        "valid": day["valid"].reshape(rows, cols).numpy() if "valid" in day else None,
        "latitude": day["latitude"].reshape(rows, cols)[:, 0].numpy(),
        "longitude": day["longitude"].reshape(rows, cols)[0].numpy(),
        "elevation_bias": uphill,
        "height_damping": _damping(Path(folder), tile),
        "elevation": tokens[2].numpy(),
        "tile_latitude": tile_lat,
        "tile_longitude": tile_lon,
        "wind": wind.numpy(),
        "token_latitude": float(tile_lat[token_row]),
        "token_longitude": float(tile_lon[token_col]),
        "tile": tile.index,
        "token": token,
        "sectors": day["sectors"][0].numpy() if "sectors" in day else None,
        "order": day["order"][0].numpy() if "order" in day else None,
        "beta": beta.numpy(),
        "reach": strengths["bridge_reach"].numpy() if "bridge_reach" in strengths else None,
        "alpha": None if alpha is None else float(alpha),
        "path": _path(day, lead, lat, lon, domain),
    }
    return dict(footprint)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


_Day = dict[str, torch.Tensor]
_Here = tuple[torch.Tensor, torch.Tensor]
"""Latitude and longitude of one token, each (1, 1) [degrees]."""


def _wind_bias(day: _Day, here: _Here, wind: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """Of one token in every layer, as added to the logits of the coarse tokens, (L, h, 1, Ng)."""
    gamma = wind_direction_cosine(*here, wind[None, :, None], day["latitude"], day["longitude"])  # (1, 1, Ng)
    return torch.stack([wind_bias(gamma, strength)[0] for strength in beta])


def _far_or_missing(day: _Day, here: _Here, reaches: torch.Tensor | None) -> torch.Tensor:
    """What is added to the logits for distance and for coarse tokens without values, (L, h, 1, Ng) or (Ng,)."""
    missing = torch.where(day["valid"], 0.0, -1e4) if "valid" in day else torch.zeros(len(day["latitude"]))
    if reaches is None:
        return missing
    squared = squared_distance(*here, day["latitude"], day["longitude"])
    return torch.stack([distance_bias(squared, reach)[0] for reach in reaches]) + missing


def _damping(folder: Path, tile: Tile) -> np.ndarray | None:
    file = folder / "attention_damping.npy"
    return np.load(file, mmap_mode="r")[tile.index].copy() if file.exists() else None


def _path(
    day: dict[str, torch.Tensor], lead: int, lat: float, lon: float, domain: Domain
) -> np.ndarray | None:
    """The back trajectory that ends at a place, up to the lead time, (points, 3): age, latitude, longitude."""
    if "paths" not in day:
        return None
    grid, hours = domain.coarse, day["path_hours"].numpy()
    row, col = (np.atleast_1d(value) for value in (grid.row_of(lat), grid.col_of(lon)))
    rows, cols = bilinear(day["paths"].numpy(), row, col)[..., 0].T
    young = hours <= 24 * lead
    places = np.stack([hours, grid.lat[0] - grid.step * rows, grid.lon[0] + grid.step * cols], axis=1)
    return np.concatenate([[[0.0, lat, lon]], places[young]])


def _token_centres(domain: Domain, tile: Tile, n: int) -> tuple[np.ndarray, np.ndarray]:
    lat = domain.fine.lat[tile.rows].reshape(n, -1).mean(1)
    lon = domain.fine.lon[tile.cols].reshape(n, -1).mean(1)
    return lat.astype(np.float32), lon.astype(np.float32)
