"""Captions over the map for somebody who sees it for the first time; the browser remembers that they were seen."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import panel as pn
import panel_material_ui as pmui
import param
from panel.custom import JSComponent

from ...background import in_page

STATIC = Path(__file__).parents[2] / "static"

CAPTIONS: tuple[dict[str, str], ...] = (
    {"name": "place", "title": "Click the map", "text": "Its values, day by day", "target": ""},
    {"name": "why", "title": "Why here?", "text": "Where the forecast looks", "target": ""},
    {
        "name": "whatif",
        "title": "What if?",
        "text": "Turn the wind, see what changes",
        "target": ".cranpm-whatif",
    },
    {"name": "scores", "title": "How good?", "text": "Errors of what is in view", "target": ""},
)
"""What each is called, says, and brings into sight in the browser where that is not the map or the drawer."""


class FirstMinute(JSComponent):
    """The captions; a press is told to ``on_press`` by name.

    Parameters
    ----------
    on_press : callable
        Called with the name of a caption.
    welcome : bool
        Whether they appear at a first visit.
    """

    captions = param.List(default=list(CAPTIONS), constant=True)
    welcome = param.Boolean(default=True)
    asked = param.Integer(default=0, doc="Grows when somebody wants to see them, or to see them gone")

    _esm: ClassVar[str | PathLike[str]] = STATIC / "guide.js"
    _stylesheets: ClassVar[list[str]] = [(STATIC / "guide.css").read_text(encoding="utf-8")]

    def __init__(self, *, on_press: Callable[[str], None], welcome: bool) -> None:
        super().__init__(welcome=welcome, margin=0)
        self._document, self._on_press = pn.state.curdoc, on_press
        self.on_msg(lambda event: self.press(event.data))

    def press(self, name: Any) -> None:
        """What the browser says was pressed; it may say anything."""
        if any(caption["name"] == name for caption in CAPTIONS):
            in_page(self._document, lambda: self._on_press(name))

    def toggle(self) -> None:
        """Show them, or hide them where they are shown."""
        self.asked += 1


def header_button(icon: str, label: str, action: Callable[[], None]) -> pmui.IconButton:
    """A button of the bar at the top."""
    button = pmui.IconButton(
        icon=icon, description=label, size="small", margin=(11, 3), sx={"color": "inherit !important"}
    )
    button.on_click(lambda _event: action())
    return button
