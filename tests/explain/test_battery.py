from __future__ import annotations

import numpy as np
import pytest

from cranpm.domain import plan_tiles
from cranpm.explain.battery import LAND, NEAR_BARRIERS, BatteryPlan, run_battery
from cranpm.explain.interventions import CATALOGUE, Intervention, select
from cranpm.explain.tiles import block_days, choose_days, choose_mountain_tiles, choose_tiles, neighbourhood

PLAN = plan_tiles((688, 688), tile_size=128, overlap=0)
MIDDLE = [tile for tile in PLAN.tiles if 1 <= tile.row <= 3 and 1 <= tile.col <= 3]
NOTHING = Intervention(name="nothing", form="both", steps=(("wind_turn", 0.0),))


@pytest.fixture(scope="module")
def battery(drawn, statistics, source):
    """Three days in a row, two tiles, a few interventions and one that does nothing."""
    chosen = (NOTHING, *select(["wind flip", "terrain zero", "CAMS zero", "all priors off"]))
    mask = source.elevation > 0
    plan = BatteryPlan(
        tiles=MIDDLE[:2], mountain_tiles=MIDDLE[3:4], barriers=mask, leads=(1, 2), interventions=chosen
    )
    return run_battery(drawn, statistics, source, source.days[2:5], plan)


@pytest.fixture(scope="module")
def rows(battery):
    return {(r["intervention"], r["form"], r["region"], r["lead"]): r for r in battery.rows()}


def test_doing_nothing_changes_nothing(rows):
    for row in rows.values():
        if row["intervention"] == "nothing":
            assert row["rmse_change_pct"] == row["ci_low"] == row["ci_high"] == 0
            # turning by nought degrees rounds twice on its way through metres per second
            assert row["forecast_change_max"] < 1e-3


def test_every_form_has_its_row_with_an_interval(rows):
    for form in ("priors", "channels", "both"):
        row = rows["wind flip", form, LAND, 1]
        assert row["forecast_change_rms"] > 1e-3
        assert row["ci_low"] <= row["rmse_change_pct"] <= row["ci_high"]
        assert row["days"] == 3 and row["pairs"] == 3 * 2 * 128 * 128
    # the elevation bias sees what the channel does not
    assert rows["terrain zero", "priors", LAND, 1]["forecast_change_rms"] > 1e-4
    assert ("all priors off", "network", LAND, 2) in rows


def test_terrain_is_also_scored_near_barriers_and_there_on_more_tiles(rows, source):
    near = rows["terrain zero", "both", NEAR_BARRIERS, 1]
    cells = sum(int((source.elevation[t.rows, t.cols] > 0).sum()) for t in (*MIDDLE[:2], MIDDLE[3]))
    assert near["pairs"] == 3 * cells
    assert ("wind flip", "both", NEAR_BARRIERS, 1) not in rows


def test_a_change_that_comes_from_upwind_scores_downwind(advection, backwards, statistics, source):
    flips = select(["wind flip, priors", "wind rotate 90, priors"])
    days, plan = source.days[2:6], BatteryPlan(tiles=MIDDLE, interventions=flips)
    right = run_battery(advection, statistics, source, days, plan)
    wrong = run_battery(backwards, statistics, source, days, plan)
    # after a reversal new and old way are opposite; after a quarter turn they lie across, and share some of the waves
    least = {"wind flip": 0.3, "wind rotate 90": 0.0}
    for row in right.direction_rows():
        assert row["ci_low"] > least[row["intervention"]], row
    for row in wrong.direction_rows():
        assert row["ci_high"] < -least[row["intervention"]], row


def test_reversing_the_wind_in_the_channels_alone_does_not_move_a_rule_that_reads_the_priors(
    advection, statistics, source
):
    plan = BatteryPlan(tiles=MIDDLE[:1], interventions=select(["wind flip, channels"]))
    battery = run_battery(advection, statistics, source, source.days[2:4], plan)
    (row,) = battery.rows()
    assert row["forecast_change_max"] == 0


def test_the_catalogue_holds_what_was_asked_for():
    labels = [i.label for i in CATALOGUE]
    assert len(labels) == len(set(labels))
    for name in ("wind zero", "wind flip", "wind rotate 90", "wind random"):
        assert {f"{name}, {form}" for form in ("priors", "channels", "both")} <= set(labels)
    for name in ("surface wind", "t2m", "sp", "tp", "t", "u", "v", "q", "z", "CAMS"):
        assert f"{name} zero, channels" in labels
    with pytest.raises(LookupError, match="No intervention called 'rain'; expected one of wind zero"):
        select(["rain"])


def test_tiles_are_spread_and_the_same_every_time(source):
    land = np.ones((688, 688), bool)
    land[:, :300] = False
    chosen = choose_tiles(PLAN, land, 5, seed=3)
    assert chosen == choose_tiles(PLAN, land, 5, seed=3)
    assert len({t.index for t in chosen}) == 5
    assert all(land[t.rows, t.cols].mean() >= 0.3 for t in chosen)
    assert choose_mountain_tiles(PLAN, np.zeros((688, 688), bool), 4) == []


def test_days_are_held_out_ones_and_blocks_fit_their_spacing(source):
    days, split = choose_days(source, 3, (1, 2))
    assert split == "validation and test" and len(days) == 3
    assert source.days[0] < min(days) and max(days) <= source.days[-3]
    assert block_days(source.days) == 3
    assert block_days(source.days[::6]) == 1
    assert block_days(source.days[:3]) == 1, "two blocks at least"


def test_a_neighbourhood_holds_its_place_and_stays_on_the_map(source):
    for lat, lon in ((47.0, 11.5), (49.9, 8.1)):
        tiles = neighbourhood(source.domain, lat, lon, 128)
        row, col = source.domain.fine.index_of(lat, lon)
        assert len(tiles) == 9
        assert any(t.rows.start <= row < t.rows.stop and t.cols.start <= col < t.cols.stop for t in tiles)
        assert min(t.rows.start for t in tiles) >= 0 and max(t.cols.stop for t in tiles) <= 688
