"""The map in one paragraph, for those to whom it is read out; nothing of it is seen."""

from __future__ import annotations

import logging
import math
from os import PathLike
from pathlib import Path
from typing import ClassVar

import panel as pn
import param
from panel.custom import JSComponent

from ...background import Latest
from ...data.areas.area import Area
from ...data.areas.view_numbers import THRESHOLD, ViewNumbers, view_numbers
from ...data.pictures import Picture
from ...data.store import Store
from ..compare.words import side

log = logging.getLogger(__name__)

STATIC = Path(__file__).parents[2] / "static"


class Spoken(JSComponent):
    """A paragraph that screen readers read out when it changes; its text never becomes HTML."""

    text = param.String(default="")

    _esm: ClassVar[str | PathLike[str]] = STATIC / "spoken.js"


class ViewSummary:
    """Says what is on the map: layer, day, numbers of what is in view, stations.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._questions = Latest(pn.state.curdoc)
        self._asked: tuple[object, ...] = ()
        self.root = Spoken(margin=0, width=1, height=1, styles={"position": "absolute"})

    def show(self, picture: Picture, view: tuple[float, float, float, float]) -> None:
        """Say what a picture shows in a view (west, south, east, north) [degrees]."""
        stations = stations_in_view(picture, view)
        field_id, version, _scale = picture.on_map
        other = None if picture.comparison is None else side(picture.comparison.state)
        question = (picture.state.what, picture.note, field_id, version, other, view, stations)
        if question == self._asked:
            return
        self._asked = question

        def work() -> ViewNumbers | None:
            # a map under way changes several times a second: it is told when it is there
            if not field_id or under_way(picture):
                return None
            return view_numbers(self._store.fields.field(field_id).pyramid, view)

        def then(numbers: ViewNumbers | None, error: BaseException | None) -> None:
            if error is not None:
                log.warning("A view could not be summed up: %s", error)
            if question == self._asked:
                self.root.text = summary_words(picture, view, numbers, stations)

        self._questions.ask(work, then)


def under_way(picture: Picture) -> bool:
    """Whether the map is that of a forecast that has not ended."""
    run = picture.run
    return picture.state.shown_layer.needs_run and run is not None and not run.status.finished


def stations_in_view(picture: Picture, view: tuple[float, float, float, float]) -> int | None:
    """Circles of a picture in a view; None where it has none by its nature."""
    if picture.stations is None:
        return None
    west, south, east, north = view
    table = picture.stations
    inside = table["longitude"].between(west, east) & table["latitude"].between(south, north)
    return int(inside.sum())


def summary_words(
    picture: Picture,
    view: tuple[float, float, float, float],
    numbers: ViewNumbers | None,
    stations: int | None,
) -> str:
    """The paragraph."""
    state, layer = picture.state, picture.state.shown_layer
    lead = (
        f", {state.lead_time} day{'s' if state.lead_time > 1 else ''} ahead" if layer.day == "valid" else ""
    )
    made = f", checkpoint {state.checkpoint}" if layer.needs_run and state.checkpoint else ""
    said = [f"{state.what}{lead}{made}."]
    difference = picture.comparison is not None and picture.comparison.is_difference
    if picture.comparison is not None:
        shown = "The map shows B minus A" if difference else "Both are shown; numbers are those of A"
        said.append(f"This is A, compared with B: {side(picture.comparison.state)}. {shown}.")
    if picture.note:
        said.append(picture.note)
    where = f"In view, {Area(title='', box=view).bounds}:"
    if under_way(picture):
        said.append("The forecast is under way; its numbers follow.")
    elif numbers is not None and not math.isfinite(numbers.mean):
        said.append(f"{where} nothing has a value.")
    elif numbers is not None:
        units = picture.on_map[2].units
        above = ""
        if layer.is_concentration and not difference:
            above = f" {100 * numbers.above:.0f} % of the area with values is above {THRESHOLD:g} {units}."
        said.append(
            f"{where} mean {numbers.mean:.1f}, lowest {numbers.lowest:.1f}, highest {numbers.highest:.1f} {units}, "
            f"of squares of {numbers.kilometres:.0f} km.{above}".replace("-", "−")
        )
    if stations is not None:
        said.append(f"{stations or 'No'} station{'' if stations == 1 else 's'} in view.")
    return " ".join(said)
