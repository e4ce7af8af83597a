from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cranpm.data.input_ranges import ImpossibleInputError
from cranpm.data.samples import MissingInputError
from cranpm.data.store.encoding import decode_pm2p5
from cranpm.data.store.source import DatasetSource
from cranpm.domain import plan_tiles
from cranpm.forecasting.api import _unusual_lines
from cranpm.forecasting.day import load_day
from cranpm.forecasting.engine import (
    ForecastCancelledError,
    RunObserver,
    TileSelection,
    bytes_per_tile,
    choose_device,
    run_forecast,
)
from cranpm.forecasting.output import unusual_attribute


@pytest.fixture
def one_tile(untrained) -> int:
    """A memory budget [bytes] that batches of one tile fill."""
    return bytes_per_tile(untrained.config)


def test_an_untrained_network_forecasts_persistence_bit_for_bit(untrained, day, dataset):
    maps = run_forecast(untrained, day, (1, 3))
    today = decode_pm2p5(dataset.raw["2022-01-05"])
    for lead in (1, 3):
        assert np.array_equal(maps.fields[lead], today, equal_nan=True)
        assert maps.negative[lead] == 0


def test_there_is_a_forecast_exactly_where_today_has_support(drawn, day, dataset):
    field = run_forecast(drawn, day, (1,)).fields[1]
    assert np.array_equal(np.isnan(field), dataset.raw["2022-01-05"] == 65535)
    assert (field[~np.isnan(field)] >= 0).all()


def test_neither_batch_size_nor_tile_order_changes_the_map(drawn, day, one_tile):
    whole = run_forecast(drawn, day, (2,)).fields[2]
    one_by_one = run_forecast(
        drawn, day, (2,), memory_budget=one_tile, tiles=TileSelection(first=(5, 3))
    ).fields[2]
    # float32 sums in another order: values to 100 ug m-3 agree to a few units in the last place
    assert np.nanmax(np.abs(whole - one_by_one)) < 2e-3


def test_a_blended_cell_is_the_weighted_mean_of_its_tiles(drawn, day):
    plan = plan_tiles(day.domain.fine.shape)
    row, col = (
        460,
        100,
    )  # inside the 64 rows that two rows of tiles share; only the first column of tiles reaches it
    tile_above, tile_below = plan.tiles[0], plan.tiles[2]
    assert tile_above.rows.stop > row >= tile_below.rows.start
    separate = [
        run_forecast(drawn, day, (1,), tiles=TileSelection(plan=plan, only=[t.index])).fields[1][row, col]
        for t in (tile_above, tile_below)
    ]
    blended = run_forecast(drawn, day, (1,), tiles=TileSelection(plan=plan)).fields[1][row, col]
    assert min(separate) - 1e-3 <= blended <= max(separate) + 1e-3


def test_what_fills_a_gap_changes_nothing_outside_it(drawn, day, dataset, statistics):
    # the gap of day t is NaN in the output; its stored fill value (65535) decodes to NaN before any network sees it
    before = run_forecast(drawn, day, (1,)).fields[1]
    assert np.isnan(before[300:310, 300:320]).all()
    assert np.isfinite(before[311, 300:320]).all()


def test_tiles_asked_for_first_come_first_and_sea_tiles_never(untrained, day, one_tile):
    order = []
    run_forecast(
        untrained,
        day,
        (1,),
        memory_budget=one_tile,
        tiles=TileSelection(first=(3,)),
        observer=RunObserver(progress=lambda p: order.extend(t.index for t in p.tiles)),
    )
    assert order[0] == 3
    with_land = [t.index for t in plan_tiles(day.domain.fine.shape).tiles if day.has_support(t)]
    assert sorted(order) == with_land


def test_progress_counts_every_tile_and_time_left_ends_at_zero(untrained, day, one_tile):
    seen = []
    run_forecast(untrained, day, (1,), memory_budget=one_tile, observer=RunObserver(progress=seen.append))
    assert [p.done_tiles for p in seen] == list(range(1, seen[-1].total_tiles + 1))
    assert seen[-1].seconds_left == 0


def test_output_maps_fill_as_tiles_arrive_and_cancel_keeps_them(drawn, day, one_tile):
    out = {1: np.empty(day.domain.fine.shape, dtype=np.float32)}
    calls = iter([False, False, True])
    observer = RunObserver(maps=out, cancelled=lambda: next(calls))
    with pytest.raises(ForecastCancelledError, match="after 2 of"):
        run_forecast(drawn, day, (1,), memory_budget=one_tile, observer=observer)
    tiles = plan_tiles(day.domain.fine.shape).tiles
    assert np.isfinite(out[1][tiles[0].rows, tiles[0].cols]).any()
    assert np.isnan(out[1][1000:]).all()


def test_bad_requests_are_refused(untrained, day):
    with pytest.raises(ValueError, match="Lead times"):
        run_forecast(untrained, day, (4,))
    with pytest.raises(ValueError, match="outside the plan"):
        run_forecast(untrained, day, (1,), tiles=TileSelection(only=[999]))
    with pytest.raises(ValueError, match="float32"):
        run_forecast(untrained, day, (1,), observer=RunObserver(maps={1: np.zeros((3, 3), np.float32)}))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA"):
            choose_device("cuda")


def test_a_day_without_enough_land_is_refused_by_name(dataset, statistics, monkeypatch):
    raw = dataset.raw["2022-01-05"].copy()
    raw[:800] = 65535
    monkeypatch.setitem(dataset.raw, "2022-01-05", raw)
    with pytest.raises(MissingInputError, match="init day 2022-01-05"):
        load_day(DatasetSource(dataset), "2022-01-05", statistics)


def test_a_day_that_cannot_be_is_refused_and_an_unusual_one_told(dataset, statistics, monkeypatch):
    fields = dataset._coarse.copy()
    fields[2, 5, 5] = 0.0
    monkeypatch.setattr(dataset, "_coarse", fields)
    with pytest.raises(ImpossibleInputError, match="init day 2022-01-05 cannot be forecast: t2m@t holds 0 K"):
        load_day(DatasetSource(dataset), "2022-01-05", statistics)
    fields[2, 5, 5] = 280.0 + 3.0 * 9  # nine standard deviations
    day = load_day(DatasetSource(dataset), "2022-01-05", statistics)
    # the same fields serve both days; one of 57 x 29 nodes
    assert [(one.channel, one.extreme) for one in day.unusual] == [("t2m@t", 307.0), ("t2m@t-1", 307.0)]
    assert day.unusual[0].share == pytest.approx(1 / (57 * 29))
    told = json.loads(unusual_attribute(day.unusual)["unusual_inputs"])
    assert told[0]["channel"] == "t2m@t" and unusual_attribute(()) == {}
    lines = _unusual_lines(json.dumps(told))
    assert lines[0].startswith("Unusual inputs, beyond 8 standard deviations") and "t2m@t: 0.06%" in lines[1]
    assert _unusual_lines("[]") == []


def test_the_tile_to_look_at_is_hilly_half_full_and_in_the_middle_where_that_is_not_sea(day):
    def on(size):
        return SimpleNamespace(fine=SimpleNamespace(shape=(size, size)))

    assert plan_tiles((1408, 1408)).num_tiles == 9  # 3 x 3 of 512 cells that share 64: number 4 in the middle
    ground = torch.zeros(1408, 1408)
    ground[0], ground[700] = 3000.0, 1000.0  # the rim is hillier than the middle
    full = torch.ones(1408, 1408)
    nine = replace(day, domain=on(1408), elevation=ground, pm2p5=full)
    assert nine.hilliest_tile().index == 4
    sea = full.clone()
    sea[450:958, 450:958] = torch.nan
    assert replace(nine, pm2p5=sea).hilliest_tile().row == 0
    four = replace(day, domain=on(960), elevation=ground[:960, :960], pm2p5=full[:960, :960])
    assert four.hilliest_tile().row == 0
