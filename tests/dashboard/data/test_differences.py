"""B minus A, cell by cell, on the finer of both grids."""

from __future__ import annotations

import datetime as dt
from types import ModuleType

import numpy as np
import pytest
from cranpm.dashboard.data.differences import difference_of, read_on
from cranpm.dashboard.data.fields import FieldKey, FieldUnavailableError
from cranpm.dashboard.data.store import Store

from cranpm.domain import get_domain
from cranpm.domain.grid import Grid
from cranpm.plot.pyramid import Pyramid

INIT = dt.date(2022, 1, 11)


def pyramid(values: np.ndarray, step: float, *, north: float = 48.0, west: float = 6.0) -> Pyramid:
    grid = Grid(
        name="g", rows=values.shape[0], cols=values.shape[1], step=step, north=north, west=west, registration="cell"
    )  # fmt: skip
    return Pyramid(lambda rows, cols: values[rows, cols].astype(np.float32), grid, num_levels=2)


def key_of(store: Store, layer: str, **more: object) -> FieldKey:
    return FieldKey(dataset="testbed", version=store.version("testbed"), layer=layer, init_time=INIT, **more)  # type: ignore[arg-type]


def test_on_one_grid_the_difference_is_the_difference_and_a_gap_stays_one():
    rng = np.random.default_rng(0)
    a, b = rng.random((9, 11)), rng.random((9, 11))
    a[2, 3] = b[4, 5] = np.nan
    found = difference_of(pyramid(a, 0.01), pyramid(b, 0.01)).read(slice(None), slice(None))
    np.testing.assert_array_equal(found, b.astype(np.float32) - a.astype(np.float32))
    assert np.isnan(found[2, 3]) and np.isnan(found[4, 5]) and np.isfinite(found).sum() == 97


@pytest.mark.parametrize("swapped", [False, True])
def test_a_coarse_field_gives_each_fine_cell_the_value_of_the_cell_that_holds_it(swapped: bool):
    fine, coarse = np.arange(100.0).reshape(10, 10), np.array([[1.0, 2.0], [3.0, np.nan]])
    pair = pyramid(fine, 0.01), pyramid(coarse, 0.05)
    found = difference_of(*(pair[::-1] if swapped else pair))
    assert found.grid.shape == (10, 10)
    expected = np.kron(coarse, np.ones((5, 5))) - fine
    np.testing.assert_array_equal(found.read(slice(None), slice(None)), -expected if swapped else expected)
    window = found.read(slice(3, 7), slice(4, 6))
    np.testing.assert_array_equal(window, (-expected if swapped else expected)[3:7, 4:6])


def test_outside_the_coarse_field_there_is_no_value():
    coarse = pyramid(np.ones((1, 1)), 0.05, north=48.0 - 0.05, west=6.0 + 0.05)
    grid = pyramid(np.zeros((15, 15)), 0.01).grid
    inside = np.isfinite(read_on(coarse, grid)(slice(None), slice(None)))
    assert inside[5:10, 5:10].all() and inside.sum() == 25
    assert not np.isfinite(read_on(coarse, grid)(slice(0, 4), slice(None))).any()


def test_a_difference_is_a_field_that_pages_announce(store: Store, scene: ModuleType):
    today, target = (key_of(store, "today"), None), (key_of(store, "target", lead_time=1), None)
    field_id = store.fields.announce_difference(today, target)
    assert len(field_id) < 160 and field_id != store.fields.announce_difference(target, today)
    field = store.fields.field(field_id)
    domain = get_domain("alps")
    a, b = (np.round(scene.pm2p5_of(day, domain), 1) for day in (1, 2))
    found = field.pyramid.read(slice(None), slice(None))
    np.testing.assert_allclose(found, b - a, atol=1e-4)
    assert field.nbytes >= sum(store.fields.field(key.id).nbytes for key, _ in (today, target)), (
        "it keeps both"
    )


def test_what_is_not_there_is_refused(store: Store):
    with pytest.raises(FieldUnavailableError, match="No target yet"):
        store.fields.announce_difference(
            (key_of(store, "today"), None), (key_of(store, "target", lead_time=3), None)
        )


def test_a_difference_fills_in_with_both_runs(store: Store, fake_run: ModuleType):
    runs = fake_run.FakeRun(), fake_run.FakeRun()
    for run, count in zip(runs, (1, 9)):
        run.finish_tiles(count)
    sides = [(key_of(store, "forecast", lead_time=1 + k, run=run.id), run) for k, run in enumerate(runs)]
    field = store.fields.field(store.fields.announce_difference(*sides))
    before = np.isfinite(field.pyramid.levels[-1]).mean()
    runs[0].finish_tiles(9)
    field.refresh()
    assert 0 < before < 1
    assert np.isfinite(field.pyramid.levels[-1]).all()
    np.testing.assert_array_equal(field.pyramid.levels[-1], 10.0)  # T+2 is 20, T+1 is 10
