"""Variants are trained with the same seeds, scored on the same tiles, and compared in pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cranpm.data.errors import StoreError
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationReader
from cranpm.training.batches.validation import validation_batches
from cranpm.training.compare import ComparisonPlan, _errors, compare_ablations
from cranpm.training.comparison import Comparison
from cranpm.training.state.options import TrainerOptions


@pytest.fixture(scope="module")
def data(make_world, statistics) -> TrainingData:
    world = make_world(validation=True)
    about = {"source": "test", "simulated": True}
    return TrainingData(source=world, statistics=statistics, fingerprint={"kind": "test"}, about=about)


TWICE = ComparisonPlan(seeds=(1, 2), days=2, tiles_per_day=2)


@pytest.fixture(scope="module")
def short(quick):
    return replace(quick, steps=3, warmup_steps=1, global_epochs=0, coarse_weight=0.0)


def test_variants_meet_the_same_tiles_and_a_finished_run_is_not_trained_again(data, short, tmp_path, capsys):
    options = TrainerOptions(workers=0, validate_every=3, validation_days=2)
    first = compare_ablations(short, data, ["R2"], tmp_path, plan=TWICE, options=options)
    assert list(first.squared) == ["full", "R2"]
    assert first.squared["R2"].shape == (2, 2)
    assert not np.array_equal(first.squared["full"][0], first.squared["full"][1])  # seeds differ
    shown = capsys.readouterr().out
    assert "4/4" in shown
    assert "Training:" not in shown  # one bar for all, not one for each run
    data.source.opened.clear()
    again = compare_ablations(short, data, ["R2"], tmp_path, plan=TWICE, options=options)
    np.testing.assert_array_equal(again.squared["R2"], first.squared["R2"])
    assert all(day >= np.datetime64("2021-01-01") for day in data.source.opened)


def test_an_unknown_variant_is_refused_before_anything_is_trained(data, short, tmp_path):
    with pytest.raises(ValueError, match="R99"):
        compare_ablations(short, data, ["R99"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_differences_are_paired_so_a_hard_day_is_no_difference():
    days = np.array([1.0, 100.0, 4.0, 25.0])
    worse = 1.1**2 * days  # RMSE 10 % higher on every day, easy or hard
    result = Comparison(
        seeds=(1, 2),
        persistence=2 * days,
        squared={"full": np.stack([days, days]), "R2": np.stack([worse, worse])},
    )
    full, other = result.rows()
    assert (full["change_pct"], full["low"], full["high"]) == (0, 0, 0)
    assert other["change_pct"] == pytest.approx(10)
    assert other["low"] == pytest.approx(10)
    assert other["high"] == pytest.approx(10)
    assert full["below_persistence_pct"] == pytest.approx(100 * (1 - 0.5**0.5))


def test_stations_are_pooled_over_pairs_and_compared_in_pairs():
    """A day with many stations weighs more; a group without any has no figure."""
    days = np.array([1.0, 4.0])
    sums = np.zeros((2, 1, 2, 2))
    sums[0, 0] = [[30.0, 10], [4.0, 1]]  # 34 / 11
    result = Comparison(
        seeds=(1,),
        persistence=days,
        squared={"full": days[None], "R7": days[None]},
        at_stations={"full": sums, "R7": sums * [1.44, 1.0]},
    )
    full, without = result.rows()
    assert full["station_rmse"] == pytest.approx((34 / 11) ** 0.5) and full["station_change_pct"] == 0
    for key in ("change_pct", "low", "high"):
        assert without[f"station_{key}"] == pytest.approx(20)
    assert without["change_pct"] == 0
    assert np.isnan([without["held_out_station_rmse"], without["held_out_station_low"]]).all()


def test_errors_at_stations_are_those_of_the_map_there(make_world, statistics, short):
    """Stations report 2 more than the pattern, which falls: persistence is off by both."""
    world = make_world(validation=True).with_stations(6000)
    batches = validation_batches(
        short,
        TrainingData(source=world, statistics=statistics),
        days=2,
        tiles_per_day=2,
        stations=StationReader(world.stations, world.domain.fine, with_held_out=True),
    )
    _, found = _errors(None, batches)
    assert (found[..., 1] > 0).all()
    for number, batch in enumerate(batches):
        points = batch.stations
        today = batch.today[points.tile, points.rows.round().long(), points.cols.round().long()]
        for group, held in enumerate((False, True)):
            errors = (today - points.observed)[points.held == held].double()
            assert found[group, number, 1] == len(errors)
            assert found[group, number, 0] == pytest.approx(float((errors**2).sum()), rel=1e-3)


def test_data_without_stations_are_compared_on_maps_alone(make_world, statistics, short, tmp_path):
    """A dataset without station tables says so when it is asked for them."""
    world = make_world(validation=True)

    class WithoutTables(type(world)):
        @property
        def stations(self):
            raise StoreError("The dataset has no station tables.")

    world.__class__ = WithoutTables
    found = compare_ablations(
        short,
        TrainingData(source=world, statistics=statistics, about={"source": "test", "simulated": True}),
        [],
        tmp_path,
        plan=replace(TWICE, seeds=(1,)),
        options=TrainerOptions(workers=0, validate_every=3, validation_days=2),
        report=lambda _: None,
    )
    assert found.at_stations == {} and not any("station" in key for key in found.rows()[0])
