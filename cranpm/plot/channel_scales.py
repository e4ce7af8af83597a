"""Colour scales of the input fields, one each: fixed, so that days and places compare.

Ends are the round numbers that European days stay within but for extremes, which take the end colours. Everything that
has a sign is diverging about zero; changes are day t minus day t-1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import colorcet
import numpy as np

from cranpm.domain.channels import DAY_CHANNELS, LEVELS, LOCAL_CHANNELS

from .style import NUM_COLOURS, SCALES, ColourScale

_WARM, _WET, _DENSE, _GREY = colorcet.CET_L8, colorcet.CET_L18, colorcet.CET_L20, colorcet.CET_L1
_SIGNED = colorcet.CET_D1A

_Row = tuple[float, float, float, Sequence[str]]
"""Low, high, largest change, colours."""


def _aloft(name: str, rows: Sequence[tuple[float, float, float]], colours: Sequence[str]) -> dict[str, _Row]:
    return {f"{name}_{level}": (*row, colours) for level, row in zip(LEVELS, rows, strict=True)}


_WINDS = [
    (-20.0, 20.0, 15.0),
    (-25.0, 25.0, 15.0),
    (-30.0, 30.0, 15.0),
    (-35.0, 35.0, 20.0),
    (-50.0, 50.0, 25.0),
]

_ROWS: Mapping[str, _Row] = {
    "u10": (-15, 15, 10, _SIGNED),
    "v10": (-15, 15, 10, _SIGNED),
    "t2m": (250, 310, 10, _WARM),
    "sp": (70_000, 104_000, 2_000, _DENSE),
    "tp": (0, 20, 10, _WET),
    **_aloft("t", [(255, 310, 10), (250, 305, 10), (250, 300, 10), (240, 290, 10), (225, 270, 10)], _WARM),
    **_aloft("u", _WINDS, _SIGNED),
    **_aloft("v", _WINDS, _SIGNED),
    **_aloft(
        "q",
        [(0, 0.016, 0.004), (0, 0.014, 0.004), (0, 0.012, 0.004), (0, 0.008, 0.003), (0, 0.003, 0.001)],
        _WET,
    ),
    **_aloft(
        "z",
        [
            (-1_500, 3_500, 1_500),
            (5_000, 9_500, 1_500),
            (12_000, 16_000, 1_500),
            (26_500, 31_500, 2_000),
            (49_000, 59_000, 2_500),
        ],
        _DENSE,
    ),
    "pm2p5": (0, 60, 15, ()),
    "pm10": (0, 80, 20, ()),
    "no2": (0, 40, 15, ()),
    "o3": (0, 140, 40, ()),
    "co": (0, 600, 150, ()),
    "elevation": (0, 3_000, 0, _GREY),
    "latitude": (30, 72, 0, _DENSE),
    "longitude": (-25, 45, 0, _DENSE),
}

_UNITS = {
    "m s-1": "m/s", "kg kg-1": "kg/kg", "m2 s-2": "m²/s²", "ug m-3": "µg/m³", "degrees_north": "° N",
    "degrees_east": "° E",
}  # fmt: skip

_CHANNELS = {channel.name: channel for channel in (*DAY_CHANNELS, *LOCAL_CHANNELS) if channel.name in _ROWS}


def nice_ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Round numbers between two ends, about so many; the ends are among them where they are round.

    Examples
    --------
    >>> nice_ticks(250, 310), nice_ticks(-15, 15)
    ((250.0, 260.0, 270.0, 280.0, 290.0, 300.0, 310.0), (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0))
    """
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((k * power for k in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(k * step, 12) for k in range(first, last + 1))


@cache
def channel_scale(name: str) -> ColourScale:
    """The scale of an input field, ``t2m``, or of its change, ``t2m.change``.

    Raises
    ------
    KeyError
        If there is no such field, or a fixed one is asked for its change.
    """
    field, _, change = name.partition(".")
    low, high, step, colours = _ROWS[field]
    if change not in ("", "change") or (change and not step):
        raise KeyError(name)
    channel = _CHANNELS[field]
    title = channel.long_name[:1].upper() + channel.long_name[1:]
    if channel.source == "cams":
        title += " of CAMS"
    if change:
        title, low, high, colours = f"{title}: change from day t−1 to t", -step, step, _SIGNED
    plain = colours or SCALES["continuous"].colours
    chosen = np.round(np.linspace(0, len(plain) - 1, NUM_COLOURS)).astype(int)
    return ColourScale(
        name=name,
        title=title,
        units=_UNITS.get(channel.units, channel.units),
        kind="diverging" if colours is _SIGNED else "continuous",
        low=float(low),
        high=float(high),
        colours=tuple(plain[i] for i in chosen),
        ticks=nice_ticks(low, high),
        gamma=0.6 if not colours or (field == "tp" and not change) else 1.0,
    )


def find_scale(name: str) -> ColourScale | None:
    """A scale of the map or of an input field by its name; None where there is none."""
    if name in SCALES:
        return SCALES[name]
    try:
        return channel_scale(name)
    except KeyError:
        return None
