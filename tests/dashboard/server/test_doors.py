"""Whatever fails, and at whatever door: no traceback and no folder of this machine reaches a browser.

A server of its own, in which everything fails that is asked to (see `tests/dashboard/faulty.py`), is visited as
browsers do; all that it answers is searched.
"""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parents[1] / "faulty.py"
CODE = re.compile(r"Traceback|most recent call|\.py\\?\", line|site-packages|[A-Za-z]+\.py\b")


@pytest.fixture(scope="module")
def load(load_file: Callable[[str], ModuleType]) -> ModuleType:
    return load_file("scripts/load_page.py")


@pytest.fixture(scope="module")
def doors(load_file: Callable[[str], ModuleType]) -> dict[str, str]:
    """Regions of a link, by what fails."""
    return load_file("tests/dashboard/faulty.py").DOORS


@pytest.fixture(scope="module")
def faulty(
    load_file: Callable[[str], ModuleType], data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The running server."""
    root = tmp_path_factory.mktemp("faulty")
    serving = load_file("tests/dashboard/serving.py")
    variables = serving.variables(root, data_folder)
    with serving.running(serving.Dashboard(variables, root / "log.txt", program=(str(PROGRAM),))) as server:
        yield server


@pytest.fixture
def tell(data_folder: Path) -> Callable[[str], list[str]]:
    """What a text tells of the code, or of where things lie."""
    folders = [str(ROOT), str(data_folder), str(data_folder.parent)]

    def find(text: str) -> list[str]:
        plain = text.replace("\\/", "/").replace("&#x2F;", "/").replace("%2F", "/")
        found = [folder for folder in folders if folder in plain]
        return found + [match.group() for match in CODE.finditer(plain)]

    return find


def ask(address: str, **options: Any) -> tuple[int, str]:
    """Status and everything else of an answer, headers included."""
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, **options), timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    return int(answer.status), f"{answer.headers}\n{answer.read().decode('utf-8', 'replace')}"


class Listener:
    """A tab without a browser: says what it is told to, and keeps all that it hears."""

    def __init__(self, load: ModuleType, address: str, query: str) -> None:
        self.visitor = load.Visitor(address, query)
        self._load = load
        self.heard: list[str] = []

    async def open(self) -> None:
        await self.visitor.connect()
        await self.until('"doc"')
        await self.say("PATCH-DOC", {"events": [self._load._MOUNTED]})

    async def say(self, kind: str, content: dict[str, Any]) -> None:
        await self.visitor._say(f"n{len(self.heard)}", kind, content)

    async def until(self, part: str, seconds: float = 60.0) -> str:
        """Listen until a message holds ``part``, or the connection is closed."""
        async with asyncio.timeout(seconds):
            while True:
                text = await self.visitor._hear()
                if text is None:
                    self.heard.append(f"closed: {self.visitor._socket.close_reason}")
                    return self.heard[-1]
                self.heard.append(text if isinstance(text, str) else "")
                if part in self.heard[-1]:
                    return self.heard[-1]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tiles/{today}/0/4/8/5.png", 500),
        ("/tiles/unknown/0/4/8/5.png", 404),
        ("/cell/{today}?x=nan&y=0", 400),
        ("/nowhere", 404),
        ("/static/nowhere.js", 404),
        ("/static/%2e%2e/%2e%2e/etc/passwd", 403),
        ("/components/cranpm/dashboard/pages.py", 400),
        ("/components/os/path/nothing.js", 400),
        ("/dashboard/autoload.js", 400),
        ("/dashboard/ws", 400),
        ("/dashboard?bokeh-session-id=%00", 500),
    ],
)
def test_an_error_as_an_answer(faulty: Any, load: ModuleType, tell, path: str, status: int):
    def first_tile() -> str:
        async def visit() -> str:
            tab = Listener(load, faulty.address, "layer=today&stations=0")
            await tab.open()
            if not (found := load._TILES.search("".join(tab.heard))):
                found = load._TILES.search(await tab.until("tiles/"))
            tab.visitor.close()
            return str(found.group().split("/")[1])

        return asyncio.run(visit())

    address = path.replace("{today}", first_tile()) if "{today}" in path else path
    code, text = ask(faulty.address + address)
    assert code == status
    assert tell(text) == []


def test_a_method_that_is_not_served(faulty: Any, tell):
    code, text = ask(f"{faulty.address}/dashboard", data=b"x", method="POST")
    assert code in (403, 405)
    assert tell(text) == []


@pytest.mark.parametrize(
    ("door", "sentence"),
    [
        ("page", "The map cannot be shown"),
        ("document", "The map cannot be shown"),
        ("foreseen", "weights.zarr is damaged"),
        ("unforeseen", "an error of this program, ZeroDivisionError"),
        ("opening", "That did not work: an error of this program"),
        ("click", "That did not work: an error of this program"),
    ],
)
def test_an_error_in_a_page(faulty: Any, load: ModuleType, doors, tell, door: str, sentence: str):
    async def visit() -> list[str]:
        tab = Listener(load, faulty.address, f"layer=today&stations=0&region={doors[door]}")
        await tab.open()
        if door == "click":
            document = next(text for text in tab.heard if '"doc"' in text)
            event = load.click_on(load.model_of(document, load.is_map), 1e6, 5.7e6)
            await tab.say("PATCH-DOC", {"events": [event]})
        if not any(sentence in text for text in tab.heard):
            await tab.until(sentence)
        tab.visitor.close()
        return tab.heard

    heard = asyncio.run(visit())
    assert sentence in "".join(heard)
    assert [tell(_without_modules(text)) for text in heard if tell(_without_modules(text))] == []
    # Panel shows the error of a page that failed to all who come after
    code, text = ask(f"{faulty.address}/dashboard?layer=today")
    assert code == 200
    assert tell(text) == []


def _without_modules(text: str) -> str:
    """Without the code of components, which speaks of Panel's own files."""
    return re.sub(r'"esm":\s*"(?:[^"\\]|\\.)*"', '"esm": ""', text)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("PATCH-DOC", {"events": [{"kind": "ModelChanged", "model": {"id": "p0"}, "attr": "x", "new": 1}]}),
        ("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": 5}]}),
        ("PATCH-DOC", {}),
        ("NO-SUCH-MESSAGE", {}),
    ],
)
def test_a_message_that_cannot_be_understood(
    faulty: Any, load: ModuleType, tell, kind: str, content: dict[str, Any]
):
    async def visit() -> str:
        tab = Listener(load, faulty.address, "layer=today&stations=0")
        await tab.open()
        await tab.say(kind, content)
        # an answer, a closed connection, or nothing at all: then the next question is answered
        await tab.say("SERVER-INFO-REQ", {})
        said = await tab.until("SERVER-INFO-REPLY")
        tab.visitor.close()
        return "".join(tab.heard[1:]) + said

    text = asyncio.run(visit())
    assert tell(_without_modules(text)) == []


def test_the_log_holds_what_the_browsers_did_not_get(faulty: Any):
    """After all that: nothing of it was kept from those who run the server."""
    log = faulty.log.read_text()
    assert log.count("Traceback") >= 5
    assert "secret/weights.zarr" in log
