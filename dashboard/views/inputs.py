"""The strip that says what a forecast was made from: source, hash, gaps, inputs beyond the training range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import panel as pn

from cranpm._json import JsonObject
from cranpm.data.input_ranges import INPUTS, UNUSUAL, UnusualInput

from ..markup import Html, Markup, join
from ..theme import ACCENT, INK, SOFT
from .controls import heading

if TYPE_CHECKING:
    from cranpm.forecasting.service.run import Run
    from cranpm.forecasting.service.run_folder import RunStatus

_STRIP = Markup(
    f"<div class='cranpm-inputs' style='font-size:12px;line-height:1.4;overflow-wrap:anywhere;{SOFT}'>{{}}</div>"
)
_SOURCE = Markup(
    f"<div><span style='{INK}'>{{}}</span> · <span title='Hash of the dataset'>{{}}</span></div>"
)
_LINE = Markup("<div>{}</div>")
_UNUSUAL = Markup(
    f"<details><summary style='cursor:pointer;{ACCENT}'>{{}}</summary>"
    "<ul style='margin:3px 0 0;padding-left:16px;max-height:132px;overflow-y:auto'>{}</ul></details>"
)
_ITEM = Markup("<li>{}</li>")
_NOT_KNOWN = {False: "not read yet.", True: "not recorded with this forecast."}
"""By whether the run has finished."""


class InputStrip:
    """A section of the column of controls.

    Parameters
    ----------
    source : str
        Where the dataset comes from.
    content_hash : str
        Of the dataset; empty where it has none.
    """

    def __init__(self, source: str, content_hash: str) -> None:
        self._first = _SOURCE.format(source, content_hash[:12] or "no hash")
        self.text = Html("", margin=(2, 16, 0, 16), sizing_mode="stretch_width")
        self.root = pn.Column(heading("Inputs"), self.text, sizing_mode="stretch_width", margin=0)
        self.show(None)

    def show(self, run: Run | None) -> None:
        """Say what the run has read, as far as it has."""
        text = _STRIP.format(join([self._first, *_read(None if run is None else run.status)]))
        if self.text.object != text:  # a list that somebody has opened stays open
            self.text.object = text


def _read(status: RunStatus | None) -> list[Markup]:
    """Lines on gaps and ranges; what is not known is said to be so, and never looks like a clean bill."""
    if status is None:
        return [_LINE.format("Gaps and ranges: known once a forecast has read them.")]
    if status.missing_land is None or status.missing_coarse is None:
        return [_LINE.format(f"Gaps and ranges: {_NOT_KNOWN[status.finished]}")]
    land, coarse = _percent(status.missing_land), _percent(status.missing_coarse)
    gaps = f"Gaps: {land} of the land today, {coarse} of weather and composition"
    return [_LINE.format(gaps), _ranges(status.unusual_inputs)]


def _ranges(entries: tuple[JsonObject, ...]) -> Markup:
    if not entries:
        return _LINE.format(f"All {INPUTS} inputs within {UNUSUAL:g} s.d. of the training period")
    worst = sorted((UnusualInput(**entry) for entry in entries), key=lambda one: -one.share)
    number = f"{len(worst)} of {INPUTS} inputs beyond the training range"
    return _UNUSUAL.format(number, join(_ITEM.format(str(one)) for one in worst))


def _percent(share: float) -> str:
    """A share in percent; a little is never nothing."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share:.1%}".replace("%", " %")
