"""Series of a place and stations of a day as CSV, with what must be known of them in lines that begin with #."""

from __future__ import annotations

import pandas as pd

from ..data.fields import FieldUnavailableError
from ..data.stations import station_rows
from .view import View

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def series_csv(view: View) -> str:
    """Daily series of the picked place [ug m-3], an empty cell where there is no value."""
    picture = view.picture(stations=False)
    if picture.place is None:
        raise FieldUnavailableError("Pick a place first: a series is of one place.")
    place = picture.place.place
    frame = picture.place.series.to_dataframe().reset_index()
    frame["time"] = frame["time"].dt.strftime("%Y-%m-%d")
    cell = f"{place.lat:.4f} N {place.lon:.4f} E"
    near = (
        f"observed: station {place.station_id} ({place.station}), {place.station_kilometres:.1f} km away"
        if place.station_id
        else "observed: no station within 15 km"
    )
    about = [f"PM2.5 of the cell at {cell}, daily means (UTC) [ug m-3], init {view.state.init_time}", near]
    return _csv(frame, view, about)


def stations_csv(view: View) -> str:
    """The chosen stations with what they saw and what the map shows there [ug m-3]."""
    state = view.state
    picture = view.picture(stations=False, place=None)
    concentrations = picture.field_id and state.shown_layer.is_concentration
    field = view.store.fields.field(picture.field_id) if concentrations else None
    rows = station_rows(view.store, state, view.shown_day, field)
    about = [f"Stations, observed on {view.shown_day} (UTC day); shown: {state.what}; [ug m-3], heights [m]"]
    return _csv(rows, view, about)


def _csv(frame: pd.DataFrame, view: View, about: list[str]) -> str:
    said = [*about, *(f"{key}: {value}" for key, value in view.provenance().items())]
    head = "".join(f"# {' '.join(str(line).split())}\n" for line in said)
    words = frame.select_dtypes(exclude="number").columns
    safe = frame.assign(**{name: frame[name].map(_plain) for name in words})
    return head + safe.to_csv(index=False, float_format="%.3f", lineterminator="\n")


def _plain(value: object) -> object:
    """Text that a spreadsheet does not take for a formula: names of stations come from files."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
