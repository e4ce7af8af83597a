"""The view that a link names, read again for a file: dataset, picture, area, and what must be said with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np

from cranpm.data.store.dataset import Dataset
from cranpm.plot.pyramid import Pyramid

from ..data.areas.area import Area, area_of
from ..data.areas.window import Window
from ..data.fields import FieldUnavailableError
from ..data.forecasts import find_run
from ..data.pictures import Picture, make_picture
from ..data.store import Store
from ..state import Query, State

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run


class Provenance(TypedDict):
    """Attributes that must travel with every file; those of a forecast where it shows one."""

    source: str
    simulated: int
    dataset: str
    dataset_hash: str
    attribution: str
    checkpoint: NotRequired[str]
    checkpoint_sha256: NotRequired[str]
    precision: NotRequired[str]


@dataclass(frozen=True, kw_only=True)
class View:
    """A link's view. ``run`` is the forecast that was made for it, if one was."""

    store: Store
    state: State
    dataset: Dataset
    run: Run | None

    @classmethod
    def of_query(cls, store: Store, query: Query) -> View:
        """The view of a link; nothing is forecast for it.

        Raises
        ------
        FieldUnavailableError
            If the dataset or the day is not there.
        """
        state, notices = State.from_query(query)
        if notices:
            raise FieldUnavailableError(" ".join(notices))
        dataset = store.dataset(state.dataset)
        if state.init_time not in store.days(state.dataset):
            raise FieldUnavailableError(f"{state.init_time} is not in this dataset.")
        run = find_run(store, state.dataset, state.checkpoint, state.init_time) if state.checkpoint else None
        return cls(store=store, state=state, dataset=dataset, run=run)

    @property
    def area(self) -> Area:
        """What is cut out: the drawn box, the named region, or what is in view."""
        return area_of(self.state, self.state.extent or self.dataset.domain.fine.extent)

    def picture(self, **changes: Any) -> Picture:
        """What the page shows, with other parameters where they are given."""
        state = self.state.copy()
        state.param.update(**changes)
        return make_picture(self.store, state, self.run)

    def field(self) -> Pyramid:
        """The layer on the map.

        Raises
        ------
        FieldUnavailableError
            If there is none, with the reason.
        """
        picture = self.picture(stations=False, place=None)
        if not picture.field_id:
            raise FieldUnavailableError(picture.note)
        return self.store.fields.field(picture.field_id).pyramid

    def window(self, pyramid: Pyramid) -> Window:
        """Cells of a field in the area.

        Raises
        ------
        FieldUnavailableError
            If there is none.
        """
        window = Window.of_box(pyramid.grid, self.area.box)
        if not window.cells:
            raise FieldUnavailableError("No cell has its centre in this area.")
        return window

    def provenance(self) -> Provenance:
        """Attributes that must travel with every file: where values come from, and that they are simulated."""
        data, state = self.dataset, self.state
        said: Provenance = {
            "source": data.source,
            "simulated": int(data.simulated),
            "dataset": data.name,
            "dataset_hash": str(data.meta.get("hash", "")),
            "attribution": str(data.meta.get("attribution", "")),
        }
        if state.shown_layer.needs_run and self.run is not None:
            said |= {
                "checkpoint": state.checkpoint,
                "checkpoint_sha256": self.run.request.checkpoint_hash,
                "precision": self.run.status.precision or "unknown",
            }
        return said

    @property
    def name(self) -> str:
        """A name for files: plain letters, for every part is of a list that this program knows."""
        state = self.state
        lead = f"_T{state.lead_time}" if state.shown_layer.day == "valid" else ""
        return f"cranpm_{state.dataset}_{state.layer}_{state.init_time:%Y%m%d}{lead}"

    def around(self, degrees: float) -> View:
        """The same with what is around the picked place in view."""
        if self.state.place is None:
            raise FieldUnavailableError("Pick a place first.")
        lat, lon = self.state.place
        state = self.state.copy()
        wide = degrees / max(float(np.cos(np.deg2rad(lat))), 0.2)
        box = (
            max(lon - wide, -180.0),
            max(lat - degrees, -85.0),
            min(lon + wide, 180.0),
            min(lat + degrees, 85.0),
        )
        state.param.update(box=None, region="moved", extent=box)
        return replace(self, state=state)

    @property
    def shown_day(self) -> dt.date:
        """Day that the layer belongs to."""
        day: dt.date = self.state.shown_time
        return day
