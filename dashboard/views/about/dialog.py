"""The dialog “About”: a button in the bar at the top, filled when it is opened."""

from __future__ import annotations

import logging

import panel as pn
import panel_material_ui as pmui

from ...background import Latest
from ...data.store import Store
from ...markup import Html, without_paths
from ...state import State
from ...theme import DIALOG_SX
from .facts import Facts, facts_html, read_facts

log = logging.getLogger(__name__)


class About:
    """A button and its dialog.

    Parameters
    ----------
    state : State
        Holds which dataset and checkpoint are shown.
    store : Store
    """

    def __init__(self, state: State, store: Store) -> None:
        self._state, self._store = state, store
        self._questions = Latest(pn.state.curdoc)
        self.button = pmui.Button(
            label="About",
            icon="info",
            variant="text",
            size="small",
            margin=(8, 0),
            sx={"color": "inherit !important"},  # in an app bar buttons are white, even those of a white bar
        )
        self.button.on_click(lambda _event: self.open())
        self.text = Html("", sizing_mode="stretch_width", margin=(0, 4))
        # part of the page from the start: one that is added and opened in one step sometimes never shows
        self.dialog = pmui.Dialog(
            self.text,
            title="About this page: data, licences, model",
            close_on_click=True,
            show_close_button=True,
            sx=DIALOG_SX,
            width_option="md",
        )

    def open(self) -> None:
        """Show the dialog, and fill it with what is shown now."""
        dataset, checkpoint = self._state.dataset, self._state.checkpoint
        self.text.object = "Reading …"
        self.dialog.open = True

        def read() -> Facts:
            folder = self._store.checkpoints().get(checkpoint)
            return read_facts(self._store.dataset(dataset).meta, checkpoint, folder)

        def then(facts: Facts | None, error: BaseException | None) -> None:
            if facts is None:
                log.warning("No facts", exc_info=error)
                reason = without_paths(str(error) or type(error).__name__)
                self.text.object = f"This cannot be read: {reason} Close this, and open it again."
            else:
                self.text.object = facts_html(facts)

        self._questions.ask(read, then)
