"""Pages in turn, tiles first, and a house that can be full."""

from __future__ import annotations

import asyncio

import pytest
from cranpm.dashboard import settings
from cranpm.dashboard.server.full_page import full_page
from cranpm.dashboard.server.turns import FullError, House, Turns


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
