"""The thirteen named predictors of least squares: two fine maps, and what varies at 25 km."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from cranpm.baselines.nodes import hold_outwards
from cranpm.domain import Grid, channel_index
from cranpm.domain.grid import KM_PER_DEGREE
from cranpm.domain.interpolation import bilinear

FINE_PREDICTORS = ("today", "yesterday")
NODE_PREDICTORS = (
    "regional_mean",
    "cams_today",
    "cams_yesterday",
    "upwind_1_day",
    "upwind_2_days",
    "upwind_3_days",
    "wind_east",
    "wind_north",
    "wind_speed",
    "rain",
    "temperature",
)
PREDICTORS = FINE_PREDICTORS + NODE_PREDICTORS
"""In ug m-3: today's and yesterday's fine map; the mean of today's map over `REGION_NODES` nodes; CAMS analyses of both
days; CAMS today where the air comes from minus here, along the straight way that today's 925-hPa wind blows in one, two
and three days. Then the 10-m wind [m s-1] and its speed, rain [log(1 + mm)], 2-m temperature [K]."""

REGION_NODES = 9
"""Nodes along the side of the square of the regional mean: 2.25 degrees."""

_SECONDS_PER_DAY = 86_400.0


def node_predictors(
    regional: np.ndarray, today: np.ndarray, yesterday: np.ndarray, box: Grid
) -> dict[str, np.ndarray]:
    """The predictors that vary at 25 km, by name.

    Parameters
    ----------
    regional : ndarray, shape (Hc + 1, Wc + 1)
        Mean of today's fine map round each node, over `REGION_NODES` [ug m-3].
    today, yesterday : ndarray, shape (35, Hc + 1, Wc + 1)
        Coarse fields of both days, store units.
    box : Grid
        Their nodes.

    Returns
    -------
    dict of str to ndarray, shape (Hc + 1, Wc + 1)
        NaN where one of its sources is missing.
    """
    channel = lambda name: today[channel_index(name)]  # noqa: E731
    cams = channel("pm2p5")
    east, north = channel("u10"), channel("v10")
    found = {
        "regional_mean": regional,
        "cams_today": cams,
        "cams_yesterday": yesterday[channel_index("pm2p5")],
        "wind_east": east,
        "wind_north": north,
        "wind_speed": np.hypot(east, north),
        "rain": np.log1p(channel("tp")),
        "temperature": channel("t2m"),
    }
    for days, name in enumerate(("upwind_1_day", "upwind_2_days", "upwind_3_days"), start=1):
        found[name] = upwind_difference(cams, channel("u_925"), channel("v_925"), box, days)
    return {name: found[name] for name in NODE_PREDICTORS}


def upwind_difference(
    field: np.ndarray, east: np.ndarray, north: np.ndarray, box: Grid, days: float
) -> np.ndarray:
    """What lies upwind minus what lies here, along the straight way of the wind at each node.

    Parameters
    ----------
    field : ndarray, shape (rows, cols)
    east, north : ndarray, shape (rows, cols)
        Wind towards east and towards north [m s-1].
    box : Grid
        Their nodes, rows north to south.
    days : float
        How long the air has been on its way; beyond the edge the edge's values hold.

    Returns
    -------
    ndarray, shape (rows, cols)
        NaN where the wind, or a node that is read, is missing.

    Examples
    --------
    Cleaner air to the west, and a west wind of one node a day:

    >>> from cranpm.domain import get_domain
    >>> box = get_domain("alps").coarse_box
    >>> field = np.broadcast_to(np.arange(box.cols, dtype=np.float32), box.shape)
    >>> wind = (27.8e3 / 86400 * np.cos(np.radians(box.lat)))[:, None] * np.ones(box.shape)
    >>> round(float(upwind_difference(field, wind, 0 * wind, box, 1)[20, 20]), 6)
    -1.0
    """
    nodes_per_metre = 1 / (1000 * KM_PER_DEGREE * box.step)
    metres = _SECONDS_PER_DAY * days
    known = np.isfinite(east) & np.isfinite(north)
    # towards north is towards smaller rows, so the air comes from larger ones
    rows = np.arange(box.rows)[:, None] + np.where(known, north, 0) * metres * nodes_per_metre
    stretch = np.cos(np.radians(box.lat))[:, None]
    cols = np.arange(box.cols)[None] - np.where(known, east, 0) * metres * nodes_per_metre / stretch
    return np.where(known, bilinear(field, rows, cols) - field, np.nan).astype(np.float32)


def regional_mean(mean: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mean of node means over squares of `REGION_NODES` nodes, each with the weight of its cells; held outwards."""
    known = np.isfinite(mean)
    weight = np.where(known, share, 0).astype(np.float64)
    total = uniform_filter(np.where(known, mean, 0) * weight, REGION_NODES, mode="constant")
    support = uniform_filter(weight, REGION_NODES, mode="constant")
    enough = support > 1e-9
    return hold_outwards(np.where(enough, total / np.where(enough, support, 1), np.nan))
