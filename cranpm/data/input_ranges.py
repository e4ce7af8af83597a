"""Inputs of a forecast that cannot be, and inputs that the network has not seen the like of.

A network answers whatever it is given. What physics rules out is refused by name; what lies far beyond the days that it
was trained on is let through and told, as data, so that whoever shows the forecast can show this too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from cranpm._json import JsonObject
from cranpm.data.store.encoding import PM2P5_FILL, PM2P5_SCALE
from cranpm.data.store.schema import possible_range
from cranpm.domain.channels import COARSE_CHANNELS, DAY_CHANNELS
from cranpm.domain.normalise import (
    PM_OFFSET,
    PM_SCALE,
    Statistics,
    denormalise_coarse,
    normalise_coarse,
    normalise_pm2p5,
)

UNUSUAL = 8.0
"""Standard deviations from the training period's mean (network units for maps) beyond which a value is unusual."""

INPUTS = len(COARSE_CHANNELS) + 2
"""Fields that a forecast reads and that are checked here: coarse channels of two days, and the maps of both."""

GROUND = (-500.0, 9000.0)
"""Lowest and highest mean elevation of a cell or node [m]."""

_SHOWN = 4


class ImpossibleInputError(ValueError):
    """An input that no air can have: the message names the channel, the value, the day and what is possible."""


@dataclass(frozen=True, kw_only=True)
class UnusualInput:
    """A channel with values beyond what the network was trained on.

    ``channel`` is named with its day, as ``pm10@t-1``; ``share`` of its nodes or cells lie outside ``low`` to
    ``high``, the furthest at ``extreme``, all in ``units``.
    """

    channel: str
    units: str
    share: float
    extreme: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.channel}: {self.share:.2%} of it beyond {self.low:.4g} to {self.high:.4g} {self.units}, "
            f"as far as {self.extreme:.4g}"
        )

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return asdict(self)


def check_inputs(
    coarse: Mapping[str, np.ndarray],
    maps: Mapping[str, np.ndarray],
    statistics: Statistics,
    *,
    ground: Mapping[str, np.ndarray] | None = None,
    name: str,
) -> tuple[UnusualInput, ...]:
    """Refuse what cannot be, and list what is unusual.

    Parameters
    ----------
    coarse : mapping of "t" and "t-1" to ndarray, shape (35, Hc + 1, Wc + 1)
        Day channels in store units; NaN where missing.
    maps : mapping of "t" and "t-1" to ndarray, shape (H, W)
        PM2.5 [ug m-3]; NaN where missing.
    statistics : Statistics
        Of the checkpoint: of the days that it was trained on.
    ground : mapping of str to ndarray, optional
        Fields of elevation by what messages call them [m]; unlike the others they have no gaps.
    name : str
        Named in messages, for instance the init day.

    Raises
    ------
    ImpossibleInputError
        Naming every channel that holds an impossible or infinite value.
    """
    impossible = [*_impossible_ground(ground or {}), *_impossible_coarse(coarse), *_impossible_maps(maps)]
    if impossible:
        more = f" ... and {len(impossible) - _SHOWN} more" if len(impossible) > _SHOWN else ""
        msg = (
            f"{name} cannot be forecast: {'; '.join(impossible[:_SHOWN])}{more}. Make that day anew from its sources, "
            "or choose another; 'cranpm data check' shows which days are hit."
        )
        raise ImpossibleInputError(msg)
    return (*_unusual_coarse(coarse, statistics), *_unusual_maps(maps))


def _impossible_ground(ground: Mapping[str, np.ndarray]) -> Iterator[str]:
    for called, field in ground.items():
        said = _impossible(np.where(np.isnan(field), np.inf, field), *GROUND, "m")
        if said:
            yield f"{called} {said}"


def _impossible_coarse(coarse: Mapping[str, np.ndarray]) -> Iterator[str]:
    for day, fields in coarse.items():
        for channel, field in zip(DAY_CHANNELS, fields, strict=True):
            said = _impossible(field, *possible_range(channel), channel.units)
            if said:
                yield f"{channel.on(day).name} {said}"  # type: ignore[arg-type]


def _impossible_maps(maps: Mapping[str, np.ndarray]) -> Iterator[str]:
    for day, field in maps.items():
        said = _impossible(field, 0.0, PM2P5_FILL * PM2P5_SCALE, "ug m-3")
        if said:
            yield f"the map of PM2.5@{day} {said}"


def _impossible(field: np.ndarray, low: float, high: float, units: str) -> str | None:
    with np.errstate(invalid="ignore"):
        outside = (field < low) | (field > high)  # an infinity is; NaN, a gap, is not
    if not outside.any():
        return None
    worst = field[outside][np.abs(field[outside]).argmax()]
    return f"holds {worst:g} {units} ({outside.mean():.2%} of it; possible is {low:g} to {high:g})"


def _unusual_coarse(coarse: Mapping[str, np.ndarray], statistics: Statistics) -> Iterator[UnusualInput]:
    ends = np.full((len(DAY_CHANNELS), 1, 2), [-UNUSUAL, UNUSUAL], dtype=np.float32)
    usual = denormalise_coarse(ends, statistics)[:, 0]
    for day, fields in coarse.items():
        scores = normalise_coarse(fields, statistics)
        for channel, field, score, (low, high) in zip(DAY_CHANNELS, fields, scores, usual, strict=True):
            named = channel.on(day).name  # type: ignore[arg-type]
            low = max(float(low), possible_range(channel)[0])
            yield from _unusual(field, score, named, channel.units, low, float(high))


def _unusual_maps(maps: Mapping[str, np.ndarray]) -> Iterator[UnusualInput]:
    high = PM_OFFSET + UNUSUAL * PM_SCALE
    for day, field in maps.items():
        yield from _unusual(field, normalise_pm2p5(field), f"pm2p5 map@{day}", "ug m-3", 0.0, high)


def _unusual(
    field: np.ndarray, score: np.ndarray, channel: str, units: str, low: float, high: float
) -> Iterator[UnusualInput]:
    distance = np.abs(score)
    with np.errstate(invalid="ignore"):
        outside = distance > UNUSUAL
    if outside.any():
        furthest = float(field.ravel()[np.nanargmax(distance)])
        yield UnusualInput(
            channel=channel, units=units, share=float(outside.mean()), extreme=furthest, low=low, high=high
        )
