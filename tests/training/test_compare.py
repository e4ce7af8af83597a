"""Variants are trained with the same seeds, scored on the same tiles, and compared in pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cranpm.training.batches.source import TrainingData
from cranpm.training.compare import Comparison, compare_ablations
from cranpm.training.state.options import TrainerOptions


@pytest.fixture(scope="module")
def data(make_world, statistics) -> TrainingData:
    world = make_world(validation=True)
    about = {"source": "test", "simulated": True}
    return TrainingData(source=world, statistics=statistics, fingerprint={"kind": "test"}, about=about)


@pytest.fixture(scope="module")
def short(quick):
    return replace(quick, steps=3, warmup_steps=1, global_epochs=0, coarse_weight=0.0)


def test_variants_meet_the_same_tiles_and_a_finished_run_is_not_trained_again(data, short, tmp_path, capsys):
    options = TrainerOptions(workers=0, validate_every=3, validation_days=2)
    first = compare_ablations(
        short, data, ["R2"], tmp_path, seeds=(1, 2), days=2, tiles_per_day=2, options=options
    )
    assert list(first.squared) == ["full", "R2"]
    assert first.squared["R2"].shape == (2, 2)
    assert not np.array_equal(first.squared["full"][0], first.squared["full"][1])  # seeds differ
    shown = capsys.readouterr().out
    assert "4/4" in shown
    assert "Training:" not in shown  # one bar for all, not one for each run
    data.source.opened.clear()
    again = compare_ablations(
        short, data, ["R2"], tmp_path, seeds=(1, 2), days=2, tiles_per_day=2, options=options
    )
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
