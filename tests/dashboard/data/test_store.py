from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.fields import Field, FieldKey, FieldUnavailableError
from cranpm.dashboard.data.store import Store

from cranpm.domain import get_domain, plan_tiles

FIRST = dt.date(2022, 1, 10)


def key(layer: str, lead: int = 0, run: str = "", init: dt.date = FIRST) -> FieldKey:
    return FieldKey(dataset="testbed", layer=layer, init_time=init, lead_time=lead, run=run)


def test_today_is_the_stored_day_cell_by_cell(store: Store, scene: ModuleType):
    field = store.fields.field(store.fields.announce(key("today")))
    domain = get_domain("alps")
    expected = scene.pm2p5_of(0, domain)
    shown = field.pyramid.read(slice(None), slice(None))
    # stored in tenths: half a tenth of rounding
    np.testing.assert_allclose(shown, expected, atol=0.051, equal_nan=True)
    row, col = domain.fine.index_of(*scene.GAP)
    assert np.isnan(field.pyramid.value(row, col))


def test_the_target_is_the_day_after_the_lead_time(store: Store, scene: ModuleType):
    field = store.fields.field(store.fields.announce(key("target", lead=2)))
    row, col = get_domain("alps").fine.index_of(*scene.MILAN)
    assert field.pyramid.value(row, col) == pytest.approx(
        float(scene.pm2p5_of(2, get_domain("alps"))[row, col]), abs=0.051
    )


def test_change_and_error_are_differences_and_gaps_stay_gaps(
    store: Store, scene: ModuleType, fake_run: ModuleType
):
    domain = get_domain("alps")
    run = fake_run.FakeRun()
    run.finish_tiles(9)
    run.values[1][:] = 30.0
    today, target = scene.pm2p5_of(0, domain), scene.pm2p5_of(1, domain)
    for layer, reference in (("change", today), ("error", target)):
        field = store.fields.field(store.fields.announce(key(layer, lead=1, run=run.id), run))
        np.testing.assert_allclose(
            field.pyramid.read(slice(None), slice(None)), 30.0 - reference, atol=0.051, equal_nan=True
        )


def test_only_announced_fields_are_served(store: Store):
    with pytest.raises(KeyError):
        store.fields.field("testbed_today_2022-01-10_T0")
    with pytest.raises(KeyError):
        store.fields.field("../../etc/passwd")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            key("today", init=dt.date(2031, 1, 1)),
            "No field for 01 Jan 2031. The dataset holds 10 Jan 2022 to 13 Jan 2022",
        ),
        (key("target", lead=3, init=dt.date(2022, 1, 12)), "No target yet for 15 Jan 2022"),
        (key("forecast", lead=1), "No forecast has been run"),
    ],
)
def test_what_cannot_be_shown_says_why(store: Store, asked: FieldKey, message: str):
    with pytest.raises(FieldUnavailableError, match=message):
        store.fields.announce(asked)


def test_a_filling_forecast_shows_its_tiles_as_they_arrive(store: Store, fake_run: ModuleType):
    shape = get_domain("alps").fine.shape
    run = fake_run.FakeRun()
    run.become("running")
    field = store.fields.field(store.fields.announce(key("forecast", lead=1, run=run.id), run))
    assert np.isnan(field.pyramid.levels[-1]).all()
    tile = plan_tiles(shape).tiles[4]
    run.values[1][tile.rows, tile.cols] = 20.0
    run.become("running", done_list=(tile.index,))
    field.refresh()
    middle = (tile.rows.start + tile.rows.stop) // 2, (tile.cols.start + tile.cols.stop) // 2
    assert field.pyramid.levels[-1][middle[0] >> 6, middle[1] >> 6] == pytest.approx(20.0)
    assert np.isnan(field.pyramid.levels[-1][0, 0])


def test_old_fields_make_room_and_come_back(machine: Path):
    small = Store(cache_bytes=8 * 2**20)
    ids = [small.fields.announce(key("today", init=FIRST + dt.timedelta(days=d))) for d in range(3)]
    fields = [small.fields.field(name) for name in ids]
    assert all(isinstance(field, Field) for field in fields)
    assert small.fields.peek(ids[0]) is None
    assert small.fields.field(ids[0]).pyramid.value(800, 700) == fields[0].pyramid.value(800, 700)


def test_elevation_is_told_to_the_metre(store: Store):
    # the scene: 300 m at 40 N and 80 m more for every degree north; half a metre of rounding
    row, col = get_domain("alps").fine.index_of(46.5, 9.2)
    expected = 300 + 80 * (float(get_domain("alps").fine.lat[row]) - 40)
    assert store.elevation("testbed", row, col) == pytest.approx(expected, abs=0.51)


def test_checkpoints_are_folders_with_config_and_weights(machine: Path):
    root = machine / "checkpoints"
    for name, files in {
        "good": ["config.json", "model.safetensors"],
        "half": ["config.json"],
        "pickled": ["model.pt"],
    }.items():
        (root / name).mkdir(parents=True)
        for file in files:
            (root / name / file).write_text(json.dumps({}))
    assert "good" in Store().checkpoints()
    assert not {"half", "pickled"} & set(Store().checkpoints())


def test_the_real_station_day_opens_as_an_overlay(
    machine: Path, real_data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CRANPM_REAL_DATA", str(real_data))
    store = Store()
    (name,) = store.station_files()
    table, day = store.station_file(name)
    # the catalogue: 425 stations, 1 March 2024, observed mean 15.1
    assert day == dt.date(2024, 3, 1)
    assert len(table) == 425
    assert table["pm2p5"].mean() == pytest.approx(15.1, abs=0.2)
