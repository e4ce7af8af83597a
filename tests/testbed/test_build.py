"""A testbed is built day by day, says what it is, survives being stopped, and never mixes two worlds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cranpm.data.store.dataset import Dataset, StoreError
from cranpm.data.store.tables import STATION_COLUMNS
from cranpm.domain import ERA5_CHANNELS, domain_from_corner
from cranpm.testbed import build
from cranpm.testbed.geography.geography import load_geography
from cranpm.testbed.instruments.stations import NETWORK_COUNTRIES, draw_stations
from cranpm.testbed.simulation.constants import DEFAULT_SEED
from cranpm.testbed.simulation.world import BLOCK_DAYS, DayState, World
from cranpm.testbed.simulation.world_files import find_world

DOMAIN = domain_from_corner("piedmont", "Piedmont", north=46.0, west=7.0, coarse_rows=8, coarse_cols=12)
_TYPICAL = {"t2m": 275.0, "sp": 95e3, "t": 265.0, "q": 1e-3, "z": 1e4}


class QuickWorld:
    """Stands in for `World`: states of the right form at once, each day's values following from the day."""

    calls: list[tuple[str, int]] = []  # noqa: RUF012
    stop_after: int | None = None

    def __init__(self, geography, *, constants, device):
        self.geography, self.constants, self.seed = geography, constants, constants.seed

    def run(self, start, days, progress=None):
        self.calls.append((str(start), days))
        shape = self.geography.domain.coarse_box.shape
        lattice = tuple((n - 1) * 5 // 2 + 1 for n in shape)
        for index in range(days):
            if self.stop_after == index:
                raise KeyboardInterrupt
            day = np.datetime64(start, "D") + index
            level = 5.0 + int(day.astype(int)) % 50
            era5 = np.stack(
                [np.full(shape, _TYPICAL.get(c.variable, 1.0), np.float32) for c in ERA5_CHANNELS]
            )
            coarse = np.full(shape, level, np.float32)
            if progress:
                progress(index + 1, days, float(days - index - 1))
            yield DayState(
                day=day,
                seed=self.seed,
                constants=self.constants,
                era5=era5,
                pm=np.full(lattice, level, np.float32),
                pm_coarse=coarse,
                pm_ahead=np.stack([coarse] * 3),
                source=np.zeros(shape, np.float32),
                pooling=np.zeros(shape, np.float32),
            )


@pytest.fixture
def quick(monkeypatch, geography_europe):
    """The builder with a world that takes no time; depends on Europe's geography, of which the region is a window."""
    monkeypatch.setattr(build, "World", QuickWorld)
    monkeypatch.setattr(QuickWorld, "calls", [])
    monkeypatch.setattr(QuickWorld, "stop_after", None)
    return QuickWorld


def test_a_build_holds_everything_and_says_what_it_is(quick, tmp_path, geography_cache):
    out = build.build_testbed(tmp_path / "tb", "2022-01-03", 3, DOMAIN, cache_dir=geography_cache)
    dataset = Dataset.open(out)
    assert dataset.source == "testbed (simulated)"
    assert dataset.simulated
    assert dataset.meta["world"]["seed"] == DEFAULT_SEED
    assert dataset.domain == DOMAIN
    assert [str(day) for day in dataset.days] == ["2022-01-03", "2022-01-04", "2022-01-05"]

    geography = load_geography(DOMAIN, geography_cache)
    np.testing.assert_array_equal(dataset.static["elevation"], geography.elevation)
    np.testing.assert_array_equal(dataset.static["land"], geography.land)
    complexity = dataset.static["terrain_complexity"].values
    np.testing.assert_allclose(complexity, geography.terrain_complexity, atol=1 / 16)

    day = dataset.pm2p5("2022-01-03")
    assert np.isnan(day.values[~geography.land]).all()  # the sea has no support
    assert np.isfinite(day.values[geography.land]).mean() > 0.9
    assert dataset.cams("2022-01-03").shape == (5, 9, 13)
    assert dataset.cams_forecast("2022-01-03").shape == (3, 9, 13)

    stations, observed = dataset.stations(), dataset.observations(day="2022-01-04")
    assert tuple(stations.columns) == STATION_COLUMNS
    assert stations.station_id.iloc[0] == "TB-0001"
    assert 0.6 < len(observed) / len(stations) <= 1
    assert set(observed.station_id) <= set(stations.station_id)
    np.testing.assert_array_equal(
        stations.altitude,
        [geography.elevation[DOMAIN.fine.index_of(*p)] for p in zip(stations.latitude, stations.longitude)],
    )


def test_progress_leads_to_the_end(quick, tmp_path, geography_cache):
    seen = []
    build.build_testbed(
        tmp_path / "tb",
        "2022-01-03",
        4,
        DOMAIN,
        cache_dir=geography_cache,
        progress=lambda *p: seen.append(p),
    )
    stages, done, totals, left = zip(*seen)
    assert stages[0] == build.STAGE_GEOGRAPHY
    assert seen[-1] == (build.STAGE_DAYS, 4, 4, 0.0)
    assert list(done) == sorted(done)
    assert set(totals) == {4}
    assert all(seconds is None or seconds >= 0 for seconds in left)


def test_a_stopped_build_goes_on_with_the_missing_days(quick, tmp_path, geography_cache, monkeypatch):
    whole = Dataset.open(
        build.build_testbed(tmp_path / "a", "2022-01-03", 6, DOMAIN, cache_dir=geography_cache)
    )
    monkeypatch.setattr(quick, "stop_after", 3)
    with pytest.raises(KeyboardInterrupt):
        build.build_testbed(tmp_path / "b", "2022-01-03", 6, DOMAIN, cache_dir=geography_cache)
    kept = len(Dataset.open(tmp_path / "b").days)
    assert kept <= 3
    monkeypatch.setattr(quick, "stop_after", None)
    quick.calls.clear()
    build.build_testbed(tmp_path / "b", "2022-01-03", 6, DOMAIN, cache_dir=geography_cache)
    assert quick.calls == [(str(np.datetime64("2022-01-03") + kept), 6 - kept)]
    again = Dataset.open(tmp_path / "b")
    for day in whole.days:
        np.testing.assert_array_equal(again.pm2p5_raw(day), whole.pm2p5_raw(day))
        np.testing.assert_array_equal(again.cams(day), whole.cams(day))
        left, right = again.observations(day=day), whole.observations(day=day)
        assert left.reset_index(drop=True).equals(right.reset_index(drop=True))


def test_a_finished_build_is_left_alone_and_a_longer_one_adds_to_it(quick, tmp_path, geography_cache):
    out = tmp_path / "tb"
    build.build_testbed(out, "2022-01-03", 2, DOMAIN, cache_dir=geography_cache)
    file = out / "pm2p5.zarr/pm2p5/c/0/0/0"
    written = file.stat().st_mtime_ns
    quick.calls.clear()
    build.build_testbed(out, "2022-01-03", 2, DOMAIN, cache_dir=geography_cache)
    assert quick.calls == []
    # days before, and days far away: two runs, because a gap of months is not worth simulating
    build.build_testbed(out, "2022-06-01", 1, DOMAIN, cache_dir=geography_cache)
    build.build_testbed(out, "2022-01-01", 5, DOMAIN, cache_dir=geography_cache)
    assert quick.calls == [("2022-06-01", 1), ("2022-01-01", 5)]
    days = [str(day) for day in Dataset.open(out).days]
    assert days == ["2022-01-01", "2022-01-02", "2022-01-03", "2022-01-04", "2022-01-05", "2022-06-01"]
    assert file.stat().st_mtime_ns == written


def test_two_worlds_are_never_mixed(quick, tmp_path, geography_cache):
    out = tmp_path / "tb"
    build.build_testbed(out, "2022-01-03", 1, DOMAIN, cache_dir=geography_cache)
    with pytest.raises(StoreError, match="holds another dataset"):
        build.build_testbed(out, "2022-01-03", 2, DOMAIN, world=find_world(seed=7), cache_dir=geography_cache)
    with pytest.raises(StoreError, match=r"This would be testbed \(simulated\), world 'shifted'"):
        build.build_testbed(out, "2022-01-03", 2, DOMAIN, world="shifted", cache_dir=geography_cache)
    with pytest.raises(StoreError, match="holds another dataset"):
        build.build_testbed(out, "2022-01-03", 2, "alps", cache_dir=geography_cache)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        build.build_testbed(tmp_path / "notes", "2022-01-03", 1, DOMAIN, cache_dir=geography_cache)
    with pytest.raises(ValueError, match="at least one day"):
        build.build_testbed(out, "2022-01-03", 0, DOMAIN, cache_dir=geography_cache)
    assert len(Dataset.open(out).days) == 1


def test_a_failed_product_ends_the_build_and_keeps_whole_days(quick, tmp_path, geography_cache, monkeypatch):
    real = build.ghap_like

    def fails(state, geography):
        if state.day == np.datetime64("2022-01-05"):
            raise RuntimeError("out of memory")
        return real(state, geography)

    monkeypatch.setattr(build, "ghap_like", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        build.build_testbed(tmp_path / "tb", "2022-01-03", 5, DOMAIN, cache_dir=geography_cache)
    dataset = Dataset.open(tmp_path / "tb")
    assert [str(day) for day in dataset.days] == ["2022-01-03", "2022-01-04"]
    assert np.isfinite(dataset.pm2p5("2022-01-04").values).any()


def test_the_true_world_end_to_end(tmp_path, geography_europe, geography_cache):
    """Three days of the real simulation on a small domain; a day is the same from whichever day the build starts."""
    # first day of a spin-up block: the shortest run
    number = int(np.datetime64("2022-01-20", "D").astype(int))
    start = np.datetime64("1970-01-01", "D") + number // BLOCK_DAYS * BLOCK_DAYS
    long = Dataset.open(build.build_testbed(tmp_path / "a", start, 3, DOMAIN, cache_dir=geography_cache))
    short = Dataset.open(build.build_testbed(tmp_path / "b", start + 1, 1, DOMAIN, cache_dir=geography_cache))
    day = start + 1
    np.testing.assert_array_equal(long.pm2p5_raw(day), short.pm2p5_raw(day))
    np.testing.assert_array_equal(long.era5(day), short.era5(day))
    np.testing.assert_array_equal(long.cams_forecast(day), short.cams_forecast(day))
    land = long.static["land"].values.astype(bool)
    pm2p5 = long.pm2p5(day).values[land]
    assert 1 < np.nanmean(pm2p5) < 100
    assert np.nanstd(pm2p5) > 0.5
    assert np.isnan(pm2p5).mean() < 0.1
    assert World is build.World


def test_the_network_is_as_large_as_the_real_one(geography_europe):
    """2,795 stations of the real network lie inside the domain."""
    stations = draw_stations(geography_europe, DEFAULT_SEED)
    assert 2500 < len(stations) < 3500
    assert stations.station_id.is_unique
    assert set(stations.country) <= NETWORK_COUNTRIES
    grid = geography_europe.domain.fine
    assert all(geography_europe.land[grid.index_of(*p)] for p in zip(stations.latitude, stations.longitude))
    shares = stations.station_type.value_counts(normalize=True)
    assert 0.5 < shares["background"] < 0.8
    assert 0.15 < shares["traffic"] < 0.35
    assert set(stations.area) == {"urban", "suburban", "rural"}
    # both halves of the paper's terrain split at 50 m are well filled
    assert 0.3 < (stations.terrain_complexity > 50).mean() < 0.7


def test_a_regions_network_is_europes(geography_europe, geography_alps):
    europe, alps = (draw_stations(g, DEFAULT_SEED) for g in (geography_europe, geography_alps))
    everywhere = set(zip(europe.latitude, europe.longitude))
    shared = [place in everywhere for place in zip(alps.latitude, alps.longitude)]
    assert np.mean(shared) > 0.99  # a site that Europe would put just across the region's edge is drawn again
    other = draw_stations(geography_alps, DEFAULT_SEED + 1)
    assert not set(zip(other.latitude, other.longitude)) & set(zip(alps.latitude, alps.longitude))


def test_a_disk_too_full_is_told_before_anything_is_made(tmp_path, monkeypatch):
    """A day of Europe takes up to 29 MB: 0.8 bytes a fine cell and 3 of the 38 values a node."""
    free = SimpleNamespace(free=10 * 28_000_000)
    monkeypatch.setattr("cranpm._files.shutil.disk_usage", lambda folder: free)
    with pytest.raises(OSError, match=r"needs up to 0.29 GB and .* has 0.28 GB free"):
        build.build_testbed(tmp_path / "data", "2022-01-03", 10, "europe", cache_dir=tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_a_dataset_says_of_which_world_it_is(quick, tmp_path, geography_cache):
    out = build.build_testbed(
        tmp_path / "tb",
        "2022-01-03",
        1,
        DOMAIN,
        world=find_world("shifted", seed=11),
        cache_dir=geography_cache,
    )
    dataset = Dataset.open(out)
    assert dataset.source == "testbed (simulated), world 'shifted'" and dataset.simulated
    assert dataset.meta["title"] == "Testbed (Shifted world), Piedmont"
    assert dataset.meta["version"] == "world-1-shifted"
    assert dataset.meta["world"]["name"] == "shifted" and dataset.meta["world"]["seed"] == 11
    assert dataset.meta["world"]["constants"]["chemistry"]["low_life"] == 8.0
