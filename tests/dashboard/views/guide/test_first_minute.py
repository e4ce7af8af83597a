"""Captions lead to tabs and panels that are what they say."""

from __future__ import annotations

from typing import Any

import pytest
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.state import State
from cranpm.dashboard.views.areas.panel import TABS
from cranpm.dashboard.views.guide.first_minute import CAPTIONS, FirstMinute


def explorer(**state: Any) -> Explorer:
    return Explorer(State(dataset="testbed", layer="today", **state), Store(), [])


def test_the_browser_may_name_captions_and_nothing_else() -> None:
    pressed: list[str] = []
    captions = FirstMinute(on_press=pressed.append, welcome=True)
    for said in ("why", "__class__", "", None, 3, ["why"], {"name": "why"}):
        captions.press(said)
    assert pressed == ["why"]


@pytest.mark.usefixtures("machine")
def test_every_caption_does_what_it_says() -> None:
    page = explorer()
    assert page.guide.captions.welcome
    for caption in CAPTIONS:
        page.guide.captions.press(caption["name"])
        if caption["name"] == "place":
            assert page.state.place is not None and page.drawer.inspector is not None
            assert page.drawer.inspector.tabs._names[page.drawer.inspector.tabs.active] == "Time series"
            here = page.state.place
        if caption["name"] == "why":
            assert page.state.place == here and page.drawer.inspector is not None
            assert (
                page.drawer.inspector.tabs._names[page.drawer.inspector.tabs.active]
                == "Where does this place look?"
            )
        if caption["name"] == "whatif":
            assert page.controls.whatif.card.active == [0] and page.page.sidebar_open
    assert page.drawer.area is not None and TABS[page.drawer.area.tabs.active] == "Scores"
    assert (page.state.place, page.state.numbers) == (None, True)


@pytest.mark.usefixtures("machine")
def test_why_here_without_a_place_picks_one() -> None:
    page = explorer()
    page.guide.captions.press("why")
    assert page.state.place is not None


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("opened", [{"place": (45.4642, 9.19)}, {"numbers": True}])
def test_a_link_that_opens_something_is_not_greeted(opened: dict[str, Any]) -> None:
    assert not explorer(**opened).guide.captions.welcome
