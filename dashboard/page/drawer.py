"""The drawer of one page: a picked place, or the numbers of an area; shut without either."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import panel as pn

from ..data.areas.area import area_of
from ..data.forecasts import Forecasts
from ..data.pictures import Picture
from ..data.store import Store
from ..state import State
from ..views.overlays.reader import FootprintReader

if TYPE_CHECKING:
    from ..views.areas.panel import AreaPanel
    from ..views.inspector import Inspector


class PageDrawer:
    """Builds what is in the drawer when it is first wanted: HoloViews views are most of a page's cost.

    Parameters
    ----------
    state : State
    store : Store
    forecasts : Forecasts
    footprints : FootprintReader
    view : callable
        What is in view (west, south, east, north) [degrees].
    on_open : callable
        Called with whether the drawer is open.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        forecasts: Forecasts,
        footprints: FootprintReader,
        *,
        view: Callable[[], tuple[float, float, float, float]],
        on_open: Callable[[bool], None],
    ) -> None:
        self._state, self._store, self._forecasts = state, store, forecasts
        self._footprints, self._view, self._on_open = footprints, view, on_open
        self.root = pn.Column(sizing_mode="stretch_width", margin=0)
        self.inspector: Inspector | None = None
        self.area: AreaPanel | None = None

    def show(self, picture: Picture) -> None:
        """A picked place, else the numbers of an area."""
        if picture.place is not None:
            inspector = self._open_inspector()
            inspector.show(picture)
            self._fill(inspector.root)
        elif self._state.numbers:
            panel = self._open_area()
            panel.show(picture, area_of(self._state, self._view()))
            self._fill(panel.root)
        self._on_open(picture.place is not None or self._state.numbers)

    def tabs(self, kind: str) -> Any:
        """The tabs of a "place" or of an "area"."""
        return (self._open_inspector() if kind == "place" else self._open_area()).tabs

    def _fill(self, view: Any) -> None:
        if view not in self.root:
            self.root[:] = [view]

    def _open_area(self) -> AreaPanel:
        if self.area is None:
            from ..views.areas.panel import AreaPanel

            self.area = AreaPanel(
                self._store,
                self._forecasts,
                close=lambda: self._state.param.update(numbers=False),
                remove_box=lambda: self._state.param.update(box=None),
            )
        return self.area

    def _open_inspector(self) -> Inspector:
        if self.inspector is None:
            from ..views.inspector import Inspector

            def close() -> None:
                self._state.param.update(place=None, station="")

            self.inspector = Inspector(
                self._store, self._forecasts, state=self._state, footprints=self._footprints, close=close
            )
        return self.inspector
