"""Writing: one writer at a time, nothing overwritten unasked, nothing let in that does not fit the layout."""

from __future__ import annotations

import os
import subprocess
import sys

import mini_dataset as mini
import numpy as np
import pytest
import xarray as xr
from mini_dataset import DAYS

from cranpm.data.errors import SchemaError, StoreError, StoreLockedError
from cranpm.data.store.dataset import Dataset, DatasetWriter, encode_day
from cranpm.data.store.encoding import decode_pm2p5, encode_pm2p5
from cranpm.domain import (
    Grid,
)


def test_a_day_already_there_is_left_alone(copy):
    with DatasetWriter.open(copy) as writer:
        assert writer.append_encoded(encode_day(writer.domain, DAYS[0], **mini.fields("2020-01-01"))) is False
    np.testing.assert_array_equal(Dataset.open(copy).pm2p5_raw(DAYS[0]), mini.tenths(DAYS[0]))


def test_a_second_writer_is_refused(copy):
    with DatasetWriter.open(copy):
        with pytest.raises(StoreLockedError, match=f"being written by process {os.getpid()} on"):
            DatasetWriter.open(copy)
        code = f"from cranpm.data.store.dataset import DatasetWriter; DatasetWriter.open({str(copy)!r})"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert f"is being written by process {os.getpid()} on" in other.stderr
    DatasetWriter.open(copy).close()
    assert not list(copy.glob(".*")), "a lock that was released leaves no file"


def test_a_closed_writer_writes_nothing(copy):
    writer = DatasetWriter.open(copy)
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.append_encoded(encode_day(writer.domain, "2022-03-01", **mini.fields("2022-03-01")))


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
            writer.append_encoded(
                encode_day(writer.domain, "2022-03-01", **{**mini.fields("2022-03-01"), **change})
            )
        assert len(writer.days) == 3
    assert not (copy / "pm2p5.zarr/pm2p5/c/3").exists()


def test_gaps_in_coarse_fields_stay_gaps(copy):
    fields = mini.fields("2022-03-01")
    fields["era5"][4, :3] = np.nan
    with DatasetWriter.open(copy) as writer:
        writer.append_encoded(encode_day(writer.domain, "2022-03-01", **{**fields, "cams_forecast": None}))
    dataset = Dataset.open(copy)
    np.testing.assert_array_equal(dataset.era5("2022-03-01"), fields["era5"])
    assert np.isnan(dataset.cams_forecast("2022-03-01")).all()


def test_encoding_rounds_to_tenths_and_keeps_gaps():
    values = np.array([[0.0, 0.04, 0.06], [12.345, 6553.4, np.nan]], np.float32)
    raw = encode_pm2p5(values, Grid(name="g", rows=2, cols=3, step=1, north=2, west=0, registration="cell"))
    np.testing.assert_array_equal(raw, [[0, 0, 1], [123, 65534, 65535]])
    np.testing.assert_allclose(decode_pm2p5(raw), [[0, 0, 0.1], [12.3, 6553.4, np.nan]], rtol=1e-6)


def test_more_days_than_one_time_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr("cranpm.data.store.zarr_files.TIME_CHUNK", 4)
    days = np.arange("2022-01-01", "2022-01-07", dtype="datetime64[D]")
    with mini.create(tmp_path / "long") as writer:
        for day in days:
            writer.append_encoded(encode_day(writer.domain, day, **mini.fields(day)))
    dataset = Dataset.open(tmp_path / "long")
    np.testing.assert_array_equal(dataset.days, days)
    np.testing.assert_array_equal(dataset.cams(days[5]), mini.fields(days[5])["cams"])
    with xr.open_zarr(tmp_path / "long" / "pm2p5.zarr") as plain:
        np.testing.assert_array_equal(plain.time.values.astype("datetime64[D]"), days)
