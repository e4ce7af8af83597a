"""Title, map and series come together, or not at all."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.pictures import UnreadableError, make_picture, question_of
from cranpm.dashboard.data.store import Store
from cranpm.dashboard.state import State

from cranpm.data.store.schema import pm2p5_spec
from cranpm.data.store.zarr_files import chunk_file
from cranpm.domain import get_domain

FIRST = dt.date(2022, 1, 10)


@pytest.fixture
def own(machine: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dataset that a test may damage."""
    shutil.copytree(data_folder / "testbed", machine / "own" / "testbed")
    monkeypatch.setenv("CRANPM_DATA", str(machine / "own"))
    return machine / "own" / "testbed"


def shard(dataset: Path, slot: int) -> Path:
    return dataset / "pm2p5.zarr" / chunk_file(pm2p5_spec(get_domain("alps")), slot)


def state(scene: ModuleType, **changes: object) -> State:
    asked = {"dataset": "testbed", "layer": "today", "init_time": dt.date(2022, 1, 12), "place": scene.MILAN}
    return State(**asked | changes)


def test_a_picture_holds_what_belongs_together(store: Store, scene: ModuleType):
    picture = make_picture(store, state(scene), None)
    assert "_today_2022-01-12_" in picture.field_id
    assert picture.place is not None
    row, col = get_domain("alps").fine.index_of(*scene.MILAN)
    # stored in tenths
    assert picture.place.today == pytest.approx(scene.pm2p5_of(2, get_domain("alps"))[row, col], abs=0.051)
    assert len(picture.stations) > 40
    assert (picture.note, picture.warnings) == ("", [])


@pytest.mark.parametrize("harm", ["cut", "missing", "empty", "garbage"])
def test_a_damaged_day_is_refused_and_another_is_shown(own: Path, scene: ModuleType, harm: str):
    path = shard(own, 1)
    if harm == "missing":
        path.unlink()
    elif harm == "garbage":
        path.write_bytes(os.urandom(path.stat().st_size))
    else:
        os.truncate(path, path.stat().st_size // 2 if harm == "cut" else 0)
    store = Store()
    with pytest.raises(UnreadableError, match="Today of Tuesday 11 January 2022 cannot be shown"):
        make_picture(store, state(scene, init_time=dt.date(2022, 1, 11), place=None), None)
    assert make_picture(store, state(scene, place=None), None).field_id


def test_a_damaged_day_before_is_a_gap_in_the_series_and_told(own: Path, scene: ModuleType):
    shard(own, 1).unlink()
    picture = make_picture(Store(), state(scene), None)
    assert picture.field_id
    series = picture.place.series["target"]
    days = series["time"].values.astype("datetime64[D]").astype(str)
    finite = dict(zip(days, np.isfinite(series.values)))
    assert finite["2022-01-11"] == False  # noqa: E712  a NumPy bool
    assert finite["2022-01-10"] and finite["2022-01-12"]
    assert picture.warnings == ["Damaged in this dataset, and left out of the series: PM2.5 of 2022-01-11."]


def test_stations_that_cannot_be_read_are_left_out_and_told(own: Path, scene: ModuleType):
    (own / "observations.parquet").write_bytes(b"not parquet")
    picture = make_picture(Store(), state(scene, place=None), None)
    assert picture.field_id
    assert picture.stations is None
    assert "stations of this dataset cannot be read" in picture.warnings[0]


def test_another_dataset_in_the_same_place_has_other_addresses(own: Path, scene: ModuleType):
    """Tiles are kept by browsers for ever: an address must not name two contents."""
    store = Store()
    before = make_picture(store, state(scene, place=None), None).field_id
    meta = own / "dataset.json"
    meta.write_text(meta.read_text().replace('"hash": "scene"', '"hash": "other"'))
    after = make_picture(store, state(scene, place=None), None).field_id
    assert before != after


def test_a_copy_of_a_state_no_longer_follows_it(scene: ModuleType):
    original = state(scene)
    copy = original.copy()
    assert question_of(copy, None) == question_of(original, None)
    original.lead_time = 3
    original.station_types.remove("traffic")
    assert copy.lead_time == 1
    assert question_of(copy, None) != question_of(original, None)
    assert "traffic" in copy.station_types
