"""Where one page looks, and what somebody does on its map: moves it, picks a place, presses a key."""

from __future__ import annotations

from cranpm.domain.grid import Grid
from cranpm.domain.regions import REGIONS

from ..data.forecasts import tiles_in_view
from ..state import LEADS, MOVED, State
from ..views.controls import DayControls
from ..views.map import MapListeners, MapView

Box = tuple[float, float, float, float]
"""West, south, east, north [degrees]."""


class PageMap:
    """The map of one page, whose moves, picks and keys change the page's state.

    Parameters
    ----------
    state : State
    grid : Grid
        Fine grid of the dataset.
    days : DayControls
        Steps through days when keys say so.
    """

    def __init__(self, state: State, grid: Grid, days: DayControls) -> None:
        self._state, self._grid, self._days = state, grid, days
        self.view = MapView(
            domain_extent=grid.extent,
            view_extent=self.extent,
            dataset=state.dataset,
            dark=state.dark,
            listeners=MapListeners(
                picked=self.pick, moved=self.moved, key_pressed=self.key_pressed, swiped=self._swiped
            ),
            swipe=state.swipe,
        )
        state.param.watch(lambda _event: self._go_to_region(), "region")

    @property
    def extent(self) -> Box:
        """What is in view."""
        return self._state.extent or region_box(self._state.region, self._grid)

    def tiles(self) -> list[int]:
        """Numbers of the tiles in view, nearest to its middle first."""
        return tiles_in_view(self._grid.shape, self._grid, self.extent)

    def pick(self, lat: float, lon: float, station: str = "") -> None:
        """Ask for a place, and for the station there; nothing happens outside the domain."""
        lat, lon = round(lat, 4), round(lon, 4)
        if self._grid.contains(lat, lon):
            self._state.param.update(place=(lat, lon), station=station)

    def moved(self, extent: Box) -> None:
        """Somebody moved the map; a region that is left is named no more."""
        west, south, east, north = extent
        self._state.extent = (max(west, -180.0), max(south, -85.0), min(east, 180.0), min(north, 85.0))
        region = self._state.region
        if region != MOVED and not shows(extent, region_box(region, self._grid)):
            self._state.region = MOVED

    def key_pressed(self, key: str) -> None:
        """What keys do wherever the focus is."""
        if key == "ArrowLeft":
            self._days.step(-1)
        elif key == "ArrowRight":
            self._days.step(1)
        elif key in "123" and int(key) in LEADS:
            self._state.lead_time = int(key)
        elif key == " ":
            self._days.toggle_play()
        elif key == "Escape":
            self._state.param.update(place=None, station="")

    def _swiped(self, share: float) -> None:
        self._state.swipe = share

    def _go_to_region(self) -> None:
        if self._state.region != MOVED:
            self.view.go_to(region_box(self._state.region, self._grid))


def region_box(name: str, grid: Grid) -> Box:
    """The box of a region; of anything else, that of the whole domain."""
    if name in REGIONS:
        region = REGIONS[name]
        return region.west, region.south, region.east, region.north
    return grid.extent


def shows(view: Box, box: Box) -> bool:
    """Whether a view was made for a box: about the same centre, and no larger than the box needs."""
    centres = abs(view[0] + view[2] - box[0] - box[2]) / 2, abs(view[1] + view[3] - box[1] - box[3]) / 2
    sizes = (view[2] - view[0]) / (box[2] - box[0]), (view[3] - view[1]) / (box[3] - box[1])
    close = centres[0] < 0.06 * (view[2] - view[0]) and centres[1] < 0.12 * (view[3] - view[1])
    return close and 0.9 < min(sizes) < 1.2
