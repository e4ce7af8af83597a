"""Which map is nearer to the stations, in a small card."""

from __future__ import annotations

import datetime as dt
import math

from ...data.station_errors import BOX_DEGREES, ErrorChange
from ...markup import Markup, signed
from ...theme import INK, SOFT

_CARD = Markup(
    "<div class='cranpm-errors' style='font-size:12px;line-height:1.45;border:1px solid var(--mui-palette-divider);"
    f"border-radius:8px;padding:7px 10px;{SOFT}'>"
    f"<div style='{INK};font-weight:600'>{{verdict}}</div><div>{{numbers}}</div><div>{{warning}}</div></div>"
)


def errors_html(errors: ErrorChange, day: dt.date) -> Markup:
    """Mean change of the error, its interval, and whether it is significant."""
    count = len(errors.table)
    nearer_a, nearer_b = errors.nearer
    known = math.isfinite(errors.low)
    if known and errors.is_significant:
        verdict = f"{'B' if errors.mean > 0 else 'A'} is nearer to the stations on this day"
    elif known:
        verdict = "No significant difference at the stations"
    else:
        verdict = "Too few stations to tell which is nearer"
    interval = ""
    if known:
        ends = f"{signed(errors.low, 2)} to {signed(errors.high, 2)}"
        interval = f", 95 % interval {ends} from {errors.boxes} redrawn boxes of {BOX_DEGREES:g}°"
    numbers = (
        f"|error of A| − |error of B| = {signed(errors.mean, 2)} µg/m³ on average over {count:,} stations on {day.day} "
        f"{day:%b %Y}{interval}. A is nearer at {nearer_a:,}, B at {nearer_b:,}."
    )
    return _CARD.format(verdict=verdict, numbers=numbers, warning="One day says nothing of other days.")
