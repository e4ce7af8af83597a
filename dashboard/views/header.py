"""The bar at the top: what this is, what is shown, and that it is simulated where it is."""

from __future__ import annotations

import datetime as dt
from html import escape

from ..state import LAYERS, State
from ..theme import INK, SOFT

_NOTE = "margin-top:5px;color:var(--mui-palette-secondary-main);max-width:420px"

BRAND = (
    "<div style='display:flex;align-items:baseline;gap:10px;white-space:nowrap'>"
    "<span style='font-size:18px;font-weight:600;letter-spacing:-.01em'>CRAN-PM Explorer</span>"
    f"<span style='font-size:12.5px;{SOFT}'>PM2.5 over Europe, 1 km, tomorrow</span></div>"
)


def badge(source: str, simulated: bool) -> str:
    """Where the data come from; amber and first of all where they are simulated."""
    if not simulated:
        return f"<span style='font-size:12px;color:var(--mui-palette-text-secondary)'>{escape(source)}</span>"
    return (
        "<span class='cranpm-badge' title='Real geography, simulated weather and PM2.5: no number here describes the "
        "real world' style='display:inline-block;padding:3px 10px;border-radius:99px;background:#ffd166;color:#3a2a00;"
        f"font-size:12px;font-weight:600;white-space:nowrap'>{escape(source)}</span>"
    )


def long_date(day: dt.date | None) -> str:
    return "no day" if day is None else f"{day:%A} {day.day} {day:%B %Y}"


def title_html(state: State, *, checkpoint: str, badge_html: str, note: str = "") -> str:
    """The card at the map's corner: layer, valid day, init day, lead time, checkpoint."""
    lead = "" if state.layer == "today" else f" T+{state.lead_time}"
    first = f"{LAYERS[state.layer]}{lead}"
    if state.layer in ("forecast", "target"):
        when = f"valid {long_date(state.valid_time)}"
    elif state.layer == "today":
        when = long_date(state.init_time)
    else:
        reference = "today" if state.layer == "change" else "target"
        when = f"forecast minus {reference}, valid {long_date(state.valid_time)}"
    init = (
        ""
        if state.init_time is None
        else f"init {state.init_time.day} {state.init_time:%b %Y}, 24-h mean, UTC day"
    )
    model = (
        f" · {escape(checkpoint)}" if checkpoint and state.layer in ("forecast", "change", "error") else ""
    )
    warn = f"<div class='cranpm-note' style='{_NOTE}'>{escape(note)}</div>" if note else ""
    return (
        "<div class='cranpm-title' style='line-height:1.35;font-size:12.5px;color:var(--mui-palette-text-secondary)'>"
        "<div style='display:flex;gap:12px;align-items:center'>"
        f"<span style='font-size:17px;font-weight:600;{INK}'>{first}</span>{badge_html}</div>"
        f"<div style='color:var(--mui-palette-text-primary)'>{when}</div><div>{init}{model}</div>{warn}</div>"
    )
