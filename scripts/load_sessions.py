"""Many people on one page for minutes: each arrives, zooms, steps from day to day, clicks, and must see what is theirs.

It starts the dashboard and visits it as browsers do, without drawing anything. Beside the time that every answer took
it counts what did not come, and what came to the wrong person.

.venv/bin/python scripts/load_sessions.py --count 20 --minutes 5
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from cranpm.dashboard.data.store import get_store
from cranpm.dashboard.views.first_run import COMMAND
from load_page import PATIENCE, Visitor, cell, click_on, conclude, is_map, model_of, percentiles, serve

from cranpm.paths import data_dir
from cranpm.plot.mercator import from_mercator, tile_of, to_mercator

ZOOMS, STEPS, CLICKS = 10, 3, 1
LOST = 30.0  # seconds after which an answer does not come any more
ARRIVAL_SHARE = 0.2  # of the time, in which all arrive
PLACES = [(45.46, 9.19), (50.08, 14.44), (48.86, 2.35), (52.52, 13.40), (47.50, 19.04), (52.23, 21.01)]
"""Milan, Prague, Paris, Berlin, Budapest, Warsaw."""

_PICTURE = re.compile(r"tiles/[A-Za-z0-9._-]*_today_(\d{4}-\d\d-\d\d)[A-Za-z0-9._-]*/")
_PLACE = re.compile(r"place=(-?[\d.]+,-?[\d.]+)&")


class Person(Visitor):
    """One tab, and somebody in front of it.

    Parameters
    ----------
    address : str
        Of the server.
    days : list of str
        Init days of the dataset.
    seed : int
        Decides when and where what is done.
    """

    def __init__(self, address: str, days: list[str], seed: int) -> None:
        self.chance = random.Random(seed)
        self.days, self.day = days, self.chance.randrange(len(days))
        super().__init__(address, f"layer=today&stations=0&init_time={days[self.day]}")
        self.took: dict[str, list[float]] = {"zoom": [], "day": [], "click": []}
        self.lost: list[str] = []
        self.crossed: list[str] = []
        self._document = ""
        self._mine = {days[self.day]}
        self._places: set[str] = set()
        self._serial = 0
        self._new = asyncio.Condition()
        self._heard: list[str] = []

    async def _messages(self) -> AsyncIterator[str]:
        async for text in super()._messages():
            if '"doc"' in text:
                self._document = text
            yield text

    async def _hear(self) -> str | bytes | None:
        assert self._socket is not None
        return await self._socket.read_message()  # however long nothing is said

    async def live(self, seconds: float) -> None:
        """Arrive, and do in so many seconds all that people do."""
        await asyncio.sleep(self.chance.uniform(0, ARRIVAL_SHARE * seconds))
        async with asyncio.timeout(PATIENCE):
            await self.open_whole()
        await self._tell_size()
        listening = asyncio.create_task(self._listen())
        try:
            todo = [self.zoom] * ZOOMS + [self.step] * STEPS + [self.click] * CLICKS
            self.chance.shuffle(todo)
            for action in todo:
                await asyncio.sleep(self.chance.uniform(0, 2 * (1 - ARRIVAL_SHARE) * seconds / len(todo)))
                await action()
        finally:
            self.close()
            await listening  # ends with the connection

    async def zoom(self) -> None:
        """Look closer somewhere: nine tiles, none of which this person had before."""
        lat, lon = self.chance.choice(PLACES)
        z = self.chance.randint(5, 9)
        x, y = tile_of(lat + self.chance.uniform(-1, 1), lon + self.chance.uniform(-1, 1), z)
        begun = time.monotonic()
        await asyncio.gather(*(self.tile(z, x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1)))
        self.took["zoom"].append(time.monotonic() - begun)

    async def step(self) -> None:
        """Another day, by key; there is always one in one direction."""
        by = self.chance.choice([by for by in (-1, 1) if 0 <= self.day + by < len(self.days)])
        self.day += by
        day = self.days[self.day]
        self._mine.add(day)
        key = "ArrowLeft" if by < 0 else "ArrowRight"
        columns = [["key", [key]], ["serial", [self._next()]], ["x", [0.0]], ["y", [0.0]]]
        change = {"type": "map", "entries": columns}
        keys = self._model(lambda attributes: {"key", "serial"} <= _columns(attributes))
        event = {"kind": "ModelChanged", "model": {"id": keys}, "attr": "data", "new": change}
        await self._do("day", event, lambda text: day in _PICTURE.findall(text), day)

    async def click(self) -> None:
        """A place, by a click on the map."""
        lat, lon = self.chance.choice(PLACES)
        x, y = to_mercator(lat + self.chance.uniform(-0.3, 0.3), lon + self.chance.uniform(-0.3, 0.3))
        there = ",".join(f"{float(value):.4f}" for value in from_mercator(x, y))
        self._places.add(there)
        event = click_on(self._model(is_map), float(x), float(y))
        await self._do("click", event, lambda text: there in _PLACE.findall(text), f"the click at {there}")

    async def _tell_size(self) -> None:
        """Tell the server how large the map is, as a browser does that has drawn it."""
        figure = {"id": self._model(is_map)}
        size = [
            {"kind": "ModelChanged", "model": figure, "attr": f"inner_{side}", "new": pixels}
            for side, pixels in (("width", 970), ("height", 660))
        ]
        await self._say(f"n{self._next()}", "PATCH-DOC", {"events": size})

    async def _do(self, what: str, event: dict[str, Any], seen: Callable[[str], bool], name: str) -> None:
        begun, first = time.monotonic(), len(self._heard)
        await self._say(f"n{self._next()}", "PATCH-DOC", {"events": [event]})
        try:
            async with asyncio.timeout(LOST), self._new:
                await self._new.wait_for(lambda: any(seen(text) for text in self._heard[first:]))
        except TimeoutError:
            self.lost.append(f"{name}: no answer within {LOST:g} s")
        else:
            self.took[what].append(time.monotonic() - begun)

    async def _listen(self) -> None:
        async for text in self._messages():
            self.crossed += [f"the map of {day}" for day in _PICTURE.findall(text) if day not in self._mine]
            self.crossed += [f"the place {at}" for at in _PLACE.findall(text) if at not in self._places]
            async with self._new:
                self._heard.append(text)
                self._new.notify_all()

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _model(self, fits: Callable[[dict[str, Any]], bool]) -> str:
        return model_of(self._document, fits)


def _columns(attributes: dict[str, Any]) -> set[str]:
    data = attributes.get("data")
    entries = data.get("entries", []) if isinstance(data, dict) else []
    return {name for name, _values in entries}


async def visit(address: str, days: list[str], count: int, minutes: float) -> dict[str, Any]:
    """So many people for so many minutes.

    Returns
    -------
    dict
        Percentiles [s] of ``arrival`` (map and controls), ``zoom``, ``day`` and ``click``; ``failed``, ``lost`` and
        ``crossed``, what went wrong in words.
    """
    people = [Person(address, days, seed) for seed in range(count)]
    ended = await asyncio.gather(*(person.live(60 * minutes) for person in people), return_exceptions=True)
    return {
        "count": count,
        "minutes": minutes,
        "arrival": percentiles([p.seconds["controls"] for p in people if "controls" in p.seconds]),
        **{name: percentiles([s for p in people for s in p.took[name]]) for name in people[0].took},
        "failed": [repr(error) for error in ended if error is not None],
        "lost": [what for person in people for what in person.lost],
        "crossed": [what for person in people for what in person.crossed],
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="people")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    store = get_store()
    names = list(store.dataset_folders())
    if not names:
        parser.error(f"expected a dataset to show, found none in {data_dir()}. Build one: {COMMAND}")
    days = [str(day) for day in store.days("testbed" if "testbed" in names else names[0])]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with serve(log) as server:
            found = asyncio.run(visit(server.address, days, options.count, options.minutes))
        problems = [f"{kind}: {what}" for kind in ("failed", "lost", "crossed") for what in found[kind]]
        for name in ("arrival", "zoom", "day", "click"):
            times = found[name]
            sys.stdout.write(f"{name:>8} {times['count']:>5} times, p50 / p95 / max [s]: {cell(times)}\n")
        return conclude(found, problems, log.read_text(), options.out)


if __name__ == "__main__":
    sys.exit(main())
