"""What goes into a dataset comes out: every value, every gap, nothing else."""

from __future__ import annotations

import pickle
import time

import mini_dataset as mini
import numpy as np
import pytest
import xarray as xr
from mini_dataset import DAYS

from cranpm.data.errors import DayNotInStoreError
from cranpm.data.store.creation import DatasetDescription
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day
from cranpm.domain import (
    CAMS_CHANNELS,
    DAY_CHANNELS,
    ERA5_CHANNELS,
    EUROPE,
)


def test_days_come_back_bit_for_bit(made):
    dataset = Dataset.open(made)
    assert list(dataset.days.astype(str)) == list(DAYS)
    for day in DAYS:
        fields = mini.fields(day)
        np.testing.assert_array_equal(dataset.pm2p5_raw(day), fields["pm2p5"])
        for name in ("era5", "cams", "cams_forecast"):
            np.testing.assert_array_equal(getattr(dataset, name)(day), fields[name])


def test_a_window_is_a_window_of_the_map(made):
    rows, cols = slice(30, 300), slice(200, 511)
    window = Dataset.open(made).pm2p5(DAYS[0], rows, cols)
    raw = mini.tenths(DAYS[0])[rows, cols]
    assert window.dims == ("latitude", "longitude")
    assert window.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(window.values), raw == 65535)  # a gap is NaN, never 0
    np.testing.assert_allclose(window.values[10:], raw[10:] / 10, rtol=1e-6)
    np.testing.assert_array_equal(window.latitude, mini.DOMAIN.fine.lat[rows])
    np.testing.assert_array_equal(window.longitude, mini.DOMAIN.fine.lon[cols])
    assert window.attrs["units"] == "ug m-3"
    assert window.attrs["source"] == "testbed (simulated)"


def test_coarse_fields_carry_their_names_and_units(made):
    coarse = Dataset.open(made).coarse(DAYS[1])
    assert list(coarse.channel.values) == [c.name for c in DAY_CHANNELS]
    assert coarse.sel(channel="sp").units == "Pa"
    fields = mini.fields(DAYS[1])
    np.testing.assert_array_equal(coarse.sel(channel="v10"), fields["era5"][1])
    np.testing.assert_array_equal(coarse.sel(channel="co"), fields["cams"][4])


def test_static_fields_come_back(made):
    static = Dataset.open(made).static
    for name, values in mini.static().items():
        np.testing.assert_array_equal(static[name], values)
    assert static["elevation"].units == "m"


def test_plain_xarray_opens_the_stores(made):
    """The layout is ordinary CF: another tool sees days, gaps and units without knowing this program."""
    with xr.open_zarr(made / "pm2p5.zarr") as fine, xr.open_zarr(made / "coarse.zarr") as coarse:
        assert fine.Conventions == "CF-1.11"
        assert fine.pm2p5.standard_name == "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air"
        assert fine.pm2p5.attrs["units"] == "ug m-3"
        assert fine.pm2p5.encoding["shards"] == (1, 512, 768)
        assert fine[fine.pm2p5.grid_mapping].grid_mapping_name == "latitude_longitude"
        day = fine.pm2p5.sortby("time").sel(time=DAYS[0]).values
        raw = mini.tenths(DAYS[0])
        np.testing.assert_array_equal(np.isnan(day), raw == 65535)
        np.testing.assert_allclose(day[mini.SEA_ROWS :], raw[mini.SEA_ROWS :] / 10, rtol=1e-6)
        bounds = fine[fine.time.bounds].values
        np.testing.assert_array_equal(bounds[:, 0], fine.time.values)
        assert (np.diff(bounds, axis=1) == np.timedelta64(1, "D")).all()
        assert list(coarse.channel.values) == [c.name for c in ERA5_CHANNELS]
        assert list(coarse.species.values) == [c.name for c in CAMS_CHANNELS]
        np.testing.assert_array_equal(coarse.era5.sel(time=DAYS[2]), mini.fields(DAYS[2])["era5"])
        np.testing.assert_array_equal(coarse.latitude, mini.DOMAIN.coarse_box.lat)


def test_an_open_dataset_sees_new_days_when_asked(copy):
    dataset = Dataset.open(copy)
    dataset.era5(DAYS[0])
    with DatasetWriter.open(copy) as writer:
        writer.append_encoded(encode_day(writer.domain, "2022-01-05", **mini.fields("2022-01-05")))
    assert len(dataset.days) == 3
    dataset.refresh()
    assert len(dataset.days) == 4
    np.testing.assert_array_equal(dataset.pm2p5_raw("2022-01-05"), mini.tenths("2022-01-05"))


def test_a_day_outside_says_what_there_is_and_what_to_run(made):
    with pytest.raises(DayNotInStoreError, match=r"from 2022-01-03 to 2022-02-10 \(nearest: 2022-01-04\)"):
        Dataset.open(made).era5("2022-01-10")
    with pytest.raises(DayNotInStoreError, match="cranpm testbed build --start 2021-12-31 --days 1"):
        Dataset.open(made).pm2p5("2021-12-31")


def test_an_empty_dataset_says_so(tmp_path):
    mini.create(tmp_path / "empty").close()
    dataset = Dataset.open(tmp_path / "empty")
    assert len(dataset.days) == 0
    with pytest.raises(DayNotInStoreError, match="holds no days yet"):
        dataset.cams("2022-01-01")


def test_a_dataset_travels_to_other_processes(made):
    dataset = pickle.loads(pickle.dumps(Dataset.open(made)))
    np.testing.assert_array_equal(dataset.cams(DAYS[0]), mini.fields(DAYS[0])["cams"])


def test_a_dataset_far_away_reads_the_same(made):
    """Any address that fsspec knows; here a file URL stands for an object store."""
    far = Dataset.open(f"file://{made}")
    np.testing.assert_array_equal(far.pm2p5_raw(DAYS[0]), mini.tenths(DAYS[0]))
    np.testing.assert_array_equal(far.static["land"], mini.static()["land"])
    with pytest.raises(DayNotInStoreError):
        far.era5("1999-01-01")


def test_a_full_map_is_read_in_a_moment(tmp_path):
    """29 million cells; 0.3 s on one free core, and a loaded machine gets some grace."""
    raw = np.random.default_rng(0).integers(40, 90, EUROPE.fine.shape, dtype=np.uint16)
    raw[:, :3500] = 65535
    box = EUROPE.coarse_box.shape
    era5 = np.repeat(mini.fields("2022-01-01")["era5"].mean((1, 2)), np.prod(box)).reshape(30, *box)
    facts = {"name": "e", "title": "E", "source": "test", "version": "1", "hash": "1", "attribution": ""}
    described = DatasetDescription(simulated=True, **facts)
    with DatasetWriter.create(tmp_path / "e", EUROPE, described) as writer:
        writer.append_encoded(
            encode_day(writer.domain, "2022-01-01", pm2p5=raw, era5=era5, cams=np.ones((5, *box)))
        )
    dataset = Dataset.open(tmp_path / "e")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        again = dataset.pm2p5_raw("2022-01-01")
        seconds.append(time.perf_counter() - start)
    np.testing.assert_array_equal(again, raw)
    assert min(seconds) < 1.5
