"""The bar at the top: what this is, what is shown, and that it is simulated where it is."""

from __future__ import annotations

from ..changes import describe
from ..markup import Markup
from ..state import State, long_date
from ..theme import INK, PILL, SOFT

BRAND = Markup(
    "<div style='display:flex;align-items:baseline;gap:10px;white-space:nowrap'>"
    "<span style='font-size:18px;font-weight:600;letter-spacing:-.01em'>CRAN-PM Explorer</span>"
    f"<span style='font-size:12.5px;{SOFT}'>PM2.5 over Europe, 1 km, tomorrow</span></div>"
)

_REAL = Markup(f"<span style='font-size:12px;{SOFT}'>{{}}</span>")

_SIMULATED = Markup(
    "<span class='cranpm-badge' title='Real geography, simulated weather and PM2.5: no number here describes the "
    f"real world' style='display:inline-block;padding:3px 10px;{PILL};font-size:12px;white-space:nowrap'>{{}}</span>"
)

_NOTE = Markup(
    "<div class='cranpm-note' style='margin-top:5px;color:var(--mui-palette-secondary-main);max-width:420px'>{}</div>"
)

_CHANGES = Markup("<div class='cranpm-changes' style='margin-top:3px;max-width:420px'>If: <b>{}</b></div>")

_TITLE = Markup(
    f"<div class='cranpm-title' style='line-height:1.35;font-size:12.5px;{SOFT}'>"
    "<div style='display:flex;gap:12px;align-items:center'>"
    f"<span style='font-size:17px;font-weight:600;{INK}'>{{first}}</span>{{badge}}</div>"
    f"<div style='{INK}'>{{when}}</div><div>{{init}}{{model}}</div>{{changes}}{{note}}</div>"
)


_MINUS = {"change": "today", "error": "target"}


def badge(source: str, simulated: bool) -> Markup:
    """Where the data come from; amber and first of all where they are simulated."""
    return (_SIMULATED if simulated else _REAL).format(source)


_COMPARED = Markup(
    f"<div class='cranpm-title' style='line-height:1.5;font-size:12.5px;{SOFT}'>"
    "<div style='display:flex;gap:12px;align-items:center'>"
    f"<span style='font-size:17px;font-weight:600;{INK}'>{{}}</span>{{}}</div><div style='{INK}'>{{}}</div>{{}}</div>"
)


def title_html(state: State, *, badge_html: Markup, note: str = "", sides: Markup | str = "") -> Markup:
    """The card at the map's corner: layer, valid day, init day, lead time, checkpoint.

    ``sides`` are the lines that tell A from B, where two maps are compared.
    """
    layer = state.shown_layer
    if sides:
        what = "Difference, B minus A" if state.compare == "difference" else "A beside B"
        return _COMPARED.format(what, badge_html, sides, _NOTE.format(note) if note else "")
    of_lead = layer.day == "valid"
    if state.layer == "whatif":
        when = f"minus the forecast, valid {long_date(state.valid_time)}"
    elif state.layer in _MINUS:
        when = f"forecast minus {_MINUS[state.layer]}, valid {long_date(state.valid_time)}"
    else:
        when = f"{'valid ' if of_lead else ''}{long_date(state.shown_time)}"
    init = (
        ""
        if state.init_time is None
        else f"init {state.init_time.day} {state.init_time:%b %Y}, 24-h mean, UTC day"
    )
    made = bool(state.checkpoint) and layer.needs_run
    return _TITLE.format(
        first=f"{layer.title} T+{state.lead_time}" if of_lead else layer.title,
        badge=badge_html,
        when=when,
        init=init,
        model=f" · {state.checkpoint}" if made else "",
        changes=_CHANGES.format(describe(state.whatif)) if state.layer == "whatif" and state.whatif else "",
        note=_NOTE.format(note) if note else "",
    )
