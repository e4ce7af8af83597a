"""The column of controls of one page, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..data.store import Store
from ..data.whatif import network_parts
from ..state import State
from ..views.areas.controls import AreaControls
from ..views.compare.panel import ComparePanel
from ..views.controls import DayControls, LayerControls
from ..views.inputs import InputStrip
from ..views.model import ModelControls
from ..views.stations.controls import StationControls
from ..views.whatif.panel import WhatIfPanel

if TYPE_CHECKING:
    from cranpm.forecasting.service.run_folder import RunCost


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What buttons do beyond changing the state."""

    run: Callable[[], None]
    cancel: Callable[[], None]
    expected: Callable[[], RunCost | None]
    """What a forecast would take."""
    whatif_in_view: Callable[[], None]
    whatif_everywhere: Callable[[], None]
    draw_box: Callable[[bool], None]
    open_station_table: Callable[[], None]


class PageControls:
    """Everything that stands beside the map.

    Parameters
    ----------
    state : State
    store : Store
    actions : Actions
    """

    def __init__(self, state: State, store: Store, actions: Actions) -> None:
        self._state, self._store = state, store
        dataset, days = store.dataset(state.dataset), store.days(state.dataset)
        checkpoints = list(store.checkpoints())
        self.days = DayControls(state, days)
        self.layers = LayerControls(state)
        self.compare = ComparePanel(state, checkpoints, days)
        self.model = ModelControls(
            state, checkpoints, on_run=actions.run, on_cancel=actions.cancel, expected=actions.expected
        )
        self.whatif = WhatIfPanel(state, on_view=actions.whatif_in_view, on_all=actions.whatif_everywhere)
        self.inputs = InputStrip(dataset.source, str(dataset.meta.get("hash", "")))
        self.regions = AreaControls(state, on_draw=actions.draw_box)
        self.stations = StationControls(
            state, list(store.station_files()), on_table=actions.open_station_table
        )
        self._offer_changes()
        state.param.watch(lambda _event: self._offer_changes(), "checkpoint")

    @property
    def column(self) -> list[Any]:
        """The sections, from top to bottom."""
        sections = (
            self.days, self.layers, self.compare, self.model, self.whatif, self.inputs, self.regions, self.stations,
        )  # fmt: skip
        return [section.root for section in sections]

    def close(self) -> None:
        """The page is gone."""
        self.days.close()

    def _offer_changes(self) -> None:
        """What if: only what the checkpoint's network has can be changed."""
        folder = self._store.checkpoints().get(self._state.checkpoint)
        self.whatif.offer({} if folder is None else network_parts(folder))
