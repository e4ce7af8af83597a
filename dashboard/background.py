"""Work in threads, and the way back to the page that asked: the server's own loop never waits for a file.

A page is on its way from the moment its document is copied for the browser until the browser has mounted it. A change
made meanwhile can get lost: Bokeh's client ignores patches that come before the document, and a component of React
that has read its model but does not listen yet never hears of them. Such changes wait, see `hold`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakMethod, WeakSet

from bokeh.document import Document

if TYPE_CHECKING:
    from bokeh.plotting import figure

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")
OnFigureT = TypeVar("OnFigureT", bound="OnFigure")

Then = Callable[[T | None, BaseException | None], None]
"""Gets the result, or the error."""

_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="pages")


_TELL: WeakKeyDictionary[Document, WeakMethod[Callable[[str], None]]] = WeakKeyDictionary()
"""How each page says a sentence to its reader, by document."""


_ON_THE_WAY: WeakKeyDictionary[Document, list[tuple[int, Callable[[], None]]]] = WeakKeyDictionary()
"""What waits until a page is mounted, each with its place in the order in which it came, by document."""

_PLACES = itertools.count()

_LOOPS: WeakKeyDictionary[Document, asyncio.AbstractEventLoop] = WeakKeyDictionary()
"""The loop of the server that each page was made in."""

_SENT: WeakSet[Document] = WeakSet()
"""Documents that have been on their way once; a browser reports only once that it has mounted one."""

_HELD = threading.Lock()

_NOW = threading.local()
"""``locked``: the document whose lock is held by what this thread does now; tasks begun meanwhile do not inherit it."""

POLL_MILLISECONDS = 350
"""How often a page looks how far what it waits for has come."""

HOLD_SECONDS = 60.0
"""After this, a browser that never said that it has mounted the page gets the changes all the same."""


def hold(document: Document) -> None:
    """The document is about to be copied for a browser: changes of it wait until the browser has mounted it."""
    with _HELD:
        if document in _SENT:
            return
        _SENT.add(document)
        _ON_THE_WAY[document] = []
    document.on_event("document_ready", lambda _event: release(document))
    document.add_timeout_callback(lambda: release(document), int(1000 * HOLD_SECONDS))
    # the actions keep the page, and with it the document: they would outlive a tab that is closed meanwhile
    document.on_session_destroyed(lambda _context: _forget(document))


def release(document: Document) -> None:
    """The browser shows the page: what waited is done now, in the order in which it came."""
    with _HELD:
        waiting = _ON_THE_WAY.pop(document, [])

        def catch_up() -> None:
            for _place, action in sorted(waiting, key=itemgetter(0)):
                action()

        if waiting:
            _schedule(document, catch_up)


def _forget(document: Document) -> None:
    with _HELD:
        _ON_THE_WAY.pop(document, None)


def in_page(document: Document | None, action: Callable[[], None]) -> None:
    """Do something under the lock of a page's document; not at all where the page is gone.

    At once where no browser is behind it; later where the page is on its way, see `hold`. What goes wrong is told
    there, see `failed`.
    """

    if document is None:
        action()
    else:
        _next_tick(document, partial(_guarded, document, action))


def _guarded(document: Document, action: Callable[[], None]) -> None:
    """Do something now that the document's lock is held; what goes wrong is told."""
    _NOW.locked = document
    try:
        action()
    except Exception as error:
        failed(document, error)
    finally:
        _NOW.locked = None


class OnFigure(Protocol):
    """Something that changes what is on a figure of Bokeh."""

    @property
    def figure(self) -> figure: ...


def under_lock(
    method: Callable[Concatenate[OnFigureT, P], None],
) -> Callable[Concatenate[OnFigureT, P], None]:
    """Decorate a method that changes Bokeh's own models: at once under their document's lock, else in turn under it.

    Bokeh refuses changes without that lock. Panel changes its components without it, and calls back without it when a
    click comes while another change of the page still waits, as happens on a busy machine.
    """

    @wraps(method)
    def locked(self: OnFigureT, *args: P.args, **kwargs: P.kwargs) -> None:
        document = self.figure.document
        if document is None or getattr(_NOW, "locked", None) is document:
            method(self, *args, **kwargs)
        else:
            # whoever clicked has the page before them: it need not wait for the report that it is mounted
            _schedule(document, partial(_guarded, document, partial(method, self, *args, **kwargs)))

    return locked


def tell_failures(document: Document | None, say: Callable[[str], None]) -> None:
    """From now on this method tells the reader of a page what went wrong in it; it does not keep the page alive."""
    if document is not None:
        _TELL[document] = WeakMethod(say)


def failed(document: Document | None, error: BaseException | None) -> None:
    """Something of a page went wrong that nobody foresaw: the log gets everything, its reader one sentence.

    Parameters
    ----------
    error : BaseException or None
        None if the log has it already.
    """
    if error is not None:
        log.error("An error in a page", exc_info=error)
    weak = None if document is None else _TELL.get(document)
    say = None if weak is None else weak()
    if document is not None and say is not None:
        kind = "" if error is None else f", {type(error).__name__}"
        sentence = f"That did not work: an error of this program{kind}. The server's log says more."
        _next_tick(document, lambda: say(sentence))


def _next_tick(document: Document, action: Callable[[], None]) -> None:
    place = next(_PLACES)

    def now_or_later() -> None:
        # the document may have been copied while this waited for its turn
        if not _waits(document, place, action):
            action()

    if not _waits(document, place, action):
        _schedule(document, now_or_later)


def _waits(document: Document, place: int, action: Callable[[], None]) -> bool:
    """Whether a page is on its way, and the action therefore among those that wait."""
    with _HELD:
        waiting = _ON_THE_WAY.get(document)
        if waiting is not None:
            waiting.append((place, action))
        return waiting is not None


def _schedule(document: Document, action: Callable[[], None]) -> None:
    """Have the server's loop do something under the document's lock; from any thread."""

    def add() -> None:
        context = document.session_context
        if context is not None and not context.destroyed:
            document.add_next_tick_callback(action)

    loop = _LOOPS.get(document)
    if loop is None or loop is _running_loop():
        add()
    else:
        # Bokeh and Panel collect what happens to a document that they hold in a plain list, and replace it afterwards:
        # what another thread adds in between is lost
        with contextlib.suppress(RuntimeError):  # closed: the server is gone
            loop.call_soon_threadsafe(add)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _belongs_to_this_loop(document: Document | None) -> None:
    loop = _running_loop()
    if document is not None and loop is not None:
        _LOOPS[document] = loop


class Latest:
    """Answers one page's questions in a thread, one at a time; of those asked meanwhile only the last.

    Parameters
    ----------
    document : bokeh Document or None
        Of the page; without one, answers come at once.
    """

    def __init__(self, document: Document | None) -> None:
        self._document = document
        _belongs_to_this_loop(document)
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: tuple[Callable[[], Any], Then[Any]] | None = None

    @property
    def busy(self) -> bool:
        return self._busy

    def ask(self, work: Callable[[], T], then: Then[T]) -> None:
        """Do ``work`` in a thread; ``then(result, None)`` or ``then(None, error)`` is called in the page."""
        if self._document is None:
            then(*_outcome(work))
            return
        with self._lock:
            if self._busy:
                self._waiting = work, then
                return
            self._busy = True
        _THREADS.submit(self._answer, work, then)

    def _answer(self, work: Callable[[], Any], then: Then[Any]) -> None:
        result, error = _outcome(work)
        in_page(self._document, lambda: then(result, error))
        with self._lock:
            following, self._waiting = self._waiting, None
            self._busy = following is not None
        if following is not None:
            _THREADS.submit(self._answer, *following)


def _outcome(work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error
