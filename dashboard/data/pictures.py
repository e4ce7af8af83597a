"""What one page shows at one time: field, stations and the picked place, made together.

A picture is made from a copy of the page's state, in a thread, and only then put on the page as a whole. So the title
never names another day than the map shows: what cannot be read raises `UnreadableError`, and the page keeps what it
has.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cranpm.data.errors import DataFileError, StoreError
from cranpm.plot.style import ColourScale

from ..state import LEADS, State
from .fields import FieldUnavailableError
from .places import Place, describe_place, forecast_values, series_of
from .shown import Comparison, Other, compare_fields, layer_scale, show_field
from .stations import station_day
from .store import Store

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

    from .whatif import ChangedForecast, WhatIf

log = logging.getLogger(__name__)

_UNREADABLE = (StoreError, DataFileError, OSError)


class UnreadableError(RuntimeError):
    """A picture that cannot be made; the message says what is damaged, in words for the reader of the map."""


@dataclass(frozen=True, kw_only=True)
class PlacePicture:
    """The picked place: its cell, its series [ug m-3], its values today and by lead time."""

    place: Place
    series: xr.Dataset
    today: float
    forecast: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All that is shown together.

    ``field_id`` is empty where there is nothing to show; ``note`` says why, or what must be said beside what is shown.
    ``stations`` is None where no circles belong on the map; ``warnings`` tell what is left out because it is damaged.
    """

    state: State
    run: Run | None
    field_id: str = ""
    version: str = ""
    note: str = ""
    stations: pd.DataFrame | None = None
    place: PlacePicture | None = None
    comparison: Comparison | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def scale(self) -> ColourScale:
        return layer_scale(self.state.shown_layer, self.state.scale)

    @property
    def on_map(self) -> tuple[str, str, ColourScale]:
        """Id, version and colour scale of what the map shows: the layer, or what B differs from it by."""
        if self.comparison is not None and self.comparison.is_difference:
            field = self.comparison.field
            return field.field_id, field.version, self.comparison.scale
        return self.field_id, self.version, self.scale

    @property
    def station_question(self) -> tuple[object, ...]:
        """Equal for pictures with the same circles; thousands of them are not sent for every tile of a run."""
        state = self.state
        # circles on a map of differences are of this very difference
        is_difference = self.comparison is not None and self.comparison.is_difference
        return (
            state.dataset,
            state.shown_time,
            tuple(state.station_types),
            tuple(state.station_areas),
            state.terrain,
            state.station_file,
            self.on_map[0] if is_difference else self.scale.name,
            self.stations is None,
        )


def question_of(
    state: State, run: Run | None, whatif: WhatIf | None = None, other: Other | None = None
) -> tuple[object, ...]:
    """Equal for pictures that would be the same."""
    return (
        () if other is None else (state.compare, *state.other.values(), *_of_run(other.run)),
        state.dataset,
        state.layer,
        state.scale,
        state.init_time,
        state.lead_time,
        state.checkpoint,
        state.place,
        state.stations,
        tuple(state.station_types),
        tuple(state.station_areas),
        state.terrain,
        state.station,
        state.station_file,
        state.dark,
        *_of_run(run),
        () if whatif is None else (whatif.id, whatif.version, whatif.state),
        state.whatif,
    )


def _of_run(run: Run | ChangedForecast | None) -> tuple[str, int, str]:
    return ("", 0, "") if run is None else (run.id, run.version, run.state)


def make_picture(
    store: Store,
    state: State,
    run: Run | None,
    whatif: WhatIf | None = None,
    other: Other | None = None,
) -> Picture:
    """Read all that a state shows.

    Parameters
    ----------
    state : State
        A copy, which does not change meanwhile.
    run : Run or None
        The run that answers the state's question.
    whatif : WhatIf or None
        What is shown instead of it where the layer is a what-if.
    other : Other or None
        What stands beside it.

    Raises
    ------
    UnreadableError
        If a file that the picture needs is damaged or missing.
    """
    warnings: list[str] = []
    try:
        shown = show_field(store, state, whatif if state.layer == "whatif" else run)
        comparison = None if other is None else compare_fields(store, state, shown, other)
        if comparison is not None and comparison.is_difference:
            stations, station_note = _error_circles(state, comparison), ""
        else:
            stations, station_note = _stations(store, state, warnings)
        place = _place(store, state, run, warnings)
    except _UNREADABLE as error:
        log.warning("No picture: %s", error)
        raise UnreadableError(f"{state.what} cannot be shown: {error}") from error
    return Picture(
        state=state,
        run=run,
        field_id=shown.field_id,
        version=shown.version,
        note=shown.note or station_note,
        stations=stations,
        place=place,
        comparison=comparison,
        warnings=warnings,
    )


def _stations(store: Store, state: State, warnings: list[str]) -> tuple[pd.DataFrame | None, str]:
    """Stations on the map, and what must be said beside circles that are not of the map's day and world.

    None on changes, errors and other inputs, which are not PM2.5.
    """
    if not state.stations or not state.shown_layer.is_concentration:
        return None, ""
    if not state.station_file:
        try:
            return station_day(store, state, state.shown_time), ""
        except StoreError as error:
            log.warning("No stations: %s", error)
            warnings.append("The stations of this dataset cannot be read; the map is shown without them.")
            return None, ""
    try:
        table, day = store.station_file(state.station_file)
    except (*_UNREADABLE, FieldUnavailableError, ValueError) as error:
        warnings.append(f"Stations: {error}")
        return None, ""
    return table, (
        f"Circles: real stations of {day.day} {day:%B %Y}, an external file: another day and world than the map."
    )


def _error_circles(state: State, comparison: Comparison) -> pd.DataFrame | None:
    """What errors differ by, for circles on a map of differences: an observation has no place on its scale."""
    if comparison.errors is None or not state.stations:
        return None
    table = comparison.errors.table
    words = [
        f"|error of A| − |error of B|\nobserved {seen:.1f}, A {a:.1f}, B {b:.1f}"
        for seen, a, b in zip(table["observed"], table["a"], table["b"])
    ]
    return table.assign(pm2p5=table["change"], kind=words)


def _place(store: Store, state: State, run: Run | None, warnings: list[str]) -> PlacePicture | None:
    if state.place is None:
        return None
    lat, lon = state.place
    place = describe_place(store, state.dataset, lat, lon, state.station)
    series = series_of(store, state.dataset, place, state.init_time, run)
    if series.attrs["unreadable"]:
        warnings.append(
            f"Damaged in this dataset, and left out of the series: {', '.join(series.attrs['unreadable'])}."
        )
    return PlacePicture(
        place=place,
        series=series,
        today=float(series["target"].sel(time=np.datetime64(state.init_time, "ns"))),
        forecast=forecast_values(run, place) if run is not None else dict.fromkeys(LEADS, float("nan")),
    )
