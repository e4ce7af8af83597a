"""The notice over the map: what was ignored, refused or could not be read."""

from __future__ import annotations

import panel_material_ui as pmui

from ..markup import Html, without_paths
from ..theme import NOTICE


class Notice:
    """A card that says a sentence and can be closed."""

    def __init__(self, text: str = "") -> None:
        self.text = Html("", margin=0)
        # the card's own `object` is decoded twice in the browser: escaped text would become HTML there
        self.root = pmui.Alert(
            self.text, title="", severity="info", variant="filled", closeable=True, visible=False, margin=0,
            styles={**NOTICE},
        )  # fmt: skip
        if text:
            self.say(text)

    def say(self, text: str) -> None:
        """Show a sentence; the last one is shown until it is closed."""
        self.text.object = without_paths(text)
        self.root.param.update(visible=True, closed=False)
