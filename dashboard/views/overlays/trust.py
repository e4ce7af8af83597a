"""“How far can I trust this picture?”: a button in the drawer that hides patches of the place, and the answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeAlias

import panel as pn
import panel_material_ui as pmui
from panel.io.callbacks import PeriodicCallback

from cranpm._progress import duration

from ...background import POLL_MILLISECONDS, in_page
from ...data.forecasts import Forecasts
from ...data.trust import CAVEAT, effects_of, paragraphs, table_of, verdict
from ...markup import Html, Markup, join, table, without_paths
from ...state import State
from ...theme import INK, SOFT
from .reader import Look

if TYPE_CHECKING:
    from cranpm.explain.place_answer import PlaceAnswer
    from cranpm.explain.place_test import PlaceTest

QUESTION = "How far can I trust this picture?"

_Question: TypeAlias = tuple[str, int, int, int] | tuple[()]
"""Run, lead time, tile and token; empty where there is nothing to ask about."""

_PLOT_WIDTH = 200

_HINT = (
    "Hides from this place what it attends to most, and what is near, and sees how much its forecast minds."
)
_SAID = Markup(
    f"<div class='cranpm-trust' role='status' style='font-size:12px;line-height:1.5;{SOFT}'>{{}}</div>"
)
_FOUND = Markup(f"<b style='{INK}'>{{}}</b>{{}}<p style='margin:5px 0 0'><b>{{}}</b></p>")
_PARAGRAPH = Markup("<p style='margin:5px 0 0'>{}</p>")
_KEY = Markup(f"<div style='font-size:12px;line-height:1.7;{INK}'>{{}}</div>")
_ENTRY = Markup(
    "<span style='margin-right:12px;white-space:nowrap'><svg width='30' height='10' aria-hidden='true'>"
    "<line x1='0' y1='5' x2='30' y2='5' stroke='{colour}' stroke-width='2.2' stroke-dasharray='{dash}'/>"
    "{mark}</svg> {label}</span>"
)
_DASHES = {"solid": "none", "dashed": "6 4", "dotted": "2 3"}
_MARKS = {
    "circle": Markup("<circle cx='15' cy='5' r='4' fill='{}'/>"),
    "square": Markup("<rect x='11' y='1' width='8' height='8' fill='{}'/>"),
    "triangle": Markup("<path d='M15 0 L20 9 L10 9 Z' fill='{}'/>"),
}


class TrustView:
    """The button, how far the test is, and its answer; a test of another place than the shown one is left.

    Parameters
    ----------
    state : State
        Of the page, whose place and forecast may change.
    forecasts : Forecasts
    """

    def __init__(self, state: State, forecasts: Forecasts) -> None:
        self._forecasts = forecasts
        self._document = pn.state.curdoc
        self._lock = threading.Lock()
        self._closed = self._dark = False
        self._look = Look()
        self._question: _Question = ()
        self._test: PlaceTest | None = None
        self._answers: dict[_Question, PlaceAnswer] = {}
        self._asking = False
        self._poll: PeriodicCallback | None = None
        self.button = pmui.Button(
            label=QUESTION, icon="fact_check", size="small", variant="outlined", margin=(2, 4, 2, 16)
        )
        self.cancel = pmui.Button(
            label="Cancel", icon="close", size="small", variant="text", margin=(2, 4), visible=False
        )
        self.button.on_click(lambda _event: self.ask())
        self.cancel.on_click(lambda _event: self._stop())
        self.bar = pmui.LinearProgress(
            value=0,
            variant="indeterminate",
            sizing_mode="stretch_width",
            margin=(6, 16, 0, 16),
            visible=False,
        )
        self.text = Html("", sizing_mode="stretch_width", margin=(4, 16, 4, 16))
        self.plot = pn.pane.HoloViews(sizing_mode="fixed", margin=(4, 8, 0, 8))
        self.more = Html("", sizing_mode="stretch_width", margin=(0, 16, 16, 16))
        self.root = pn.Column(
            pn.Row(self.button, self.cancel, margin=0), self.bar, self.text, self.plot, self.more,
            sizing_mode="stretch_width", margin=0, visible=False,
        )  # fmt: skip
        state.param.watch(
            lambda _event: self._forget(), ["place", "lead_time", "init_time", "checkpoint", "dataset"]
        )
        if self._document is not None:
            self._document.on_session_destroyed(lambda _context: self.close())

    def close(self) -> None:
        """The page is gone."""
        with self._lock:
            self._closed = True
        self._leave()

    def show(self, look: Look, *, dark: bool = False) -> None:
        """Be about this footprint, on a light or dark ground; without one there is no picture to trust."""
        question = _question(look)
        if question == self._question and dark == self._dark:
            return
        self._look, self._dark = look, dark
        if question != self._question:
            self._leave()
            self._question = question
        self.root.visible = bool(question)
        if question in self._answers:
            self._found(self._answers[question])
        elif self._test is None and not self._asking:
            self._say(_HINT)

    # -- asking, and ceasing to ask -------------------------------------------------------------------------------

    def ask(self) -> None:
        """Test the place that is shown."""
        picture, question = self._look.picture, self._question
        if not question or self._asking or self._test is not None or picture is None or picture.run is None:
            return
        self._asking = True
        self._say("Asking …", busy=True)

        def then(test: PlaceTest | None, error: BaseException | None) -> None:
            with self._lock:
                closed = self._closed
            if not closed:
                in_page(self._document, lambda: self._started(question, test, error))
            elif test is not None:
                self._forecasts.leave(test)

        _, lead, tile, token = question
        self._forecasts.test_place(picture.run, lead=lead, tile=tile, token=token, then=then)

    def _started(self, question: _Question, test: PlaceTest | None, error: BaseException | None) -> None:
        if question != self._question or not self._asking:  # another place meanwhile, or cancelled
            if test is not None:
                self._forecasts.leave(test)
            return
        self._asking = False
        if test is None:
            self._say(f"The test could not start: {without_paths(str(error) or type(error).__name__)}")
            return
        self._test = test
        self.poll()
        if self._test is not None:
            self._poll = pn.state.add_periodic_callback(
                lambda: in_page(self._document, self.poll), period=POLL_MILLISECONDS
            )

    def poll(self) -> None:
        """Take in how far the test is."""
        test = self._test
        if test is None:
            return
        status = test.status
        if not status.finished:
            self._say(_progress(test), busy=True, share=status.done_tiles / max(status.total_tiles, 1))
            return
        answer = test.answer() if status.state == "done" else None
        self._leave()
        if answer is not None:
            self._answers[self._question] = answer
            self._found(answer)
        elif status.state == "cancelled":
            self._say(f"Cancelled. {_HINT}")
        else:
            reason = without_paths(status.message or "it left no answer").rstrip(".")
            self._say(f"The test stopped: {reason}. Press the button to try again.")

    def _stop(self) -> None:
        self._leave()
        self._say(f"Cancelled. {_HINT}")

    def _forget(self) -> None:
        """The page is about something else: nobody waits for this answer any more."""
        self._leave()
        self._question = ()
        self.root.visible = False

    def _leave(self) -> None:
        self._asking = False
        test, self._test = self._test, None
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
        if test is not None:
            self._forecasts.leave(test)

    # -- showing --------------------------------------------------------------------------------------------------

    def _say(self, text: str, *, busy: bool = False, share: float = 0.0) -> None:
        self.button.disabled = busy
        self.cancel.visible = self.bar.visible = busy
        self.bar.variant = "determinate" if share else "indeterminate"
        self.bar.value = int(100 * share)
        self.plot.object = None
        self.more.object = ""
        self._write(_SAID.format(text))

    def _found(self, answer: PlaceAnswer) -> None:
        from cranpm.plot.curves import HIDING_STYLE, hiding_curves

        self.button.disabled = self.cancel.visible = self.bar.visible = False
        run = None if self._look.picture is None else self._look.picture.run
        told = join(map(_PARAGRAPH.format, paragraphs(answer, "" if run is None else run.status.precision)))
        self._write(_SAID.format(_FOUND.format(verdict(answer), told, CAVEAT)))
        titles = {"place": "This place", "tile": "Mean of its tile"}
        self.plot.object = hiding_curves(effects_of(answer), titles, width=_PLOT_WIDTH, dark=self._dark)
        key = join(_entry(style, dark=self._dark) for style in HIDING_STYLE.values())
        columns = "Hidden", "Patches", "Attention", "Place", "Tile"
        caption = "Change of the forecast [µg/m³]"
        self.more.object = join([_KEY.format(key), table(caption, columns, table_of(answer))])

    def _write(self, said: Markup) -> None:
        if self.text.object != said:
            self.text.object = said


def _question(look: Look) -> _Question:
    footprint, picture = look.footprint, look.picture
    if footprint is None or picture is None or picture.run is None or footprint.get("token") is None:
        return ()
    return picture.run.id, int(picture.state.lead_time), int(footprint["tile"]), int(footprint["token"])


def _progress(test: PlaceTest) -> str:
    status = test.status
    if status.state == "queued":
        ahead = test.position
        return f"Waiting for {ahead} before it …" if ahead else "Waiting for the worker …"
    if not status.done_tiles:
        return "Reading inputs, and the forecast as it is …"
    left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)} left"
    return f"{status.done_tiles} of {status.total_tiles} forecasts of this tile{left}."


def _entry(style: dict[str, Any], *, dark: bool) -> Markup:
    colour = style["color"][dark]
    mark = _MARKS[style["marker"]].format(colour)
    return _ENTRY.format(colour=colour, dash=_DASHES[style["dash"]], mark=mark, label=style["label"])
