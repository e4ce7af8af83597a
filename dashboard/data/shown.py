"""The field that a state shows; and where a second map B stands beside it (A), that one and what they differ by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cranpm.plot.channel_scales import find_scale
from cranpm.plot.style import ColourScale, scale_for

from ..layers import DIFFERENCE, Layer
from ..state import State
from .fields import FieldKey, FieldUnavailableError
from .store import Store

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run

    from .whatif import WhatIf

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
    run: Run | WhatIf | None = None


def show_field(store: Store, state: State, run: Run | WhatIf | None) -> ShownField:
    """The field of a state, read into memory; or why there is none."""
    layer = state.shown_layer
    if layer.key == "whatif" and run is None:
        return ShownField(
            note="The forecast comes first, then what is changed." if state.whatif else NOTHING_CHANGED
        )
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


def _version(run: Run | WhatIf | None) -> str:
    return "0" if run is None else str(run.version)


@dataclass(frozen=True, kw_only=True)
class Other:
    """What B asks for: a state that does not change meanwhile, and the run that answers it."""

    state: State
    run: Run | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A second map B beside the one on the map, A.

    ``field`` is B's in a swipe, and B minus A where the difference is asked for; ``note`` says why it is missing.
    """

    mode: str
    state: State
    run: Run | None
    scale: ColourScale
    field: ShownField

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
    scale = scale_for(DIFFERENCE.key, state.scale) if difference else layer_scale(theirs, state.scale)
    if layer.scale != theirs.scale:
        said = f"A is “{layer.title}” and B “{theirs.title}”: each has a scale of its own."
        field = ShownField(note=f"{said} Choose a B of A’s kind.")
    elif difference and layer.field and not layer.is_concentration:
        field = ShownField(
            note="Differences are of PM2.5; of this input, the layers hold day t minus day t−1."
        )
    else:
        field = show_field(store, other.state, other.run)
        if difference:
            field = _difference(store, shown, field)
    return Comparison(mode=state.compare, state=other.state, run=other.run, scale=scale, field=field)


def _difference(store: Store, first: ShownField, second: ShownField) -> ShownField:
    if first.key is None or second.key is None:
        missing = [f"{name}: {one.note}" for name, one in (("A", first), ("B", second)) if one.key is None]
        return ShownField(note=" ".join(missing))
    field_id = store.fields.announce_difference((first.key, first.run), (second.key, second.run))
    store.fields.field(field_id).refresh()
    return ShownField(field_id=field_id, version=f"{first.version}-{second.version}")
