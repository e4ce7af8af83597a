"""Air on its way: what the wind of day t carries to each place, and what mountains keep back (not in the paper).

The equation of continuity in a finite step: PM2.5 at a place changes by what is emitted (the head's offset), by growth
or loss of what is there (factors of x_t and x_{t-1}), and by what comes in instead of what leaves (factors of the
*upwind differences* made here). Attention could learn the last from examples alone; a back trajectory knows it.
"""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cranpm.domain.grid import CELLS_PER_NODE
from cranpm.model.config import FRACTIONS
from cranpm.model.layers.bias import EARTH_DEGREE, raw_strength
from cranpm.model.layers.embed import fold_patches, smooth_nodes

CORRECTION_SPEED = 5.0
"""Wind per unit of the learned correction [m s-1]: of the order of what frozen winds are wrong by."""

STEP_HOURS = 6
"""Step of a back trajectory [h]."""

CLIMB = 1000.0
"""Climb on the way that costs one alpha [m]."""


class Transport(nn.Module):
    """Follows the air back along the wind of day t and reads coarse PM2.5 of day t where it was.

    The path through the frozen 10 m wind gets a correction that the global tokens give (zero before training): winds
    turn and weather moves on, and the low air is faster than the wind at 10 m. Each difference is damped by
    ``exp(-alpha relu(E_max - E_departure) / 1000 m)``, eq. 2's form, where E_max is the highest ground on the path
    (not without ``barriers``).

    Parameters
    ----------
    width : int
        Features of a projected global token.
    patch : int
        Coarse nodes along the side of a token.
    leads : int
        Lead times 1..leads days.
    smoothing : float
        Standard deviation of the mean that joins the correction of neighbouring tokens [nodes].
    freedom : float, optional
        Longest correction, as a share of the way along the wind; None sets no bound. Where few days speak, an unbounded
        one learns paths against the wind.
    barriers : bool
        Whether high ground on the way damps what is carried.
    """

    def __init__(
        self,
        width: int,
        patch: int,
        leads: int,
        smoothing: float = 0.0,
        freedom: float | None = None,
        *,
        barriers: bool = True,
    ) -> None:
        super().__init__()
        self.patch, self.leads, self.smoothing, self.freedom = patch, leads, smoothing, freedom
        self.norm = nn.LayerNorm(width)
        self.correct = nn.Linear(width, 2 * patch * patch)
        self.raw_alpha = nn.Parameter(raw_strength(2.0)) if barriers else None
        self.length = 1.0
        """Factor of all paths; 0 stops the air (a counterfactual)."""

    def reset(self) -> None:
        """Begin with paths along the wind, uncorrected."""
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    @property
    def alpha(self) -> Tensor | None:
        """Strength of mountains, positive; None without barriers."""
        return None if self.raw_alpha is None else F.softplus(self.raw_alpha)

    @property
    def hours(self) -> tuple[float, ...]:
        """Ages of the points on a path [h], ascending."""
        return path_hours(self.leads)

    def forward(
        self,
        tokens: Tensor,
        grid: tuple[int, int],
        pm2p5: Tensor,
        wind: Tensor,
        elevation: Tensor,
        latitude: Tensor,
        valid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Upwind differences of every coarse node.

        Parameters
        ----------
        tokens : Tensor, shape (B, Ng, Dl)
            Projected global tokens, ``grid`` rows and columns of them.
        pm2p5 : Tensor, shape (B, Hc, Wc)
            Coarse PM2.5 of day t, normalised.
        wind : Tensor, shape (B, 2, Hc, Wc)
            Wind of day t towards east and north [m s-1].
        elevation : Tensor, shape (B or 1, Hc, Wc)
            [m].
        latitude : Tensor, shape (Hc,)
            Of the node rows [degrees].
        valid : Tensor of bool, shape (B, Hc, Wc), optional
            Nodes whose PM2.5 is known.

        Returns
        -------
        upwind : Tensor, shape (B, leads, 3, Hc, Wc)
            PM2.5 at the points of the path minus PM2.5 at its end, damped by mountains; 0 where either is unknown or
            the path has left the grid.
        paths : Tensor, shape (B, points, 2, Hc, Wc)
            Row and column of the points, fractional, by ascending age (`hours`).
        """
        batch, rows, columns = pm2p5.shape
        nodes = node_places(rows, columns, latitude)
        per_metre = metres_to_nodes(latitude)  # (2, Hc, 1)
        per_hour = per_metre * (3600.0 * self.length)  # rows and columns per m/s
        with torch.no_grad():
            straight, highest, start = follow_back(
                torch.stack([wind[:, 1], wind[:, 0]], 1).float() * per_hour,
                elevation.float().expand(batch, -1, -1),
                self.hours,
            )
        correction = fold_patches(self.correct(self.norm(tokens)), grid, self.patch).float()
        correction = smooth_nodes(correction, self.smoothing)
        ages = torch.tensor(self.hours, device=pm2p5.device)
        detour = correction[:, None] * (CORRECTION_SPEED * per_hour) * ages[:, None, None, None]
        if self.freedom is not None:
            way = (straight - nodes) / per_metre
            detour = at_most(detour / per_metre, self.freedom * lengths(way)) * per_metre
        paths = straight - detour
        alpha = self.alpha
        damping = None if alpha is None else torch.exp(-alpha * torch.relu(highest - start) / CLIMB)
        known = inside(paths, rows, columns)
        if valid is not None:
            known = known & (sample(valid[:, None].float(), paths.detach())[:, :, 0] > 0.999) & valid[:, None]
        # both ends are read alike, so that air which stays brings exactly nothing
        ends = torch.cat([nodes.expand(batch, 1, -1, -1, -1), paths], 1)
        read = sample(pm2p5[:, None].float(), ends)[:, :, 0]
        carried = read[:, 1:] - read[:, :1]
        difference = torch.where(known, carried if damping is None else damping * carried, 0.0)
        return difference[:, self._points()], paths

    def _points(self) -> Tensor:
        """Which points of a path each lead looks at, (leads, 3)."""
        hours = self.hours
        return torch.tensor(
            [[hours.index(24.0 * lead * share) for share in FRACTIONS] for lead in range(1, self.leads + 1)]
        )


def path_hours(leads: int) -> tuple[float, ...]:
    """Ages of the points on a path that lead times 1..leads days look at [h], ascending."""
    return tuple(sorted({24.0 * lead * share for lead in range(1, leads + 1) for share in FRACTIONS}))


def metres_to_nodes(latitude: Tensor) -> Tensor:
    """Nodes towards south and east per metre towards north and east, (2, Hc, 1), on a regular grid."""
    step = latitude[0] - latitude[1]
    per_row = -1.0 / (1000.0 * EARTH_DEGREE * step)
    per_column = 1.0 / (1000.0 * EARTH_DEGREE * step * torch.cos(torch.deg2rad(latitude)))
    return torch.stack([per_row.expand(len(latitude)), per_column])[..., None].float()


def follow_back(wind: Tensor, elevation: Tensor, hours: tuple[float, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Back trajectories through a frozen wind from every node, Euler steps of at most six hours.

    Parameters
    ----------
    wind : Tensor, shape (B, 2, H, W)
        Towards south and east [nodes per hour].
    elevation : Tensor, shape (B, H, W)
        [m].
    hours : tuple of float
        Ages at which the path is kept, ascending.

    Returns
    -------
    paths : Tensor, shape (B, len(hours), 2, H, W)
        Row and column, fractional.
    highest, start : Tensor, shape (B, len(hours), H, W)
        Highest ground from that point to the path's end, and the ground at that point [m].
    """
    batch, _, rows, columns = wind.shape
    place = node_places(rows, columns, wind).expand(batch, 2, rows, columns)
    both = torch.cat([wind, elevation[:, None]], 1)
    here = both
    highest, age = elevation, 0.0
    kept = []
    for until in hours:
        steps = max(1, math.ceil((until - age) / STEP_HOURS))
        for _ in range(steps):
            place = place - here[:, :2] * ((until - age) / steps)
            here = sample(both, place[:, None])[:, 0]
            highest = torch.maximum(highest, here[:, 2])
        age = until
        kept.append((place, highest, here[:, 2]))
    paths, tops, starts = (torch.stack(parts, 1) for parts in zip(*kept))
    return paths, tops, starts


def node_places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Row and column of every node, (2, rows, columns)."""
    axes = (torch.arange(size, dtype=torch.float32, device=like.device) for size in (rows, columns))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def at_most(vectors: Tensor, length: Tensor) -> Tensor:
    """Vectors (B, P, 2, h, w), the longer ones shortened to ``length`` (B, P, 1, h, w)."""
    return vectors * (length / lengths(vectors, least=1e-6)).clamp_max(1.0)


def lengths(vectors: Tensor, least: float = 0.0) -> Tensor:
    """Of vectors (B, P, 2, h, w), at least so long: (B, P, 1, h, w)."""
    # Tensor.norm over this axis takes fifty times as long on a CPU
    return vectors.square().sum(dim=2, keepdim=True).clamp_min(least**2).sqrt()


def sample(field: Tensor, paths: Tensor) -> Tensor:
    """A field (B, C, H, W) at fractional rows and columns (B, P, 2, h, w): (B, P, C, h, w), bilinear, edges held."""
    batch, points, _, height, width = paths.shape
    size = paths.new_tensor([field.shape[-2] - 1, field.shape[-1] - 1])
    place = (2.0 / size)[:, None, None] * paths - 1.0
    place = place.permute(0, 1, 3, 4, 2).flip(-1).reshape(batch, points * height, width, 2)
    found = F.grid_sample(field, place, mode="bilinear", padding_mode="border", align_corners=True)
    return found.unflatten(2, (points, height)).transpose(1, 2)


def inside(paths: Tensor, rows: int, columns: int) -> Tensor:
    """Whether points (B, P, 2, h, w) lie on a grid of that size, (B, P, h, w)."""
    row, column = paths[:, :, 0], paths[:, :, 1]
    return (row >= 0) & (row <= rows - 1) & (column >= 0) & (column <= columns - 1)


def at_cells(field: Tensor, axes: tuple[Tensor, Tensor], latitude: Tensor, longitude: Tensor) -> Tensor:
    """Coarse fields of tiles at their fine cells, bilinear; cells beyond the last node take its value.

    Parameters
    ----------
    field : Tensor, shape (B, K, Hc, Wc)
        One set of fields for each tile.
    axes : tuple of Tensor, shapes (Hc,) and (Wc,)
        Latitude of node rows and longitude of node columns [degrees], regular.
    latitude, longitude : Tensor, shape (B or 1, S)
        Of the tiles' cells [degrees].

    Returns
    -------
    Tensor, shape (B, K, S, S)
    """
    row_first, row_weights = _hats(latitude, axes[0])
    column_first, column_weights = _hats(longitude, axes[1])
    tiles = len(field)
    row_first, column_first = row_first.expand(tiles, -1), column_first.expand(tiles, -1)
    pick = torch.arange(tiles, device=field.device)[:, None, None]
    window = field.permute(0, 2, 3, 1)[pick, row_first[:, :, None], column_first[:, None, :]]  # (B, r, c, K)
    window = window.permute(0, 3, 1, 2).float()
    # weights are multiples of 1/25: half precision would draw steps into the map
    # (tensors without data, made to estimate the cost of a run, know no autocast)
    with nullcontext() if field.is_meta else torch.autocast(field.device.type, enabled=False):
        return row_weights[:, None] @ (window @ column_weights[:, None].mT)


def nodes_over(cells: int) -> int:
    """Coarse nodes that so many cells in a row can lie between, wherever they begin."""
    return -(-(cells - 1) // CELLS_PER_NODE) + 2


def _hats(coordinate: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes round each tile (B, n), and the share of each in every cell (B, S, n)."""
    place = ((coordinate - axis[0]) / (axis[1] - axis[0])).clamp(0, len(axis) - 1)
    first = place[:, :1].floor()
    nodes = first + torch.arange(nodes_over(coordinate.shape[1]), device=place.device)
    weights = torch.relu(1 - (place[:, :, None] - nodes[:, None, :]).abs())
    return nodes.long().clamp(0, len(axis) - 1), weights
