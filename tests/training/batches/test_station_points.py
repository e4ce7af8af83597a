"""Stations in the loss: which, where, and never the held-out ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cranpm.data.sampler import TileDraw, TileSampler
from cranpm.data.store.source import init_times
from cranpm.domain.blocks import blocks_of, held_out
from cranpm.domain.splits import Splits
from cranpm.training.batches.batches import TrainingDays
from cranpm.training.batches.source import TrainingData
from cranpm.training.batches.station_points import StationReader
from cranpm.training.fit.loop import station_reader, train
from cranpm.training.fit.losses import hotspot_weight
from cranpm.training.fit.module import Training
from cranpm.training.state.options import TrainerOptions
from cranpm.training.state.session import Session
from cranpm.training.state.state import TrainStates


def test_a_block_is_held_out_whole_and_for_everybody_alike():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(35, 70, 5000), rng.uniform(-10, 30, 5000)
    held = held_out(lat, lon)
    rows, cols = blocks_of(lat, lon)
    fates = {}
    for row, col, fate in zip(rows, cols, held):
        assert fates.setdefault((row, col), fate) == fate
    # 17.5 x 20 blocks: 350 draws of 0.2 have a standard deviation of 0.021
    assert np.mean(list(fates.values())) == pytest.approx(0.2, abs=0.065)
    half = held_out(lat[::2], lon[::2])
    assert np.array_equal(half, held[::2])  # who else is there does not matter
    assert not np.array_equal(held_out(lat, lon, seed=2), held)
    assert not held_out(lat, lon, share=0).any() and held_out(lat, lon, share=1).all()
    with pytest.raises(ValueError, match=r"share is 1.5; expected 0..1"):
        held_out(lat, lon, share=1.5)


def test_stations_are_read_where_and_when_they_observed(make_world):
    world = make_world().with_stations()
    reader = StationReader(world.stations, world.domain.fine, with_held_out=True)
    tile = TileDraw(init_time=np.datetime64("2017-01-03"), row=64, col=128, lead=2)
    points = reader.read([tile], 128)
    assert len(points.observed) > 5
    for row, col, observed in zip(points.rows, points.cols, points.observed):
        # the station's cell on the valid day, 2017-01-05, plus the 2 ug m-3 it reports on top
        r, c = round(64 + float(row)), round(128 + float(col))
        expected = world.pm2p5(np.datetime64("2017-01-05"), slice(r, r + 1), slice(c, c + 1)).item() + 2
        assert float(observed) == pytest.approx(expected, rel=1e-5)


def sampler_of(world, recipe):
    days = init_times(world, "train", Splits(), recipe.leads)
    return TileSampler(
        days, world.land, world.domain.fine, tile_size=128, tiles_per_day=2, hotspot_ratio=0, seed=1
    )


def test_training_never_reads_a_held_out_station(make_world, statistics, quick):
    world = make_world().with_stations()
    recipe = replace(quick, station_weight=0.1)
    reader = station_reader(recipe, world)
    held = set(world.stations.station_id[held_out(world.stations.latitude, world.stations.longitude)])
    assert held and not held & set(reader.used)
    batches = TrainingDays(world, sampler_of(world, recipe), statistics, days_per_step=1, stations=reader)
    batch = batches.batch(0)
    assert len(batch.stations.held) and not batch.stations.held.any()
    assert len(station_reader(recipe, world, with_held_out=True).used) == len(world.stations.station_id)


def test_the_station_term_is_the_error_at_stations(make_world, statistics, quick):
    world = make_world().with_stations()
    recipe = replace(quick, station_weight=0.1, frequency_weight=0.0, coarse_weight=0.0)
    reader = station_reader(recipe, world)
    batch = TrainingDays(
        world, sampler_of(world, recipe), statistics, days_per_step=1, stations=reader
    ).batch(0)
    module = Training(recipe).eval()  # untrained: persistence
    with torch.no_grad():
        terms = module.losses(batch)
    points = batch.stations
    # stations lie on cell centres, so that bilinear reading gives the cell's value of today
    rows, cols = points.rows.round().long(), points.cols.round().long()
    errors = (batch.today[points.tile, rows, cols] - points.observed) / 20
    assert float(terms["station"]) == pytest.approx(float(errors.square().mean()), rel=1e-4)
    assert float(terms["loss"]) == pytest.approx(float(terms["pixel"] + 0.1 * terms["station"]), rel=1e-6)


def test_both_groups_are_reported(make_world, statistics, quick, tmp_path):
    world = make_world(validation=True).with_stations(2000)
    states = TrainStates(tmp_path / "train_state", {})
    recipe = replace(quick, steps=2, station_weight=0.1)
    options = TrainerOptions(workers=0, validate_every=1, save_every=1)
    data = TrainingData(source=world, statistics=statistics)
    train(recipe, data, options, Session(out=tmp_path, states=states))
    assert {"rmse_station", "rmse_station_held_out"} <= set(states.scores(2))


def test_a_station_loss_without_stations_is_refused(world, quick):
    with pytest.raises(ValueError, match="'test' has none. Train on a dataset with stations, or set station"):
        station_reader(replace(quick, station_weight=0.1), world)


def test_hotspots_weigh_more_when_asked():
    target = torch.tensor([0.0, 25.0, 50.0, 500.0, torch.nan])
    assert hotspot_weight(target, 2.0).tolist() == [1, 2, 3, 3, 1]
    assert hotspot_weight(target, 0.0).tolist() == [1] * 5
