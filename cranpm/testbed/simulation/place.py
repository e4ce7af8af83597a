"""What the simulation takes from where on Earth it is: boxes that random fields cover, fires, deserts.

Inside ``EUROPE_BOX`` every domain shares Europe's constants, so that a region and the whole see the same days. A domain
beyond it gets boxes of its own; where its deserts are no installed source tells, so it has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cranpm.domain import Grid

LOWEST_LATITUDE, HIGHEST_LATITUDE = 20.0, 82.0
"""Where the simulated wind is in balance with pressure: nearer to the Equator the Coriolis force is too weak for it,
and the mean climate is known for the Northern Hemisphere only [degrees north]."""

_MARGIN, _MULTIPLE = 3.0, 4
"""Random fields reach so far beyond a domain, rounded outward to such a multiple [degrees]."""


class PlaceError(ValueError):
    """A domain that the simulator cannot give weather to; real data may still be prepared for it."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Latitudes and longitudes [degrees]."""

    south: float
    north: float
    west: float
    east: float

    def holds(self, grid: Grid) -> bool:
        """Whether all points of a grid lie in the box."""
        return bool(
            self.south <= grid.lat.min()
            and grid.lat.max() <= self.north
            and self.west <= grid.lon.min()
            and grid.lon.max() <= self.east
        )

    @property
    def area(self) -> float:
        """Square degrees of a sphere: width times the difference of the sines of the latitudes."""
        return (self.east - self.west) * math.degrees(
            math.sin(math.radians(self.north)) - math.sin(math.radians(self.south))
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Constants of a place.

    Attributes
    ----------
    noise : Box
        What fields of regional noise are drawn on.
    fires : Box
        Where fires may start.
    fire_share : float
        New fires relative to those of Europe's box.
    dry_south_of : float
        Fires burn freely south of it, seldom north of it [degrees].
    desert : tuple of float or None
        No land is desert north of the first latitude, all is so many degrees south of it [degrees].
    """

    noise: Box
    fires: Box
    fire_share: float
    dry_south_of: float
    desert: tuple[float, float] | None

    def desert_share(self, lat: np.ndarray) -> np.ndarray:
        """Share of land that is desert at some latitudes, 0..1."""
        if self.desert is None:
            return np.zeros_like(lat)
        edge, width = self.desert
        return np.clip((edge - lat) / width, 0, 1)


EUROPE_BOX = Box(south=28.0, north=74.0, west=-28.0, east=48.0)
EUROPE_PLACE = Place(
    noise=EUROPE_BOX,
    fires=Box(south=35, north=66, west=-10, east=44),
    fire_share=1.0,
    dry_south_of=46.0,
    desert=(35.2, 2.5),
)


def place_of(grid: Grid) -> Place:
    """The constants for a coarse grid.

    Raises
    ------
    PlaceError
        If it reaches latitudes whose winds cannot be simulated.
    """
    if EUROPE_BOX.holds(grid):
        return EUROPE_PLACE
    south, north = float(grid.lat.min()), float(grid.lat.max())
    if south < LOWEST_LATITUDE or north > HIGHEST_LATITUDE:
        raise PlaceError(
            f"{grid.name} reaches from {_latitude(south)} to {_latitude(north)}. Expected latitudes of "
            f"{LOWEST_LATITUDE:g} to {HIGHEST_LATITUDE:g} N, where the simulated winds are in balance with pressure. "
            "Choose a box within them, or prepare real data ('cranpm data')."
        )
    west, east = float(grid.lon.min()), float(grid.lon.max())
    fires = Box(south=south, north=north, west=west, east=east)
    return Place(
        noise=Box(
            south=_outward(south - _MARGIN, math.floor),
            north=_outward(north + _MARGIN, math.ceil),
            west=_outward(west - _MARGIN, math.floor),
            east=_outward(east + _MARGIN, math.ceil),
        ),
        fires=fires,
        fire_share=fires.area / EUROPE_PLACE.fires.area,
        dry_south_of=EUROPE_PLACE.dry_south_of,
        desert=None,
    )


def _outward(value: float, rounding: Callable[[float], int]) -> float:
    return float(_MULTIPLE * rounding(value / _MULTIPLE))


def _latitude(value: float) -> str:
    return f"{abs(value):g} {'N' if value >= 0 else 'S'}"
