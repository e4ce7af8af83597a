"""Changes wait while a page is on its way to its browser; none is lost, and none is kept for a tab that is gone."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import DocumentReady
from cranpm.dashboard.background import Latest, hold, in_page, release, under_lock


@pytest.fixture
def document() -> Document:
    """That of an open tab."""
    made = Document()
    made._session_context = lambda: context  # type: ignore[assignment]
    context = SimpleNamespace(destroyed=False)
    return made


def run_callbacks(document: Document) -> None:
    """What the server's loop does, of what it is to do next."""
    for due in list(document.session_callbacks):
        if type(due).__name__ == "NextTickCallback":
            document.remove_next_tick_callback(due)
            due.callback()


def test_changes_wait_from_the_copy_of_the_document_until_it_is_mounted_and_keep_their_order(
    document: Document,
):
    seen: list[int] = []
    in_page(document, lambda: seen.append(0))
    run_callbacks(document)
    assert seen == [0]  # part of the copy
    hold(document)
    for number in (1, 2, 3):
        in_page(document, lambda number=number: seen.append(number))  # type: ignore[misc]
    run_callbacks(document)
    assert seen == [0]
    document.callbacks.trigger_event(DocumentReady())
    run_callbacks(document)
    assert seen == [0, 1, 2, 3]


def test_a_change_that_waited_for_its_turn_while_the_document_was_copied_is_not_lost(document: Document):
    """It came before the copy, but its turn comes after: the browser would not hear of it."""
    seen: list[int] = []
    in_page(document, lambda: seen.append(1))
    hold(document)
    in_page(document, lambda: seen.append(2))
    run_callbacks(document)
    assert seen == []
    release(document)
    run_callbacks(document)
    assert seen == [1, 2]


def test_other_threads_leave_the_document_to_the_servers_loop(document: Document):
    """What a thread adds while Bokeh or Panel hold the document could get lost."""
    seen: list[int] = []

    async def serve() -> None:
        Latest(document)
        thread = threading.Thread(target=lambda: in_page(document, lambda: seen.append(1)))
        thread.start()
        thread.join(10)
        assert not document.session_callbacks
        await asyncio.sleep(0)
        assert len(document.session_callbacks) == 1

    asyncio.run(serve())
    run_callbacks(document)
    assert seen == [1]


def test_a_page_is_held_once(document: Document):
    """A second copy, after a connection that was lost, is not followed by a word of the browser."""
    seen: list[int] = []
    hold(document)
    release(document)
    hold(document)
    in_page(document, lambda: seen.append(1))
    run_callbacks(document)
    assert seen == [1]


def test_a_browser_that_never_says_that_it_is_ready_gets_the_changes_in_the_end(document: Document):
    seen: list[int] = []
    hold(document)
    in_page(document, lambda: seen.append(1))
    (late,) = (due for due in document.session_callbacks if type(due).__name__ == "TimeoutCallback")
    assert 10_000 <= late.timeout <= 120_000  # type: ignore[attr-defined]
    late.callback()
    run_callbacks(document)
    assert seen == [1]


def test_a_tab_that_is_closed_on_the_way_is_not_kept(document: Document):
    class Kept:
        pass

    kept: Any = Kept()
    gone = weakref.ref(kept)
    hold(document)
    in_page(document, lambda kept=kept, document=document: None)  # type: ignore[misc]
    for callback in document.callbacks.session_destroyed_callbacks:
        callback(SimpleNamespace())  # type: ignore[arg-type]
    del kept, document
    gc.collect()
    assert gone() is None


class Drawing:
    """Something on a figure that is in a document."""

    def __init__(self, document: Document | None) -> None:
        self.figure: Any = SimpleNamespace(document=document)
        self.seen: list[int] = []

    @under_lock
    def draw(self, value: int) -> None:
        self.seen.append(value)


def test_a_change_of_bokehs_models_is_made_under_the_lock_and_at_once_where_it_is_held(document: Document):
    drawing = Drawing(document)
    drawing.draw(1)
    assert drawing.seen == []
    run_callbacks(document)
    assert drawing.seen == [1]

    def picture() -> None:
        drawing.draw(2)
        assert drawing.seen == [1, 2]

    in_page(document, picture)
    run_callbacks(document)
    drawing.draw(3)  # the lock is held no more
    assert drawing.seen == [1, 2]
    run_callbacks(document)
    assert drawing.seen == [1, 2, 3]
    Drawing(None).draw(4)


def test_a_click_is_answered_while_the_page_has_not_yet_reported_that_it_is_mounted(document: Document):
    drawing = Drawing(document)
    hold(document)
    drawing.draw(1)
    run_callbacks(document)
    assert drawing.seen == [1]


def test_what_begins_under_the_lock_and_goes_on_later_does_not_take_it_for_held(document: Document):
    drawing = Drawing(document)

    async def later() -> None:
        await asyncio.sleep(0)
        drawing.draw(1)

    async def server() -> None:
        tasks: list[asyncio.Task[None]] = []
        in_page(document, lambda: tasks.append(asyncio.get_running_loop().create_task(later())))
        run_callbacks(document)
        await asyncio.gather(*tasks)

    asyncio.run(server())
    assert drawing.seen == []
    run_callbacks(document)
    assert drawing.seen == [1]
