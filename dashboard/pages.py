"""Which page a request gets: the map, the first-run page, or a page that says what is wrong."""

from __future__ import annotations

import logging

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewable

from .data.store import get_store
from .page.explorer import Explorer
from .state import State
from .views.first_run import COMMAND, first_run_pane, shared_build
from .views.frame import page_frame
from .views.problem import problem_pane

log = logging.getLogger(__name__)


TITLE = "CRAN-PM Explorer"


def serve() -> None:
    """Put the page of this request into its document.

    What goes wrong ends here: Panel would show the traceback, to this visitor and to all that come after.
    """
    try:
        build().servable(title=TITLE)
    except Exception as error:
        log.exception("The page could not be rendered")
        document = pn.state.curdoc
        if document is not None:
            document.clear()
        _problem(error).servable(title=TITLE)


def build() -> pmui.Page:
    """The page for this request: the map, the first-run page, or a page that says what is wrong."""
    try:
        return _build()
    except Exception as error:
        log.exception("The page could not be built")
        return _problem(error)


def _problem(error: Exception) -> pmui.Page:
    message = str(error) or type(error).__name__
    return plain_page(problem_pane("The map cannot be shown", message, "cranpm doctor"))


def _build() -> pmui.Page:
    state, notices = State.from_query(pn.state.session_args or {})
    store = get_store()
    folders = store.dataset_folders()
    if not folders or shared_build().state == "running":
        return plain_page(first_run_pane(open_map))
    if state.dataset not in folders:
        if state.dataset:
            notices.append(f"There is no dataset “{state.dataset}” on this machine.")
        state.dataset = "testbed" if "testbed" in folders else next(iter(folders), "")
    if not store.days(state.dataset):
        message = f"The dataset “{state.dataset}” holds no days yet; its build was probably interrupted."
        return plain_page(problem_pane("Nothing to show yet", message, COMMAND))
    return Explorer(state, store, notices).page


def plain_page(*content: Viewable) -> pmui.Page:
    """A page without controls."""
    return page_frame(main=list(content), theme_toggle=False)


def open_map() -> None:
    """Load this page anew, now that there is something to show."""
    location = pn.state.location
    if location is not None:
        location.reload = True
        location.search = "?dataset=testbed&layer=" + ("forecast" if get_store().checkpoints() else "today")
