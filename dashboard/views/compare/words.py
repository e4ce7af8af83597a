"""What is A and what is B, in words: on the handle, in the title."""

from __future__ import annotations

import datetime as dt

from ...changes import describe
from ...data.pictures import Picture
from ...layers import WHATIF_BESIDE
from ...markup import Markup, join
from ...state import State

_SIDE = Markup("<div class='cranpm-side'>{} {}</div>")
TAG = Markup(
    "<b style='display:inline-block;min-width:16px;text-align:center;border-radius:4px;font-size:11px;line-height:16px;"
    "background:var(--mui-palette-primary-main);color:var(--mui-palette-primary-contrastText)'>{}</b>"
)
"""A letter on a coloured ground."""


def _day(day: dt.date | None) -> str:
    return "no day" if day is None else f"{day.day} {day:%b %Y}"


def name_of(state: State) -> str:
    """“Forecast T+1”."""
    layer = state.shown_layer
    return f"{layer.title} T+{state.lead_time}" if layer.day == "valid" else layer.title


def side(state: State) -> str:
    """A map in one line: layer, its day, where it starts, and what made it."""
    parts = [name_of(state), _day(state.shown_time)]
    if state.shown_layer.day == "valid":
        parts.append(f"init {_day(state.init_time)}")
    if state.shown_layer.needs_run and state.checkpoint:
        parts.append(state.checkpoint)
    if state.layer == WHATIF_BESIDE.key and state.whatif:
        parts.append(describe(state.whatif))
    return " · ".join(parts)


def labels(one: State, other: State) -> tuple[str, str]:
    """Short names of both: the layer, and of all else what tells them apart."""
    words = []
    for state in (one, other):
        parts = [name_of(state)]
        if one.shown_time != other.shown_time:
            parts.append(_day(state.shown_time))
        elif one.init_time != other.init_time:
            parts.append(f"init {_day(state.init_time)}")
        if one.checkpoint != other.checkpoint and state.shown_layer.needs_run:
            parts.append(state.checkpoint)
        words.append(" · ".join(parts))
    return words[0], words[1]


def sides_html(picture: Picture) -> Markup:
    """Two lines for the title: A, and B; empty where nothing is compared."""
    if picture.comparison is None:
        return Markup("")
    sides = (("A", picture.state), ("B", picture.comparison.state))
    return join(_SIDE.format(TAG.format(letter), side(state)) for letter, state in sides)
