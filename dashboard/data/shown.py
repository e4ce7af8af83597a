"""The field that a state shows; and where a second map B stands beside it (A), that one and what they differ by."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cranpm.data.errors import StoreError
from cranpm.plot.channel_scales import find_scale
from cranpm.plot.style import ColourScale, scale_for

from ..layers import DIFFERENCE, WHATIF_BESIDE, Layer
from ..state import State
from .fields import FieldKey, FieldUnavailableError
from .station_errors import ErrorChange, error_change
from .store import Store

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

    from .whatif import ChangedForecast, WhatIf

log = logging.getLogger(__name__)

CIRCLES = "Circles: |error of A| − |error of B| at stations; above zero, B is nearer to what they saw."

COMES_LATER = "The forecast comes first, then what is changed; “What if?” says how far it is."
NOTHING_CHANGED = "Nothing is changed yet: choose something under “What if?”."


def layer_scale(layer: Layer, choice: str) -> ColourScale:
    """The colour scale of a layer: its own, or the reader's choice where it shows PM2.5."""
    own = find_scale(layer.scale) if layer.field and layer.scale else None
    return own or scale_for(layer.key, choice)


@dataclass(frozen=True, kw_only=True)
class ShownField:
    """A field in memory, by its id and version; without an id there is none, and ``note`` says why.

    ``key`` and ``run`` are what it was announced with.
    """

    field_id: str = ""
    version: str = ""
    note: str = ""
    key: FieldKey | None = None
    run: Run | WhatIf | ChangedForecast | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is still to come."""
        return self.key is not None and (self.run is None or self.run.state == "done")


def show_field(store: Store, state: State, run: Run | WhatIf | ChangedForecast | None) -> ShownField:
    """The field of a state, read into memory; or why there is none."""
    layer = state.shown_layer
    if layer.key in ("whatif", WHATIF_BESIDE.key) and run is None:
        return ShownField(note=COMES_LATER if state.whatif else NOTHING_CHANGED)
    run = run if layer.needs_run else None
    key = FieldKey(
        dataset=state.dataset,
        version=store.version(state.dataset),
        layer=state.layer,
        init_time=state.init_time,
        lead_time=int(state.lead_time) if layer.day == "valid" else 0,
        run="" if run is None else run.id,
    )
    version = _version(run)  # before reading: what comes later is another version
    try:
        field_id = store.fields.announce(key, run)
        store.fields.field(field_id).refresh()
    except FieldUnavailableError as error:
        return ShownField(note=str(error))
    return ShownField(field_id=field_id, version=version, key=key, run=run)


def _version(run: Run | WhatIf | ChangedForecast | None) -> str:
    return "0" if run is None else str(run.version)


@dataclass(frozen=True, kw_only=True)
class Other:
    """What B asks for: a state that does not change meanwhile, and the run that answers it."""

    state: State
    run: Run | ChangedForecast | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A second map B beside the one on the map, A.

    ``field`` is B's in a swipe, and B minus A where the difference is asked for; its note says why it is missing.
    ``errors`` tells which is nearer to the stations, where both are PM2.5 of one day that stations saw.
    """

    mode: str
    state: State
    run: Run | ChangedForecast | None
    scale: ColourScale
    field: ShownField
    errors: ErrorChange | None = None

    @property
    def is_difference(self) -> bool:
        """Whether the map shows B minus A instead of A."""
        return self.mode == "difference"


def compare_fields(store: Store, state: State, shown: ShownField, other: Other) -> Comparison:
    """B beside A, or the difference of both.

    Parameters
    ----------
    state : State
        A's.
    shown : ShownField
        A's.
    """
    layer, theirs = state.shown_layer, other.state.shown_layer
    difference = state.compare == "difference"
    errors = None
    scale = scale_for(DIFFERENCE.key, state.scale) if difference else layer_scale(theirs, state.scale)
    if layer.scale != theirs.scale:
        said = f"A is “{layer.title}” and B “{theirs.title}”: each has a scale of its own."
        field = ShownField(note=f"{said} Choose a B of A’s kind.")
    elif difference and layer.field and not layer.is_concentration:
        field = ShownField(
            note="Differences are of PM2.5; of this input, the layers hold day t minus day t−1."
        )
    else:
        beside = show_field(store, other.state, other.run)
        field = _difference(store, shown, beside) if difference else beside
        errors = _errors(store, state, shown, other.state, beside)
    if difference and errors is not None and state.stations:
        scale = replace(scale, note=CIRCLES)
    return Comparison(
        mode=state.compare, state=other.state, run=other.run, scale=scale, field=field, errors=errors
    )


def _errors(
    store: Store, state: State, shown: ShownField, other: State, beside: ShownField
) -> ErrorChange | None:
    """Which map is nearer to the stations; None before both are whole, and where that is no question."""
    if state.shown_time != other.shown_time or not state.shown_layer.is_concentration:
        return None
    if not (shown.is_whole and beside.is_whole) or shown.field_id == beside.field_id:
        return None
    try:
        first, second = (store.fields.field(one.field_id) for one in (shown, beside))
        return error_change(store, state, first, second)
    except StoreError as error:
        log.warning("No errors at stations: %s", error)
        return None


def _difference(store: Store, first: ShownField, second: ShownField) -> ShownField:
    if first.key is None or second.key is None:
        missing = [f"{name}: {one.note}" for name, one in (("A", first), ("B", second)) if one.key is None]
        return ShownField(note=" ".join(missing))
    field_id = store.fields.announce_difference((first.key, first.run), (second.key, second.run))
    store.fields.field(field_id).refresh()
    return ShownField(field_id=field_id, version=f"{first.version}-{second.version}")
