"""The addresses beside the page, asked as a browser asks them."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bokeh.server.auth_provider import NullAuth
from cranpm.dashboard.data.fields import FieldKey
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.server import routes
from cranpm.dashboard.server.downloads import DOWNLOADS, DownloadHandler
from cranpm.dashboard.server.routes import (
    AliveHandler,
    CellHandler,
    LandHandler,
    NamesHandler,
    OutlineHandler,
    TileHandler,
)
from PIL import Image
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from cranpm.domain import get_domain
from cranpm.forecasting.array_file import ArrayFile, create_array_file
from cranpm.plot.mercator import tile_of, to_mercator


@pytest.fixture
def login() -> Any:
    """How the server's readers log in: not at all."""
    return NullAuth()


@pytest.fixture
def ask(store: Store, login: Any, monkeypatch: pytest.MonkeyPatch):
    """A function that gets an address from a server with the dashboard's routes."""
    monkeypatch.setattr(routes, "get_store", lambda: store)

    def get(*addresses: str) -> list[HTTPResponse]:
        async def fetch() -> list[HTTPResponse]:
            socket, port = bind_unused_port()
            application = Application([*routes.ROUTES, *DOWNLOADS])
            application.auth_provider = login  # type: ignore[attr-defined]
            server = HTTPServer(application)
            server.add_socket(socket)
            try:
                client = AsyncHTTPClient(force_instance=True)
                return [
                    await client.fetch(f"http://127.0.0.1:{port}{a}", raise_error=False) for a in addresses
                ]
            finally:
                server.stop()

        return asyncio.run(fetch())

    return get


@pytest.fixture
def today(store: Store) -> str:
    return store.fields.announce(FieldKey(dataset="testbed", layer="today", init_time=dt.date(2022, 1, 10)))


@pytest.mark.parametrize(
    "login",
    [
        SimpleNamespace(get_user=lambda handler: None, get_user_async=None),
        SimpleNamespace(get_user=None, get_user_async=lambda handler: asyncio.sleep(0, result=None)),
    ],
    ids=["basic", "oauth"],
)
def test_whoever_has_not_logged_in_gets_nothing(ask, today: str):
    addresses = {
        TileHandler: f"/tiles/{today}/0/7/67/45.png",
        LandHandler: "/land/testbed/4/8/5.png",
        CellHandler: f"/cell/{today}?x=1000000&y=5600000",
        NamesHandler: "/names/1.json",
        OutlineHandler: "/outline/coast/0.json",
        DownloadHandler: "/take/map.nc?dataset=testbed&layer=today",
    }
    handlers = {route[1] for route in (*routes.ROUTES, *DOWNLOADS)}
    assert handlers == {
        *addresses,
        AliveHandler,
    }  # a page that lost its server asks before it knows of any login
    answers = ask(*addresses.values())
    assert {answer.code for answer in answers} == {403}
    assert all(len(answer.body) < 40 for answer in answers)


@pytest.mark.parametrize("login", [SimpleNamespace(get_user=lambda handler: "ada", get_user_async=None)])
def test_what_only_some_may_see_is_not_kept_on_the_way(ask, today: str):
    (answer,) = ask(f"/tiles/{today}/0/7/67/45.png")
    assert answer.code == 200
    assert answer.headers["Cache-Control"].startswith("private, ")


def test_a_tile_is_a_picture_that_may_be_kept_for_ever(ask, today: str, scene: ModuleType):
    x, y = tile_of(*scene.MILAN, 7)
    (answer,) = ask(f"/tiles/{today}/0/7/{x}/{y}.png?scale=eaqi&theme=light")
    assert answer.code == 200
    assert answer.headers["Cache-Control"].startswith("public, ")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    picture = np.asarray(Image.open(io.BytesIO(answer.body)).convert("RGBA"))
    assert picture.shape == (256, 256, 4)
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) >= 2


@pytest.mark.parametrize(
    "address",
    [
        "/tiles/unknown_today/0/5/16/11.png",
        "/tiles/..%2f..%2fetc%2fpasswd/0/5/16/11.png",
        "/tiles/{today}/0/99/16/11.png",
        "/tiles/{today}/0/3/100/0.png",
        "/tiles/{today}/0/5/16/11.png?scale=rainbow",
        "/tiles/{today}/0/5/16/11.png?theme=<script>",
        "/land/atlantis/5/16/11.png",
        "/outline/rivers/0.json",
        "/outline/coast/9.json",
        "/cell/unknown?x=0&y=0",
    ],
)
def test_anything_else_is_not_found_and_says_nothing_more(ask, today: str, address: str):
    (answer,) = ask(address.replace("{today}", today).replace("<", "%3C").replace(">", "%3E"))
    assert answer.code == 404
    assert b"Traceback" not in answer.body
    assert b"passwd" not in answer.body


def test_the_pointer_reads_the_array_not_the_picture(ask, store: Store, today: str, scene: ModuleType):
    store.fields.field(today)
    domain = get_domain("alps")
    field = scene.pm2p5_of(0, domain)
    rng = np.random.default_rng(2)
    places = [scene.MILAN, scene.GAP, scene.SEA, (50.999, 4.001), (37.085, 17.915)]
    places += [(float(rng.uniform(37.1, 50.9)), float(rng.uniform(4.1, 17.8))) for _ in range(12)]
    addresses = []
    for lat, lon in places:
        x, y = to_mercator(lat, lon)
        addresses.append(f"/cell/{today}?x={float(x)!r}&y={float(y)!r}")
    for (lat, lon), answer in zip(places, ask(*addresses)):
        cell = json.loads(answer.body)
        row, col = domain.fine.index_of(lat, lon)
        assert (cell["row"], cell["col"]) == (row, col)
        if np.isnan(field[row, col]):
            assert cell["value"] is None
        else:
            assert cell["value"] == pytest.approx(float(field[row, col]), abs=0.06)


def test_what_is_damaged_is_503_and_the_next_answer_comes(
    ask, store: Store, fake_run: ModuleType, scene: ModuleType, tmp_path: Path
):
    """A map cut short while it is shown: mapped into memory, it ended the server."""
    run = fake_run.FakeRun()
    run.finish_tiles(9)
    path = tmp_path / "map.npy"
    create_array_file(path, run.values[1].shape, np.float32, 20.0)
    run.map = lambda lead: ArrayFile(path)
    key = FieldKey(
        dataset="testbed", layer="forecast", init_time=dt.date(2022, 1, 10), lead_time=1, run=run.id
    )
    field_id = store.fields.announce(key, run)
    x, y = tile_of(*scene.MILAN, 12)  # so near that cells are read, not means of them
    address = f"/tiles/{field_id}/1/12/{x}/{y}.png"
    mx, my = (float(v) for v in to_mercator(*scene.MILAN))
    assert [a.code for a in ask(address, f"/cell/{field_id}?x={mx}&y={my}")] == [200, 200]
    os.truncate(path, 4096)
    codes = [a.code for a in ask(address, f"/cell/{field_id}?x={mx}&y={my}", "/names/1.json")]
    assert codes == [503, 503, 200]


def test_a_field_that_made_room_is_read_again_for_its_cells(ask, store: Store, today: str, scene: ModuleType):
    x, y = (float(v) for v in to_mercator(*scene.MILAN))
    assert store.fields.peek(today) is None
    (answer,) = ask(f"/cell/{today}?x={x}&y={y}")
    assert answer.code == 200


def test_outside_the_domain_is_said(ask, store: Store, today: str):
    store.fields.field(today)
    x, y = to_mercator(10.0, 0.0)
    (answer,) = ask(f"/cell/{today}?x={float(x)}&y={float(y)}")
    assert json.loads(answer.body)["inside"] is False


@pytest.mark.parametrize("query", ["", "?x=1", "?x=nan&y=0", "?x=a&y=b", "?x=1e400&y=0"])
def test_a_place_that_is_none_is_refused(ask, store: Store, today: str, query: str):
    store.fields.field(today)
    (answer,) = ask(f"/cell/{today}{query}")
    assert answer.code == 400


def test_outlines_and_names_are_lines_and_names(ask):
    coast, names = ask("/outline/coast/0.json", "/names/1.json")
    assert len(json.loads(coast.body)["xs"]) > 50
    assert {"Berlin", "Madrid"} <= set(json.loads(names.body)["name"])


def test_answers_of_the_server_do_not_name_folders(ask, today: str, data_folder: Path):
    for answer in ask("/tiles/x/0/1/1/1.png", f"/cell/{today}", "/nowhere"):
        assert str(data_folder).encode() not in answer.body
