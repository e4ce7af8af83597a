"""A page that is closed is forgotten."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from cranpm.dashboard.data.store import Store
from cranpm.dashboard.page.explorer import Explorer
from cranpm.dashboard.pages import plain_page
from cranpm.dashboard.state import State


def test_nothing_of_the_process_holds_a_closed_page(machine: Path, scene, polling_by_hand: None):
    store, seen = Store(), []
    for place in (None, scene.MILAN):
        page = Explorer(State(dataset="testbed", layer="today", place=place), store, [])
        page.close()
        seen += [weakref.ref(page), weakref.ref(page.page), weakref.ref(page.map), weakref.ref(page.state)]
        seen.append(weakref.ref(plain_page()))
        del page
    gc.collect()
    assert [ref() for ref in seen if ref() is not None] == []


def test_fields_stay_within_their_budget(machine: Path):
    import datetime as dt

    from cranpm.dashboard.data.fields import FieldKey

    # a field of the Alps: 1392 x 1392 packed cells and a third of them as float32 means, 6.5 MB
    store = Store(cache_bytes=14 * 2**20)
    for day in (10, 11, 12, 13, 10):
        key = FieldKey(dataset="testbed", layer="today", init_time=dt.date(2022, 1, day))
        store.fields.field(store.fields.announce(key))
        assert 0 < store.fields.nbytes <= store.fields.cache_bytes
