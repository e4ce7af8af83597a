"""What goes into a dataset comes out: every value, every gap, nothing else."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parent))
import mini_dataset as mini

from cranpm.data.encoding import decode_pm2p5, encode_pm2p5
from cranpm.data.errors import DayNotInStoreError, SchemaError, StoreError, StoreLockedError
from cranpm.data.store import Dataset, DatasetWriter
from cranpm.domain import (
    CAMS_CHANNELS,
    DAY_CHANNELS,
    ERA5_CHANNELS,
    EUROPE,
    Grid,
    Statistics,
)

DAYS = ("2022-01-03", "2022-01-04", "2022-02-10")  # days need not follow each other


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "mini"
    with mini.create(root) as writer:
        for day in (DAYS[2], *DAYS[:2]):  # nor come in order
            assert writer.append_day(day, **mini.fields(day))
        writer.write_static(**mini.static())
    return root


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "mini"))


def stations() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "station_id": ["TB-0001", "TB-0002"],
            "name": ["Milano", "Zürich"],
            "country": ["IT", "CH"],
            "latitude": [45.46, 47.37],
            "longitude": [9.19, 8.54],
            "altitude": [120.0, 408.0],
            "station_type": ["traffic", "background"],
            "area": ["urban", "urban"],
            "terrain_complexity": [44.0, 150.0],
        }
    )


def observations(day: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"station_id": ["TB-0001", "TB-0002"], "time": pd.Timestamp(day), "pm2p5": [31.5, np.nan]}
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


def test_a_day_already_there_is_left_alone(copy):
    with DatasetWriter.open(copy) as writer:
        assert writer.append_day(DAYS[0], **mini.fields("2020-01-01")) is False
    np.testing.assert_array_equal(Dataset.open(copy).pm2p5_raw(DAYS[0]), mini.tenths(DAYS[0]))


def test_an_open_dataset_sees_new_days_when_asked(copy):
    dataset = Dataset.open(copy)
    dataset.era5(DAYS[0])
    with DatasetWriter.open(copy) as writer:
        writer.append_day("2022-01-05", **mini.fields("2022-01-05"))
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


def test_no_dataset_and_half_a_dataset_are_refused(copy, tmp_path):
    with pytest.raises(StoreError, match="cranpm testbed build"):
        Dataset.open(tmp_path / "nothing")
    (copy / "days.json").unlink()
    with pytest.raises(StoreError, match="half a dataset"):
        Dataset.open(copy)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("pm2p5.zarr/pm2p5/c/1", r"Day 2022-01-03 of 'pm2p5' is missing"),
        ("coarse.zarr/era5/c/1", r"Day 2022-01-03 of 'era5' is missing"),
        ("pm2p5.zarr/time/c", "time axis is missing"),
        ("coarse.zarr/zarr.json", "Cannot read"),
        ("static.zarr/land/c", "Static field 'land' is missing"),
        ("stations.parquet", "table is missing"),
    ],
)
def test_a_lost_file_is_an_error_and_not_a_gap(copy, lost, message):
    path = copy / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    dataset = Dataset.open(copy)
    with pytest.raises(StoreError, match=message):
        dataset.pm2p5(DAYS[0]), dataset.coarse(DAYS[0]), dataset.static, dataset.stations()


def test_a_store_of_other_days_is_refused(copy, tmp_path):
    other = tmp_path / "other"
    with mini.create(other) as writer:
        for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
            writer.append_day(day, **mini.fields(day))
    shutil.rmtree(copy / "coarse.zarr")
    shutil.copytree(other / "coarse.zarr", copy / "coarse.zarr")
    with pytest.raises(StoreError, match="disagrees with days.json"):
        Dataset.open(copy).era5(DAYS[0])


def test_flipped_bits_and_short_files_are_found(copy):
    """One bit anywhere in a day's file, or a lost tail: an error or the same values, never other values."""
    file = copy / "pm2p5.zarr/pm2p5/c/1/0/0"
    good, expected, dataset = file.read_bytes(), mini.tenths(DAYS[0]), Dataset.open(copy)
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(60):
        position = int(rng.integers(len(good)))
        bad = bytearray(good)
        bad[position] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        try:
            np.testing.assert_array_equal(dataset.pm2p5_raw(DAYS[0]), expected)
        except StoreError:
            found += 1
    assert found >= 59  # every chunk and the index carry a checksum; only unread bytes may hide a flip
    for length in (0, 10, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:length])
        with pytest.raises(StoreError, match="damaged"):
            dataset.pm2p5_raw(DAYS[0])


def test_a_window_reads_only_its_own_chunks(copy):
    file = copy / "pm2p5.zarr/pm2p5/c/1/0/0"
    content = bytearray(file.read_bytes())
    content[10] ^= 1  # inside the first chunk, rows and columns 0 ... 255
    file.write_bytes(content)
    dataset = Dataset.open(copy)
    rows, cols = slice(256, 400), slice(256, 512)
    np.testing.assert_array_equal(dataset.pm2p5_raw(DAYS[0], rows, cols), mini.tenths(DAYS[0])[rows, cols])
    with pytest.raises(StoreError):
        dataset.pm2p5_raw(DAYS[0], slice(0, 10), slice(0, 10))


def test_a_second_writer_is_refused(copy):
    with DatasetWriter.open(copy):
        with pytest.raises(StoreLockedError, match="written by another process"):
            DatasetWriter.open(copy)
        code = f"from cranpm.data.store import DatasetWriter; DatasetWriter.open({str(copy)!r})"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "StoreLockedError" in other.stderr
    DatasetWriter.open(copy).close()


def test_a_closed_writer_writes_nothing(copy):
    writer = DatasetWriter.open(copy)
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.append_day("2022-03-01", **mini.fields("2022-03-01"))


def test_nothing_is_overwritten_unasked(copy, tmp_path):
    with pytest.raises(StoreError, match="not empty; nothing was overwritten"):
        mini.create(copy)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match="not empty"):
        mini.create(tmp_path / "mine")
    with DatasetWriter.open(copy) as writer:
        with pytest.raises(StoreError, match="overwrite=True"):
            writer.write_static(**mini.static())
        writer.write_static(
            **{**mini.static(), "elevation": np.full(mini.DOMAIN.fine.shape, 7.0)}, overwrite=True
        )
    assert float(Dataset.open(copy).static["elevation"].max()) == 7
    assert not list(copy.rglob("*.partial"))
    with pytest.raises(StoreError, match="No dataset"):
        DatasetWriter.open(tmp_path / "mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pm2p5": np.zeros((3, 3), np.uint16)}, "pm2p5: expected shape"),
        ({"pm2p5": np.full(mini.DOMAIN.fine.shape, np.nan)}, "whole day has no value"),
        ({"pm2p5": np.full(mini.DOMAIN.fine.shape, -1.0)}, "expected 0 to 6553.4"),
        ({"pm2p5": np.full(mini.DOMAIN.fine.shape, np.inf)}, "expected 0 to 6553.4"),
        ({"pm2p5": np.full(mini.DOMAIN.fine.shape, 65535.0)}, "units and fill values"),
        ({"era5": np.full((30, 17, 25), 12.0)}, "t2m: expected 180 to 340"),
        ({"era5": np.full((30, 25, 17), 12.0)}, "era5: expected shape"),
        ({"cams": np.full((5, 17, 25), np.nan)}, "pm2p5: the whole day has no value"),
        ({"cams": np.full((5, 17, 25), -5.0)}, "pm2p5: expected 0"),
    ],
)
def test_bad_fields_are_refused_and_leave_no_trace(copy, change, message):
    with DatasetWriter.open(copy) as writer:
        with pytest.raises(SchemaError, match=message):
            writer.append_day("2022-03-01", **{**mini.fields("2022-03-01"), **change})
        assert len(writer.days) == 3
    assert not (copy / "pm2p5.zarr/pm2p5/c/3").exists()


def test_gaps_in_coarse_fields_stay_gaps(copy):
    fields = mini.fields("2022-03-01")
    fields["era5"][4, :3] = np.nan
    with DatasetWriter.open(copy) as writer:
        writer.append_day("2022-03-01", **{**fields, "cams_forecast": None})
    dataset = Dataset.open(copy)
    np.testing.assert_array_equal(dataset.era5("2022-03-01"), fields["era5"])
    assert np.isnan(dataset.cams_forecast("2022-03-01")).all()


def test_encoding_rounds_to_tenths_and_keeps_gaps():
    values = np.array([[0.0, 0.04, 0.06], [12.345, 6553.4, np.nan]], np.float32)
    raw = encode_pm2p5(values, Grid(name="g", rows=2, cols=3, step=1, north=2, west=0, registration="cell"))
    np.testing.assert_array_equal(raw, [[0, 0, 1], [123, 65534, 65535]])
    np.testing.assert_allclose(decode_pm2p5(raw), [[0, 0, 0.1], [12.3, 6553.4, np.nan]], rtol=1e-6)


def test_stations_and_observations(copy):
    with DatasetWriter.open(copy) as writer:
        writer.write_stations(stations())
        for day in ("2022-03-01", "2022-03-02"):
            writer.append_day(day, **mini.fields(day), observations=observations(day))
    dataset = Dataset.open(copy)
    pd.testing.assert_frame_equal(dataset.stations(), stations())
    assert len(dataset.observations()) == 2  # a missing value is no observation
    of_day = dataset.observations(day="2022-03-02")
    assert list(of_day.station_id) == ["TB-0001"]
    assert of_day.pm2p5.iloc[0] == pytest.approx(31.5)
    assert len(dataset.observations(station_id="TB-0001")) == 2
    assert len(dataset.observations(station_id=["TB-0002"])) == 0


def test_bad_tables_are_refused(copy):
    twice = pd.concat([stations(), stations()])
    with DatasetWriter.open(copy) as writer:
        with pytest.raises(SchemaError, match="appear more than once"):
            writer.write_stations(twice)
        with pytest.raises(SchemaError, match="area must be one of"):
            writer.write_stations(stations().assign(area="village"))
        with pytest.raises(SchemaError, match="missing: altitude"):
            writer.write_stations(stations().drop(columns="altitude"))
        hourly = observations("2022-03-01").assign(time=pd.Timestamp("2022-03-01 07:00"))
        with pytest.raises(SchemaError, match="times within days"):
            writer.write_stations(stations(), hourly)
        doubled = pd.concat([observations("2022-03-01")] * 2)
        with pytest.raises(SchemaError, match="two values on 2022-03-01"):
            writer.write_stations(stations(), doubled)


def test_statistics_travel_with_the_dataset(copy):
    names = [c.name for c in DAY_CHANNELS]
    statistics = Statistics(
        mean=dict.fromkeys(names, 1.0), std=dict.fromkeys(names, 2.0), period="2022", source="test"
    )
    dataset = Dataset.open(copy)
    assert dataset.statistics is None
    dataset.write_statistics(statistics)
    assert dataset.statistics == statistics


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


def test_more_days_than_one_time_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr("cranpm.data.zarr_files.TIME_CHUNK", 4)
    days = np.arange("2022-01-01", "2022-01-07", dtype="datetime64[D]")
    with mini.create(tmp_path / "long") as writer:
        for day in days:
            writer.append_day(day, **mini.fields(day))
    dataset = Dataset.open(tmp_path / "long")
    np.testing.assert_array_equal(dataset.days, days)
    np.testing.assert_array_equal(dataset.cams(days[5]), mini.fields(days[5])["cams"])
    with xr.open_zarr(tmp_path / "long" / "pm2p5.zarr") as plain:
        np.testing.assert_array_equal(plain.time.values.astype("datetime64[D]"), days)


def test_a_full_map_is_read_in_a_moment(tmp_path):
    """29 million cells; 0.3 s on one free core, and a loaded machine gets some grace."""
    raw = np.random.default_rng(0).integers(40, 90, EUROPE.fine.shape, dtype=np.uint16)
    raw[:, :3500] = 65535
    box = EUROPE.coarse_box.shape
    era5 = np.repeat(mini.fields("2022-01-01")["era5"].mean((1, 2)), np.prod(box)).reshape(30, *box)
    facts = {"name": "e", "title": "E", "source": "test", "version": "1", "hash": "1", "attribution": ""}
    with DatasetWriter.create(tmp_path / "e", EUROPE, simulated=True, **facts) as writer:
        writer.append_day("2022-01-01", pm2p5=raw, era5=era5, cams=np.ones((5, *box)))
    dataset = Dataset.open(tmp_path / "e")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        again = dataset.pm2p5_raw("2022-01-01")
        seconds.append(time.perf_counter() - start)
    np.testing.assert_array_equal(again, raw)
    assert min(seconds) < 1.5
