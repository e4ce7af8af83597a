"""The physics in the attention: pure functions of elevation, place and wind (equations 2 and 4).

Signs, once and for all: entry (i, j) is for query i and key j; u10 is wind *towards* east and v10 *towards* north;
elevation is in metres and coordinates in degrees, never normalised. A bias of +1 makes a key e times as likely to be
attended to, other things equal.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

CALM = 0.1
"""Wind speed below which no direction is believed [m s-1]."""


def raw_strength(strength: float) -> Tensor:
    """The value whose softplus is a positive strength: learned without the dead zone a clamp would have at 0."""
    return torch.tensor(math.log(math.expm1(strength)))


def elevation_bias(elevation: Tensor, alpha: Tensor | float, elevation_scale: float, sign: int = 1) -> Tensor:
    """Attention penalty for looking at higher ground (eq. 2).

    Parameters
    ----------
    elevation : Tensor, shape (B, N)
        Mean elevation of each token [m].
    alpha : Tensor, shape (), or float
        Learnable strength, positive.
    elevation_scale : float
        E0, the climb that costs one alpha [m].
    sign : int
        +1 penalises keys higher than the query (the paper), -1 penalises lower ones.

    Returns
    -------
    Tensor, shape (B, N, N)
        Added to attention logits, in [-10, 0]; entry (i, j) is for query i, key j.

    Examples
    --------
    >>> elevation_bias(torch.tensor([[0.0, 1000.0]]), alpha=2.0, elevation_scale=1000.0)
    tensor([[[ 0., -2.],
             [ 0.,  0.]]])
    """
    # -alpha relu(x) = min(-alpha x, 0): one outer difference and one clamp, where the plain form takes four passes
    # over a million entries.
    scaled = elevation * (alpha * (sign / elevation_scale))
    return (scaled[:, :, None] - scaled[:, None, :]).clamp(-10.0, 0.0)


def wind_direction_cosine(
    query_latitude: Tensor,
    query_longitude: Tensor,
    wind: Tensor,
    key_latitude: Tensor,
    key_longitude: Tensor,
    calm: float = CALM,
) -> Tensor:
    """How far upwind each key lies of each query: gamma of eq. 4.

    Parameters
    ----------
    query_latitude, query_longitude : Tensor, shape (B, Nq)
        Places of the queries [degrees].
    wind : Tensor, shape (B, 2, Nq)
        Wind towards east and north at the queries [m s-1].
    key_latitude, key_longitude : Tensor, shape (Nk,)
        Places of the keys [degrees].
    calm : float
        Slower winds than this give 0 [m s-1].

    Returns
    -------
    Tensor, shape (B, Nq, Nk)
        Cosine of the angle between the way from key j to query i and the wind at i: +1 when key j lies exactly
        upwind, -1 exactly downwind, 0 across the wind, in a calm, or where both are at one place.
        Angles are taken in a local metric at the query (a degree of longitude shrinks with cos latitude).

    Examples
    --------
    A westerly (wind towards east) at 50 N 10 E; keys to its west, east and north:

    >>> place = torch.tensor([[50.0]]), torch.tensor([[10.0]])
    >>> wind_direction_cosine(*place, torch.tensor([[[5.0], [0.0]]]),
    ...                       torch.tensor([50.0, 50.0, 55.0]), torch.tensor([5.0, 15.0, 10.0]))
    tensor([[[ 1., -1.,  0.]]])
    """
    shrink = torch.cos(torch.deg2rad(query_latitude))[..., None]  # (B, Nq, 1)
    east = (query_longitude[..., None] - key_longitude) * shrink  # (B, Nq, Nk), from key to query
    north = query_latitude[..., None] - key_latitude
    speed = torch.linalg.vector_norm(wind, dim=1)  # (B, Nq)
    blows = speed >= calm
    unit = torch.where(blows[:, None], wind / speed.clamp_min(calm)[:, None], 0.0)  # (B, 2, Nq)
    along = east * unit[:, 0, :, None] + north * unit[:, 1, :, None]
    distance = torch.hypot(east, north)
    return along / distance.clamp_min(1e-9)  # at one place, along is 0 as well


def wind_bias(gamma: Tensor, beta: Tensor) -> Tensor:
    """Attention bonus for looking upwind (eq. 4): gamma is shared by the heads, beta is each head's own.

    Parameters
    ----------
    gamma : Tensor, shape (B, Nq, Nk)
    beta : Tensor, shape (h,)

    Returns
    -------
    Tensor, shape (B, h, Nq, Nk)
    """
    return beta[:, None, None] * gamma[:, None]


EARTH_DEGREE = 111.2
"""Length of a degree of latitude [km]."""


def squared_distance(
    query_latitude: Tensor, query_longitude: Tensor, key_latitude: Tensor, key_longitude: Tensor
) -> Tensor:
    """Squared distance in the local metric of `wind_direction_cosine`.

    Parameters
    ----------
    query_latitude, query_longitude : Tensor, shape (B, Nq)
        [degrees].
    key_latitude, key_longitude : Tensor, shape (Nk,)
        [degrees].

    Returns
    -------
    Tensor, shape (B, Nq, Nk)
        [km2].
    """
    shrink = torch.cos(torch.deg2rad(query_latitude))[..., None]
    east = (query_longitude[..., None] - key_longitude) * shrink
    north = query_latitude[..., None] - key_latitude
    return (east.square() + north.square()) * EARTH_DEGREE**2


def distance_bias(squared: Tensor, reach: Tensor) -> Tensor:
    """Attention penalty for looking far (not in the paper): minus half the squared distance in units of the reach.

    Parameters
    ----------
    squared : Tensor, shape (B, Nq, Nk)
        Squared distances [km2].
    reach : Tensor, shape (h,)
        Distance at which a head's attention falls to exp(-1/2) [km].

    Returns
    -------
    Tensor, shape (B, h, Nq, Nk)
        Zero or negative.

    Examples
    --------
    >>> distance_bias(torch.tensor([[[200.0**2]]]), torch.tensor([200.0])).item()
    -0.5
    """
    return squared[:, None] * (-0.5 / reach.square())[:, None, None]


NUM_BUCKETS = 32
"""Distance classes of the relative position along one axis."""


def relative_bucket(offset: Tensor, num_buckets: int = NUM_BUCKETS, farthest: int = 128) -> Tensor:
    """Distance class of an offset along one axis, as the language model T5 has it (arXiv 1910.10683, section 2.1).

    Parameters
    ----------
    offset : Tensor of int
        Key minus query [tokens]. Half of the classes are for positive offsets; of each half, one half holds single
        distances (8 of 16) and the rest grow logarithmically up to ``farthest``.

    Returns
    -------
    Tensor of int, in [0, num_buckets)
    """
    half = num_buckets // 2
    exact = half // 2
    distance = offset.abs()
    logarithmic = (
        torch.log(distance.clamp_min(1).double() / exact) / math.log(farthest / exact) * (half - exact)
    )
    far = (exact + logarithmic.floor().long()).clamp_max(half - 1)
    return torch.where(offset > 0, half, 0) + torch.where(distance < exact, distance, far)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # kept, and perhaps needed by a backward pass later
def relative_bucket_table(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """Class of every (row, column) offset of a token grid, in a 2-D table of classes.

    Returns
    -------
    Tensor of int, shape (2*rows-1, 2*columns-1)
        Entry (rows-1+dr, columns-1+dc) is for a key dr rows south and dc columns east of the query.
    """
    row = relative_bucket(torch.arange(1 - rows, rows))
    column = relative_bucket(torch.arange(1 - columns, columns))
    return (row[:, None] * NUM_BUCKETS + column[None, :]).to(device)


def expand_relative_bias(table: Tensor, rows: int, columns: int) -> Tensor:
    """From one value per offset to one per (query, key) pair of a token grid.

    Parameters
    ----------
    table : Tensor, shape (h, 2*rows-1, 2*columns-1)

    Returns
    -------
    Tensor, shape (h, N, N)
        Entry (i, j) is for query i, key j.
    """
    # A query in row r sees the offsets of rows -r .. rows-1-r: a window of the table that slides north as r grows.
    # Windows instead of an index of N*N entries: the backward pass of unfold adds in parallel, indexing's serially.
    x = table.unfold(1, rows, 1).flip(1)  # (h, query row, 2*columns-1, key row)
    x = x.unfold(2, columns, 1).flip(2)  # (h, query row, query column, key row, key column)
    return x.reshape(table.shape[0], rows * columns, rows * columns)
