"""Pages in turn, tiles first, and a house that can be full."""

from __future__ import annotations

import asyncio

import pytest
from bokeh.document import Document
from cranpm.dashboard import settings
from cranpm.dashboard.server import turns as turns_module
from cranpm.dashboard.server.full_page import full_page
from cranpm.dashboard.server.turns import FullError, House, Turns, after_arrivals


def test_pages_are_made_one_after_the_other_in_the_order_they_came():
    seen: list[str] = []

    async def page(turns: Turns, name: str) -> None:
        async with turns.turn():
            seen.append(f"{name} begins")
            await asyncio.sleep(0.01)
            seen.append(f"{name} ends")

    async def crowd() -> None:
        turns = Turns()
        await asyncio.gather(*(page(turns, name) for name in "abc"))

    asyncio.run(crowd())
    assert seen == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


@pytest.mark.parametrize(("seconds", "page_waits"), [(0.05, True), (5.0, False)])
def test_a_page_waits_for_tiles_but_not_for_ever(seconds: float, page_waits: bool):
    async def crowd() -> bool:
        turns, answered = Turns(patience=1.0), asyncio.Event()

        async def tile() -> None:
            with turns.answering():
                await asyncio.sleep(seconds)
            answered.set()

        task = asyncio.create_task(tile())
        await asyncio.sleep(0)
        async with turns.turn():
            waited = answered.is_set()
        task.cancel()
        return waited

    assert asyncio.run(crowd()) is page_waits


def test_what_can_wait_is_done_when_nobody_waits_for_a_map():
    seen: list[str] = []

    async def page(turns: Turns, name: str) -> None:
        async with turns.turn():
            await asyncio.sleep(0.01)
            seen.append(name)

    async def controls(turns: Turns, name: str) -> None:
        async with turns.later_turn():
            seen.append(f"controls of {name}")

    async def crowd() -> None:
        turns = Turns()
        first = asyncio.create_task(page(turns, "a"))
        await asyncio.sleep(0)
        await asyncio.gather(first, controls(turns, "a"), page(turns, "b"), page(turns, "c"))

    asyncio.run(crowd())
    assert seen == ["a", "b", "c", "controls of a"]


def test_what_can_wait_is_done_in_the_end_though_others_never_cease_to_come(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns_module, "LONGEST_DELAY", 0.2)

    async def crowd() -> bool:
        turns, done = Turns(), asyncio.Event()

        async def page() -> None:
            while not done.is_set():
                async with turns.turn():
                    await asyncio.sleep(0.01)

        async def controls() -> None:
            async with turns.later_turn():
                done.set()

        await asyncio.wait_for(asyncio.gather(page(), page(), controls()), 10)
        return done.is_set()

    assert asyncio.run(crowd())


def test_a_step_of_a_page_that_went_away_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns_module, "LONGEST_STEP", 0.1)
    monkeypatch.setattr(turns_module, "in_page", lambda document, step: None if document is gone else step())
    gone, here, done = Document(), Document(), []

    async def crowd() -> None:
        after_arrivals(gone, lambda: done.append("gone"))
        after_arrivals(here, lambda: done.append("here"))
        while not done:
            await asyncio.sleep(0.01)

    asyncio.run(crowd())
    assert done == ["here"]


def test_without_a_document_a_step_is_done_at_once():
    done: list[str] = []
    after_arrivals(None, lambda: done.append("done"))
    assert done == ["done"]


class Session:
    """Sessions are told apart by identity, as Bokeh's are."""

    def __init__(self, connections: int, idle_seconds: float) -> None:
        self.connection_count = connections
        self.milliseconds_since_last_unsubscribe = 1000 * idle_seconds


def test_whom_a_place_belongs_to():
    house = House(3)
    watched, on_its_way = Session(1, 900), Session(0, 2)
    never_came, closed = Session(0, 60), Session(0, 1)
    house.came(closed)  # it was here, and its tab is closed: a reload takes no second place
    everybody = [watched, on_its_way, never_came, closed]
    assert house.pages(everybody) == 2
    with house.arrival(everybody):
        assert house.pages(everybody) == 3
        with pytest.raises(FullError), house.arrival(everybody):
            pass
    assert house.pages(everybody) == 2


def test_a_place_is_free_again_after_a_page_that_could_not_be_made():
    house = House(1)
    with pytest.raises(ZeroDivisionError), house.arrival([]):
        raise ZeroDivisionError
    assert house.pages([]) == 0


@pytest.mark.parametrize("text", ["0", "-5", "many", "1.5", "nan", "²"])
@pytest.mark.parametrize("variable", list(settings.DEFAULTS))
def test_a_setting_that_is_no_number_is_refused_by_name(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=f"{variable}: expected .* a whole number from 1 on, got '{text}'"):
        settings.check()


@pytest.mark.parametrize(("dark", "theme"), [(True, "dark"), (False, "light"), (None, "")])
def test_the_page_of_a_full_house_says_what_to_do_and_comes_back(dark: bool | None, theme: str):
    html = full_page(7, 5, dark=dark)
    assert f'<html lang="en" class="{theme}">' in html
    assert '<meta http-equiv="refresh" content="5">' in html
    assert "All 7 pages are taken" in html and "CRANPM_MAX_PAGES" in html
    assert "<script" not in html and "$" not in html
