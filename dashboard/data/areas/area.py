"""The area that numbers are of: a box that was drawn, a named region, or what is in view."""

from __future__ import annotations

from dataclasses import dataclass

from cranpm.domain.regions import REGIONS

from ...markup import latitude, longitude
from ...state import State


@dataclass(frozen=True, kw_only=True)
class Area:
    """What the numbers are of: a box (west, south, east, north) [degrees] and its name."""

    title: str
    box: tuple[float, float, float, float]

    @property
    def bounds(self) -> str:
        west, south, east, north = self.box
        along = f"{longitude(west, 2)} – {longitude(east, 2)}"
        return f"{latitude(south, 2)} – {latitude(north, 2)}, {along}"


def area_of(state: State, view: tuple[float, float, float, float]) -> Area:
    """The drawn box, else the named region, else what is in view."""
    if state.box is not None:
        return Area(title="Drawn box", box=tuple(state.box))
    if state.region in REGIONS:
        region = REGIONS[state.region]
        return Area(title=region.title, box=(region.west, region.south, region.east, region.north))
    return Area(title="In view", box=view)
