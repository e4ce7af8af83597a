"""What a click changes on the map is changed under the document's lock, whether Panel calls back under it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.document import Document
from cranpm.dashboard.page.explorer import Explorer

BOX = (8.6, 45.1, 10.1, 45.9)
ONE_TILE = {"left": [1e6], "right": [2e6], "bottom": [5e6], "top": [6e6]}


class Session:
    """As Bokeh's own: changes of its document without the lock are an error."""

    def __init__(self) -> None:
        self.locked = False
        self.changes = 0

    def _document_patched(self, _event: Any) -> None:
        if not self.locked:
            raise RuntimeError("we should have the lock when the document changes")
        self.changes += 1


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def opened(
    explorer: Callable[..., Explorer], session: Session, machine: Path, polling_by_hand: None
) -> Iterator[Explorer]:
    """A page whose map is shown in a browser."""
    shown = explorer(layer="today", stations=True)
    document = Document()
    context = SimpleNamespace(destroyed=False)
    document._session_context = lambda: context  # type: ignore[assignment]
    document.add_root(shown.map.figure)
    document.callbacks.on_change_dispatch_to(session)
    yield shown
    document.callbacks.remove_on_change(session)


def do_what_waits(document: Document, session: Session) -> None:
    """What the server's loop does next, under the lock."""
    session.locked = True
    for due in list(document.session_callbacks):
        document.remove_next_tick_callback(due)
        due.callback()
    session.locked = False


@pytest.mark.parametrize(
    ("click", "shown"),
    [
        (lambda page: page.state.param.update(box=BOX), lambda page: len(page.box._source.data["left"])),
        (lambda page: page.box.draw(True), lambda page: page.box.drawing),
        (
            lambda page: page.state.param.update(region="po_valley"),
            lambda page: page.map._view.data["serial"][0],
        ),
        (
            lambda page: page.page.param.update(dark_theme=not page.page.dark_theme),
            lambda page: "theme=dark" in page.map._picture.data["url"][0],
        ),
        (lambda page: page.map.set_place((45.4, 9.2)), lambda page: len(page.map._place.data["x"])),
        (
            lambda page: page.map.set_stations(page.shown.stations.head(3), page.shown.scale),
            lambda page: len(page.map.stations.data["x"]) == 3,
        ),
        (
            lambda page: page.map.seams.draw(ONE_TILE, ONE_TILE),
            lambda page: len(page.map.seams.tiles.data["left"]),
        ),
        (lambda page: page.map.clear(), lambda page: page.map._picture.data["cell"] == [""]),
    ],
    ids=["box", "draw a box", "region", "theme", "place", "stations", "seams", "no field"],
)
def test_changes_of_the_map_wait_for_the_lock(
    opened: Explorer, session: Session, click: Callable[[Explorer], None], shown: Callable[[Explorer], Any]
):
    document = opened.map.figure.document
    assert document is not None
    assert not shown(opened)
    click(opened)
    assert session.changes == 0
    do_what_waits(document, session)
    assert session.changes > 0
    assert shown(opened)
